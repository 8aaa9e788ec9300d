import itertools
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.cli.session import Session
from curate.errors import ExitCode
from curate.stages import partitioning
from curate.stages.contract import KEPT, PASSED_OVER, TRIED, CorpusStage
from curate.stages.near_dup import NearDup, NearDupSettings, audit, candidates, survivors
from fake_corpus import FakeCorpus
from reference_shingles import jaccard, shingle_set
from thorough import settings

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "corpora" / "neardup_truth"


def resolve(stage: NearDup, parts: list[list[str | None]], **how: object) -> list[dict]:
    corpus = FakeCorpus(stage, parts, **how)
    batches = list(map(stage.resolve(corpus), range(len(parts))))
    assert [batch.num_rows for batch in batches] == [len(part) for part in parts]
    for batch in batches:
        assert batch.schema == pa.schema(list(stage.adds.items()))
    return [row for batch in batches for row in batch.to_pylist()]


class Document(NamedTuple):
    text: str | None
    id: str
    source: str
    lang: str | None
    date: str | None
    score: float | None


def preference(document: Document, how: NearDupSettings) -> float:
    """Higher is better."""
    return {
        "longest": lambda: len(document.text.encode()),
        "first": lambda: 0,
        "newest": lambda: float(document.date or -1),
        "best": lambda: -1 if document.score is None else document.score,
        "source_priority": lambda: -[*how.source_priority, document.source].index(document.source),
    }[how.survivor]()


def naive(
    documents: list[Document], how: NearDupSettings, fails: Collection[int] = (), words: int = 2
) -> list[tuple[int | None, float | None]]:
    """The definition, comparing all with all: preferred first, removed only for a kept document near enough.

    Nothing is removed for documents that fail.
    """
    present = [at for at, one in enumerate(documents) if one.text is not None and one.source not in how.exempt_sources]

    def rank(at: int) -> tuple:
        by_id = documents[at].id if how.survivor != "first" else ""
        return (-preference(documents[at], how), by_id, at)

    def scope(at: int) -> str | None:
        one = documents[at]
        return {"corpus": "", "source": one.source, "language": one.lang}[how.scope]

    sets = {at: shingle_set(documents[at].text, words) for at in present}
    kept: list[int] = []
    outcome: dict[int, tuple[int | None, float | None]] = {}
    for at in sorted(present, key=rank):
        others = [k for k in kept if scope(k) == scope(at)]
        same = [k for k in outcome if scope(k) == scope(at) and documents[k].text == documents[at].text]
        same = [k for k in same if k in kept or outcome[k][0] is not None]  # not those passed over
        found = [(jaccard(sets[at], sets[k]), -n, k) for n, k in enumerate(others)]
        best = max(found, default=(0.0, 0, 0))
        if same:
            leader = min(same, key=rank)
            outcome[at] = (leader, 1.0) if leader in kept else outcome[leader]
        elif best[0] >= how.similarity:
            outcome[at] = (best[2], best[0])
        else:
            outcome[at] = (None, None)
            kept += [at] if at not in fails else []
    return [outcome.get(at, (None, None)) for at in range(len(documents))]


TEXTS = st.none() | st.lists(st.sampled_from(["a", "b", "c", "d", "É", "字", "!"]), max_size=9).map(" ".join)
DOCUMENTS = st.lists(
    st.builds(
        Document,
        text=TEXTS,
        id=st.sampled_from(["x", "y", "z"]),
        source=st.sampled_from(["web", "news", "books"]),
        lang=st.sampled_from(["en", "de"]) | st.none(),
        date=st.sampled_from(["3", "12", "40.5"]) | st.none(),
        score=st.sampled_from([0.25, 0.5, 3.0]) | st.none(),
    ),
    max_size=14,
)
SETTINGS = st.builds(
    NearDupSettings,
    similarity=st.sampled_from([0.5, 0.6, 0.75, 1.0]),
    shingle_words=st.just(2),
    survivor=st.sampled_from(["longest", "first", "newest", "best", "source_priority"]),
    source_priority=st.just(("news", "web")),
    best_by=st.just("quality.score"),
    scope=st.sampled_from(["corpus", "source", "language"]),
    exempt_sources=st.sampled_from([(), (), ("books",)]),
    bands=st.just(64),  # a pair at 0.5 is missed with probability 2⁻⁶⁴
    rows=st.just(1),
)


def corpus_of(stage: NearDup, documents: list[Document], part_rows: int, **how: object) -> FakeCorpus:
    parts = [documents[at : at + part_rows] for at in range(0, len(documents), part_rows)] + [[]]
    columns = {
        "source": [[one.source for one in part] for part in parts],
        "language.label": [pa.array([one.lang for one in part], pa.string()) for part in parts],
        "metadata": [
            pa.array([one.date and json.dumps({"date": one.date}) for one in part], pa.large_string()) for part in parts
        ],
        "quality.score": [pa.array([one.score for one in part], pa.float64()) for part in parts],
    }
    texts = [[one.text for one in part] for part in parts]
    ids = [[one.id for one in part] for part in parts]
    return FakeCorpus(stage, texts, ids, batch_rows=part_rows, **columns, **how)


def outcome_of(stage: NearDup, corpus: FakeCorpus) -> tuple[list[dict], list[tuple[int | None, float | None]]]:
    """Judgments of the corpus' own documents, and survivor (numbered through all parts) with its Jaccard."""
    earlier = len(corpus.earlier)
    judge = stage.resolve(corpus)
    rows = [row for part in range(len(corpus.rows) - earlier) for row in judge(part).to_pylist()]
    firsts = np.cumsum([0, *corpus.rows])

    def named(row: dict) -> int | None:
        if row["survivor_at"] is None:
            return None
        part = row["survivor_at"]["part"] + (0 if row["survivor_run"] else earlier)
        return int(firsts[part]) + row["survivor_at"]["row"]

    return rows, [(named(row), row["jaccard"]) for row in rows]


@contextmanager
def cut_small(range_bytes: int, batch_hashes: int, in_one_place: int, long: int) -> Iterator[None]:
    """Receivers of so many bytes, batches of so many hashes, components in rounds beyond so many documents, documents
    in pieces beyond so many shingles."""
    with (
        mock.patch.object(partitioning, "RANGE_BYTES", range_bytes),
        mock.patch.object(survivors, "BATCH_HASHES", batch_hashes),
        mock.patch.object(candidates, "IN_ONE_PLACE", in_one_place),
        mock.patch.object(survivors, "LONG", long),
    ):
        yield


CUTS = st.sampled_from(
    [
        (16_000_000, 4_000_000, 1 << 24, 1 << 19),
        (2_000, 90, 1 << 24, 1 << 19),
        (20_000, 400, 0, 2),
        (1_000_000, 1, 0, 1 << 19),
        (16_000_000, 20, 1 << 24, 1),
    ]
)


@settings(max_examples=60, quick=15, deadline=None)
@given(DOCUMENTS, SETTINGS, st.integers(1, 5), CUTS)
def test_outcome_is_the_definition_whatever_the_parts_and_batches(documents, how, part_rows, cuts):
    stage = NearDup(how)
    with cut_small(*cuts):
        rows, outcome = outcome_of(stage, corpus_of(stage, documents, part_rows))
    assert outcome == naive(documents, how)
    for at, (row, document) in enumerate(zip(rows, documents, strict=True)):
        survivor, _ = outcome[at]
        out = document.text is None
        assert (row["content_hash"] is None) == out
        assert row["survivor"] == (None if survivor is None else documents[survivor].id)
        standing_for = 1 + [which for which, _ in outcome].count(at)
        assert row["copies"] == (None if out or survivor is not None else standing_for)
        assert row["exact"] == (None if survivor is None else document.text == documents[survivor].text)


@settings(max_examples=40, quick=5, deadline=None)
@given(DOCUMENTS, DOCUMENTS, SETTINGS, st.integers(1, 5), CUTS)
def test_a_run_against_an_earlier_one_decides_as_one_run_over_both_does(earlier, later, how, part_rows, cuts):
    stage = NearDup(msgspec.structs.replace(how, survivor="first"))
    with cut_small(*cuts):
        before = corpus_of(stage, earlier, part_rows)
        _, first = outcome_of(stage, before)
        rows, second = outcome_of(stage, corpus_of(stage, later, part_rows, against=before))
    assert first + second == naive(earlier + later, stage.settings)
    for row, (survivor, _) in zip(rows, second, strict=True):
        assert row["survivor_run"] == ("before" if survivor is not None and survivor < len(earlier) else None)


STAGE = NearDup()


def settle(stage: NearDup, corpus: FakeCorpus, fails: Collection[int], known: Collection[int] = ()) -> int:
    """Choose until nothing that is kept and has partners fails, as a run does; how often.

    Args:
        stage: near_dup.
        corpus: nothing is decided in it yet.
        fails: documents, counted through all parts of this run, that later stages remove.
        known: documents thought to be removed, rightly or not.
    """
    firsts = np.cumsum([0, *corpus.rows[len(corpus.earlier) :]])

    def rows(documents: Collection[int]) -> list[np.ndarray]:
        return [np.array([one - low for one in sorted(documents) if low <= one < high], np.int64)
                for low, high in itertools.pairwise(firsts)]  # fmt: skip

    def standing(value: str) -> set[int]:
        own = enumerate(corpus.verdicts[len(corpus.earlier) :])
        return {int(firsts[part]) + row for part, batch in own for row, one in
                enumerate(batch.column("standing").to_pylist()) if one == value}  # fmt: skip

    corpus.failed = rows(known)
    corpus.resolve(stage)
    for rounds in range(1, 100):
        kept, over, tried = (standing(value) for value in (KEPT, PASSED_OVER, TRIED))
        asked, given = kept | over | tried, corpus.failed
        corpus.failed, corpus.passed = rows(asked & set(fails)), rows(asked - set(fails))
        corpus.trying = bool(kept & set(fails))
        if not corpus.trying and not tried and list(map(list, given)) == list(map(list, corpus.failed)):
            return rounds
        corpus.decided(stage.choose(corpus, everywhere=False))
    raise AssertionError("it does not end")


@settings(max_examples=40, quick=6, deadline=None)
@given(
    DOCUMENTS, SETTINGS, st.sets(st.integers(0, 13)), st.sets(st.integers(0, 13)), st.integers(1, 5), CUTS,
    st.sampled_from([0, 1, 4]),
)  # fmt: skip
def test_the_best_of_those_that_pass_stays_whatever_was_known_before(
    documents, how, fails, known, part_rows, cuts, followers
):
    stage = NearDup(how)
    fails, known = ({at for at in some if at < len(documents)} for some in (fails, known))
    with cut_small(*cuts), mock.patch.object(survivors, "FOLLOWERS", followers):
        corpus = corpus_of(stage, documents, part_rows)
        settle(stage, corpus, fails, known)
    rows = [row for batch in corpus.verdicts for row in batch.to_pylist()]
    expected = naive(documents, how, fails)
    for at, (row, document) in enumerate(zip(rows, documents, strict=True)):
        survivor, similarity = expected[at]
        named = row["survivor_at"] and row["survivor_at"]["part"] * part_rows + row["survivor_at"]["row"]
        assert (named, row["jaccard"]) == (survivor, similarity)
        standing_for = 1 + [which for which, _ in expected].count(at)
        assert row["copies"] == (None if document.text is None or survivor is not None else standing_for)
        if row["partners"] is not None and survivor is None:
            assert row["standing"] == (PASSED_OVER if at in fails else KEPT)
        else:
            assert row["standing"] is None
    fresh = corpus_of(stage, documents, part_rows)
    with cut_small(*cuts), mock.patch.object(survivors, "FOLLOWERS", followers):
        settle(stage, fresh, fails)
    assert fresh.verdicts == corpus.verdicts


@settings(max_examples=20, quick=8, deadline=None)
@given(DOCUMENTS, SETTINGS, st.integers(1, 5), CUTS)
def test_partners_are_the_documents_that_it_is_like(documents, how, part_rows, cuts):
    stage = NearDup(how)
    with cut_small(*cuts):
        corpus = corpus_of(stage, documents, part_rows)
        corpus.resolve(stage)
    rows = [row for batch in corpus.verdicts for row in batch.to_pylist()]
    sets = [shingle_set(document.text or "", 2) for document in documents]
    for at, row in enumerate(rows):
        for partner in row["partners"] or ():
            other = partner["part"] * part_rows + partner["row"]
            assert partner["exact"] == (documents[at].text == documents[other].text)
            assert partner["jaccard"] == (1.0 if partner["exact"] else jaccard(sets[at], sets[other])) >= how.similarity
            assert at in {back["part"] * part_rows + back["row"] for back in rows[other]["partners"]}
        if row["survivor_at"] and not row["exact"] and any(not partner["exact"] for partner in row["partners"]):
            assert row["survivor_at"] in [{"part": one["part"], "row": one["row"]} for one in row["partners"]]
    with_partners = [row for row in rows if row["partners"] is not None]
    assert all((row["more_partners"] is None) == (row["partners"] is None) for row in rows)
    assert {row["standing"] for row in with_partners if row["survivor"] is None} <= {KEPT}


def test_a_thousand_bad_copies_take_few_rounds():
    words = [f"word{at}" for at in range(200)]
    texts = [" ".join([*words, f"x{at:03}"]) for at in range(999)]
    texts.append(" ".join([*words, "x"]))  # the shortest, and so the last that is preferred
    corpus = FakeCorpus(STAGE, [texts[:500], texts[500:]])
    assert settle(STAGE, corpus, range(999)) <= 7
    standing = [value for batch in corpus.verdicts for value in batch.column("standing").to_pylist()]
    assert standing == [PASSED_OVER] * 999 + [KEPT]


PAGE = " ".join(f"word{number}" for number in range(60))


def test_survivors_are_named_by_id_and_place():
    longer = PAGE + " and a little more"
    first, second, third, last = resolve(STAGE, [[PAGE, "unrelated words, quite short"], [longer, PAGE]])
    assert first["survivor"] == last["survivor"] == "doc-1-0"
    assert first["survivor_at"] == {"part": 1, "row": 0}
    assert first["jaccard"] == last["jaccard"] == 56 / 60
    assert (second["survivor"], second["copies"], third["copies"]) == (None, 1, 3)


def test_no_removal_through_a_chain():
    words = [f"word{number}" for number in range(200)]
    shifted = [" ".join(words[start : start + 100]) for start in range(0, 100, 5)]
    rows = resolve(STAGE, [shifted])
    kept = {f"doc-0-{at}" for at, row in enumerate(rows) if row["survivor"] is None}
    assert 1 < len(kept) < len(rows)
    for at, row in enumerate(rows):
        if row["survivor"] is not None:
            assert row["survivor"] in kept
            other = shifted[row["survivor_at"]["row"]]
            assert row["jaccard"] == jaccard(shingle_set(shifted[at]), shingle_set(other)) >= 0.8


def test_documents_without_words_have_exact_copies_only():
    rows = resolve(STAGE, [["!!!", "???", "", "!!!", ""]])
    assert [row["survivor"] for row in rows] == [None, None, None, "doc-0-0", "doc-0-2"]


def test_short_documents_are_compared_as_one_shingle():
    rows = resolve(STAGE, [["Hello, World!", "hello world", "hello there", "world hello"]])
    assert [row["survivor"] for row in rows] == [None, "doc-0-0", None, None]
    assert (rows[1]["jaccard"], rows[1]["exact"]) == (1.0, False)


def test_ids_may_repeat():
    rows = resolve(STAGE, [[PAGE, PAGE]], ids=[["same", "same"]])
    assert rows[1]["survivor"] == "same"
    assert rows[1]["survivor_at"] == {"part": 0, "row": 0}


def test_verdicts():
    parts = [[PAGE + " more", PAGE, PAGE + " more", "another", None]]
    corpus = FakeCorpus(STAGE, parts)
    measures = STAGE.resolve(corpus)(0)
    assert STAGE.judge(measures).to_pylist() == [[], ["near_duplicate"], ["exact_duplicate"], [], []]


def test_it_is_a_corpus_stage():
    assert isinstance(STAGE, CorpusStage)
    with pytest.raises(TypeError, match="whole corpus"):
        STAGE.measure(pa.record_batch({"text": []}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"similarity": 1.5}, "`near_dup.similarity` must be above 0 and at most 1, but is 1.5"),
        ({"recall": 1.0}, "`near_dup.recall` must be between 0 and 1, but is 1.0"),
        ({"bands": 14}, "`near_dup.bands` and `near_dup.rows` must be set together, but are 14 and 0"),
        (
            {"similarity": 0.01},
            ("`near_dup.permutations` must be larger to find 99.0% of the pairs at `similarity` 0.01, but is 112"),
        ),
    ],
)
def test_wrong_settings_are_refused(values, message):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        NearDupSettings(**values)
    assert str(refused.value) == message


def shifted_copies(clusters: int, overlap: int) -> list[str]:
    """Pairs of texts that share all but a few words at either end."""
    texts = []
    for cluster in range(clusters):
        words = [f"w{cluster}x{at}" for at in range(100 + overlap)]
        texts += [" ".join(words[:100]), " ".join(words[overlap:])]
    return texts


def test_the_audit_finds_what_the_bands_miss(tmp_path):
    """At Jaccard 0.85, two bands of 12 rows find 26 % of the pairs."""
    texts = shifted_copies(clusters=1500, overlap=8)
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    settings = ["near_dup.bands=2", "near_dup.rows=12"]
    session = Session([str(tmp_path / "in.jsonl")], str(tmp_path / "out"), assignments=settings, only=["near_dup"])
    assert session.work(quiet=2) == ExitCode.DONE
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    removed = run["counts"]["removed"]["near_dup"]["documents"]
    audit = run["audit"]["near_dup"]
    assert audit["documents"] == len(texts)
    assert audit["twins"] - audit["missed"] == removed
    truly_missed = 1 - removed / 1500
    assert abs(audit["share"] - truly_missed) < 0.02
    assert truly_missed < audit["upper"] < truly_missed + 0.05


def test_a_sample_with_too_much_to_compare_is_a_smaller_random_one():
    stage = NearDup(NearDupSettings(bands=2, rows=12))
    corpus = FakeCorpus(stage, [shifted_copies(clusters=1500, overlap=8)])
    _, whole = stage.resolve_audited(corpus)
    with mock.patch.object(audit, "MOST_SHINGLES", 100_000):
        _, smaller = stage.resolve_audited(corpus)
    assert 0 < smaller["documents"] < whole["documents"] / 2
    assert abs(smaller["share"] - whole["share"]) < 0.06


def test_pairs_below_the_similarity_are_counted_as_often_as_there_are():
    """600 pairs at 79/113 = 0.699 and 300 at 0.85, all of them removed; a smaller sample tells of as many."""
    stage = NearDup(NearDupSettings())
    corpus = FakeCorpus(stage, [shifted_copies(600, overlap=17), shifted_copies(900, overlap=8)[1200:]])
    _, whole = stage.resolve_audited(corpus)
    with mock.patch.object(audit, "MOST_SHINGLES", 40_000):
        _, smaller = stage.resolve_audited(corpus)
    assert smaller["documents"] < 0.7 * whole["documents"]
    for found, near in ((whole, 0.1), (smaller, 0.25)):
        (bin_,) = found["below"]
        assert bin_[0] == pytest.approx(0.68)
        assert bin_[1] == pytest.approx(600, rel=near)


@pytest.mark.slow
@pytest.mark.skipif(not TRUTH.exists(), reason="needs the corpus with known pairs")
def test_recall_and_precision_on_known_pairs(tmp_path):
    session = Session([str(TRUTH / "docs.parquet")], str(tmp_path / "out"), only=["near_dup"])
    assert session.work(quiet=2) == ExitCode.DONE
    documents = pl.read_parquet(tmp_path / "out" / "documents" / "*.parquet", columns=["id", "text"])
    judged = pl.read_parquet(tmp_path / "out" / "near_dup" / "*.parquet").with_columns(documents["id"])
    removed = judged.filter(pl.col("survivor").is_not_null())
    kept = judged.filter(pl.col("survivor").is_null())["id"].implode()
    pairs = pl.read_parquet(TRUTH / "pairs.parquet").filter(pl.col("jaccard") >= 0.8)
    twins = pl.concat([pairs.select(id="id_a", twin="id_b"), pairs.select(id="id_b", twin="id_a")])
    with_kept_twin = twins.filter(pl.col("twin").is_in(kept))["id"].unique()
    assert with_kept_twin.is_in(removed["id"].implode()).mean() >= 0.98

    assert removed["survivor"].is_in(kept).all()
    texts = dict(documents.iter_rows())
    for name, survivor, stated in removed.select("id", "survivor", "jaccard").iter_rows():
        if texts[name] != texts[survivor]:
            assert jaccard(shingle_set(texts[name]), shingle_set(texts[survivor])) == stated >= 0.8
