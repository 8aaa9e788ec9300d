"""Reading input: nothing is lost in silence, bad input costs only itself, and chunks change nothing."""

import base64
import bz2
import datetime as dt
import decimal
import gzip
import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from curate.corpus import documents, quarantine
from curate.corpus.discovery.discover import discover
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks
from curate.errors import InputError
from thorough import settings


class Read(NamedTuple):
    files: tuple[InputFile, ...]
    documents: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]

    @property
    def texts(self) -> list[str]:
        return [document["text"] for document in self.documents]

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(entry["reason"] for entry in self.quarantined))


def read(paths: Path | Sequence[Path], section: InputSettings | None = None, chunk_bytes: int = 1 << 20) -> Read:
    section = section or InputSettings()
    named = [str(path) for path in ([paths] if isinstance(paths, Path) else paths)]
    files = inspect(discover(named, section).files, section, threads=2).files
    found: list[dict[str, Any]] = []
    quarantined: list[dict[str, Any]] = []
    for strand in cut(files, section.part_bytes):
        read_bytes: Counter[int] = Counter()
        last: list[int] = []
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), chunk_bytes):
            parsed = chunk.parse()
            assert parsed.documents.schema == documents.SCHEMA
            assert parsed.quarantined.schema == quarantine.SCHEMA
            parsed.documents.validate(full=True)
            found += parsed.documents.to_pylist()
            quarantined += parsed.quarantined.to_pylist()
            read_bytes[chunk.part] += chunk.input_bytes
            last += [chunk.part] if chunk.last else []
        assert last == [part.index for part in strand.parts]
        assert read_bytes == {part.index: part.bytes for part in strand.parts}
    return Read(files, found, quarantined)


def record(i: int, **fields: Any) -> bytes:
    return json.dumps({"id": f"d{i}", "text": f"Document number {i}. " * 20, **fields}).encode()


def shard(replaced: bytes | None = None, at: int = 50) -> bytes:
    lines = [record(i) for i in range(100)]
    if replaced is not None:
        lines[at] = replaced
    return b"".join(line + b"\n" for line in lines)


def without(field: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(record(50)).items() if key != field}).encode()


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


PLAIN, GZIP, ZSTD = "bad.jsonl", "bad.jsonl.gz", "bad.jsonl.zst"


class Case(NamedTuple):
    """A shard of a hundred documents of which something is wrong."""

    name: str
    content: bytes
    documents: int | range
    reasons: dict[str, int]


# The failures that the other tools were measured on, then some more.
CASES = {
    "all good": Case(PLAIN, shard(), 100, {}),
    "invalid JSON": Case(PLAIN, shard(b'{"id": "d50", "text": "torn'), 99, {"bad_json": 1}),
    "an array": Case(PLAIN, shard(b"[1,2,3]"), 99, {"not_an_object": 1}),
    "a number": Case(PLAIN, shard(b"3"), 99, {"not_an_object": 1}),
    "blank lines": Case(PLAIN, shard(b"\n  \t\r"), 99, {}),
    "Latin-1 text": Case(PLAIN, shard('{"text": "café"}'.encode("latin-1")), 99, {"undecodable": 1}),
    "Latin-1 metadata": Case(PLAIN, shard('{"text": "a", "town": "Orléans"}'.encode("latin-1")), 100, {}),
    "Latin-1 key": Case(PLAIN, shard('{"text": "a", "é": 1}'.encode("latin-1")), 100, {}),
    "encoded surrogate": Case(PLAIN, shard(b'{"text": "\xed\xa0\x80"}'), 99, {"undecodable": 1}),
    "escaped surrogate": Case(PLAIN, shard(rb'{"text": "half \ud83d"}'), 99, {"undecodable": 1}),
    "NaN": Case(PLAIN, shard(b'{"text": "a", "score": NaN}'), 100, {}),
    "NaN for a text": Case(PLAIN, shard(b'{"text": NaN, "score": 1}'), 99, {"bad_json": 1}),
    "surrogate in metadata": Case(PLAIN, shard(rb'{"text": "a", "k": "half \ud83d"}'), 100, {}),
    "surrogate in a key": Case(PLAIN, shard(rb'{"text": "a", "\ud83d": 1}'), 100, {}),
    "deep metadata": Case(PLAIN, shard(b'{"text": "a", "x": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"), 100, {}),
    "brackets crossed": Case(PLAIN, shard(b'{"text": "a", "x": [{]}}'), 99, {"bad_json": 1}),
    "a million digits": Case(PLAIN, shard(b'{"text": "a", "x": ' + b"7" * 10**6 + b"}"), 100, {}),
    "beyond numbers": Case(PLAIN, shard(b'{"text": "a", "x": [1e999, -1e-999]}'), 100, {}),
    "zeros in front": Case(PLAIN, shard(b'{"text": "a", "zip": 01234}'), 100, {}),
    "a key twice": Case(PLAIN, shard(b'{"text": "a", "k": 1, "k": 2}'), 100, {}),
    "an empty key": Case(PLAIN, shard(b'{"text": "a", "": {"": 1}}'), 100, {}),
    "a number for a key": Case(PLAIN, shard(b'{"text": "a", 1: 2}'), 99, {"bad_json": 1}),
    "odd id": Case(PLAIN, shard(b'{"text": "a", "id": "caf\xe9", "source": "\\ud800"}'), 100, {}),
    "id of NaN": Case(PLAIN, shard(b'{"text": "a", "id": NaN}'), 100, {}),
    "null bytes": Case(PLAIN, shard(bytes(1000)), 99, {"bad_json": 1}),
    "mark in the middle": Case(PLAIN, shard(b"\xef\xbb\xbf" + record(50)), 100, {}),
    "two files with marks": Case(PLAIN, (b"\xef\xbb\xbf" + shard()) * 2, 200, {}),
    "too deep": Case(PLAIN, shard(b'{"text": "a", "x": ' + b"[" * 100_000), 99, {"bad_json": 1}),
    "gzip truncated": Case(GZIP, gzip.compress(shard(), mtime=0)[:-200], range(1, 100), {"truncated_file": 1}),
    "gzip without its end mark": Case(GZIP, gzip.compress(shard())[:-8], 100, {"truncated_file": 1}),
    "gzip corrupt": Case(GZIP, flipped(gzip.compress(shard(), mtime=0)), range(100), {"corrupt_file": 1}),
    "gzip wrong checksum": Case(
        GZIP, gzip.compress(shard())[:-8] + b"\0\1\2\3\4\5\6\7", range(101), {"corrupt_file": 1}
    ),
    "gzip then garbage": Case(GZIP, gzip.compress(shard()) + b"garbage", 100, {"corrupt_file": 1}),
    "gzip, members and padding": Case(GZIP, gzip.compress(shard()) * 2 + bytes(512), 200, {}),
    "zstd truncated": Case(ZSTD, zstandard.compress(shard())[:-20], range(100), {"truncated_file": 1}),
    "zstd corrupt": Case(
        ZSTD,
        flipped(zstandard.ZstdCompressor(write_checksum=True).compress(shard())),
        range(100),
        {"corrupt_file": 1},
    ),
    "zstd, frames and a skippable one": Case(
        ZSTD,
        zstandard.compress(shard()) + b"\x50\x2a\x4d\x18\4\0\0\0abcd" + zstandard.compress(shard()),
        200,
        {},
    ),
    "gz name, plain text": Case(GZIP, shard(), 100, {}),
    "gz name, zstd inside": Case(GZIP, zstandard.compress(shard()), 100, {}),
    "plain name, gzip inside": Case(PLAIN, gzip.compress(shard()), 100, {}),
    "gz name, something else": Case(GZIP, bz2.compress(shard()), 100, {}),
    "zero bytes": Case(PLAIN, b"", 0, {}),
    "empty gz": Case(GZIP, gzip.compress(b""), 0, {}),
    "zero bytes named gz": Case(GZIP, b"", 0, {}),
    "text missing": Case(PLAIN, shard(without("text")), 99, {"missing_text": 1}),
    "text null": Case(PLAIN, shard(record(50, text=None)), 99, {"missing_text": 1}),
    "text a number": Case(PLAIN, shard(record(50, text=7)), 99, {"text_not_a_string": 1}),
    "text empty": Case(PLAIN, shard(record(50, text="")), 100, {}),
    "id missing": Case(PLAIN, shard(without("id")), 100, {}),
    "id repeated": Case(PLAIN, shard(record(49)), 100, {}),
    "one large document": Case(PLAIN, shard(record(50, text="word " * 2_000_000)), 100, {}),
    "byte order mark": Case(PLAIN, b"\xef\xbb\xbf" + shard(), 100, {}),
    "UTF-16": Case(PLAIN, shard().decode().encode("utf-16"), 100, {}),
    "UTF-16 without a mark": Case(PLAIN, shard().decode().encode("utf-16-le"), 100, {}),
    "CRLF, no last newline": Case(PLAIN, shard().replace(b"\n", b"\r\n")[:-2], 100, {}),
    "one JSON array": Case("bad.json", json.dumps([{"text": "a"}] * 9, indent=1).encode(), 9, {}),
    "JSON lines named json": Case("bad.json", shard(), 100, {}),
    "not Parquet": Case("bad.parquet", b"PAR1 but not really PAR1", 0, {"corrupt_file": 1}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input_costs_only_itself(case: Case, tmp_path: Path) -> None:
    for name, content in (("a.jsonl", shard()), (case.name, case.content), ("c.jsonl", shard())):
        (tmp_path / name).write_bytes(content)
    outcome = read(tmp_path)
    by_file = Counter(document["origin"]["file"] for document in outcome.documents)
    assert by_file["a.jsonl"] == by_file["c.jsonl"] == 100
    expected = case.documents if isinstance(case.documents, range) else [case.documents]
    assert by_file[case.name] in expected
    assert outcome.reasons == case.reasons
    assert all(entry["file"] == case.name and entry["detail"] for entry in outcome.quarantined)


def test_a_quarantined_line_can_be_found_again(tmp_path: Path) -> None:
    bad = b'{"id": "d50", "text": "torn'
    (tmp_path / "a.jsonl").write_bytes(shard(bad))
    [entry] = read(tmp_path).quarantined
    assert entry["position"] == 51
    assert shard(bad)[entry["byte_offset"] :].startswith(bad + b"\n")
    assert entry["bytes"] == bad


def test_an_empty_file_is_known_as_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(shard())
    (tmp_path / "b.jsonl").write_bytes(b"")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b""))
    assert [file.empty for file in read(tmp_path).files] == [False, True, True]


def test_fields_are_kept_as_they_were_written(tmp_path: Path) -> None:
    line = (
        '{"id": 12345678901234567890123, "text": "é\\u00e9\\n\\ud83d\\ude00", "source": "web", '
        '"big": 123456789012345678901234567890, "exact": 1.10, "none": null, '
        '"o": {"a": [1, 2 ]}, "k\\"ey": "\\u2028"}'
    )
    (tmp_path / "a.jsonl").write_text(line + '\n{"text": "bare"}', "utf-8")
    first, second = read(tmp_path).documents
    assert (first["id"], first["source"], first["text"]) == ("12345678901234567890123", "web", "éé\n😀")
    assert first["raw_bytes"] == len(first["text"].encode())
    assert '"big":123456789012345678901234567890,"exact":1.10,"none":null' in first["metadata"]
    other = {key: value for key, value in json.loads(line).items() if key not in {"id", "text", "source"}}
    assert json.loads(first["metadata"]) == other
    assert (second["id"], second["source"], second["metadata"]) == ("a.jsonl#2", "a", None)


def test_dotted_fields_are_taken_out_of_their_objects(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"d": {"body": {"t": "hello"}, "id": 7}, "m": {"src": "s"}}\n{"d": 3}\n')
    outcome = read(tmp_path, InputSettings(text="d.body.t", id="d.id", source="m.src"))
    [document] = outcome.documents
    assert (document["id"], document["text"], document["source"]) == ("7", "hello", "s")
    assert document["metadata"] is None
    assert outcome.reasons == {"missing_text": 1}
    nested = [{"d": {"body": {"t": "hello"}, "id": 7, "more": 1}, "m": {"src": "s"}}, {"d": None, "m": None}]
    pq.write_table(pa.Table.from_pylist(nested), tmp_path / "b.parquet")
    [document] = read(tmp_path / "b.parquet", InputSettings(text="d.body.t", id="d.id", source="m.src")).documents
    assert (document["id"], document["text"], document["source"]) == ("7", "hello", "s")
    assert json.loads(document["metadata"]) == {"d": {"more": 1}}


@pytest.mark.parametrize(
    ("first", "guess"),
    [
        ({"summary": "c", "text": "t", "_id": 1, "dataset": "x"}, ("text", "_id", "dataset")),
        ({"raw_content": "c", "title": "a longer title"}, ("raw_content", "", "")),
        (
            {"id": "a much longer id than text", "url": "https://example.org/long", "story": "s"},
            ("story", "id", ""),
        ),
    ],
)
def test_fields_are_guessed_and_said(first: dict[str, Any], guess: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(first))
    pq.write_table(pa.Table.from_pylist([first]), tmp_path / "b.parquet")
    for file in read(tmp_path).files:
        assert (file.text, file.id, file.source) == guess
        assert file.guessed == {key for key, name in zip(("text", "id", "source"), guess, strict=True) if name}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("words", [50_000, 2_000_000])
def test_a_long_first_record_tells_its_fields_too(words: int, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    lines = [json.dumps({"content": "word " * (words if at == 0 else 5), "doc_id": f"own-{at}"}) for at in range(3)]
    (tmp_path / "in.jsonl").write_bytes(pack("\n".join(["", *lines]).encode()))
    assert [document["id"] for document in read(tmp_path).documents] == ["own-0", "own-1", "own-2"]
    outcome = read(tmp_path, InputSettings(max_document_bytes=100_000))  # then the next record tells them
    assert [document["id"] for document in outcome.documents] == ["own-1", "own-2"]
    assert outcome.reasons == {"document_too_large": 1}


def test_text_files_are_documents_or_lines(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "page.md").write_bytes(b"\xef\xbb\xbf# Title\n\nBody\n")
    (tmp_path / "note.txt.gz").write_bytes(gzip.compress("Grüße\r\n".encode()))
    (tmp_path / "old.txt").write_bytes("Grüße".encode("latin-1"))
    whole = read(tmp_path)
    assert whole.texts == ["Grüße\r\n", "Grüße", "# Title\n\nBody\n"]
    assert [document["id"] for document in whole.documents] == ["note.txt.gz#1", "old.txt#1", "web/page.md#1"]
    assert [document["source"] for document in whole.documents] == ["note", "old", "web"]
    assert [document["metadata"] for document in whole.documents] == [None, '{"encoding":"windows-1252"}', None]
    lines = read(tmp_path, InputSettings(split="line"))
    assert lines.texts == ["Grüße", "# Title", "Body"]
    assert [document["origin"]["position"] for document in lines.documents] == [1, 1, 3]


def test_parquet_columns_become_metadata(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", None, "c"]).dictionary_encode(),
            "id": pa.array([1, 2, None]),
            "at": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
            "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1, 1, 1)]),
            "price": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("2.00")]),
            "raw": pa.array([b"\0\xff", None, b""]),
            "score": pa.array([0.1, 1e300, float("nan")]),
            "name": pa.array(['q"\n\u2028', "", None]),
            "tags": pa.array([["x", None], [], None]),
            "nested": pa.array([{"when": dt.datetime(2024, 1, 2), "f": float("inf")}, None, None]),  # noqa: DTZ001
            "ok": pa.array([True, None, False]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    outcome = read(tmp_path)
    assert outcome.reasons == {"missing_text": 1}
    assert outcome.quarantined[0]["position"] == 2
    first, third = outcome.documents
    assert [first["id"], third["id"]] == ["1", "a.parquet#3"]
    assert json.loads(first["metadata"]) == {
        "at": "1970-01-01T00:00:00.000000Z",
        "day": "2024-02-29",
        "price": "1.50",
        "raw": base64.b64encode(b"\0\xff").decode(),
        "score": 0.1,
        "name": 'q"\n\u2028',
        "tags": ["x", None],
        "nested": {"when": "2024-01-02T00:00:00", "f": "inf"},
        "ok": True,
    }
    assert json.loads(third["metadata"])["score"] == "nan"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()])
def test_parquet_text_may_be_any_kind_of_string(kind: pa.DataType, tmp_path: Path) -> None:
    values = [b"plain", "é".encode(), None, b"\xff"] if kind == pa.binary() else ["plain", "é", None]
    pq.write_table(pa.table({"text": pa.array(values, kind)}), tmp_path / "a.parquet")
    outcome = read(tmp_path)
    assert outcome.texts == ["plain", "é"]
    assert outcome.documents[0]["metadata"] is None
    assert outcome.reasons.get("undecodable", 0) == (kind == pa.binary())


def test_bytes_in_string_columns_spoil_no_document(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"\xffb"))
    lists = pa.ListArray.from_arrays([0, 1, 2], bad)
    pq.write_table(pa.table({"text": ["x", "y"], "id": bad, "name": bad, "tags": lists}), tmp_path / "a.parquet")
    first, second = read(tmp_path).documents
    assert (first["id"], second["id"]) == ("\ufffd", "b")
    assert json.loads(first["metadata"]) == {"name": "\ufffd", "tags": ["\ufffd"]}
    assert json.loads(second["metadata"]) == {"name": "b", "tags": ["b"]}


def test_parquet_without_text_is_refused_before_the_run(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2], "n": [3, 4]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="text"):
        read(tmp_path)
    with pytest.raises(InputError, match="no field `content`; its fields are text, n"):
        read(tmp_path, InputSettings(text="content"))


def test_a_damaged_row_group_costs_only_itself(tmp_path: Path) -> None:
    texts = [os.urandom(200).hex() for _ in range(300)]
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts}), file, row_group_size=100, compression="zstd", use_dictionary=False)
    chunk = pq.ParquetFile(file).metadata.row_group(1).column(0)
    data = bytearray(file.read_bytes())
    start = chunk.data_page_offset + 100
    data[start : start + 2000] = bytes(2000)
    file.write_bytes(data)
    outcome = read(tmp_path)
    assert outcome.texts == texts[:100] + texts[200:]
    assert outcome.reasons == {"corrupt_file": 1}
    assert "rows 101 to 200" in outcome.quarantined[0]["detail"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_a_line_of_50_mb_is_never_held_whole(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    long = record(50, text="x" * 50_000_000)
    suffix = {bytes: "", gzip.compress: ".gz", zstandard.compress: ".zst"}[pack]
    (tmp_path / f"a.jsonl{suffix}").write_bytes(pack(shard(long)))
    tracemalloc.start()
    outcome = read(tmp_path, InputSettings(max_document_bytes=1_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 45_000_000
    assert len(outcome.documents) == 99
    [entry] = outcome.quarantined
    assert (entry["reason"], entry["position"]) == ("document_too_large", 51)
    assert entry["detail"].startswith(f"{len(long):,} bytes")
    assert entry["bytes"] == long[: quarantine.KEPT_BYTES]
    assert read(tmp_path).documents[50]["raw_bytes"] == 50_000_000


def test_a_file_that_vanishes_or_changes_is_quarantined(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(shard())
    section = InputSettings()
    files = inspect(discover([str(tmp_path)], section).files, section, 1).files
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "b.jsonl").write_bytes(shard() + record(100))
    [strand] = cut(files, section.part_bytes)
    [chunk] = chunks(strand, frozenset({0}), 1 << 20)
    parsed = chunk.parse()
    assert parsed.documents.num_rows == 0
    assert parsed.quarantined["reason"].to_pylist() == ["unreadable_file"] * 2


line = st.one_of(
    st.text(max_size=30).map(lambda text: json.dumps({"text": text}).encode()),
    st.text(max_size=30).map(
        lambda text: json.dumps({"text": text, "id": 1, "m": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
    st.binary(max_size=40).filter(lambda data: b"\n" not in data),
    st.sampled_from([b"", b" ", b"[1]", b"{}", b'{"text": 1}', b'{"text": "' + b"long " * 100 + b'"}']),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(line, max_size=30),
    ending=st.sampled_from([b"", b"\n"]),
    chunk_bytes=st.integers(1, 400),
    part_bytes=st.integers(1, 2000),
    suffix=st.sampled_from([".jsonl", ".jsonl.gz", ".jsonl.zst", ".txt"]),
)
def test_books_balance_and_neither_chunks_nor_parts_change_the_result(
    lines: list[bytes], ending: bytes, chunk_bytes: int, part_bytes: int, suffix: str, tmp_path: Path
) -> None:
    content = b"\n".join([b'{"text": "first"}', *lines]) + ending
    for old in tmp_path.iterdir():
        old.unlink()
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(suffix[6:], bytes)(content)
    (tmp_path / f"a{suffix}").write_bytes(packed)
    whole = read(tmp_path, InputSettings(split="line", max_document_bytes=300))
    pieces = read(
        tmp_path,
        InputSettings(split="line", max_document_bytes=300, part_bytes=part_bytes),
        chunk_bytes,
    )
    assert pieces.documents == whole.documents
    assert pieces.quarantined == whole.quarantined
    if whole.files[0].problem is None:
        read_lines = [data for data in content.split(b"\n") if data and not data.isspace()]
        assert len(whole.documents) + len(whole.quarantined) == len(read_lines)


def test_folders_globs_and_files_name_each_file_once(tmp_path: Path) -> None:
    for name in ("a/x.jsonl", "a/b/y.md", "a/.hidden.jsonl", "a/.git/z.jsonl", "a/t.xls", "c/v.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"text": "t"}')
    (tmp_path / "a" / "link.md").symlink_to(tmp_path / "a" / "b" / "y.md")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / "broken.md").symlink_to(tmp_path / "nowhere.md")
    section = InputSettings()
    folder = discover([str(tmp_path / "a")], section)
    assert [file.name for file in folder.files] == ["b/y.md", "x.jsonl"]
    assert {(skipped.path, skipped.kind) for skipped in folder.skipped} == {
        (".git", "hidden"),
        (".hidden.jsonl", "hidden"),
        ("broken.md", "irregular"),
        ("t.xls", "text"),
    }
    both = discover([str(tmp_path / "a"), str(tmp_path / "**" / "*.jsonl"), str(tmp_path / "c" / "v.txt")], section)
    assert [file.name for file in both.files] == ["a/b/y.md", "a/x.jsonl", "c/v.txt"]


def test_a_path_that_leads_nowhere_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "table.xls").write_text("a,b")
    with pytest.raises(InputError) as missing:
        discover([str(tmp_path / "corpra" / "x")], InputSettings())
    assert missing.value.hint == "did you mean `corpora`?"
    with pytest.raises(InputError, match="matches nothing"):
        discover([str(tmp_path / "*.jsonl")], InputSettings())
    for pattern in ("**", "*.jsonl", "**/*.jsonl"):
        with pytest.raises(InputError, match=r"matches nothing: `.*corpra` does not exist") as missing:
            discover([str(tmp_path / "corpra" / pattern)], InputSettings())
        assert missing.value.hint == "did you mean `corpora`?"
    with pytest.raises(InputError, match="no file to read"):
        discover([str(tmp_path)], InputSettings())


def test_a_name_that_is_not_text_is_readable(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))).write_text("t")
    [document] = read(tmp_path).documents
    assert document["id"] == "caf\\xe9.txt#1"


def test_settings_are_validated() -> None:
    with pytest.raises(ValueError, match=r"`input.part_bytes` must be at least 1 byte, but is 0"):
        InputSettings(part_bytes=0)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b'{"id": 8, "text": null}', "`text` is null"),
        (b'{"id": 8, "n": 1}', "no `text` among id, n"),
        (b"{}", "no `text` among no fields"),
        (b'{"text": 7}', "Expected str, got int"),
    ],
)
def test_a_record_without_text_is_told_what_it_has(line: bytes, detail: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(shard(line))
    assert read(tmp_path).quarantined[0]["detail"] == detail


def test_what_stands_beside_the_text_costs_no_document(tmp_path: Path) -> None:
    lines = [
        rb'{"text": "\ud83d\ude00", "k": ["\ud83d \\ud83d \ud83d\ude00", NaN, 1.10], "page": {"n": -Infinity}}',
        b'{"text": "a", "k": "caf\xe9", "\xe9": 1e999, "id": "\xe9"}',
        b'{"text": "a", "k": ' + b"[" * 200 + b"]" * 200 + b', "url": "https://example.org"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    found = read(tmp_path).documents
    assert [document["text"] for document in found] == ["😀", "a", "a"]
    assert found[0]["metadata"] == r'{"k":["\ufffd \\ud83d \ud83d\ude00", "NaN", 1.10],"page":{"n": "-Infinity"}}'
    assert json.loads(found[1]["metadata"]) == {"k": "caf\ufffd", "\ufffd": "1e999"}
    assert found[1]["id"] == "\ufffd"
    assert json.loads(found[2]["metadata"]) == {"k": "[" * 200 + "]" * 200, "url": "https://example.org"}
    urls = pl.Series([document["metadata"] for document in found]).str.json_path_match("$.k")
    assert not urls.is_null().any()  # whoever looks into the metadata finds all of it


def test_a_text_in_an_object_beside_odd_values_is_read(tmp_path: Path) -> None:
    section = InputSettings(text="page.body", id="page.id")
    lines = [
        b'{"page": {"body": "one", "n": NaN, "id": 7}}',
        rb'{"page": {"body": "half \ud83d", "n": NaN}}',
        b'{"page": {"body": "caf\xe9"}}',
        b'{"page": {"n": NaN}}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    outcome = read(tmp_path, section)
    assert [(document["id"], document["text"]) for document in outcome.documents] == [("7", "one")]
    assert json.loads(outcome.documents[0]["metadata"]) == {"page": {"n": "NaN"}}
    assert [entry["reason"] for entry in outcome.quarantined] == ["undecodable", "undecodable", "bad_json"]


@pytest.mark.parametrize(("field", "detail"), [("a.b", "`a.b` is null"), ("a.c", "no `a.c` among a, n")])
def test_a_null_in_an_object_is_told_from_none(field: str, detail: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"a": {"b": "x", "c": "y"}, "n": 1}\n{"a": {"b": null}, "n": 1}\n')
    assert read(tmp_path, InputSettings(text=field)).quarantined[0]["detail"] == detail
