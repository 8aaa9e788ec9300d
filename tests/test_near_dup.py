from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.stages.contract import CorpusStage
from curate.stages.near_dup import NearDup, NearDupSettings
from fake_corpus import FakeCorpus
from reference_shingles import jaccard, shingle_set

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "corpora" / "neardup_truth"

EXHAUSTIVE = {"bands": 64, "rows": 1}  # a pair at 0.5 is missed with probability 2⁻⁶⁴


def resolve(stage: NearDup, parts: list[list[str | None]], **how: object) -> list[dict]:
    corpus = FakeCorpus(stage, parts, **how)
    batches = list(map(stage.resolve(corpus), range(len(parts))))
    assert [batch.num_rows for batch in batches] == [len(part) for part in parts]
    for batch in batches:
        assert batch.schema == pa.schema(list(stage.adds.items()))
    return [row for batch in batches for row in batch.to_pylist()]


def naive(texts: list[str | None], similarity: float, *, longest: bool) -> list[tuple[int | None, float | None]]:
    """The definition, comparing all with all: longest first, removed only for a kept document near enough."""
    present = [at for at, text in enumerate(texts) if text is not None]
    order = sorted(present, key=lambda at: (-len(texts[at].encode()) if longest else 0, at))
    sets = {at: shingle_set(texts[at], 2) for at in present}
    kept: list[int] = []
    outcome: dict[int, tuple[int | None, float | None]] = {}
    for at in order:
        found = [
            (1.0 if texts[at] == texts[k] else jaccard(sets[at], sets[k]), -rank, k) for rank, k in enumerate(kept)
        ]
        same = [k for k in present if k < at and texts[k] == texts[at]]
        best = max(found, default=(0.0, 0, 0))
        if same:
            outcome[at] = (same[0], 1.0) if same[0] in kept else outcome[same[0]]
        elif found and best[0] >= similarity:
            outcome[at] = (best[2], best[0])
        else:
            outcome[at] = (None, None)
            kept.append(at)
    return [outcome.get(at, (None, None)) for at in range(len(texts))]


TEXTS = st.lists(
    st.none() | st.lists(st.sampled_from(["a", "b", "c", "d", "É", "字", "!"]), max_size=9).map(" ".join),
    max_size=14,
)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.sampled_from([0.5, 0.6, 0.75, 1.0]), st.booleans(), st.integers(1, 5))
def test_outcome_is_the_definition_whatever_the_parts(texts, similarity, longest, part_rows):
    stage = NearDup(
        NearDupSettings(
            similarity=similarity, shingle_words=2, survivor="longest" if longest else "first", **EXHAUSTIVE
        )
    )
    parts = [texts[at : at + part_rows] for at in range(0, len(texts), part_rows)]
    rows = resolve(stage, [*parts, []], batch_rows=part_rows)
    starts = np.cumsum([0, *map(len, parts)])
    named = [(row["survivor_at"] and starts[row["survivor_at"]["part"]] + row["survivor_at"]["row"]) for row in rows]
    expected = naive(texts, similarity, longest=longest)
    assert list(zip(named, [row["jaccard"] for row in rows], strict=True)) == expected
    for at, row in enumerate(rows):
        out = texts[at] is None
        assert (row["content_hash"] is None) == out
        assert row["copies"] == (None if out or named[at] is not None else 1 + named.count(at))
        assert row["exact"] == (None if named[at] is None else texts[at] == texts[named[at]])


PAGE = " ".join(f"word{number}" for number in range(60))
STAGE = NearDup()


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


@pytest.mark.slow
@pytest.mark.skipif(not TRUTH.exists(), reason="needs the corpus with known pairs")
def test_recall_and_precision_on_known_pairs():
    docs = pl.read_parquet(TRUTH / "docs.parquet", columns=["id", "text"])
    pairs = pl.read_parquet(TRUTH / "pairs.parquet").filter(pl.col("jaccard") >= 0.8)
    halves = [docs[: len(docs) // 2], docs[len(docs) // 2 :]]
    corpus = FakeCorpus(STAGE, [half["text"].to_list() for half in halves], [half["id"].to_list() for half in halves])
    judged = pl.from_arrow(pa.Table.from_batches(STAGE.resolve(corpus))).with_columns(id=docs["id"])
    removed = judged.filter(pl.col("survivor").is_not_null())
    kept = judged.filter(pl.col("survivor").is_null())["id"].implode()
    twins = pl.concat([pairs.select(id="id_a", twin="id_b"), pairs.select(id="id_b", twin="id_a")])
    with_kept_twin = twins.filter(pl.col("twin").is_in(kept))["id"].unique()
    assert with_kept_twin.is_in(removed["id"].implode()).mean() >= 0.98

    assert removed["survivor"].is_in(kept).all()
    texts = dict(docs.iter_rows())
    for name, survivor, stated in removed.select("id", "survivor", "jaccard").iter_rows():
        if texts[name] != texts[survivor]:
            assert jaccard(shingle_set(texts[name]), shingle_set(texts[survivor])) == stated >= 0.8
