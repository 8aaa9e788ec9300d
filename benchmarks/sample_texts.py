"""Texts of ``sample_data/`` of which ``tests/cases/datatrove.jsonl`` records what datatrove decides."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

SAMPLE = Path(__file__).parent.parent / "sample_data"


class Text(NamedTuple):
    """A document."""

    name: str
    """File and place."""
    language: str
    text: str


def sample_texts() -> Iterator[Text]:
    """English pages, and the French and Spanish and Russian ones of a manual and of novels."""
    yield from _rows("win32/pages.jsonl.gz", "content")
    yield from _rows("powershell/concepts.jsonl", "text")
    yield from _rows("powershell/reference.parquet", "content")
    yield from _files("peps/*.txt", "en")
    yield from _files("etcd/*/*.md", "en")
    yield from _files("react/en/*.md", "en")
    yield from _files("react/fr/*.md", "fr")
    for file, step in (("php/manual.parquet", 1), ("novels/chapters.jsonl.zst", 6)):
        rows = [one for one in _rows(file, "text") if one.language in {"en", "fr", "es", "ru"}]
        yield from rows[::step]


def _files(pattern: str, language: str) -> Iterator[Text]:
    for file in sorted(SAMPLE.glob(pattern)):
        yield Text(file.relative_to(SAMPLE).as_posix(), language, file.read_text("utf-8"))


def _rows(name: str, field: str) -> Iterator[Text]:
    for number, row in enumerate(_read(SAMPLE / name)):
        if row[field].strip():
            yield Text(f"{name}#{number}", row.get("lang", "en"), row[field])


def _read(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()  # type: ignore[no-any-return]
    lines = pa.input_stream(file, compression="detect").read().decode().split("\n")
    return [json.loads(line) for line in lines if line]
