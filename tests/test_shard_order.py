"""Shuffled shards hold what shards in order hold; nothing that resembles a validation document is trained on."""

import json
import random
import shutil
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contrary_engine import ContraryEngine
from curate.errors import PlanError
from curate.pipeline.sharding import drawn_order
from curate.pipeline.sharding.cutters import Laying, walk
from curate.pipeline.sharding.drawn_order import DrawnOrder
from curate.pipeline.sharding.shard_order import is_held_out
from curate.shards.convert import convert
from curate.shards.index import read_index
from curate.shards.provenance.locate import locate
from curate.shards.reader import read_shards
from curate.shards.settings import ShardSettings
from curate.shards.verify import verify
from placed import placed
from small_run import contents, run


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("order")
    dice, words = random.Random(3), [f"word{number}" for number in range(400)]
    texts = [" ".join(dice.choices(words, k=120)) for _ in range(90)]
    texts += [text + " again" for text in texts[::2]]  # near-duplicates
    dice.shuffle(texts)
    with (folder / "a.jsonl").open("w") as file:
        file.writelines(json.dumps({"id": f"d{number}", "text": text}) + "\n" for number, text in enumerate(texts))
    return folder


@pytest.fixture(scope="module")
def plain(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    assert run(corpus, out) == 0
    return out


def documents(out):
    return [(one.id, one.tokens.tolist()) for one in read_shards(out / "shards")]


@pytest.mark.parametrize("shard_format", ["parquet", "bin", "mds"])
def test_a_shuffle_is_of_all_documents_and_the_same_again(corpus, plain, tmp_path, shard_format, monkeypatch):
    monkeypatch.setattr("curate.pipeline.sharding.sharding.PIECE_TOKENS", 2_000)
    settings = (f"shards.format={shard_format}", "shards.order=shuffle")
    shutil.copytree(plain, tmp_path / "a")  # other shards of the same judgments
    assert run(corpus, tmp_path / "a", *settings) == 0
    found = documents(tmp_path / "a")
    assert sorted(found) == sorted(documents(plain))
    assert found != documents(plain)
    assert len(read_index(tmp_path / "a/shards").shards) > 2
    report = verify(tmp_path / "a/shards")
    assert (report.problems, report.traced) == ([], len(found))
    for document in list(read_shards(tmp_path / "a/shards"))[::9]:
        assert locate(tmp_path / "a/shards", document.shard, document.offset).id == document.id
    before = contents(tmp_path / "a")
    if shard_format == "mds":  # what follows is not of the format
        return
    shard = tmp_path / "a/shards" / read_index(tmp_path / "a/shards").shards[1].file
    shard.write_bytes(b"damaged")
    assert run(corpus, tmp_path / "a", *settings) == 0
    assert contents(tmp_path / "a") == before
    assert run(corpus, tmp_path / "b", *settings, "input.part_bytes=9000", "run.workers=1") == 0
    assert contents(tmp_path / "b") == before
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    assert run(corpus, tmp_path / "c", *settings, "run.seed=1") == 0
    assert documents(tmp_path / "c") != found


@pytest.mark.parametrize("order", ["input", "shuffle"])
def test_nothing_that_resembles_a_validation_document_is_trained_on(corpus, tmp_path, order):
    out = tmp_path / "out"
    assert run(corpus, out, f"shards.order={order}", "shards.validation=0.3") == 0
    index = read_index(out / "shards")
    held_out = [number for number, entry in enumerate(index.shards) if entry.split == "validation"]
    assert held_out
    assert held_out[-1] == len(index.shards) - 1
    assert all(entry.file.startswith(entry.split or "shard") for entry in index.shards)
    apart = {True: [], False: []}
    for one in read_shards(out / "shards"):
        apart[one.shard in held_out].append(frozenset(bytes(one.tokens[:-1].astype(np.uint8)).split()))
    assert apart[True]
    assert apart[False]
    assert max(len(a & b) / len(a | b) for a in apart[True] for b in apart[False]) < 0.5
    assert verify(out / "shards").problems == []
    for split in ("", "validation"):
        settings = ShardSettings(format="olmo", shard_tokens=4_000)
        made = convert(out / "shards", tmp_path / f"olmo{split}", settings, split=split)
        report = verify(tmp_path / f"olmo{split}", every=True)
        assert (report.problems, report.traced) == ([], made.documents)


def test_validation_without_a_stage_that_finds_copies_is_refused(corpus, tmp_path):
    with pytest.raises(PlanError, match="no stage finds them"):
        run(corpus, tmp_path / "out", "shards.validation=0.3", skip=["near_dup"])


def test_copies_go_the_same_way_and_the_share_is_met():
    dice = np.random.default_rng(1)
    clusters = [dice.bytes(16) for _ in range(20_000)]
    chosen = is_held_out(clusters, 0.1, 42)
    assert abs(chosen.mean() - 0.1) < 0.01
    assert np.array_equal(is_held_out(clusters[::-1], 0.1, 42)[::-1], chosen)
    assert not is_held_out(clusters, 0, 42).any()
    assert (is_held_out(clusters, 0.1, 43) != chosen).any()


def test_no_documents_make_no_shards():
    for packing in ("none", "concatenate", "best_fit"):
        settings = ShardSettings(shard_tokens=10, sequence_length=4, packing=packing)
        assert placed(np.zeros(0, np.int64), settings).sizes.tolist() == []


PARTS = st.lists(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=9), max_size=6)


class Counts:
    """Tokens and splits of parts, which a task may look at."""

    def __init__(self, parts):
        self.parts = [
            (np.array([n for n, _ in part], np.int64), np.array([h for _, h in part], bool)) for part in parts
        ]

    def __call__(self, part):
        return self.parts[part]

    def together(self):
        nothing = (np.zeros(0, np.int64), np.zeros(0, bool))
        return [np.concatenate(arrays) for arrays in zip(nothing, *self.parts, strict=True)]


def walked(parts, settings, order, seed, stretch=7):
    """Sizes and validation of shards, and places, where only so many documents are looked at together."""
    look, laying = Counts(parts), Laying.by(settings, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn_order, "STRETCH", stretch)
        kept = [len(n) for n, _ in look.parts]
        drawn = DrawnOrder.of(look, kept, seed if order == "shuffle" else None, ContraryEngine(seed), None)
        found = walk(settings, laying, drawn.units(laying))
        home = drawn.sent_home(found)
    n_tokens, held_out = look.together()
    assert found.tokens == n_tokens.sum()
    shard, offset = ([place for one in home for place in one.column(name).to_pylist()] for name in ("shard", "offset"))
    return found, np.array(shard, np.int64), np.array(offset, np.int64), n_tokens, held_out


@pytest.mark.parametrize("order", ["input", "shuffle"])
@given(parts=PARTS, seed=st.integers(0, 3))
def test_best_fit_packs_stretches_and_loses_nothing(order, parts, seed):
    settings = ShardSettings(shard_tokens=17, sequence_length=4, packing="best_fit", order=order)
    found, shard, offset, n_tokens, held_out = walked(parts, settings, order, seed)
    begin = np.concatenate([[0], np.cumsum(found.sizes)]).astype(np.int64)[shard] + offset
    spans = sorted(zip(begin.tolist(), (begin + n_tokens).tolist(), strict=True))
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert all(size % 4 == 0 for size in found.sizes)
    assert ((shard >= found.validation) == held_out).all()
    fits = n_tokens <= 4
    assert (begin[fits] // 4 == (begin[fits] + n_tokens[fits] - 1) // 4).all()
    whole = walked(parts, settings, order, seed, 1000)
    expected = placed(n_tokens, settings, held_out, seed)
    assert (whole[1].tolist(), whole[2].tolist()) == (expected.shard.tolist(), expected.offset.tolist())


@pytest.mark.parametrize("packing", ["none", "concatenate"])
@given(parts=PARTS, seed=st.integers(0, 3))
def test_places_that_nobody_sees_at_once_are_those_of_the_whole_corpus(packing, parts, seed):
    look, settings = Counts(parts), ShardSettings(shard_tokens=17, sequence_length=4, packing=packing)
    n_tokens, held_out = look.together()
    in_order = walk(settings, Laying(), [Laying().units(number, *part) for number, part in enumerate(look.parts)])
    expected = placed(n_tokens, settings, held_out)
    assert (in_order.sizes, in_order.validation) == (tuple(expected.sizes.tolist()), expected.validation)
    places = [in_order.places(number, *part) for number, part in enumerate(look.parts)]
    assert [*np.concatenate([[], *(shard for shard, _ in places)])] == expected.shard.tolist()
    assert [*np.concatenate([[], *(offset for _, offset in places)])] == expected.offset.tolist()

    shuffled = ShardSettings(shard_tokens=17, sequence_length=4, packing=packing, order="shuffle")
    expected = placed(n_tokens, shuffled, held_out, seed)
    drawn, shard, offset, *_ = walked(parts, shuffled, "shuffle", seed)
    assert (drawn.sizes, drawn.validation) == (tuple(expected.sizes.tolist()), expected.validation)
    assert (shard.tolist(), offset.tolist()) == (expected.shard.tolist(), expected.offset.tolist())
