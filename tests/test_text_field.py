"""Which field is the text: the same for all files, no row lost to a guess, and no guess where two are likely."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.corpus.discovery.discover import discover
from curate.corpus.formats.tables import separated
from curate.corpus.input import InputSettings
from curate.corpus.inspection import resolve
from curate.corpus.inspection.inspect import Inspection, inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks
from curate.errors import InputError
from thorough import settings

TITLE, LONG = "A title of some words", prose(1)


def inspected(folder: Path, **section: Any) -> Inspection:
    chosen = InputSettings(**section)
    return inspect(discover([str(folder)], chosen).files, chosen, 2)


def jsonl(folder: Path, name: str, *records: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def table(folder: Path, name: str, *records: Any, **how: Any) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(records)), folder / name, **how)


def read(folder: Path, **section: Any) -> tuple[list[str], dict[str, int]]:
    """Texts, and how many documents are lost for which reason."""
    files, _ = inspected(folder, **section)
    texts: list[str] = []
    lost: dict[str, int] = {}
    for strand in cut(files, 64_000_000):
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), 1 << 20):
            parsed = chunk.parse()
            texts += parsed.documents["text"].to_pylist()
            for entry in parsed.quarantined.to_pylist():
                lost[entry["reason"]] = lost.get(entry["reason"], 0) + entry["lost_documents"]
    return texts, lost


CLEAR = [
    ("text", {"text": "t", "title": LONG, "summary": LONG, "prompt": LONG}),
    ("raw_content", {"raw_content": "t", "title": LONG}),
    ("body", {"title": TITLE, "body": "b"}),
    ("article", {"article": "a", "highlights": LONG}),
    ("story", {"story": "s"}),
    ("story", {"story": "s", "id": LONG, "url": "https://example.org/" + "x" * 900, "date": "2024-01-01"}),
    ("story", {"story": "short words", "digest": "9f" * 40, "lang": "en", "link": "https://example.org/" + "x" * 900}),
    ("abstract", {"title": TITLE, "abstract": LONG, "authors": "A. Person, B. Person"}),
    ("review", {"meta": {"title": TITLE}, "review": LONG}),
    ("page.body", {"page": {"body": LONG, "title": TITLE}}),
    ("text", {"text": "a text", "document": "doc-17"}),
    ("地文", {"地文": "天地玄黃", "n": "3"}),
]
UNCLEAR = [
    {"question": TITLE, "answer": LONG},
    {"question": "What is one and one?", "answer": "2"},
    {"query": TITLE, "passage": LONG},
    {"context": LONG, "question": TITLE, "title": "A_Title"},
    {"translation": {"en": LONG, "de": LONG}},
    {"text": LONG, "content": LONG},
    {"story": LONG, "notes": LONG[:300]},
    {"first": "a few words", "second": "some more words"},
    {"title": TITLE, "paragraphs": [LONG, LONG]},
]


@pytest.mark.parametrize(("field", "record"), CLEAR, ids=str)
@pytest.mark.parametrize("write", [jsonl, table])
def test_a_field_that_is_plainly_the_text_is_taken(field: str, record: Any, write: Any, tmp_path: Path) -> None:
    write(tmp_path, f"a.{'jsonl' if write is jsonl else 'parquet'}", *[record] * 3)
    [file] = inspected(tmp_path).files
    assert file.text == field
    assert "text" in file.guessed
    assert len(read(tmp_path)[0]) == 3


@pytest.mark.parametrize("record", UNCLEAR, ids=str)
@pytest.mark.parametrize("write", [jsonl, table])
def test_where_two_answers_are_likely_the_run_stops(record: Any, write: Any, tmp_path: Path) -> None:
    write(tmp_path, f"a.{'jsonl' if write is jsonl else 'parquet'}", *[record] * 3)
    with pytest.raises(
        InputError, match="more than one field of `a.* may be the text: .* characters on average"
    ) as error:
        inspected(tmp_path)
    assert "--set input.text=" in error.value.hint
    chosen = error.value.hint.partition("input.text=")[2].partition(",")[0]
    assert [file.text for file in inspected(tmp_path, text=chosen).files] == [chosen]


def test_the_error_names_fields_and_lengths(tmp_path: Path) -> None:
    jsonl(
        tmp_path, "a.jsonl", {"question": "q" * 40, "answer": "a" * 1000}, {"question": "q" * 60, "answer": "a" * 3000}
    )
    with pytest.raises(InputError) as error:
        inspected(tmp_path)
    assert error.value.message.endswith("`answer` (2,000 characters on average), `question` (50)")
    whole = "--set 'input.conversation=question -> answer' for both"
    assert error.value.hint == f"{whole}, or --set input.text=answer, or another field"


@pytest.mark.parametrize(
    ("record", "message", "hint"),
    [
        ({"n": 1, "tags": ["a"]}, "no field that may be the text; its fields are n, tags", "one field of text"),
        ({"url": "https://example.org", "id": "x"}, "no field that may be the text", "did you mean|known: id, url"),
        ({"text": ["a", "b"]}, "no field that may be the text; its fields are text", "one field of text"),
        ({"text": None}, "no field that may be the text", "one field of text"),
        ({}, "no field that may be the text; its records are empty", "one field of text"),
    ],
)
def test_without_any_text_the_run_stops(record: Any, message: str, hint: str, tmp_path: Path) -> None:
    jsonl(tmp_path, "a.jsonl", record, record)
    with pytest.raises(InputError, match=message) as error:
        inspected(tmp_path)
    assert any(part in error.value.hint for part in hint.split("|"))


def test_files_without_the_text_are_passed_over_and_named(tmp_path: Path) -> None:
    jsonl(tmp_path, "a.jsonl", {"text": LONG})
    jsonl(tmp_path, "b.jsonl", {"n": 1, "name": "x"}, {"n": 2})
    table(tmp_path, "c.parquet", {"n": 1})
    jsonl(tmp_path, "d.jsonl", {"text": 5}, {"text": [LONG]})
    jsonl(tmp_path, "e.jsonl", {"messages": [{"by": "user", "said": LONG}]})
    (tmp_path / "f.txt").write_text("A text file has no fields.")
    for section in ({}, {"text": "text"}):
        files, skipped = inspected(tmp_path, **section)
        assert [file.name for file in files] == ["a.jsonl", "f.txt"]
        assert {entry.path: entry.why for entry in skipped} == {
            "b.jsonl": "it has no field `text`; its fields are n, name",
            "c.parquet": "it has no field `text`; its fields are n",
            "d.jsonl": "`text` holds numbers, not text",
            "e.jsonl": "it has no field `text`; its fields are messages",
        }
    for _ in range(2):  # beside files without fields, and alone
        with pytest.raises(InputError, match="`a.jsonl` cannot be read: it has no field `txt`.*any of 4 more") as error:
            inspected(tmp_path, text="txt")
        assert error.value.hint == "set `input.text`: did you mean `text`?"
        (tmp_path / "f.txt").unlink(missing_ok=True)


@pytest.mark.parametrize("write", [jsonl, table])
def test_a_label_that_no_record_has_is_refused_and_files_without_it_are_named(write: Any, tmp_path: Path) -> None:
    suffix = "jsonl" if write is jsonl else "parquet"
    write(tmp_path, f"a.{suffix}", {"text": LONG, "key": 1, "meta": {"site": 5, "page": {"no": 1}}})
    write(tmp_path, f"b.{suffix}", {"text": LONG})
    (tmp_path / "c.txt").write_text("A text file has no fields.")
    for key in ("id", "source"):
        for name, hint in (("kay", "key"), ("meta.sit", "meta"), ("meta.page.na", "known"), ("text.key", "text")):
            with pytest.raises(InputError, match=f"`input.{key}` names the field `{name}`, which no file has") as error:
                inspected(tmp_path, **{key: name})
            assert hint in error.value.hint
        for name in ("key", "meta", "meta.site", "meta.page.no"):
            notes = [file.note for file in inspected(tmp_path, **{key: name}).files]
            assert notes == ["", f"is without `{name}` (`input.{key}`) in the records that were looked at", ""]


def test_fields_that_appear_late_are_not_refused(tmp_path: Path) -> None:
    jsonl(tmp_path, "a.jsonl", *[{"text": LONG}] * 50, {"text": LONG, "key": 7, "meta": {"n": 3}, "title": "t"})
    for section in ({"id": "key"}, {"source": "meta.n"}, {"text": "{title}\n{text}"}):
        assert len(read(tmp_path, **section)[0]) == 51


@pytest.mark.parametrize(
    "section", [{"id": "kay"}, {"source": "kay"}, {"text": "kay"}, {"text": "{text}{kay}"}], ids=str
)
def test_a_large_input_is_not_read_whole_for_a_slip(
    section: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.dumps({"text": "A few words.", "key": "k" * 900}) + "\n"
    (tmp_path / "a.jsonl").write_text(record * 3_000 + json.dumps({"kay": "late"}))
    monkeypatch.setattr(resolve, "_SEARCHED_BYTES", 1 << 20)
    with pytest.raises(InputError, match=r"the first [12],\d\d\d records (has|were looked at)$") as error:
        inspected(tmp_path, **section)
    assert "did you mean `key`?" in error.value.hint
    monkeypatch.undo()
    assert inspected(tmp_path, **section).files


def test_how_far_a_conversation_was_looked_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text((json.dumps({"n": [1] * 9_000}) + "\n") * 100)
    monkeypatch.setattr(resolve, "_SEARCHED_BYTES", 1 << 20)
    with pytest.raises(InputError, match=r"has no `kay`; the first [34]\d records were looked at$"):
        inspected(tmp_path, conversation="kay")


@pytest.mark.parametrize("section", [{"id": "kay"}, {"text": "kay"}, {"text": "{text}{kay}"}], ids=str)
def test_no_row_of_a_table_is_searched_for_a_field_that_its_header_lacks(
    section: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("text,key\n" + "A few words.,k\n" * 200)
    asked = []
    monkeypatch.setattr(separated, "_seen", lambda *given, seen=separated._seen: asked.append(given[2]) or seen(*given))
    with pytest.raises(InputError, match=r"`kay`, which no file has|it has no field `kay`"):
        inspected(tmp_path, **section)
    assert asked == [separated._RECORDS]


def test_a_field_that_appears_late_costs_no_row(tmp_path: Path) -> None:
    records = [{"n": i, "more": "x" * 90} for i in range(1_000)] + [{"n": i, "text": LONG} for i in range(5)]
    jsonl(tmp_path, "a.jsonl", {"text": LONG})
    jsonl(tmp_path, "late.jsonl", *records)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress((tmp_path / "late.jsonl").read_bytes()))
    for section in ({}, {"text": "text"}):
        texts, lost = read(tmp_path, **section)
        assert len(texts) == 11
        assert lost == {"missing_text": 2_000}


def test_files_of_one_kind_have_one_text_whatever_their_first_records_say(tmp_path: Path) -> None:
    first = [{"title": TITLE * 40, "story": "Not much."} for _ in range(20)]
    rest = [{"title": TITLE, "story": LONG} for _ in range(400)]
    jsonl(tmp_path, "a.jsonl", *first, *rest)
    jsonl(tmp_path, "b.jsonl", *rest)
    jsonl(tmp_path, "c.jsonl", {"title": TITLE})  # has no story, and a title is none
    jsonl(tmp_path, "d.jsonl", {"title": TITLE, "notes": LONG})
    files, skipped = inspected(tmp_path)
    assert {file.name: file.text for file in files} == {"a.jsonl": "story", "b.jsonl": "story", "d.jsonl": "notes"}
    assert [(entry.path, entry.kind) for entry in skipped] == [("c.jsonl", "no_text")]


def test_a_field_that_was_named_is_found_however_deep(tmp_path: Path) -> None:
    deep = {"a": {"b": {"c": {"d": {"e": LONG, "n": 1}}}}, "x.y": "dotted", "p": {"q.r": "half"}}
    jsonl(tmp_path, "a.jsonl", deep, {"n": 1})
    for path, text in (("a.b.c.d.e", LONG), ("x.y", "dotted"), ("p.q.r", "half")):
        assert read(tmp_path, text=path) == ([text], {"missing_text": 1})
    table(tmp_path, "b.parquet", {"a": {"b": {"c": {"d": {"e": LONG, "n": 1}}}}, "x.y": "dotted"})
    (tmp_path / "a.jsonl").unlink()
    assert read(tmp_path, text="a.b.c.d.e") == ([LONG], {})
    assert read(tmp_path, text="x.y") == (["dotted"], {})


def damage(path: Path, *groups: int) -> None:
    """Overwrite the pages of some row groups."""
    metadata = pq.ParquetFile(path).metadata
    data = bytearray(path.read_bytes())
    for group in groups:
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            data[start + 4 : start + chunk.total_compressed_size] = b"\xa5" * (chunk.total_compressed_size - 4)
    path.write_bytes(data)


@pytest.mark.parametrize("record", [{"text": LONG, "n": 1}, {"story": LONG, "title": TITLE}])
@pytest.mark.parametrize("groups", [(0,), (2,), (0, 1), (0, 1, 3), (1, 2, 3)])
def test_a_guess_costs_no_row_that_can_be_read(record: Any, groups: tuple[int, ...], tmp_path: Path) -> None:
    table(tmp_path, "a.parquet", *[record] * 40, row_group_size=10)
    damage(tmp_path / "a.parquet", *groups)
    for section in ({}, {"text": next(iter(record))}):
        texts, lost = read(tmp_path, **section)
        assert len(texts) == 40 - 10 * len(groups)
        assert lost == {"corrupt_file": 10 * len(groups)}


def test_a_file_of_which_nothing_can_be_read_stops_no_other(tmp_path: Path) -> None:
    table(tmp_path, "a.parquet", *[{"one": LONG, "two": LONG}] * 20, row_group_size=10)
    damage(tmp_path / "a.parquet", 0, 1)
    jsonl(tmp_path, "b.jsonl", {"text": LONG})
    assert read(tmp_path) == ([LONG], {"corrupt_file": 20})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(
        st.dictionaries(
            st.sampled_from(["text", "content", "story", "title", "n", "answer", "question", "id"]),
            st.sampled_from([None, 3, "x", TITLE, LONG, [LONG], {"text": LONG}]),
            max_size=4,
        ),
        min_size=1,
        max_size=6,
    ),
    count=st.integers(1, 3),
    wanted=st.sampled_from(["", "text", "story", "title"]),
)
def test_every_row_is_read_lost_or_in_a_file_that_was_passed_over(
    records: list[dict[str, Any]], count: int, wanted: str, tmp_path: Path
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    shares = [records[number::count] for number in range(count)]
    for number, share in enumerate(shares):
        jsonl(tmp_path, f"{number}.jsonl", *share)
    try:
        skipped = {entry.path for entry in inspected(tmp_path, text=wanted).skipped}
    except InputError:  # two answers are likely, or there is none
        return
    texts, lost = read(tmp_path, text=wanted)
    passed_over = [record for number, share in enumerate(shares) if f"{number}.jsonl" in skipped for record in share]
    assert len(texts) + sum(lost.values()) + len(passed_over) == len(records)
    assert not any(isinstance(record.get(wanted or "text"), str) for record in passed_over)
