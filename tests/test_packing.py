"""Packed shards hold all tokens of all documents, in whole sequences that every format and the loader give out."""

import json
import random
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.errors import InputError, UserError
from curate.shards.block import joined
from curate.shards.convert import convert
from curate.shards.files.token_bytes import brought_together, split
from curate.shards.formats import FORMATS
from curate.shards.index import read_index
from curate.shards.packing import padding
from curate.shards.packing.padding import padded
from curate.shards.packing.recutting import cut_again
from curate.shards.provenance.locate import locate
from curate.shards.reader import read_blocks, read_shards
from curate.shards.settings import ShardSettings
from curate.shards.verify import verify
from placed import placed
from small_run import contents, run
from thorough import settings

LENGTH = 256
PACKINGS = ("concatenate", "best_fit")
counts = st.lists(st.integers(1, 70), max_size=80).map(lambda each: np.array(each, np.int64))


def by(packing, length, limit, order="input"):
    return ShardSettings(packing=packing, sequence_length=length, shard_tokens=limit, order=order)


def laid(n_tokens, found, length):
    """Places of a packing as one sorted list of (start, end, document), having seen that no two overlap."""
    begin = np.concatenate([[0], np.cumsum(found.sizes)])[found.shard] + found.offset
    assert (found.offset + n_tokens <= found.sizes[found.shard]).all()
    assert (found.sizes % length == 0).all()
    ends = (begin + n_tokens).tolist()
    spans = sorted((start, end, at) for at, (start, end) in enumerate(zip(begin.tolist(), ends, strict=True)))
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    return spans


@settings(deadline=None)
@given(counts, st.integers(1, 30), st.integers(1, 4), st.none() | st.integers(0, 3))
def test_best_fit_cuts_no_document_that_fits(n_tokens, length, sequences, seed):
    order = "input" if seed is None else "shuffle"
    found = placed(n_tokens, by("best_fit", length, length * sequences, order), seed=seed)
    for start, end, _ in laid(n_tokens, found, length):
        assert start // length == (end - 1) // length or (end - start > length and 0 in (start % length, end % length))
    if (n_tokens <= length).all():
        assert found.sizes.sum() // length == simply_packed(n_tokens, length)


def simply_packed(n_tokens, length):
    """How many sequences best fit, decreasing, needs: the rule itself."""
    rooms = []
    for count in sorted(n_tokens.tolist(), reverse=True):
        fitting = [room for room in rooms if room >= count]
        if fitting:
            rooms.remove(min(fitting))
        rooms.append((min(fitting) if fitting else length) - count)
    return len(rooms)


@settings(deadline=None)
@given(counts, st.integers(1, 30), st.integers(1, 4))
def test_concatenated_documents_leave_only_ends_of_shards_empty(n_tokens, length, sequences):
    found = placed(n_tokens, by("concatenate", length, length * sequences))
    assert [at for _, _, at in laid(n_tokens, found, length)] == list(range(len(n_tokens)))
    assert found.sizes.sum() - n_tokens.sum() < length * max(1, len(found.sizes))


@settings(deadline=None)
@given(counts, st.sampled_from(PACKINGS))
def test_validation_is_packed_apart(n_tokens, packing):
    held_out = np.arange(len(n_tokens)) % 3 == 1
    found = placed(n_tokens, by(packing, 16, 64, "shuffle"), held_out, 1)
    laid(n_tokens, found, 16)
    assert ((found.shard >= found.validation) == held_out).all()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packing")
    dice, words = random.Random(5), [f"word{number}" for number in range(400)]
    texts = [" ".join(dice.choices(words, k=dice.choice([3, 8, 20, 30, 60, 300]))) for _ in range(150)]
    with (folder / "a.jsonl").open("w") as file:
        file.writelines(json.dumps({"id": f"d{number}", "text": text}) + "\n" for number, text in enumerate(texts))
    return folder


def packed_run(corpus, out, packing, *options):
    chosen = (f"shards.packing={packing}", f"shards.sequence_length={LENGTH}", *options)
    assert run(corpus, out, *chosen, skip=["quality"]) == 0
    return out / "shards"


def documents(folder):
    return sorted((one.id, one.tokens.tolist()) for one in read_shards(folder))


def sequences(folder):
    """Rows of the stream, padding included."""
    index = read_index(folder)
    tokens = [block.tokens for entry in index.shards for block in read_blocks(folder, index, entry)]
    return np.concatenate(tokens).astype(np.int64).reshape(-1, LENGTH)


@pytest.fixture(scope="module", params=PACKINGS)
def packed(request, corpus, tmp_path_factory):
    return packed_run(corpus, tmp_path_factory.mktemp(request.param) / "run", request.param, "shards.format=bin")


@pytest.fixture(scope="module")
def plain(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain")
    assert run(corpus, out, "shards.format=bin", skip=["quality"]) == 0
    return out / "shards"


def test_nothing_is_lost_and_padding_is_counted(packed, plain):
    index, report = read_index(packed), verify(packed, every=True)
    assert (report.problems, report.traced) == ([], index.documents)
    assert documents(packed) == documents(plain)
    assert index.tokens - index.padding == read_index(plain).tokens
    assert len(index.shards) > 3
    assert index.lost[str(LENGTH)] == 0
    manifest = json.loads((packed.parent / "run.json").read_text())
    assert manifest["tokens"]["kept"] == index.tokens - index.padding
    report = json.loads((packed.parent / "report.json").read_text())
    row = report["fall"]["packing"][0] if "fall" in report else next(iter(find(report, "packing")))[0]
    assert row["sequence_length"] == LENGTH
    assert row["trained"]["value"] == pytest.approx(1 - index.padding / index.tokens)
    assert row["trained"]["tag"] == "EXACT"


def find(tree, name):
    """All values of a name in a tree of JSON."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name:
                yield value
            yield from find(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from find(value, name)


def test_every_token_leads_to_its_document_or_is_padding(packed):
    index = read_index(packed)
    for one in list(read_shards(packed))[::7]:
        found = locate(packed, one.shard, one.offset + len(one.tokens) - 1)
        assert (found.id, found.token) == (one.id, len(one.tokens) - 1)
    number = next(at for at, entry in enumerate(index.shards) if entry.padding)
    blocks = list(read_blocks(packed, index, index.shards[number]))
    row = next(row for block in blocks[:1] for row in np.flatnonzero(block.is_padding))
    with pytest.raises(InputError, match="is padding"):
        locate(packed, number, int(blocks[0].offsets[row]))


@pytest.mark.parametrize("shard_format", [name for name, each in FORMATS.items() if not each.has_loss])
def test_every_format_has_the_same_sequences(packed, corpus, tmp_path, shard_format):
    options = ShardSettings(format=shard_format, shard_tokens=read_index(packed).shard_tokens)
    made = convert(packed, tmp_path / "made", options)
    assert verify(tmp_path / "made").problems == []
    assert np.array_equal(sequences(tmp_path / "made"), sequences(packed))
    assert (made.padding, made.divided) == (read_index(packed).padding, read_index(packed).divided)
    if shard_format in {"parquet", "mds"} and made.packing == "best_fit":  # the others write documents as ever
        out = packed_run(corpus, tmp_path / "run", made.packing, f"shards.format={shard_format}")
        beside = {name: digest for name, digest in contents(out).items() if "json" not in name}
        assert beside == {name: digest for name, digest in contents(tmp_path / "made").items() if "json" not in name}
    one = next(read_shards(tmp_path / "made"))
    assert locate(tmp_path / "made", 0, one.offset).file is not None
    rows = [row for batch in curate.load(tmp_path / "made", sequence_length=LENGTH) for row in batch["input_ids"]]
    assert sorted(map(bytes, np.array(rows, np.int64))) == sorted(map(bytes, sequences(packed)))


def test_rows_of_packed_parquet_are_sequences_with_lengths_of_their_pieces(corpus, tmp_path):
    folder = packed_run(corpus, tmp_path / "run", "best_fit")
    for entry in read_index(folder).shards:
        for row in pq.read_table(folder / entry.file).to_pylist():
            assert len(row["input_ids"]) == sum(row["seq_lengths"]) == LENGTH
            assert len(row["id"]) == len(row["start"]) == len(row["seq_lengths"])


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_shuffled_packing_is_the_same_again(corpus, tmp_path, packing, monkeypatch):
    monkeypatch.setattr("curate.pipeline.sharding.sharding.PIECE_TOKENS", 2_000)
    options = ("shards.order=shuffle", "shards.format=bin", "shards.validation=0.2")
    folder = packed_run(corpus, tmp_path / "a", packing, *options)
    assert verify(folder, every=True).problems == []
    before = contents(tmp_path / "a")
    (folder / read_index(folder).shards[1].file).write_bytes(b"damaged")
    packed_run(corpus, tmp_path / "a", packing, *options)
    assert contents(tmp_path / "a") == before
    packed_run(corpus, tmp_path / "b", packing, *options, "input.part_bytes=9000", "run.workers=1")
    assert contents(tmp_path / "b/shards") == contents(folder)


def rows_of(n_tokens, packing, length, limit):
    """Tokens of each shard of a run, and the documents and padding in it; tokens of a document are its number."""
    names = [f"d{number}" for number in range(len(n_tokens))]
    order = placed(n_tokens, by(packing, length, limit))
    for number, size in enumerate(order.sizes.tolist()):
        inside = np.flatnonzero(order.shard == number)
        inside = inside[np.argsort(order.offset[inside])]
        lists = pa.array([[at] * n_tokens[at] for at in inside], pa.large_list(pa.uint32()))
        ids = brought_together(*split(lists, wide=bool(number % 2)))
        columns = {"id": [names[at] for at in inside], "input_ids": ids, "offset": order.offset[inside]}
        half = len(inside) // 2
        pieces = [pa.table(columns).slice(at, stop - at) for at, stop in ((0, half), (half, len(inside)))]
        pieces = [piece.take(pa.array(np.arange(len(piece))[::-1])) for piece in pieces]
        taken = list(padded(pieces, size, 999))
        with patch.object(padding, "_LARGE", 0):  # as large documents are laid
            copied = list(padded(pieces, size, 999))
        assert [plainly([one]) for one in copied] == [plainly([one]) for one in taken]
        yield taken


def plainly(blocks):
    together = joined(list(blocks))
    return together.ids.to_pylist(), together.tokens.tolist(), together.offsets.tolist()


@settings(deadline=None)
@given(
    counts.filter(len),
    st.sampled_from([("none", 1), *((packing, 16) for packing in PACKINGS)]),
    st.integers(16, 100),
    st.integers(16, 100),
)
def test_shards_cut_again_are_those_of_a_run(n_tokens, packed_by, before, after):
    packing, length = packed_by
    laid_before = [block for shard in rows_of(n_tokens, packing, length, before) for block in shard]
    pad = (packing, length if packing != "none" else 0, 999)
    found = [plainly(blocks) for _, blocks in cut_again(laid_before, after, *pad)]
    assert found == [plainly(shard) for shard in rows_of(n_tokens, packing, length, after)]


def test_packed_shards_are_cut_again(packed, tmp_path):
    index, out = read_index(packed), tmp_path / "again"
    made = convert(packed, out, ShardSettings(format="mds", shard_tokens=9 * LENGTH))
    assert len(made.shards) > len(index.shards)
    assert (made.packing, made.sequence_length) == (index.packing, LENGTH)
    assert documents(out) == documents(packed)
    report = verify(out, every=True)
    assert (report.problems, report.traced) == ([], index.documents)
    for one in list(read_shards(out))[::11]:
        assert locate(out, one.shard, one.offset).id == one.id
    if made.packing == "concatenate":  # padding is at ends of shards
        number = next(at for at, entry in enumerate(made.shards) if entry.padding)
        with pytest.raises(InputError, match="is padding"):
            locate(out, number, made.shards[number].tokens - 1)


def test_documents_are_laid_back_to_back_by_a_conversion_as_by_a_run(packed, plain, tmp_path):
    index = read_index(packed)
    if index.packing != "concatenate":
        pytest.skip("only a run packs by best fit")
    same = ShardSettings(
        format="bin", packing="concatenate", sequence_length=LENGTH, shard_tokens=read_index(packed).shard_tokens
    )
    convert(plain, tmp_path / "made", same)
    beside = {name: digest for name, digest in contents(packed).items() if "json" not in name}
    assert beside == {name: digest for name, digest in contents(tmp_path / "made").items() if "json" not in name}
    report = verify(tmp_path / "made", every=True)
    assert (report.problems, report.traced) == ([], index.documents)


def test_what_does_not_fit_together_is_refused(packed, plain, tmp_path):
    index = read_index(packed)
    with pytest.raises(InputError, match="is not packed, and only a run can put documents in another order"):
        convert(plain, tmp_path / "b", ShardSettings(format="mds", shard_tokens=9_000, packing="best_fit"))
    if index.packing == "best_fit":
        with pytest.raises(InputError, match="only a run can put documents in another order"):
            convert(packed, tmp_path / "a", ShardSettings(format="bin", packing="best_fit", sequence_length=300))
    with pytest.raises(ValueError, match="at least `shards.sequence_length`"):
        ShardSettings(packing="best_fit", sequence_length=10, shard_tokens=9)
    if index.packing == "best_fit":
        with pytest.raises(UserError, match="packed for 256"):
            curate.load(packed, sequence_length=100)
