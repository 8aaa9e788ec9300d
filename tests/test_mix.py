"""A mixture has the tokens that it was asked for, leads back to its documents, and refuses what cannot be."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.cli.session import Session
from curate.errors import ConfigError, PlanError
from curate.shards.convert import convert
from curate.shards.index import read_index
from curate.shards.mixture import Lengths, mixed, steps_of
from curate.shards.mixture.settings import MixSettings
from curate.shards.provenance.locate import locate
from curate.shards.reader import read_shards
from curate.shards.settings import ShardSettings
from curate.shards.verify import verify
from small_run import SETTINGS, contents, manifest, run
from thorough import settings

NAMES = ["a", "b", "c"]
THIRTY = Lengths.of(np.arange(30) % 3, np.zeros(30, np.int64), np.full(30, 10))


@st.composite
def corpora(draw):
    counts = draw(st.lists(st.integers(1, 50), min_size=6, max_size=60))
    return np.array(counts, np.int64), np.arange(len(counts)) % 3


def mix(corpus, *, by_copies=None, **given):
    n_tokens, groups = corpus
    copies = np.ones(len(n_tokens), np.int64) if by_copies is None else by_copies
    wanted = MixSettings(max_epochs=100, **given)
    steps = steps_of(copies, wanted)
    draw, table = mixed(Lengths.of(groups, steps, n_tokens), NAMES, wanted, 3)
    times = draw.times(groups, steps, n_tokens, draw.firsts)
    sums, half = draw.firsts.copy(), len(n_tokens) // 2  # in two parts, which know sums of each other
    for part in (slice(half), slice(half, None)):
        own = groups[part], steps[part], n_tokens[part]
        places, added = draw.sums(Lengths.of(*own))
        assert draw.times(*own, sums[places]).tolist() == times[part].tolist()
        sums[places] += added
    assert [(one.group, one.mixed_tokens) for one in table] == [
        (name, int((times * n_tokens)[groups == at].sum())) for at, name in enumerate(NAMES)
    ]
    return times, table


@settings(deadline=None)
@given(corpora(), st.tuples(*[st.just(0) | st.floats(0.01, 5)] * 3).filter(any))
@example((np.full(30, 10), np.arange(30) % 3), (1e308, 1.7e308, 1e308))
@example((np.full(30, 10), np.arange(30) % 3), (5e-324, 5e-324, 0))
@example((np.full(30, 10), np.arange(30) % 3), (1, 1e-300, 1e-15))
def test_shares_are_those_of_the_weights_and_nothing_is_repeated(corpus, weights):
    times, table = mix(corpus, weights=dict(zip(NAMES, weights, strict=True)))
    assert times.max() <= 1
    wanted = np.array(weights) / max(weights)
    wanted /= wanted.sum()
    whole = min(one.tokens / share for one, share in zip(table, wanted, strict=True) if share)
    for one, share in zip(table, wanted, strict=True):
        assert abs(one.mixed_tokens - share * whole) <= 101  # two documents


@settings(deadline=None)
@given(corpora(), st.floats(0, 6), st.floats(51, 500))
def test_epochs_and_budgets_are_met_to_a_document(corpus, epochs, budget):
    times, table = mix(corpus, epochs={"b": epochs})
    assert set(times[corpus[1] != 1]) == {1}
    assert times[corpus[1] == 1].max() - times[corpus[1] == 1].min() <= 1
    assert abs(table[1].mixed_tokens - epochs * table[1].tokens) <= 101
    _, table = mix(corpus, tokens={"a": budget, "*": 0})
    assert abs(table[0].mixed_tokens - budget) <= 101
    assert table[1].mixed_tokens == table[2].mixed_tokens == 0


def test_documents_with_many_copies_are_taken_more_often():
    corpus = np.full(3000, 10), np.arange(3000) % 3
    copies = np.repeat([1, 2, 9, 10, 50, 1], 500)
    times, table = mix(corpus, by_copies=copies, copies={"2": 1.5, "10": 3})
    means = [times[copies == number].mean() for number in (1, 2, 9, 10, 50)]
    assert means == pytest.approx([1, 1.5, 1.5, 3, 3], abs=0.01)
    assert sum(one.mixed_documents for one in table) == times.sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": {"a": 1, "d": 1}}, "names `d`"),
        ({"weights": {"a": 1}}, "no number for source `b`"),
        ({"epochs": {"a": 4.2}}, r"asks for 420: 4.2 epochs, more than `mix.max_epochs` = 4"),
        ({"weights": {"a": 1, "*": 1}, "total_tokens": 5000}, "25.0 epochs"),
        ({"tokens": {"*": 1e300}}, "more than `mix.max_epochs` = 4"),
        ({"tokens": {"a": 1}, "max_epochs": 0.0}, "more than `mix.max_epochs` = 0"),
        ({"tokens": {"*": 0}}, "takes none of the 30 kept documents"),
        ({"epochs": {"*": 1e-9}}, "takes none of the 30 kept documents"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(given, message):
    with pytest.raises(PlanError, match=message):
        mixed(THIRTY, NAMES, MixSettings(**given), 0)


def test_too_few_tokens_for_a_document_are_named():
    settings = MixSettings(weights={"*": 1}, total_tokens=1e-6)
    with pytest.raises(PlanError) as caught:
        mixed(THIRTY, NAMES, settings, 0)
    assert caught.value.hint == "--set mix.total_tokens=300"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mix")
    dice, words = random.Random(8), [f"word{number}" for number in range(400)]
    for source, many in (("books", 20), ("web", 60)):
        texts = [" ".join(dice.choices(words, k=dice.randrange(20, 80))) for _ in range(many)]
        with (folder / f"{source}.jsonl").open("w") as file:
            rows = ({"id": f"{source}{at}", "text": text, "year": str(at % 3)} for at, text in enumerate(texts))
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def job(corpus, out, *options, skip):
    return Session([str(corpus)], str(out), assignments=[*SETTINGS, *options], skip=skip)


def mixed_run(corpus, out, *options):
    assert run(corpus, out, "shards.format=bin", *options, skip=["quality"]) == 0
    return out / "shards"


@pytest.mark.parametrize("packing", ["none", "best_fit"])
@pytest.mark.parametrize("order", ["input", "shuffle"])
def test_a_mixture_of_a_run_leads_back_to_its_documents(corpus, tmp_path, order, packing, monkeypatch):
    monkeypatch.setattr("curate.pipeline.sharding.sharding.PIECE_TOKENS", 2_000)
    options = (f"shards.order={order}", f"shards.packing={packing}", "shards.sequence_length=512")
    options += ("mix.epochs={books=2.5, web=0.5}",)
    folder = mixed_run(corpus, tmp_path / "a", *options)
    index, report = read_index(folder), verify(folder, every=True)
    assert (report.problems, report.traced) == ([], index.documents)
    found = Counter(one.id for one in read_shards(folder))
    assert {found[f"books{at}"] for at in range(20)} == {2, 3}
    assert {found[f"web{at}"] for at in range(60)} == {0, 1}
    assert [one.epochs for one in index.mix] == pytest.approx([2.5, 0.5], abs=0.05)
    for one in list(read_shards(folder))[::5]:
        place = locate(folder, one.shard, one.offset + 1)
        assert (place.id, place.token, place.source) == (one.id, 1, one.id.rstrip("0123456789"))
    page = (tmp_path / "a/report.html").read_text()
    assert "What the shards hold of each group" in page
    record = manifest(tmp_path / "a")
    assert record["counts"]["kept"] == 80
    assert record["tokens"]["kept"] == sum(one.tokens for one in index.mix)
    assert record["shards"]["mix"][0]["mixed_tokens"] == index.mix[0].mixed_tokens

    before = contents(tmp_path / "a")
    (folder / index.shards[1].file).write_bytes(b"damaged")
    (folder / "repeats.parquet").write_bytes(b"damaged")
    assert {index.shards[1].file, "repeats.parquet"} <= {Path(one.file).name for one in verify(folder).problems}
    mixed_run(corpus, tmp_path / "a", *options)
    assert contents(tmp_path / "a") == before
    mixed_run(corpus, tmp_path / "b", *options, "input.part_bytes=9000", "run.workers=1")
    assert [(one.id, one.tokens.tolist()) for one in read_shards(tmp_path / "b/shards")] == [
        (one.id, one.tokens.tolist()) for one in read_shards(folder)
    ]
    convert(folder, tmp_path / "mds", ShardSettings(format="mds", shard_tokens=index.shard_tokens))
    converted = verify(tmp_path / "mds")
    assert (converted.problems, converted.traced) == ([], index.documents)
    assert read_index(tmp_path / "mds").mix == index.mix
    last = list(read_shards(tmp_path / "mds"))[-1]
    assert locate(tmp_path / "mds", last.shard, last.offset).file == f"{last.id.rstrip('0123456789')}.jsonl"


def test_a_mixture_changes_only_the_shards_and_goes_without_a_trace(corpus, tmp_path, monkeypatch):
    mixed_run(corpus, tmp_path / "out")
    plain = contents(tmp_path / "out")
    by_year = ("mix.by=metadata.year", "mix.tokens={0=100000, '*'=9000}", "mix.max_epochs=50")
    mixed_run(corpus, tmp_path / "out", *by_year)
    index = read_index(tmp_path / "out/shards")
    expected = job(corpus, tmp_path / "other", *by_year, skip=["quality"]).planned().mixture
    assert expected.whole
    assert [(one.group, one.tokens.value, one.tokens.error) for one in expected.groups] == [
        (one.group, one.tokens, 0) for one in index.mix
    ]
    assert [one.epochs for one in expected.groups] == pytest.approx(
        [one.epochs for one in index.mix], abs=0.05
    )  # to a document
    monkeypatch.setattr("curate.pipeline.planning.pieces.PLACES", 6)
    monkeypatch.setattr("curate.pipeline.planning.pieces.PLACE_BYTES", 1500)
    guessed = job(corpus, tmp_path / "other", "input.part_bytes=1000", *by_year, skip=["quality"]).planned().mixture
    assert not guessed.whole
    for one, exact in zip(guessed.groups, index.mix, strict=True):
        assert 0 < abs(one.tokens.value - exact.tokens) < 2 * one.tokens.error
    assert not (tmp_path / "other").exists()
    assert [one.group for one in index.mix] == ["0", "1", "2"]
    assert abs(index.mix[0].mixed_tokens - 100_000) < 1000
    assert abs(index.mix[1].mixed_tokens + index.mix[2].mixed_tokens - 9000) < 1000
    mixed_run(corpus, tmp_path / "out")
    assert contents(tmp_path / "out") == plain


def test_validation_documents_are_taken_once(corpus, tmp_path):
    folder = mixed_run(corpus, tmp_path / "out", "shards.validation=0.3", "mix.epochs={books=3}")
    index, found = read_index(folder), Counter()
    for one in read_shards(folder):
        found[one.id, index.shards[one.shard].split] += 1
    assert {many for (name, split), many in found.items() if split} == {1}
    assert {many for (name, split), many in found.items() if not split and name.startswith("books")} == {3}
    assert verify(folder).problems == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["mix.by=quality.nothing", "mix.epochs={a=1}"], "which no stage of this run measures"),
        (["mix.epochs={books=9}"], "9.0 epochs, more than"),
        (["mix.tokens={books=1e6}"], r"asks for 1,000,000: \d+.\d epochs, more than"),
        (["mix.tokens={films=1e6}"], "no kept document has that source"),
        (["mix.epochs={books=1}", "mix.weights={books=1}"], "say the same thing"),
        (["mix.copies={many=2}"], "has `many`"),
    ],
)
def test_what_cannot_be_mixed_is_the_users_mistake(corpus, tmp_path, options, message):
    with pytest.raises((PlanError, ConfigError), match=message):
        run(corpus, tmp_path / "out", *options, skip=["quality"])
    assert not (tmp_path / "out").exists()
