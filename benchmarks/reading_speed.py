"""The reader alone, file to batches of id, text and metadata, beside the format's own library making the same of it.

CPU seconds of one process; both take turns, the least of five rounds counts.

python -m benchmarks.reading_speed FOLDER_OF_TEXT [CRAWL.warc.gz …] [--megabytes 40]
"""

import argparse
import csv
import gzip
import io
import json
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType

from curate.corpus.discovery.discover import discover
from curate.corpus.input import InputSettings
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import Strand, cut
from curate.corpus.reader import chunks
from curate.html.declared import charset, declared
from curate.pipeline.passes import CHUNK_BYTES

Record = dict[str, str]
ROUNDS = 5


def _documents(strands: list[Strand]) -> Iterator[pa.RecordBatch]:
    for strand in strands:
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), CHUNK_BYTES):
            yield chunk.parse().documents


def records(folder: Path, size: int) -> list[Record]:
    """Text of a corpus in documents of 4,000 characters."""
    found: list[Record] = []
    for batch in _documents(looked_at(folder)):
        for text, name in zip(batch["text"].to_pylist(), batch["id"].to_pylist(), strict=True):
            found += [{"text": text[at : at + 4000], "url": f"{name}@{at}"} for at in range(0, len(text), 4000)]
            if len(found) * 4000 > size:
                return found
    return found


def looked_at(path: Path) -> list[Strand]:
    settings = InputSettings()
    return list(cut(inspect(discover([str(path)], settings).files, settings, 1).files, settings.part_bytes))


def ours(strands: list[Strand]) -> int:
    return sum(len(batch) for batch in _documents(strands))


def _batch(ids: Sequence[str], texts: Sequence[str], metadata: Sequence[bytes]) -> int:
    """What every reader is asked for: a batch of ids, texts and metadata."""
    kinds = [("id", pa.string()), ("text", pa.large_string()), ("metadata", pa.large_string())]
    columns = [pa.array(values, kind) for values, (_, kind) in zip((ids, texts, metadata), kinds, strict=True)]
    return len(pa.RecordBatch.from_arrays(columns, schema=pa.schema(kinds)))


def _of_records(name: str, found: list[Record]) -> int:
    others = [{key: value for key, value in one.items() if key != "text"} for one in found]
    ids = [f"{name}#{number}" for number in range(1, len(found) + 1)]
    return _batch(ids, [one["text"] for one in found], [msgspec.json.encode(one) for one in others])


def _of_table(name: str, table: pa.Table) -> int:
    """Columns that are checked and copied into one batch."""
    batch = table.combine_chunks().to_batches()[0]
    batch.validate(full=True)
    large = pa.large_string()
    ids = pc.binary_join_element_wise(name, pa.array(range(1, len(batch) + 1)).cast(pa.string()), "#")
    pieces = (pa.scalar('{"url":"', large), batch["url"].cast(large), pa.scalar('"}', large), pa.scalar("", large))
    made = {"id": ids, "text": batch["text"].cast(large), "metadata": pc.binary_join_element_wise(*pieces)}
    return len(pa.RecordBatch.from_pydict(made))


def _csv(path: Path) -> int:
    with path.open(newline="") as file:
        return _of_records(path.name, [{"text": text, "url": url} for text, url in csv.reader(file)][1:])


def _arrow(path: Path) -> int:
    with pa.OSFile(str(path)) as file:
        return _of_table(path.name, pa.ipc.open_stream(file).read_all())


def _lines(data: bytes) -> int:
    return _of_records("a", [msgspec.json.decode(line) for line in data.splitlines()])


def _zip(path: Path) -> int:
    with zipfile.ZipFile(path) as made:
        return sum(_lines(made.read(name)) for name in made.namelist())


def _tar(path: Path) -> int:
    with tarfile.open(path) as made:
        return sum(_lines(made.extractfile(one).read()) for one in made)  # type: ignore[union-attr]


def _warc(path: Path, *, said_by_pages: bool = False) -> int:
    """HTTP parsed, the body read and decoded, headers as metadata, and if wanted what pages say of themselves."""
    wanted = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion
    ids, texts, metadata = list[str](), list[str](), list[bytes]()
    with path.open("rb") as file:
        for record in ArchiveIterator(file, record_types=wanted, parse_http=True, auto_decode="all"):
            if record.http_headers and record.http_headers.status_code != 200:
                continue
            told = {name: record.headers.get(header) for name, header in _SAID.items()}
            ids.append(record.record_id)
            body = record.reader.read()
            named = record.http_charset or (said_by_pages and charset(bytes(body[:16384]))) or "utf-8"
            texts.append(body.decode(named, "replace"))
            if said_by_pages:
                told |= declared(texts[-1])._asdict()
            metadata.append(msgspec.json.encode({**told, "content_type": record.http_content_type}))
    return _batch(ids, texts, metadata)


_SAID = {"url": "WARC-Target-URI", "date": "WARC-Date", "digest": "WARC-Payload-Digest"}

LIBRARIES: dict[str, Callable[[Path], int]] = {
    "a.jsonl": lambda path: _lines(path.read_bytes()),
    "a.jsonl.gz": lambda path: _lines(gzip.decompress(path.read_bytes())),
    "a-array.json": lambda path: _of_records("a", msgspec.json.decode(path.read_bytes())),
    "a.csv": _csv,
    "a.parquet": lambda path: _of_table(path.name, pq.read_table(path)),
    "a.arrow": _arrow,
    "a.zip": _zip,
    "a.tar.gz": _tar,
}


def write(folder: Path, rows: list[Record]) -> None:
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    (folder / "a.jsonl").write_bytes(lines)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines, 6))
    (folder / "a-array.json").write_text(json.dumps(rows))
    with (folder / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "url"])
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet", row_group_size=1000)
    with pa.ipc.new_stream(folder / "a.arrow", pa.Table.from_pylist(rows[:1]).schema) as stream:
        stream.write_table(pa.Table.from_pylist(rows), max_chunksize=1000)
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.jsonl", lines)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("a.jsonl")
        info.size = len(lines)
        tar.addfile(info, io.BytesIO(lines))


def compared(file: Path, library: Callable[[Path], int], documents: int | None = None) -> None:
    """One row of the table: the least CPU seconds of both, which take turns."""
    times: dict[str, float] = {}
    found = ours(looked_at(file))  # kernels are compiled
    size = sum(sum(map(len, map(str.encode, batch["text"].to_pylist()))) for batch in _documents(looked_at(file))) / 1e6
    assert documents is None or found == documents, file
    for _ in range(ROUNDS):
        began = time.process_time()
        strands = looked_at(file)
        looked = time.process_time()
        assert ours(strands) == found, file
        read = time.process_time()
        assert library(file) == found, file
        now = {"look": looked - began, "ours": read - looked, "theirs": time.process_time() - read}
        times = {name: min(seconds, times.get(name, seconds)) for name, seconds in now.items()}
    alone, both, theirs = (
        size / seconds for seconds in (times["ours"], times["ours"] + times["look"], times["theirs"])
    )
    print(f"| {file.name} | {alone:,.0f} | {both:,.0f} | {theirs:,.0f} | {alone / theirs:.0%} | {both / theirs:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, help="texts of which files of every format are made")
    parser.add_argument("archives", type=Path, nargs="*", help="WARC files")
    parser.add_argument("--megabytes", type=int, default=40)
    asked = parser.parse_args()
    csv.field_size_limit(1 << 30)
    rows = records(asked.texts, asked.megabytes * 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), rows)
        print("| MB of text a CPU second | reader | with the look before | library | share | with the look |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for file, library in LIBRARIES.items():
            compared(Path(name) / file, library, len(rows))
        for archive in asked.archives:
            compared(archive, _warc)
            print("with what pages say of themselves by both:")
            compared(archive, lambda path: _warc(path, said_by_pages=True))


if __name__ == "__main__":
    sys.exit(main())
