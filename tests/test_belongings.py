"""Only what curate wrote is ever removed; everything else in a run directory stays as it is, and is named."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from corpus_maker import make_corpus
from curate.cli import command
from curate.errors import ExitCode, UserError
from curate.store.checked_json import with_checksum
from curate.store.files import is_unfinished, unfinished
from fake_run import files_of
from small_run import SETTINGS, contents, manifest, run
from thorough import settings


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=30)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


@pytest.fixture
def out(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "out"))


CACHES = (".cache", ".cache/near_dup", ".cache/scratch")
FOLDERS = ("", "documents", "quality", "toxicity", "shards", *CACHES, "mine", "a/b")
NAMES = (
    "part-00000.parquet",
    "part-0123456789ab-0000.parquet",
    "part-0123456789ab-0000.parquet.17.tmp",
    "moving-3",
    "thesis.tmp",
    ".run.json.17-3.tmp",
    "shard-00099.parquet",
    "mine.bin",
    "labels.csv",
    "notes",
)
PLACED = st.lists(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.sampled_from(["words", "ours", "empty", "link"])),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one[:2],
)


def place(out: Path, placed: list[tuple[str, str, str]]) -> dict[Path, bytes]:
    """Put files of a user, some of them copies of curate's, into a run directory."""
    kept: dict[Path, bytes] = {}
    ours = next((out / "documents").iterdir())
    elsewhere = out.parent / "elsewhere.parquet"
    shutil.copy(ours, elsewhere)
    kept[elsewhere] = elsewhere.read_bytes()
    for folder, name, kind in placed:
        file = out / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            file.symlink_to(elsewhere)
        else:
            file.write_bytes({"words": b"mine", "ours": ours.read_bytes(), "empty": b""}[kind])
        kept[file] = file.read_bytes()
    return kept


@settings(max_examples=8, quick=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(placed=PLACED, how=st.sampled_from(["again", "fresh", "other stages"]))
def test_files_of_others_stay_and_are_named(corpus, finished, tmp_path_factory, capsys, placed, how):
    out = Path(shutil.copytree(finished, tmp_path_factory.mktemp("placed") / "out"))
    kept = place(out, placed)
    capsys.readouterr()
    skip = ["near_dup", "tokenize"] if how == "other stages" else []
    words = ["run", str(corpus), "-o", str(out), "--no-progress", *(f"--skip={stage}" for stage in skip)]
    words += [f"--set={assignment}" for assignment in SETTINGS] + ["--fresh"] * (how == "fresh")
    assert command(words) == ExitCode.DONE
    assert {file: file.read_bytes() for file in kept if file.exists()} == kept
    assert "holds files that curate did not write and leaves alone" in " ".join(capsys.readouterr().err.split())
    ours = {name: value for name, value in contents(out).items() if out / name not in kept}
    if not skip:
        assert ours == contents(finished)


def test_what_a_killed_run_left_goes(corpus, finished, out):
    left = [
        unfinished(folder / "x")
        for folder in (out, out / "documents", out / ".cache" / "near_dup", out / "shards", out / ".cache" / "shards")
    ]
    (out / ".cache" / "scratch").mkdir()
    left.append(unfinished(out / ".cache" / "scratch" / "sent"))
    for file in left:
        file.write_bytes(b"half")
    assert all(is_unfinished(file.name) for file in left)
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == contents(finished)
    assert not (out / ".cache" / "scratch").exists()


def test_a_stage_that_goes_takes_its_files_and_leaves_notes(corpus, out):
    (out / "quality" / "notes.txt").write_text("mine")
    assert run(corpus, out, skip=["quality"]) == ExitCode.DONE
    assert [file.name for file in (out / "quality").iterdir()] == ["notes.txt"]


def test_links_are_not_followed(corpus, finished, out, tmp_path):
    """A linked folder of the run is written through; a linked folder of others is not even looked into."""
    other = tmp_path / "another"
    shutil.copytree(finished / "documents", other)
    (out / "language").symlink_to(other)
    (out / "mine").symlink_to(other)
    assert run(corpus, out, skip=["quality"]) == ExitCode.DONE
    assert {file.name for file in other.iterdir()} == {file.name for file in files_of(finished, "documents")}
    assert (out / "language").is_symlink()


@pytest.mark.parametrize("flags", [[], ["--fresh"]])
@pytest.mark.parametrize(
    "content", ['{"tool": "other"}', "[1, 2]", "not json", "", '{"curate": 1, "schema_version": 2}']
)
def test_a_folder_of_another_program_is_refused_and_left_alone(corpus, tmp_path, capsys, flags, content):
    out = tmp_path / "out"
    (out / "dataset").mkdir(parents=True)
    (out / "run.json").write_text(content)
    (out / "dataset" / "part-00000.parquet").write_text("mine")
    before = contents(out)
    assert command(["run", str(corpus), "-o", str(out), "-qq", *flags]) == ExitCode.USER_ERROR
    assert contents(out) == before
    assert (out / "run.json").read_text() == content
    assert "hint: name" in capsys.readouterr().err


def numbered(out: Path) -> dict[Path, bytes]:
    """A run directory as the layout before had it, with a user's notes beside."""
    metadata = {b"curate.measure_key": b"a", b"curate.verdict_key": b"b"}
    rows = pa.table({"id": ["a"], "text": ["so"]}).replace_schema_metadata(metadata)
    for folder in ("documents", "quality", ".cache/tokenize"):
        (out / folder).mkdir(parents=True)
        pq.write_table(rows, out / folder / "part-00000.parquet")
    (out / ".cache" / "near_dup").mkdir()
    (out / ".cache" / "near_dup" / "audit.json").write_text('{"key": "k", "figures": {}}')
    said = {"schema_version": 1, "curate": "0.1.0", "run_id": "x", "command": "curate run in -o out", "counts": {}}
    (out / "run.json").write_text(json.dumps(said))
    backup = (out / "documents" / "part-00000.parquet").read_bytes()
    mine = {
        out / "notes.md": b"mine",
        out / "quality" / "part-00001.parquet": b"mine",
        out / "thesis.tmp": b"mine",
        out / "backup" / "part-00000.parquet": backup,
    }
    (out / "backup").mkdir()
    for file, content in mine.items():
        file.write_bytes(content)
    return mine


@pytest.mark.parametrize("fresh", [False, True])
def test_a_copy_with_a_numbered_name_is_the_users(corpus, out, fresh):
    copy = out / "documents" / "part-00000.parquet"
    shutil.copy(next((out / "documents").iterdir()), copy)
    before = copy.read_bytes()
    assert run(corpus, out, fresh=fresh) == ExitCode.DONE
    assert copy.read_bytes() == before


@pytest.mark.parametrize("unfinished_run", [False, True])
def test_numbered_parts_are_refused_until_fresh(corpus, finished, tmp_path, unfinished_run):
    out = tmp_path / "out"
    mine = numbered(out)
    if unfinished_run:
        (out / "run.json").unlink()
    before = contents(out)
    with pytest.raises(UserError) as refused:
        run(corpus, out)
    assert "--fresh" in refused.value.hint
    assert contents(out) == before
    assert run(corpus, out, fresh=True) == ExitCode.DONE
    assert {file: file.read_bytes() for file in mine} == mine
    rest = {name: value for name, value in contents(out).items() if out / name not in mine}
    assert rest == contents(finished)


def miscount(file: Path) -> None:
    file.write_text(file.read_text().replace('"kept": ', '"kept": 1', 1))


def misname(file: Path, name: str) -> None:
    """One bit of a name changes."""
    file.write_text(file.read_text().replace(f'"{name}"', f'"{chr(ord(name[0]) ^ 1)}{name[1:]}"', 1))


@pytest.mark.parametrize("words", [["why", "RUN", "doc-1"], ["report", "RUN"], ["sample", "RUN"], ["doctor", "RUN"]])
@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda file: file.unlink(), "curate run "),
        (lambda file: file.write_bytes(file.read_bytes()[:-300]), "curate run "),
        (lambda file: file.write_bytes(b""), "curate run "),
        (miscount, "curate run "),
        (lambda file: misname(file, "schema_version"), "curate run "),
        (lambda file: misname(file, "run_id"), "curate run "),
        (
            lambda file: file.write_text(file.read_text().replace('"schema_version": 2', '"schema_version": 3')),
            "curate run ",
        ),
        (lambda file: file.write_text('{"tool": "other"}'), "name a folder given to `curate run"),
        (lambda file: rewrite(file, schema_version=1), "--fresh"),
        (lambda file: rewrite(file, schema_version=9, curate="3.1"), "pip install 'curate-corpus>=3.1'"),
    ],
    ids=[
        "missing",
        "cut",
        "empty",
        "changed",
        "misnamed layout",
        "misnamed",
        "another layout",
        "foreign",
        "older",
        "newer",
    ],
)
def test_every_verb_says_what_to_do_about_a_manifest(out, capsys, words, change, hint):
    change(out / "run.json")
    code = command([str(out) if word == "RUN" else word for word in words])
    said = capsys.readouterr()
    text = " ".join((said.err + said.out).split())
    assert code == (ExitCode.GATE_FAILED if words[0] == "doctor" and "damaged" in text else ExitCode.USER_ERROR)
    assert hint in text


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(with_checksum(json.loads(file.read_text()) | changes)))


@pytest.mark.parametrize("change", ["missing", "empty", "changed", "misnamed"])
def test_the_same_command_makes_a_manifest_again(corpus, finished, out, change):
    file = out / "run.json"
    if change == "missing":
        file.unlink()
    else:
        {"empty": lambda: file.write_text(""), "changed": lambda: miscount(file)}.get(
            change, lambda: misname(file, "curate")
        )()
    assert run(corpus, out) == ExitCode.DONE
    assert manifest(out)["counts"] == manifest(finished)["counts"]
    assert manifest(out)["timings"]["resumed_parts"] == len(manifest(out)["parts"])
    assert contents(out) == contents(finished)


def test_another_corpus_is_refused_also_without_a_manifest(finished, out, tmp_path):
    other = make_corpus(tmp_path / "other", documents=7)
    (other / "b.jsonl.gz").unlink()
    (out / "run.json").unlink()
    with pytest.raises(UserError, match="holds a run over other files"):
        run(other, out)
    assert contents(out) == contents(finished)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("in/a.jsonl", "is a file, not a folder"),
        ("in/a.jsonl/below/it", "is a file, not a folder"),
        ("nowhere", "is a link that leads nowhere"),
        ("x" * 300, "File name too long"),
        ("taken", "is not a folder, and curate needs one there"),
        ("taken-2", "is a folder, and curate writes a file there"),
        ("/proc/out", "cannot be written"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_corpus_is_read(tmp_path, monkeypatch, output, said):
    corpus = make_corpus(tmp_path / "in", documents=5)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("taken", "taken-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".curate.lock").touch()
    (tmp_path / "taken" / "documents").touch()
    (tmp_path / "taken-2" / "report.html").mkdir()
    monkeypatch.setattr("curate.runs.job.discover", None)
    with pytest.raises(UserError, match=said) as refused:
        run(corpus, tmp_path / output)
    assert "-o" in refused.value.hint
