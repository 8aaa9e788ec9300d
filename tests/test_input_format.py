"""A format from outside the package: one class and one entry point, and nothing of the reader knows of it."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

import curate
from curate.cli.session import Session
from curate.corpus.documents import Rows
from curate.corpus.formats import registry
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.line_file import LineFormat
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.lines import Lines, split
from curate.corpus.quarantine import Quarantined
from curate.errors import CurateError, PlanError


class Subtitles(LineFormat):
    """``title | text`` a line; a line without the bar goes to quarantine."""

    name = "subtitles"
    about = "subtitles"
    suffixes = (".subs",)

    def recognizes(self, head: bytes) -> bool:
        return head.startswith(b"#subs\n")

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        return Looked(file)

    def parse(self, piece: Lines, rows: Rows) -> None:
        for position, (start, line) in enumerate(split(piece), piece.first_line):
            title, bar, text = bytes(line).decode().partition(" | ")
            if bar:
                rows.add(piece.file.name, position, text, piece.file.default_source, title=title)
            elif not title.startswith("#"):
                rows.quarantined.append(
                    Quarantined(piece.file.name, position, start, "missing_text", "no bar", bytes(line))
                )


class Greedy(Format):
    """Takes a suffix that is taken."""

    name, about, suffixes = "greedy", "greedy", (".txt",)

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        return Looked(file)

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:
        yield from ()

    def parse(self, piece: Any, rows: Rows) -> None:
        raise NotImplementedError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    entries = [EntryPoint("subtitles", f"{__name__}:Subtitles", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == registry.GROUP else [])
    registry.formats.cache_clear()
    registry.by_suffix.cache_clear()
    yield entries
    registry.formats.cache_clear()
    registry.by_suffix.cache_clear()


def test_a_format_from_outside_is_read_cut_and_kept_like_any_other(installed: list[EntryPoint], tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    lines = [f"line {n} | What was said in line {n} of the film." for n in range(3_000)]
    (corpus / "film.subs").write_text("\n".join([*lines[:1_500], "no bar here", *lines[1_500:]]))
    (corpus / "other.txt").write_text("#subs\ntitle | Its content says what it is.\n")
    output = tmp_path / "out"
    sets = ["pipeline.stages=['normalize']", "input.part_bytes=40000", "gates.max_quarantined=1"]
    assert Session([str(corpus)], str(output), assignments=sets).work() == 0
    files = sorted((output / "documents").glob("*.parquet"))
    assert len(files) > 2
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert sorted(row["id"] for row in rows if row["origin"]["file"] == "film.subs") == sorted(
        f"film.subs#{n}" for n in range(1, 3_002) if n != 1_501
    )
    assert json.loads(next(row["metadata"] for row in rows if row["id"] == "other.txt#2")) == {"title": "title"}
    manifest = json.loads((output / "run.json").read_text())
    assert {file["name"]: file["format"] for file in manifest["inputs"]} == {
        "film.subs": "subtitles",
        "other.txt": "subtitles",
    }
    assert manifest["counts"]["quarantined"] == 1


def test_a_format_that_takes_what_is_taken_is_refused(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("greedy", f"{__name__}:Greedy", registry.GROUP))
    with pytest.raises(PlanError, match=r"takes the suffix `\.txt`, which is taken"):
        registry.formats()
    installed[1] = EntryPoint("broken", "no.such.module:Format", registry.GROUP)
    with pytest.raises(PlanError, match="does not load"):
        registry.formats()


def _ends(*_: Any) -> Iterator[Any]:
    sys.exit(0)


def _halved(self: Format, file: InputFile, _: int) -> Iterator[tuple[Span, ...]]:
    yield (msgspec.structs.replace(self.whole(file), stop=file.size // 2),)


@pytest.mark.parametrize(
    ("attribute", "value", "kind", "said"),
    [
        ("suffixes", ".subs", PlanError, "`suffixes` = '.subs', and was to have a tuple"),
        ("suffixes", ("subs",), PlanError, "and was to have a tuple"),
        ("name", "../x", PlanError, "`name` = '../x'"),
        ("name", None, PlanError, "`name` = None"),
        ("about", None, PlanError, "`about` = None, and was to have a sentence"),
        ("__init__", _ends, PlanError, "does not load: 0"),
        *(
            (method, _ends, CurateError, "`subtitles` of `.*` does not do .*: it raised SystemExit")
            for method in ("recognizes", "lacks", "variant", "actual", "longest", "text_bytes", "whole")
        ),
        ("recognizes", lambda *_: {}["key"], CurateError, "raised in the input format `subtitles` of `.*`: KeyError"),
        ("inspect", lambda *_: None, CurateError, "`inspect` gave a NoneType"),
        ("split", lambda *_: iter(()), CurateError, r"`split` ended at 0 of \d+ of `film.subs`"),
        ("split", _halved, CurateError, r"`split` ended at \d+ of \d+"),
        ("read", _ends, CurateError, r"it raised SystemExit\(0\)"),
        ("parse", _ends, CurateError, r"it raised SystemExit\(0\)"),
        ("parse", lambda *_: {}["key"], CurateError, "raised in the input format `subtitles` of `.*`: KeyError"),
    ],
)
def test_a_format_from_outside_is_held_to_what_one_must_do(
    installed, tmp_path, monkeypatch, attribute, value, kind, said
):
    monkeypatch.setattr(Subtitles, attribute, value, raising=False)
    (tmp_path / "film.subs").write_text("title | What was said in the film.\n" * 99)
    with pytest.raises(kind, match=said):
        curate.run(tmp_path / "film.subs", tmp_path / "out", only=["normalize"], input={"part_bytes": 500})
