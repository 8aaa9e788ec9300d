"""Any file of a run, damaged in any way, is noticed by who reads it, and the same command gives its bytes back."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import make_corpus
from curate.cli import command
from curate.errors import ExitCode, PlanError
from curate.pipeline.record.examination import examined
from curate.shards.verify import verify
from curate.store.history import History
from fake_run import files_of
from small_run import contents, manifest, run
from thorough import settings


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=30)


@pytest.fixture(scope="module", params=["parquet", "bin"])
def settings_of_run(request):
    return [f"shards.format={request.param}"]


one_format = pytest.mark.parametrize("settings_of_run", ["parquet"], indirect=True, scope="module")
"""Of what is not about shards."""


@pytest.fixture(scope="module")
def finished(corpus, settings_of_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    assert run(corpus, out, *settings_of_run) == ExitCode.DONE
    return out


def test_a_whole_run_has_no_problems(finished):
    found = examined(finished)
    assert found.problems == []
    assert found.files == len([file for file in finished.rglob("*") if file.is_file()])


def damage(file: Path, kind: str, share: float, bit: int) -> None:
    content = bytearray(file.read_bytes())
    place = min(int(share * len(content)), len(content) - 1)
    if kind == "delete":
        file.unlink()
        return
    if kind == "flip":
        content[place] ^= 1 << bit
    elif kind == "zeros":
        content[place : place + 512] = bytes(len(content[place : place + 512]))
    file.write_bytes({"cut": content[:place], "empty": b"", "grown": content + b"\0"}.get(kind, content))


KINDS = ["flip", "flip", "flip", "zeros", "cut", "empty", "delete", "grown"]


def damaged(finished: Path, folder: Path, data) -> tuple[Path, str]:
    """A copy of a run, one file of which is damaged, and that file."""
    files = sorted(file.relative_to(finished).as_posix() for file in finished.rglob("*") if file.is_file())
    where = data.draw(st.sampled_from(sorted({name.rpartition("/")[0] for name in files})), "folder")
    name = data.draw(st.sampled_from([name for name in files if name.rpartition("/")[0] == where]), "file")
    out = Path(shutil.copytree(finished, folder / "out"))
    damage(
        out / name, data.draw(st.sampled_from(KINDS), "kind"), data.draw(st.floats(0, 1)), data.draw(st.integers(0, 7))
    )
    return out, name


@settings(max_examples=60, quick=20, deadline=None)
@given(data=st.data())
def test_damage_is_told(finished, tmp_path_factory, data):
    out, name = damaged(finished, tmp_path_factory.mktemp("told"), data)
    if not History(out).is_ours:  # nothing of what was there is left
        return
    changed = not (out / name).exists() or (out / name).read_bytes() != (finished / name).read_bytes()
    is_cache = name.startswith(".cache/")
    if changed and not (is_cache and not (out / name).exists()) and not says_the_same(out / name, finished / name):
        assert name in {problem.file for problem in examined(out).problems}


@settings(max_examples=10, quick=2, deadline=None)
@given(data=st.data())
def test_damage_is_mended(corpus, finished, settings_of_run, tmp_path_factory, data):
    out, _ = damaged(finished, tmp_path_factory.mktemp("mended"), data)
    if not History(out).is_ours:
        return
    for words in (
        ["why", str(out), "doc-3"],
        ["report", str(out)],
        ["sample", str(out)],
        ["shards", "verify", str(out)],
    ):
        assert command(words) in {ExitCode.DONE, ExitCode.GATE_FAILED, ExitCode.USER_ERROR}, words
    assert run(corpus, out, *settings_of_run) == ExitCode.DONE
    assert contents(out) == contents(finished)
    assert manifest(out)["counts"] == manifest(finished)["counts"]
    assert examined(out).problems == []


def says_the_same(file: Path, other: Path) -> bool:
    """Of JSON, only what it says counts."""
    try:
        return file.suffix == ".json" and json.loads(file.read_bytes()) == json.loads(other.read_bytes())
    except (ValueError, FileNotFoundError):
        return False


@pytest.fixture
def out(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "out"))


@one_format
@pytest.mark.parametrize(
    ("folder", "column", "words"),
    [
        ("documents", "id", ["why", "RUN", "doc-3"]),
        ("documents", "text", ["why", "RUN", "doc-3"]),
        ("quality", "", ["why", "RUN", "doc-3"]),
        ("quality", "", ["report", "RUN"]),
        ("near_dup", "", ["sample", "RUN"]),
        ("documents", "source", ["report", "RUN"]),
    ],
)
def test_who_reads_a_damaged_file_says_which_and_what_to_do(out, capsys, folder, column, words):
    for file in files_of(out, folder):
        flip_in(file, column)
    assert command([str(out) if word == "RUN" else word for word in words]) == ExitCode.USER_ERROR
    said = " ".join(capsys.readouterr().err.split())
    assert f"out/{folder}/part-" in said
    assert "is damaged" in said
    assert f"hint: make it again: curate run {manifest(out)['command'].split()[2]}" in said


def flip_in(file: Path, column: str) -> None:
    """Flip a bit in a column's first chunk, or in the middle of the file."""
    import pyarrow.parquet as pq

    footer, content = pq.read_metadata(file), bytearray(file.read_bytes())
    chunks = [footer.row_group(0).column(at) for at in range(footer.num_columns)]
    start = next((chunk.data_page_offset for chunk in chunks if chunk.path_in_schema == column), len(content) // 2 - 30)
    content[start + 30] ^= 4
    file.write_bytes(content)


def test_a_damaged_shard_is_written_again_and_never_becomes_official(corpus, finished, settings_of_run, out):
    shard = next((out / "shards").glob("shard-*"))
    damage(shard, "flip", 0.5, 3)
    assert not verify(out / "shards").ok
    assert run(corpus, out, *settings_of_run) == ExitCode.DONE
    assert verify(out / "shards").ok
    assert shard.read_bytes() == (finished / "shards" / shard.name).read_bytes()


@one_format
def test_a_lost_quarantine_file_does_not_change_the_books(corpus, finished, settings_of_run, out):
    shutil.rmtree(out / "quarantine")
    assert run(corpus, out, *settings_of_run) == ExitCode.DONE
    assert manifest(out)["counts"] == manifest(finished)["counts"]
    assert manifest(out)["counts"]["quarantined"] > 0
    assert contents(out) == contents(finished)


@one_format
def test_files_of_other_settings_are_found(corpus, finished, settings_of_run, tmp_path):
    """They are whole, in their place and as long as they should be."""
    other = tmp_path / "other"
    assert run(corpus, other, *settings_of_run, "quality.min_words=70") == ExitCode.DONE
    for file in files_of(finished, "quality"):
        shutil.copy(file, other / "quality" / file.name)
    assert {problem.file for problem in examined(other).problems} <= {"run.json", "quality"} != set()


@one_format
@pytest.mark.parametrize("folder", ["documents", "near_dup", ".cache/near_dup"])
def test_an_earlier_run_is_checked_before_it_is_compared_with(corpus, finished, settings_of_run, tmp_path, folder):
    may = Path(shutil.copytree(finished, tmp_path / "may"))
    damage(next((may / folder).glob("part-*")), "flip", 0.3, 2)
    with pytest.raises(PlanError, match="is damaged") as refused:
        run(corpus, tmp_path / "june", *settings_of_run, f'input.against=["{may}"]')
    assert refused.value.hint.startswith("make it again: curate run")


@one_format
def test_a_report_without_its_manifest_still_knows_the_command(finished, out):
    (out / "run.json").write_bytes(b"")
    recorded = shlex.split(json.loads((out / "report.json").read_text())["command"])
    to_the_copy = [str(out) if word == str(finished) else word for word in recorded]
    assert {tuple(shlex.split(problem.remedy)) for problem in examined(out).problems} == {tuple(to_the_copy)}
