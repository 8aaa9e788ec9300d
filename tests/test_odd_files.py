"""Files as editors, exporters and other systems write them: nothing of one stops the others, and nothing that stands
beside a text costs the document."""

import base64
import datetime as dt
import decimal
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.corpus.discovery.discover import discover
from curate.corpus.formats.tables.parquet_file import ParquetTable
from curate.corpus.input import InputSettings
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks
from thorough import settings

ROWS = 6
TEXTS = [prose(i, 30) for i in range(ROWS)]
TEXT = pa.array(TEXTS)
INT = pa.int64()


def read(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Documents and quarantine, in order."""
    section = InputSettings(text="text")
    files, _ = inspect(discover([str(folder)], section).files, section, 1)
    found: list[dict[str, Any]] = []
    quarantined: list[dict[str, Any]] = []
    for strand in cut(files, section.part_bytes):
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), 1 << 20):
            parsed = chunk.parse()
            parsed.documents.validate(full=True)
            found += parsed.documents.to_pylist()
            quarantined += parsed.quarantined.to_pylist()
    return found, quarantined


def metadata(document: dict[str, Any]) -> dict[str, Any]:
    """What stands beside the text, as whoever looks into it finds it: a strict reader takes it whole."""
    if document["metadata"] is None:
        return {}
    assert pl.Series([document["metadata"]]).str.json_path_match("$").null_count() == 0, document["metadata"]
    return json.loads(document["metadata"])


# ---- Parquet ------------------------------------------------------------------------------------------------------


def bytes_as_text(data: bytes) -> pa.Array:
    """Strings of one byte each, of which none need be UTF-8."""
    return pa.StringArray.from_buffers(
        len(data), pa.py_buffer(np.arange(len(data) + 1, dtype=np.int32)), pa.py_buffer(data)
    )


def integers(kind: pa.DataType, width: pa.DataType = INT) -> Callable[[], st.SearchStrategy[pa.Array]]:
    """Columns of a type that is stored as integers, of any of them."""
    some = st.integers(-(2 ** (width.bit_width - 2)), 2 ** (width.bit_width - 2)) | st.none()
    return lambda: st.lists(some, min_size=ROWS, max_size=ROWS).map(lambda values: pa.array(values, width).cast(kind))


def values(kind: pa.DataType | None, some: st.SearchStrategy[Any]) -> Callable[[], st.SearchStrategy[pa.Array]]:
    rows = st.lists(some | st.none(), min_size=ROWS, max_size=ROWS)
    return lambda: rows.map(lambda found: pa.array(found, kind))


def always(column: pa.Array) -> Callable[[], st.SearchStrategy[pa.Array]]:
    return lambda: st.just(column)


FLOATS = st.floats(width=32)
COLUMNS = {
    "int": integers(pa.int64()),
    "date": integers(pa.date32(), pa.int32()),
    "time": integers(pa.time64("us")),
    "duration": integers(pa.duration("us")),
    **{
        f"timestamp {zone}": integers(pa.timestamp("us", zone))
        for zone in (None, "UTC", "+05:30", "Mars/Base", "Asia/Tokyo")
    },
    "nanoseconds": integers(pa.timestamp("ns")),
    "unsigned": values(pa.uint64(), st.integers(0, 2**64 - 1)),
    "half": values(pa.float16(), st.floats(width=16).map(np.float16)),
    "float": values(pa.float32(), FLOATS),
    "decimal": values(pa.decimal128(38, 5), st.integers(-(10**20), 10**20).map(decimal.Decimal)),
    "bool": values(pa.bool_(), st.booleans()),
    "string": values(pa.string(), st.text(max_size=9)),
    "view": values(pa.string_view(), st.text(max_size=9)),
    "binary": values(pa.binary(), st.binary(max_size=9)),
    "binary view": values(pa.binary_view(), st.binary(max_size=9)),
    "fixed": values(pa.binary(4), st.binary(min_size=4, max_size=4)),
    "uuid": values(pa.uuid(), st.binary(min_size=16, max_size=16)),
    "json": values(pa.json_(), st.just('{"a": 1}')),
    "map": values(pa.map_(pa.string(), pa.float64()), st.lists(st.tuples(st.text(max_size=3), FLOATS), max_size=2)),
    "list": values(pa.list_(pa.timestamp("us")), st.lists(st.just(dt.datetime(9999, 12, 31)), max_size=2)),  # noqa: DTZ001
    "list view": values(pa.list_view(pa.int64()), st.lists(st.integers(0, 9), max_size=2)),
    "fixed list": values(pa.list_(pa.float32(), 2), st.lists(FLOATS, min_size=2, max_size=2)),
    "structs": values(
        None, st.fixed_dictionaries({"a": st.integers(0, 9), "f": st.floats(), "s": st.text(max_size=5)})
    ),
    "nulls": always(pa.nulls(ROWS)),
    "dictionary of nulls": always(pa.nulls(ROWS, pa.dictionary(pa.int8(), pa.string()))),
    "dictionary": always(pa.array(["a", "b", None] * 2).dictionary_encode()),
    "no UTF-8": always(bytes_as_text(b"\xff\xfea\x80\xc3\xff")),
    "no UTF-8 inside": always(pa.StructArray.from_arrays([bytes_as_text(b"\xff\xfea\x80\xc3\xff")], names=["s"])),
    "same names inside": always(pa.StructArray.from_arrays([pa.array(range(ROWS)), pa.array(TEXTS)], names=["a", "a"])),
    "deep": always(pa.array([[[[[{"a": [[1]]}]]]]] * ROWS)),
}
NAMES = st.sampled_from(["url", "url", "id", "source", "a.b", "", "é", "n", "\U0001f600", "x" * 300])


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(
        st.tuples(NAMES, st.sampled_from(sorted(COLUMNS)).flatmap(lambda kind: COLUMNS[kind]())), max_size=4
    ),
    at=st.integers(0, 4),
    kind=st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.large_binary(), "dictionary"]),
    how=st.fixed_dictionaries(
        {
            "row_group_size": st.sampled_from([1, 4, 100]),
            "compression": st.sampled_from(["none", "snappy", "zstd", "brotli", "lz4"]),
            "version": st.sampled_from(["1.0", "2.4", "2.6"]),
            "store_schema": st.booleans(),
            "use_dictionary": st.booleans(),
            "use_deprecated_int96_timestamps": st.booleans(),
        }
    ),
)
def test_columns_beside_the_text_cost_no_document(columns, at, kind, how, tmp_path: Path) -> None:
    text = TEXT.dictionary_encode() if kind == "dictionary" else TEXT.cast(pa.binary()).cast(kind)
    all_columns = [*columns[:at], ("text", text), *columns[at:]]
    table = pa.Table.from_arrays([column for _, column in all_columns], names=[name for name, _ in all_columns])
    try:
        pq.write_table(table, tmp_path / "a.parquet", **how)
    except (pa.ArrowException, OSError):  # types that cannot be written so
        return
    documents, quarantined = read(tmp_path)
    assert [document["text"] for document in documents] == TEXTS
    assert not quarantined
    labels = {name for name, _ in columns} & {"id", "source"}
    assert all(len(metadata(document)) == len(columns) - len(labels) for document in documents)


def test_values_that_no_calendar_holds_are_told_as_they_are(tmp_path: Path) -> None:
    far = pa.array([2**62, -(2**40), 0, None], pa.int64())
    columns = {
        "text": TEXT[:4],
        "far": far.cast(pa.timestamp("us")),
        "mars": pa.array([0, 1, None, 2], pa.int64()).cast(pa.timestamp("s", "Mars/Base")),
        "struct": pa.StructArray.from_arrays([far.cast(pa.timestamp("us"))], names=["t"]),
        "nan": pa.array([[float("nan")], [1.5], None, []]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    first, second, third, fourth = map(metadata, read(tmp_path)[0])
    assert first == {
        "far": "<value out of range: 4611686018427387904>",
        "mars": "1970-01-01T00:00:00.000Z",
        "struct": {"t": first["struct"]["t"]},
        "nan": ["nan"],
    }
    assert "4611686018427387904" in first["struct"]["t"]
    assert second["far"] == "1969-12-19T06:34:48.372224"
    assert third["far"] == "1970-01-01T00:00:00.000000"
    assert (third["mars"], fourth["far"], fourth["nan"]) == (None, None, [])


def test_columns_of_one_name_are_all_kept(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([TEXT, TEXT, pa.array(range(ROWS)), TEXT], names=["url", "text", "url", "url_2"])
    pq.write_table(table, tmp_path / "a.parquet")
    documents, quarantined = read(tmp_path)
    assert not quarantined
    assert metadata(documents[3]) == {"url": TEXTS[3], "url_2": 3, "url_2_2": TEXTS[3]}


def test_a_text_of_which_there_are_two_is_quarantined_and_stops_no_other(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([TEXT, TEXT], names=["text", "text"]), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"text": "sound"}')
    documents, [entry] = read(tmp_path)
    assert [document["text"] for document in documents] == ["sound"]
    assert (entry["reason"], entry["lost_documents"]) == ("repeated_text", ROWS)
    assert entry["detail"] == "more than one of its columns is called `text`"


@pytest.mark.parametrize("name", ["columnname", "text"])
def test_a_name_that_is_no_utf8_costs_nothing(name: str, tmp_path: Path) -> None:
    inner = pa.array([{"columnname": i} for i in range(ROWS)])
    pq.write_table(pa.table({"text": TEXT, "columnname": TEXT, "s": inner}), tmp_path / "a.parquet", store_schema=False)
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data.replace(b"columnname", b"\xedolumnname"))
    documents, quarantined = read(tmp_path)
    assert not quarantined
    assert [document["text"] for document in documents] == TEXTS
    assert metadata(documents[1]) == {"column 2": TEXTS[1], "s": {"field 1": 1}}


def with_arrow_schema(path: Path, table: pa.Table, kept: bytes) -> None:
    """A file of which the footer holds ``kept`` for Arrow's schema."""
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"ARROW:schema": kept, "pandas": "{"})


@pytest.mark.parametrize("kept", [b"", b"!", b"aGVsbG8gd29ybGQ=" * 9, "uuid", "small dictionary", "another"])
def test_a_schema_of_arrow_that_is_damaged_or_lies_costs_nothing(kept: bytes | str, tmp_path: Path) -> None:
    table = pa.table({"text": [f"{i} {TEXTS[0]}" for i in range(300)]})
    uuid = {"ARROW:extension:name": "arrow.uuid", "ARROW:extension:metadata": ""}
    lies = {
        "uuid": pa.schema([pa.field("text", pa.string(), metadata=uuid)]),
        "small dictionary": pa.schema({"text": pa.dictionary(pa.int8(), pa.string())}),
        "another": pa.schema({"n": pa.int64(), "text": pa.list_(pa.int64())}),
    }
    lie = base64.b64encode(lies[kept].serialize().to_pybytes()) if isinstance(kept, str) else kept
    with_arrow_schema(tmp_path / "a.parquet", table, lie)
    documents, quarantined = read(tmp_path)
    assert len(documents) == 300
    assert not quarantined


def damage_column(path: Path, group: int, column: int) -> None:
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    data = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + chunk.total_compressed_size] = b"\xa5" * chunk.total_compressed_size
    path.write_bytes(data)


def test_a_damaged_column_beside_the_text_costs_itself(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(ROWS), "text": TEXT, "url": TEXT}), file, row_group_size=3)
    damage_column(file, 1, 2)
    documents, [entry] = read(tmp_path)
    assert [document["text"] for document in documents] == TEXTS
    assert metadata(documents[2]) == {"n": 2, "url": TEXTS[2]}
    assert metadata(documents[4]) == {"n": 4, "url": None}
    assert (entry["reason"], entry["position"], entry["lost_documents"]) == ("corrupt_metadata", 4, 0)
    assert "`url` of rows 4 to 6" in entry["detail"]


def test_a_column_that_is_damaged_in_its_middle_costs_no_text(tmp_path: Path) -> None:
    file, numbers = tmp_path / "a.parquet", range(3_000)
    table = pa.table({"text": [f"{n} {TEXTS[0]}" for n in numbers], "note": [f"{n * 7919} {n}" for n in numbers]})
    pq.write_table(table, file, use_dictionary=False, data_page_size=4_000, compression="none")
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(1)
    data, middle = bytearray(file.read_bytes()), chunk.data_page_offset + chunk.total_compressed_size // 2
    data[middle : middle + 300] = b"\xa5" * 300
    file.write_bytes(data)
    documents, [entry] = read(tmp_path)
    assert [document["text"] for document in documents] == table["text"].to_pylist()
    assert metadata(documents[0]) == {"note": "0 0"}
    assert metadata(documents[-1]) == {"note": None}
    assert (entry["reason"], entry["lost_documents"]) == ("corrupt_metadata", 0)


def test_a_footer_that_lies_is_not_believed(tmp_path: Path) -> None:
    """Bytes of the footer changed at random: rows are read, or said to be lost; no other file suffers."""
    file = tmp_path / "a.parquet"
    (tmp_path / "b.jsonl").write_text('{"text": "sound"}')
    pq.write_table(pa.table({"text": TEXTS * 5, "n": range(ROWS * 5)}), file, row_group_size=10)
    whole = file.read_bytes()
    size = struct.unpack("<I", whole[-8:-4])[0]
    chance = np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(whole)
        data[int(chance.integers(len(data) - 8 - size, len(data)))] ^= 1 << int(chance.integers(8))
        file.write_bytes(data)
        section = InputSettings()
        files, _ = inspect(discover([str(tmp_path)], section).files, section, 1)
        for strand in cut(files, section.part_bytes):
            for chunk in chunks(strand, frozenset(part.index for part in strand.parts), 1 << 20):
                parsed = chunk.parse()
                names = parsed.documents["origin"].field("file").to_pylist()
        assert names.count("b.jsonl") == 1


def test_arrow_that_ends_too_early_is_told_wherever_that_is(tmp_path: Path) -> None:
    """Between two batches, too, where nothing is torn."""
    file, sink = tmp_path / "a.arrow", pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema({"text": pa.string()})) as writer:
        ends = [sink.tell()]
        for text in TEXTS:
            writer.write_batch(pa.record_batch({"text": [text]}))
            ends.append(sink.tell())
    whole = sink.getvalue().to_pybytes()
    for rows, end in enumerate(ends[1:], 1):
        file.write_bytes(whole[:end])
        documents, [entry] = read(tmp_path)
        assert [document["text"] for document in documents] == TEXTS[:rows]
        assert (entry["reason"], entry["lost_bytes"]) == ("truncated_file", end)
    file.write_bytes(whole[:-3])  # the batches are whole
    assert len(read(tmp_path)[0]) == ROWS
    stream = whole[8 : ends[-1]]  # one that lacks its end mark may be whole
    file.write_bytes(stream)
    inspected, _ = inspect(discover([str(tmp_path)], InputSettings()).files, InputSettings(), 1)
    assert "no end mark" in inspected[0].note
    assert len(read(tmp_path)[0]) == ROWS
    file.rename(tmp_path / "a.parquet")
    inspected, _ = inspect(discover([str(tmp_path)], InputSettings()).files, InputSettings(), 1)
    assert all(note in inspected[0].note for note in ("despite its name", "no end mark"))


def test_columns_of_a_few_names_are_told_apart_by_number(tmp_path: Path) -> None:
    wide = ["text", *["a", "a_2", ""] * 1_500]
    (tmp_path / "a.csv").write_text(",".join(wide) + "\n" + ",".join([TEXTS[0].replace(",", ""), *wide[1:]]))
    [document], [] = read(tmp_path)
    names = metadata(document)
    assert len(names) == len(wide) - 1
    assert {names["a"], names["a_3"]} == {"a"}
    assert {names["a_2"], names["a_2_2"]} == {"a_2"}
    assert names["column 4"] == ""


def test_lines_that_end_with_carriage_returns_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'text,url\rone text,a\r"two\rlines",b\r')
    documents, [] = read(tmp_path)
    assert [document["text"] for document in documents] == ["one text", "two\nlines"]


def test_a_dictionary_of_one_long_text_is_read_a_few_rows_at_a_time(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["long " * 200_000] * 600}), tmp_path / "a.parquet")
    section = InputSettings()
    [file], _ = inspect(discover([str(tmp_path)], section).files, section, 1)
    with ParquetTable(file) as table:
        assert max(batch.nbytes for batch in table.batches(0)) < 300_000_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PAR1", "not readable as Parquet"),
        (b"PAR1" + bytes(40) + b"PAR1", "not readable as Parquet"),
        (b"PARE" + bytes(range(128, 192)) + b"PARE", "this is encrypted Parquet"),
        (b'{"text": "lines"}', "its first bytes are not PAR1"),
        (b"PK\x03\x04" + bytes(40), "this is a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "`git lfs pull` fetches"),
    ],
)
def test_what_is_no_parquet_is_told_what_it_is(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    (tmp_path / "b.jsonl").write_text('{"text": "sound"}')
    documents, [entry] = read(tmp_path)
    assert len(documents) == 1
    assert message in entry["detail"]


def test_parquet_under_another_name_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": TEXT}), tmp_path / "a.jsonl")
    assert len(read(tmp_path)[0]) == ROWS


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x02\x21\x4c\x18", "the legacy format of lz4"),
        (b"ID3\x04\xff\xfe", "MP3"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
    ],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".txt"])
def test_other_formats_are_told_by_their_first_bytes(head: bytes, name: str, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(head + bytes(range(256)))
    (tmp_path / "b.jsonl").write_text('{"text": "sound"}')
    documents, [entry] = read(tmp_path)
    assert len(documents) == 1
    assert (entry["reason"], f"this is {name}" in entry["detail"]) == ("other_format", True)


# ---- JSON lines ---------------------------------------------------------------------------------------------------

ODD_VALUES = [
    "NaN",
    "-Infinity",
    "[1, NaN]",
    "1e999",
    "-1e-999",
    "007",
    "9" * 400,
    "[" * 200 + "]" * 200,
    r'"\ud800"',
    r'["\udc00", {"k": NaN}]',
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=6,
).map(json.dumps)
KEYS = st.sampled_from(["id", "source", "n", "url", "", "é", "a b", "\\u0041", "\\ud83d"]).map(lambda key: f'"{key}"')


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
            st.lists(st.tuples(KEYS, JSON_VALUES | st.sampled_from(ODD_VALUES)), max_size=3),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    ),
    end=st.sampled_from(["\n", "\r\n", "\n\n", "\n\ufeff"]),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
)
def test_values_beside_the_text_cost_no_document(records, end: str, encoding: str, tmp_path: Path) -> None:
    lines = []
    for text, fields, first in records:
        written = [(json.dumps("text"), json.dumps(text)), *fields]
        lines.append("{" + ", ".join(f"{key}: {value}" for key, value in written[:: 1 if first else -1]) + "}")
    data = end.join(lines).encode()
    if encoding == "latin-1":
        data = data.replace("é".encode(), b"\xe9")
    (tmp_path / "a.jsonl").write_bytes(data)
    documents, quarantined = read(tmp_path)
    assert [document["text"] for document in documents] == [text for text, _, _ in records]
    assert not quarantined
    for document in documents:
        metadata(document)


def test_lines_with_nan_are_read_without_asking_a_slow_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `json.dumps` writes them: a corpus may have one in every line."""
    lines = [json.dumps({"text": text, "score": float("nan"), "n": n}) for n, text in enumerate(TEXTS * 50)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr(pl, "Series", None)
    documents, quarantined = read(tmp_path)
    assert [document["text"] for document in documents] == TEXTS * 50
    assert not quarantined
    assert json.loads(documents[-1]["metadata"]) == {"score": "NaN", "n": len(lines) - 1}


# ---- any bytes ----------------------------------------------------------------------------------------------------

PIECES = [
    *(b"\0" * 99, "text".encode("utf-16"), "text".encode("utf-32"), b"\xef\xbb\xbf", b"\xff", b"\r", b"\n", b"\x85"),
    *(b"{" * 3000, b"[" * 3000, b'"', b'{"text": "a"}', b'{"text":', b"[1]", b"{}", b"null", b'{"a":' * 2000),
    *(b"PAR1", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"PK\x03\x04", b"%PDF-1.7\xff"),
]


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=6),
    suffix=st.sampled_from([".jsonl", ".json", ".parquet", ".txt", ".jsonl.gz", ".txt.zst"]),
)
def test_a_file_of_any_bytes_stops_no_other(pieces: list[bytes], suffix: str, tmp_path: Path) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    (tmp_path / f"a{suffix}").write_bytes(b"".join(pieces))
    (tmp_path / "b.jsonl").write_text('{"text": "sound"}')
    documents, quarantined = read(tmp_path)
    assert [document["text"] for document in documents if document["origin"]["file"] == "b.jsonl"] == ["sound"]
    assert all(entry["detail"] for entry in quarantined)
