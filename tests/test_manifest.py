"""``run.json``: what is written is read again, what an older version wrote is read or named."""

import json

import msgspec
import pytest

from curate.errors import InputError
from curate.report.html.page import write_report
from curate.report.model import build_report
from curate.runs.finished import Run
from curate.settings.report import ReportSettings
from curate.store.checked_json import read_json, write_json
from curate.store.manifest import find_manifest, read_manifest, write_manifest
from curate.store.manifest_entries import Judged, Manifest
from curate.store.report_file import find_report
from fake_run import bare_manifest, write_fake_run


def test_every_entry_is_read_and_written_as_it_is(tmp_path):
    told = write_fake_run(tmp_path, documents=30)
    manifest = read_manifest(tmp_path)
    written = manifest.written()
    differing = [name for name, value in told.items() if not _holds(json.loads(json.dumps(written[name])), value)]
    assert differing == []
    write_manifest(tmp_path / "run.json", manifest)
    assert read_manifest(tmp_path) == manifest


def test_entries_stand_in_the_order_that_people_read_them_in(tmp_path):
    write_json(tmp_path / "run.json", bare_manifest())
    names = list(read_manifest(tmp_path).written())
    assert names[:6] == ["schema_version", "run_id", "curate", "command", "recipe", "inputs"]
    assert names[-4:] == ["versions", "warnings", "gates", "profile"]
    assert sorted(names) == sorted({*Judged.__struct_fields__, *Manifest.__struct_fields__})


def test_a_run_of_another_version_of_the_layout_is_read(tmp_path):
    """Names that later versions added are missing, names of a version to come are there."""
    later = {"mood": "good", "counts": {**bare_manifest()["counts"], "pondered": 3}}
    write_json(tmp_path / "run.json", bare_manifest(("tokenize",), parts=2) | later)
    run = Run(tmp_path)
    assert (run.ok, run.counts.kept, run.tokens, run.warnings) == (True, 0, None, ())
    assert (run.manifest.stage_names, len(run.manifest.parts)) == (["tokenize"], 2)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda told: told.pop("timings"), "`timings`"),
        (lambda told: told["counts"].pop("kept"), "`$.counts`"),
        (lambda told: told["stages"].append({"name": "quality", "version": "one"}), "`$.stages[1].version`"),
    ],
)
def test_a_run_that_cannot_be_read_is_named_with_the_place_and_the_command(tmp_path, change, place):
    told = bare_manifest(("tokenize",))
    change(told)
    write_json(tmp_path / "run.json", told)
    assert find_manifest(tmp_path).state == "older"
    with pytest.raises(InputError) as refused:
        read_manifest(tmp_path)
    assert "was made by curate 0.1.0" in refused.value.message
    assert place in refused.value.message
    assert refused.value.hint == "make it again: curate run in --fresh"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"schema_version": 0},
        lambda told: {name: value for name, value in told.items() if name != "summary"},
        lambda told: told | {"flow": "none"},
        lambda told: told | {"a name to come": 1},
    ],
)
def test_the_report_of_another_version_is_read_or_made_again(reported, change):
    run, report, told = reported
    write_json(run / "report.json", change(told))
    assert Run(run).report.summary == report.summary
    assert find_report(run).command == report.manifest.command


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A run, its report, and what is written of it."""
    run = tmp_path_factory.mktemp("reported")
    write_fake_run(run, documents=60, hostile=False)
    report = build_report(run, ReportSettings(samples=0))
    write_report(run, report)
    return run, report, read_json(run / "report.json")


def _holds(written, told) -> bool:
    """Whether all that was told is in what is written."""
    if isinstance(told, dict):
        return all(name in written and _holds(written[name], value) for name, value in told.items())
    if isinstance(told, list):
        return len(written) == len(told) and all(map(_holds, written, told))
    return written == msgspec.to_builtins(told)


@pytest.mark.parametrize("value", ["name\udc80 é\u2028", [[], {}, 1e-07, 1e16, 2**70, None]])
def test_any_value_is_written_as_python_writes_it_and_read_again(tmp_path, value):
    """A name of a file may hold what is no character."""
    write_json(tmp_path / "some.json", {"value": value})
    assert read_json(tmp_path / "some.json") == {"value": value}
    written = json.dumps(json.loads((tmp_path / "some.json").read_bytes()), indent=1, ensure_ascii=False)
    assert (tmp_path / "some.json").read_bytes() == written.encode(errors="backslashreplace") + b"\n"
