"""Every format: the same documents whatever the parts, damage that costs itself, and any bytes as any format."""

import gzip
import json
import tempfile
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from any_format import WRITERS, damages, read, records
from curate.cli.session import Session
from curate.corpus import quarantine
from curate.corpus.discovery.discover import discover
from curate.corpus.formats.registry import by_suffix
from curate.corpus.input import COMPRESSIONS, InputSettings
from curate.corpus.inspection.inspect import inspect
from curate.errors import ExitCode, InputError
from thorough import settings

EVERY = pytest.mark.parametrize("ending", WRITERS)
ROWS = records(400)
BESIDE = WRITERS[".parquet"](ROWS[:1])
KNOWN = {reason.code for reason in quarantine.REASONS}


@EVERY
def test_the_same_documents_whatever_the_parts(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(WRITERS[ending](records(3_000)))
    whole, cut = read([path]), read([path], chunk_bytes=10_000, part_bytes=100_000)
    assert not whole.quarantined
    assert whole.texts == [row["text"] for row in records(3_000)]
    assert [json.loads(one["metadata"]) for one in whole.documents] == [{"url": row["url"]} for row in records(3_000)]
    assert [one["origin"]["position"] for one in whole.documents] == list(range(1, 3_001))
    assert cut.parts > 1
    assert [{**one, "part": 0} for one in cut.documents] == [{**one, "part": 0} for one in whole.documents]


@EVERY
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 10**6), min_size=1, max_size=3))
def test_damage_costs_itself(ending: str, places: list[int], tmp_path: Path) -> None:
    known = {row["text"] for row in ROWS}
    path = tmp_path / f"a{ending}"
    for data in damages(WRITERS[ending](ROWS), places):
        path.write_bytes(data)
        try:
            found = read([path], text="text")
        except InputError:  # the name of the text is what was hit
            continue
        assert sum(text in known for text in found.texts) >= len(found.texts) - 50  # a page of Parquet, at most
        assert len(found.texts) <= len(ROWS) + 1
        assert len(found.documents) + len(found.quarantined) > 0 or len(data) < 2_000


HEADS = [
    *(b"ARROW1\0\0", b"\xff\xff\xff\xff\x10\0\0\0", b"PAR1", b'[{"text": "a"', b"PK\x03\x04", b"%PDF-1.7\n", b"<html>"),
    *(b"WARC/1.0\r\n", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\x28\xb5\x2f\xfd", b"BZh91AY&SY", b"\xfd7zXZ\0"),
    *(b"\x04\x22\x4d\x18", b"\xff\xfe", b"\0\0\xfe\xff"),
]  # fmt: skip


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ending=st.sampled_from(
        [*by_suffix(), *(f".jsonl{packed}" for packed in COMPRESSIONS), ".tar.gz", ".csv.gz", ".unknown"]
    ),
    split=st.sampled_from(["file", "line", "\n\n"]),
    data=st.one_of(
        st.binary(min_size=1, max_size=400),
        st.text('[]{}",:\n\\ \t;ab1<>', min_size=1, max_size=200).map(str.encode),
        st.builds(lambda head, tail: head + tail, st.sampled_from(HEADS), st.binary(max_size=300)),
    ),
)
def test_any_bytes_as_any_format(ending: str, split: str, data: bytes, tmp_path: Path) -> None:
    """Documents, quarantine or skipped, and a file beside it that is read whatever becomes of this one."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    (folder / f"a{ending}").write_bytes(data)
    (folder / "b.parquet").write_bytes(BESIDE)
    try:
        found = read([folder], split=split, text="text")
    except InputError:  # what is read beside it has no such field
        return
    assert [one["id"] for one in found.documents if one["id"].startswith("b.")] == ["b.parquet#1"]
    assert all(row["text"] is not None for row in found.documents)
    assert all(entry["reason"] in KNOWN for entry in found.quarantined)


@pytest.mark.parametrize(
    ("whole", "damaged", "texts"),
    [
        ('}, {"text": "Document 300', "}", 300),
        ("Document 300", "", 300),
        ('more."}, {"text": "Document 300', 'more.", {"text": "Document 300', 299),
    ],
    ids=["cut between values", "cut in a value", "a brace is missing"],
)
def test_an_array_without_an_end_is_told(whole: str, damaged: str, texts: int, tmp_path: Path) -> None:
    rows = [{"text": f"Document {n} has some words and two or three more."} for n in range(400)]
    before, _, after = json.dumps(rows).partition(whole)
    (tmp_path / "a.json").write_text(before + damaged + ("" if texts == 300 else after))
    found = read([tmp_path])
    assert found.texts == [row["text"] for row in rows[:texts]]
    assert found.reasons[-1] == "truncated_file"
    assert found.quarantined[-1]["lost_documents"] is None


def test_ragged_rows_and_nuls_cost_their_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        b'\xef\xbb\xbfid,text\r\n1,"one\r\nline more, and ""quoted"""\r\n2,two,three\r\n3\r\n\r\n4,nul \0 here\r\n'
        b'5,caf\xe9\r\n6,"never closed\r\n7,seven\r\n'
    )
    found = read([tmp_path])
    assert found.texts == ['one\r\nline more, and "quoted"', "nul \0 here"]
    assert [(one["reason"], one["position"]) for one in found.quarantined] == [
        ("ragged_row", 2),
        ("ragged_row", 3),
        ("undecodable", 5),
        ("ragged_row", 6),
    ]
    assert [one["id"] for one in found.documents] == ["1", "4"]


@pytest.mark.parametrize("limit", [1_000_000, 5_000])
@pytest.mark.parametrize("packed", [False, True])
def test_rows_behind_a_quote_that_is_never_closed_count_as_lost_bytes(limit: int, packed: bool, tmp_path: Path) -> None:
    rows = [f"{number},some words of row {number}\n" for number in range(3_000)]
    rows[1_000] = '1000,"never closed\n'
    data = ("id,text\n" + "".join(rows)).encode()
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read([path], max_document_bytes=limit)
    [lost] = found.quarantined
    assert lost["lost_documents"] is None
    assert min(limit, path.stat().st_size // 2) <= lost["lost_bytes"] <= path.stat().st_size


@pytest.mark.parametrize(
    ("first", "told"),
    [("1,some words", True), ("id,text", False), ("0,1", False), ("2024,text", False), ("id," + "word " * 20, True)],
)
def test_a_table_without_a_header_is_told_and_read(first: str, told: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{first}\n2,more of the words\n")
    asked = InputSettings(csv_header=False)
    [named] = inspect(discover([str(path)], InputSettings()).files, InputSettings(), 1).files
    assert ("looks like data" in named.note) == told
    assert named.text == first.partition(",")[2].strip()
    [file] = inspect(discover([str(path)], asked).files, asked, 1).files
    assert (file.text, file.note) == ("column 2", "")
    found = read([path], csv_header=False)
    assert [one["text"] for one in found.documents] == [first.partition(",")[2], "more of the words"]
    assert [one["origin"]["position"] for one in found.documents] == [1, 2]


def test_what_datasets_saves_is_read_without_its_notes(tmp_path: Path) -> None:
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved", num_shards=2)
    found = read([tmp_path])
    assert found.texts == [row["text"] for row in ROWS]
    assert {(Path(one.path).name, one.kind) for one in found.skipped} == {
        ("dataset_info.json", "sidecar"),
        ("state.json", "sidecar"),
    }


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
@pytest.mark.parametrize("nested", [False, True])
def test_text_of_every_type_nested_or_not(kind: pa.DataType, nested: bool, tmp_path: Path) -> None:
    texts = (
        pa.array([row["text"] for row in ROWS]).cast(kind)
        if not pa.types.is_dictionary(kind)
        else pa.array([row["text"] for row in ROWS]).dictionary_encode()
    )
    column = pa.StructArray.from_arrays([texts], ["body"]) if nested else texts
    table = pa.table({"page" if nested else "text": column})
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_stream(tmp_path / "b.arrow", table.schema) as writer:
        writer.write_table(table)
    found = read([tmp_path], text="page.body" if nested else "text")
    assert found.texts == [row["text"] for row in ROWS] * 2


def test_content_tells_what_the_name_does_not(tmp_path: Path) -> None:
    """Read by its content whatever the name; text of a suffix that nobody asked for is skipped with the setting."""
    (tmp_path / "lines").write_bytes(WRITERS[".jsonl"](ROWS))
    (tmp_path / "table.dat").write_bytes(WRITERS[".parquet"](ROWS))
    (tmp_path / "packed.backup").write_bytes(gzip.compress(WRITERS[".jsonl"](ROWS)))
    (tmp_path / "arrow.jsonl").write_bytes(WRITERS["-stream.arrow"](ROWS))
    (tmp_path / "code.py").write_text("print('This is text, but nobody asked for it.')\n")
    (tmp_path / "photo.img").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    (tmp_path / "nothing").mkdir()
    found = read([tmp_path])
    assert found.texts == [row["text"] for row in ROWS] * 4
    assert found.formats == {"lines": "jsonl", "table.dat": "parquet", "packed.backup": "jsonl", "arrow.jsonl": "arrow"}
    assert {one.path: (one.kind, one.why) for one in found.skipped} == {
        "code.py": (
            "text",
            "`.py` is not a suffix that is read as text; --set 'input.text_suffixes=[\".py\"]' reads it",
        ),
        "photo.img": ("format", "`.img` is not a known format; the file is PNG"),
        "nothing": ("empty", "an empty folder"),
    }
    assert "print('This is text" in read([tmp_path / "code.py"], text_suffixes=(".py",)).texts[0]


def test_skipped_files_can_fail_a_run_and_nothing_read_does(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "out"
    corpus.mkdir()
    (corpus / "a.jsonl").write_bytes(WRITERS[".jsonl"](ROWS))
    (corpus / "b.py").write_text("print()")
    sets = ["pipeline.stages=['normalize']", "gates.max_skipped=0.4"]
    assert Session([str(corpus)], str(output), assignments=sets).work() == ExitCode.GATE_FAILED
    manifest = json.loads((output / "run.json").read_text())
    assert [(one["path"], one["kind"]) for one in manifest["skipped"]] == [("b.py", "text")]
    assert next(one for one in manifest["gates"] if one["name"] == "max_skipped")["value"] == 0.5
    (corpus / "a.jsonl").unlink()
    (corpus / "header.csv").write_text("id,text\n")
    with pytest.raises(InputError, match="no document was read"):
        Session([str(corpus)], str(tmp_path / "none"), assignments=sets).work()
    (corpus / "header.csv").write_text("")
    with pytest.raises(InputError, match="there is nothing to read"):
        Session([str(corpus)], str(tmp_path / "empty"), assignments=sets).work()


GERMAN = "Größe und Maß: „Köln“ heißt so, weil die Römer dort eine Kolonie gründeten – vor langer Zeit. " * 20
RUSSIAN = "Это обычный русский текст, в котором нет ничего особенного, кроме букв. " * 20


@pytest.mark.parametrize(
    ("text", "encoding", "known"),
    [
        (GERMAN, "utf-8", None),
        (GERMAN, "utf-8-sig", None),
        (GERMAN, "utf-16", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (GERMAN, "utf-32-le", "utf-32-le"),
        (GERMAN, "cp1252", "windows-1252"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", "cp1251"),
    ],
)
def test_text_is_read_in_its_encoding(text: str, encoding: str, known: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    [document] = read([tmp_path]).documents
    assert (document["text"], document["metadata"]) == (
        text,
        known and json.dumps({"encoding": known}, separators=(",", ":")),
    )
    rows = [{"text": f"{number} {text}"} for number in range(300)]
    path = tmp_path / "b.jsonl"
    path.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(encoding))
    found = read([path], part_bytes=200_000)
    assert found.texts == [row["text"] for row in rows]
    assert found.parts > 1


def test_bytes_that_are_no_text_are_quarantined(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "damaged.txt").write_bytes(RUSSIAN.encode()[:400] + b"\xff" + RUSSIAN.encode())
    assert read([tmp_path]).reasons == ["undecodable", "undecodable"]


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".txt"])
def test_a_byte_that_an_encoding_does_not_have_costs_its_line(ending: str, tmp_path: Path) -> None:
    rows = [{"text": f"{number} {GERMAN}"} for number in range(300)]
    written = WRITERS[ending](rows).decode() if ending == ".csv" else ""
    written = written or "".join(
        (json.dumps(row, ensure_ascii=False) if ending == ".jsonl" else row["text"]) + "\n" for row in rows
    )
    data = written.encode("cp1252")
    at = data.index(b"150 Gr")
    (tmp_path / f"a{ending}").write_bytes(data[:at] + b"\x81" + data[at:])
    found = read([tmp_path], split="line")
    assert found.reasons == ["undecodable"]
    assert found.texts == [row["text"] for row in rows if row != rows[150]]


def test_text_is_cut_at_a_separator(tmp_path: Path) -> None:
    texts = [f"Document {n}\n\nwith two paragraphs." for n in range(5_000)]
    (tmp_path / "a.txt").write_text("\n<|end|>\n".join(texts) + "\n<|end|>\n\n")
    found = read([tmp_path], split="<|end|>", part_bytes=70_000)
    assert found.texts == texts
    assert found.parts > 1
    assert [one["origin"]["position"] for one in found.documents] == list(range(1, 5_001))
    long = read([tmp_path], split="<|end|>", max_document_bytes=34)
    assert set(long.reasons) == {"document_too_large"}
    assert len(long.texts) + len(long.reasons) == 5_000


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet", "-stream.arrow"])
def test_a_text_of_several_fields(ending: str, tmp_path: Path) -> None:
    rows = [{"title": f"T{n}", "text": f"Body {n}, with {{braces}}." if n % 2 else "", "url": "u"} for n in range(9)]
    (tmp_path / f"a{ending}").write_bytes(WRITERS[ending](rows))
    found = read([tmp_path], text="{title}\n\n{text}")
    assert found.texts == [f"T{n}\n\nBody {n}, with {{braces}}." if n % 2 else f"T{n}" for n in range(9)]
    assert found.documents[0]["metadata"] == '{"url":"u"}'
    with pytest.raises(InputError, match="names the field `titel`, which no file has"):
        read([tmp_path], text="{titel}: {text}")
