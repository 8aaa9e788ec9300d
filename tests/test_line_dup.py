"""Repeated lines and paragraphs: the definition in plain Python beside the stage, then whole runs."""

import hashlib
import json
import re
from collections import defaultdict
from itertools import chain, pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.cli import command
from curate.models.tokenizers.tokenizer import load_tokenizer
from curate.shards.reader import read_shards
from curate.stages.contract import CorpusStage
from curate.stages.line_dup import LineDup, LineDupSettings
from curate.stages.line_dup.repeated import _send_counts
from curate.stages.quality import Quality, QualitySettings
from curate.text.core.arrow import utf8_view
from curate.text.core.edits import edited
from curate.text.core.words import characters, count_words
from fake_corpus import FakeCorpus
from thorough import settings

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"


def pieces(text: str, *, paragraphs: bool) -> list[tuple[str, str]]:
    """Lines or paragraphs as they stand, and the form in which they are compared; blank lines have none."""
    found: list[tuple[str, str]] = []
    joins = False
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        form = "".join(c.lower() if len(c.lower()) == 1 else c for c in " ".join(line.split()))
        if paragraphs and form and joins:
            before, its_form = found[-1]
            found[-1] = (before + line, f"{its_form} {form}")
        else:
            found.append((line, form))
        joins = bool(form)
    return found


def without(text: str, cut: set[str], *, paragraphs: bool) -> str:
    """The text without the pieces of the given forms."""
    left: list[tuple[str, str]] = []
    last_went = False
    for piece, form in pieces(text, paragraphs=paragraphs):
        beside_blank = last_went and (not left or not left[-1][1])
        last_went = form in cut if form else beside_blank
        if not last_went:
            left.append((piece, form))
    joined = "".join(piece for piece, _ in left)
    if last_went:
        ending = "\n" if text.endswith("\n") else ""
        joined = joined.rstrip("\n")
        joined += ending if joined else ""
    return joined


def expected(documents: list[tuple[str, str, str | None]], given: LineDupSettings) -> list[str | None]:
    """The definition: ids, sources and texts to texts after cutting."""
    holders: dict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
    for place, (name, source, text) in enumerate(documents):
        scope = source if given.scope == "source" else ""
        for _, form in pieces(text or "", paragraphs=given.paragraphs):
            if len(form) >= given.min_characters:
                holders[scope, form].add((name, place))
    outcome: list[str | None] = []
    for place, (name, source, text) in enumerate(documents):
        scope = source if given.scope == "source" else ""
        cut = {
            form
            for (its_scope, form), those in holders.items()
            if its_scope == scope and len(those) >= given.min_documents and min(those) != (name, place)
        }
        outcome.append(None if text is None else without(text, cut, paragraphs=given.paragraphs))
    return outcome


def in_parts(values: list, rows: int) -> list[list]:
    return [[*values[at : at + rows]] for at in range(0, len(values), rows)]


LINES = st.sampled_from(["", " ", "Aa bB", "aa  bb ", "\tAA BB", "cc", "É 字", "é 字", "Page 1", "Page 2", "unlike"])
DOCUMENTS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.sampled_from("xy"),
        st.none()
        | st.builds(
            lambda lines, end: "\n".join(lines) + end, st.lists(LINES, max_size=9), st.sampled_from(["", "\n"])
        ),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(
    DOCUMENTS,
    st.sampled_from(["line", "paragraph"]),
    st.sampled_from(["source", "corpus"]),
    st.integers(2, 3),
    st.integers(1, 6),
    st.integers(1, 5),
)
def test_texts_are_those_of_the_definition_whatever_the_parts(documents, unit, scope, min_documents, characters, rows):
    given_settings = LineDupSettings(
        unit=unit, scope=scope, min_documents=min_documents, min_characters=characters, min_words_left=2
    )
    stage = LineDup(given_settings)
    assert isinstance(stage, CorpusStage)
    ids, sources, texts = (list(column) for column in zip(*documents, strict=True)) if documents else ([], [], [])
    parts = [*in_parts(texts, rows), []]
    corpus = FakeCorpus(stage, parts, [*in_parts(ids, rows), []], rows, source=[*in_parts(sources, rows), []])
    batches = list(map(stage.resolve(corpus), range(len(parts))))
    for batch, part in zip(batches, parts, strict=True):
        assert batch.schema == pa.schema(list(stage.adds.items()))
        assert len(batch) == len(part)
    measures = pa.Table.from_batches(batches).combine_chunks()
    present = [text or "" for text in texts]
    found = edited(pa.array(present, pa.large_string()), pa.concat_arrays(batch.column("edits") for batch in batches))
    whole = expected(documents, given_settings)
    assert [None if text is None else new for text, new in zip(texts, found.to_pylist(), strict=True)] == whole
    for before, after, row in zip(texts, whole, measures.to_pylist(), strict=True):
        assert_measures(before, after, row)


def assert_measures(before: str | None, after: str | None, row: dict) -> None:
    if before is None or after is None:
        assert set(row.values()) == {None}
        return
    assert row["cut_characters"] == len(before) - len(after)
    assert row["cut_share"] == pytest.approx((len(before) - len(after)) / max(len(before), 1))
    lines = [sum(bool(line.strip()) for line in text.split("\n")) for text in (before, after)]
    assert row["cut_lines"] == lines[0] - lines[1]
    words = (len(before.replace("字", " 字 ").split()), len(after.replace("字", " 字 ").split()))
    assert (row["words_before"], row["words_left"]) == (words if before != after else (None, None))
    ends = [0, *chain.from_iterable((edit["start"], edit["end"]) for edit in row["edits"])]
    assert all(a < b for a, b in pairwise(ends[1:])), "edits ascend and are merged"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1É字กก็ -.…\n\u0301\u200b")))
def test_words_are_those_that_quality_counts(text):
    data, _ = utf8_view(pa.array([text], pa.large_string()))
    measured = Quality(QualitySettings()).measure(pa.record_batch({"text": pa.array([text], pa.large_string())}))
    assert count_words(data, 0, len(text.encode()), characters()) == (measured.column("words")[0].as_py() or 0)


def test_only_cutting_can_make_a_document_too_short():
    stage = LineDup(LineDupSettings(min_documents=2, min_characters=5, min_words_left=3))
    notice = "all rights reserved by nobody"
    texts = [f"one two\n{notice}", "one two", notice, f"three words stay\n{notice}", f"a b\n{notice}"]
    corpus = FakeCorpus(stage, [texts], source=[["s"] * len(texts)])
    verdicts = stage.judge(stage.resolve(corpus)(0)).to_pylist()
    assert verdicts == [[], [], ["too_short_after_cutting"], [], ["too_short_after_cutting"]]


def test_a_line_of_many_documents_is_sent_once_by_each_part():
    corpus = FakeCorpus(LineDup(), [["the same long line everywhere"] * 500] * 3, source=[["s"] * 500] * 3)
    sent = [batch for part in range(3) for batch in _send_counts(corpus, 1, part)]
    assert [batch.column("documents").to_pylist() for batch in sent] == [[500]] * 3


# ---- whole runs ------------------------------------------------------------------------------------------------

BANNER = "Subscribe to our newsletter, it is free and comes on Mondays."
FOOTER = "Copyright of the people who wrote all this; see the licence."
ON = 'pipeline.stages=["normalize","language","near_dup","line_dup","tokenize"]'
FIRST = 'pipeline.stages=["normalize","language","line_dup","near_dup","tokenize"]'
GIVEN = ["language.min_score=0", "line_dup.min_documents=4", "line_dup.min_words_left=20", "input.part_bytes=4000"]


def story(number: int) -> str:
    return "\n".join(
        f"It was in the year {year} that the {number}th people of the town built the {year * number}th bridge over it."
        for year in range(1800, 1808)
    )


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    documents = {f"d{n:02}": f"{BANNER}\n\n{story(n)}\n\n{FOOTER}" for n in range(12)}
    documents["short"] = f"{BANNER}\nToo little is left of this.\n{FOOTER}\n" + "and more of it\n" * 3
    documents["plain"] = story(99)
    lines = [json.dumps({"id": name, "text": text, "source": "site"}) for name, text in documents.items()]
    lines += [json.dumps({"id": "other", "text": f"{BANNER}\n{story(77)}", "source": "elsewhere"})]
    (folder / "a.jsonl").write_text("\n".join(lines[:9]))
    (folder / "b.jsonl").write_text("\n".join(lines[9:]))
    return folder


def run(corpus, out, *flags, settings=(ON,)):
    words = [word for one in (*GIVEN, *settings) for word in ("--set", one)]
    assert command(["run", str(corpus), "-o", str(out), "-qq", *words, *flags]) == 0
    return json.loads((out / "run.json").read_text())


def tokens_of(out):
    tokenizer = load_tokenizer("cl100k_base")
    return {document.id: tokenizer.decode(document.tokens) for document in read_shards(out / "shards")}


def bytes_of(out):
    files = sorted(file for file in out.rglob("*.parquet"))
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_shared_lines_are_in_one_shard_document_and_shown_by_why(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    manifest = run(corpus, out)
    found = tokens_of(out)
    assert found["d00"] == f"{BANNER}\n\n{story(0)}\n\n{FOOTER}"
    assert all(found[f"d{n:02}"] == story(n) for n in range(1, 12))
    assert found["other"].startswith(BANNER), "another source is counted by itself"
    counts = manifest["counts"]
    assert counts["removed"]["line_dup"] == {"documents": 1, "reasons": {"too_short_after_cutting": 1}}
    removed = sum(stage["documents"] for stage in counts["removed"].values())
    assert counts["read"] == counts["kept"] + removed + counts["quarantined"] == 15
    capsys.readouterr()
    assert command(["why", str(out), "d05"]) == 0
    shown = capsys.readouterr().out
    assert f"cut  {BANNER}⏎⏎" in shown
    assert f"cut  ⏎⏎{FOOTER}" in shown
    assert command(["shards", "verify", str(out)]) == 0


def test_off_unless_asked_for(corpus, tmp_path):
    run(corpus, tmp_path / "out", "--skip", "quality", settings=())
    assert sum(BANNER in text for text in tokens_of(tmp_path / "out").values()) == 14


@pytest.mark.parametrize("pipeline", [ON, FIRST])
def test_bytes_do_not_depend_on_workers_or_on_what_was_there(corpus, tmp_path, pipeline):
    run(corpus, tmp_path / "a", "--workers", "1", settings=(pipeline,))
    run(corpus, tmp_path / "b", "--workers", "2", settings=(pipeline, "line_dup.min_documents=100"))
    assert bytes_of(tmp_path / "a") != bytes_of(tmp_path / "b")
    run(corpus, tmp_path / "b", "--workers", "2", settings=(pipeline,))
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_a_part_whose_cuts_changed_because_of_another_is_measured_anew(corpus, tmp_path):
    """Documents of the first file are the same, but a line of theirs is repeated only with the second."""
    second = corpus / "b.jsonl"
    held = second.read_text()
    second.write_text("")
    few = ("line_dup.min_documents=12",)
    run(corpus, tmp_path / "grown", settings=(ON, *few))
    assert sum(BANNER in text for text in tokens_of(tmp_path / "grown").values()) == 9
    second.write_text(held)
    run(corpus, tmp_path / "grown", settings=(ON, *few))
    run(corpus, tmp_path / "fresh", settings=(ON, *few))
    assert tokens_of(tmp_path / "grown") == tokens_of(tmp_path / "fresh")
    assert bytes_of(tmp_path / "grown") == bytes_of(tmp_path / "fresh")


def test_a_threshold_is_judged_without_resolving_again(corpus, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(corpus, out)
    monkeypatch.setattr(LineDup, "resolve", lambda *_: pytest.fail("resolved again"))
    manifest = run(corpus, out, settings=(ON, "line_dup.min_words_left=0"))
    assert manifest["counts"]["removed"]["line_dup"]["documents"] == 0


def test_near_dup_sees_what_is_left_when_it_comes_later(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    banners = [f"{BANNER} {number}" for number in range(8)]
    texts = {f"d{n}": "\n".join([*banners, story(n)]) for n in range(6)}
    texts["twin"] = story(3)
    lines = [json.dumps({"id": name, "text": text, "source": "site"}) for name, text in texts.items()]
    (folder / "a.jsonl").write_text("\n".join(lines))
    before = run(folder, tmp_path / "before", settings=(ON,))["counts"]["removed"]["near_dup"]["reasons"]
    after = run(folder, tmp_path / "after", settings=(FIRST,))["counts"]["removed"]["near_dup"]["reasons"]
    assert before == {}
    assert after == {"exact_duplicate": 1}


@pytest.mark.skipif(not CORPORA.exists(), reason="needs the shared corpora")
@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_real_pages_lose_exactly_what_is_repeated(tmp_path, unit):
    frame = pl.read_parquet(CORPORA / "neardup_truth" / "docs.parquet").select("id", "source", "text").gather_every(25)
    (tmp_path / "in").mkdir()
    frame.write_parquet(tmp_path / "in" / "pages.parquet", row_group_size=200)
    out = tmp_path / "out"
    changed = (
        'pipeline.stages=["line_dup"]',
        f"line_dup.unit={unit}",
        "input.part_bytes=500000",
        "line_dup.scope=corpus",
    )
    run(tmp_path / "in", out, settings=(*changed, "input.id=id", "input.source=source"))
    documents, judged = (pq.read_table(out / name) for name in ("documents", "line_dup"))
    assert len(list((out / "documents").iterdir())) > 1
    columns = [documents.column(name).to_pylist() for name in ("id", "source", "text")]
    given_settings = LineDupSettings(unit=unit, min_documents=4, scope="corpus")
    wanted = expected(list(zip(*columns, strict=True)), given_settings)
    texts, edits = (table.column(name).combine_chunks() for table, name in ((documents, "text"), (judged, "edits")))
    assert edited(texts, edits).to_pylist() == wanted
    assert sum(judged.column("cut_lines").to_pylist()) > 1000
