"""The same documents written in every format, and what is read of a folder."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curate.corpus.discovery.discover import discover
from curate.corpus.input import InputSettings, Skipped
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks

Record = dict[str, Any]


class Read(NamedTuple):
    """Everything that came of a corpus."""

    documents: list[Record]
    quarantined: list[Record]
    skipped: tuple[Skipped, ...]
    formats: dict[str, str]
    parts: int

    @property
    def texts(self) -> list[str]:
        return [document["text"] for document in self.documents]

    @property
    def reasons(self) -> list[str]:
        return [entry["reason"] for entry in self.quarantined]


def read(paths: Sequence[Path], chunk_bytes: int = 1 << 20, **settings: Any) -> Read:
    """What the reader makes of some paths."""
    wanted = InputSettings(**settings)
    found = discover([str(path) for path in paths], wanted)
    inspected = inspect(found.files, wanted, 1)
    strands = cut(inspected.files, wanted.part_bytes)
    documents, quarantined, consumed = [], [], 0
    for strand in strands:
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), chunk_bytes):
            parsed = chunk.parse()
            parsed.documents.validate(full=True)
            documents += [{**row, "part": chunk.part} for row in parsed.documents.to_pylist()]
            quarantined += parsed.quarantined.to_pylist()
            consumed += chunk.input_bytes
    parts = [part for strand in strands for part in strand.parts]
    assert consumed == sum(part.bytes for part in parts)
    documents.sort(key=lambda row: row["part"])
    formats = {file.name: file.format for file in inspected.files}
    return Read(documents, quarantined, (*found.skipped, *inspected.skipped), formats, len(parts))


def records(count: int) -> list[Record]:
    """Records with all that formats have trouble with."""
    odd = ['a "quoted" word', "a, comma; and a bar |", "two\nlines", "é and 漢字 and 😀", "[x] {y} \\ ]}", "tab\there"]
    return [
        {
            "text": f"Document {n} says {odd[n % len(odd)]} and goes on for a few words more.",
            "url": f"https://e.org/{n}",
        }
        for n in range(count)
    ]


def _separated(rows: list[Record], delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _arrow(rows: list[Record], new: Callable[..., Any]) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows)
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    return bytes(sink.getvalue())


def _parquet(rows: list[Record]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=50)
    return bytes(sink.getvalue())


WRITERS: dict[str, Callable[[list[Record]], bytes]] = {
    ".jsonl": lambda rows: b"".join(json.dumps(row).encode() + b"\n" for row in rows),
    "-array.json": lambda rows: json.dumps(rows).encode(),
    "-spread.json": lambda rows: json.dumps(rows, indent=2, ensure_ascii=False).encode(),
    "-behind.json": lambda rows: "".join(json.dumps(row) for row in rows).encode(),
    "-objects.json": lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows).encode(),
    ".csv": lambda rows: _separated(rows, ","),
    "-semicolon.csv": lambda rows: _separated(rows, ";"),
    ".tsv": lambda rows: _separated(rows, "\t"),
    ".parquet": _parquet,
    "-file.arrow": lambda rows: _arrow(rows, pa.ipc.new_file),
    "-stream.arrow": lambda rows: _arrow(rows, pa.ipc.new_stream),
}
"""Ending of a file name, and what writes such a file."""


def damages(data: bytes, places: Sequence[int]) -> Iterator[bytes]:
    """Cut off and flipped at some places."""
    for place in places:
        at = place % len(data)
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
