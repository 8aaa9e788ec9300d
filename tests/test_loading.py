"""Every window once an epoch, whatever the ranks; a loader goes on exactly where it was killed."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.errors import UserError
from curate.shards import formats
from curate.shards.convert import convert
from curate.shards.loading import Loader
from curate.shards.permutation import Permutation
from curate.shards.reader import read_shards
from curate.shards.settings import ShardSettings
from test_shards import SHARD_TOKENS, write_run
from thorough import settings

LENGTH = 32

FORMATS = [name for name, each in formats.FORMATS.items() if not each.has_loss]


@given(st.integers(1, 3000), st.integers(0, 5))
def test_a_permutation_has_everything_once(size, seed):
    assert np.array_equal(np.sort(Permutation(size, seed)(np.arange(size))), np.arange(size))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loading")
    source = write_run(folder / "run", "bin")
    for name in FORMATS:
        convert(source, folder / name, ShardSettings(format=name, shard_tokens=SHARD_TOKENS))
    options = ShardSettings(format="bin", shard_tokens=SHARD_TOKENS, header="llm.c")
    convert(source, folder / "llm.c", options)
    return folder


def rows(batches):
    return [tuple(row.tolist()) for batch in batches for row in batch["input_ids"]]


@pytest.mark.parametrize("name", [*FORMATS, "llm.c"])
def test_every_window_of_the_stream_comes_once(folders, name):
    stream = np.concatenate([document.tokens for document in read_shards(folders / name)]).astype(np.int64)
    windows = [tuple(stream[at : at + LENGTH].tolist()) for at in range(0, len(stream) - LENGTH + 1, LENGTH)]
    loader = curate.load(folders / name, sequence_length=LENGTH, seed=3)
    first, second = rows(loader), rows(loader)
    assert sorted(first) == sorted(second) == sorted(windows)
    assert windows != first != second
    assert rows(curate.load(folders / name, sequence_length=LENGTH, seed=3, prefetch=0)) == first


def test_a_run_directory_is_opened_at_its_shards(folders):
    assert len(curate.load(folders / "run", sequence_length=LENGTH)) > 10


@pytest.mark.parametrize(("world", "batch_size"), [(1, 1), (2, 2), (3, 4)])
def test_ranks_share_the_windows_of_a_step(folders, world, batch_size):
    def of(rank, **more):
        return curate.load(
            folders / "bin", sequence_length=LENGTH, batch_size=batch_size, rank=rank, world=world, seed=1, **more
        )

    alone = curate.load(folders / "bin", sequence_length=LENGTH, batch_size=batch_size * world, seed=1)
    together = [
        np.concatenate([batch["input_ids"] for batch in step])
        for step in zip(*(of(rank) for rank in range(world)), strict=True)
    ]
    for batch, other in zip(alone, together, strict=True):
        assert np.array_equal(batch["input_ids"], other)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_killed_loader_goes_on_also_on_other_ranks(folders, data):
    """Killed at any step, again and again, with other batches and ranks each time: the windows of one order."""
    name, length = data.draw(st.sampled_from(["olmo", "bin", "parquet"])), data.draw(st.sampled_from([1, 7, 32, 300]))
    seed, prefetch = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([0, 2, 9]))
    chosen = {"sequence_length": length, "seed": seed}
    whole = rows(curate.load(folders / name, **chosen))
    seen, state = [], None
    for _ in range(data.draw(st.integers(1, 4))):
        world, batch_size = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
        loaders = [
            curate.load(folders / name, **chosen, batch_size=batch_size, rank=rank, world=world, prefetch=prefetch)
            for rank in range(world)
        ]
        for loader in loaders if state else ():
            loader.load_state_dict(pickle.loads(pickle.dumps(state)))
        left = len(whole) - len(seen)
        assert {len(loader) for loader in loaders} == {left // (batch_size * world)}
        steps = [iter(loader) for loader in loaders]
        for _ in range(data.draw(st.integers(0, min(len(loaders[0]), 300)))):
            seen += [row for each in steps for row in rows([next(each)])]
        state = loaders[0].state_dict()
    assert seen == whole[: len(seen)]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_processes_that_take_turns_go_on_wherever_they_stopped(folders, prefetch):
    """Also behind the last batch of an epoch whose number they do not divide."""
    size = next(size for size in range(9, 30) if curate.load(folders / "bin", sequence_length=32).windows // size % 2)
    chosen = {"sequence_length": 32, "batch_size": size, "prefetch": prefetch}
    for worker in range(2):

        class Turns(Loader):
            def _worker(self, own=worker):
                return own, 2

        expected, loader = rows(Turns(folders / "bin", **chosen)), Turns(folders / "bin", **chosen)
        seen = []
        for batch in loader:
            seen += rows([batch])
            again = Turns(folders / "bin", **chosen)
            again.load_state_dict(loader.state_dict())
            assert seen + rows(again) == expected


def test_what_gives_out_no_batch_is_refused(folders):
    tokens = curate.load(folders / "bin", sequence_length=1).windows
    assert len(curate.load(folders / "bin", sequence_length=tokens)) == 1
    for more in ({"sequence_length": tokens + 1}, {"sequence_length": 1, "batch_size": tokens, "world": 2}):
        with pytest.raises(UserError, match=f"the {tokens:,} tokens"):
            curate.load(folders / "bin", **more)
    with pytest.raises(UserError, match="of the split `validation`"):
        curate.load(folders / "bin", sequence_length=1, split="validation")
    with pytest.raises(UserError, match="not a state of `curate.load`"):
        curate.load(folders / "bin", sequence_length=1).load_state_dict({"epoch": 1})


def test_an_epoch_that_is_set_has_its_own_order(folders):
    def loader():
        return curate.load(folders / "bin", sequence_length=LENGTH, seed=3)

    first, second = rows(one := loader()), rows(one)
    copy = loader()
    for epoch, order in ((0, first), (1, second), (0, first)):
        copy.set_epoch(epoch)
        assert rows(pickle.loads(pickle.dumps(copy))) == order
    going_on = loader()
    next(iter(going_on))
    going_on.set_epoch(0)
    assert rows(going_on) == first[1:]


def test_states_of_other_tokens_are_refused(folders):
    state = curate.load(folders / "bin", sequence_length=LENGTH, seed=5).state_dict()
    with pytest.raises(UserError, match="`seed` = 5, and this one 6"):
        curate.load(folders / "bin", sequence_length=LENGTH, seed=6).load_state_dict(state)
    with pytest.raises(UserError, match="`rank` must be from 0 to 1"):
        curate.load(folders / "bin", sequence_length=LENGTH, rank=2, world=2)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_of_torch_gives_the_same_batches(folders, workers):
    torch = pytest.importorskip("torch")
    plain = [batch["input_ids"] for batch in curate.load(folders / "bin", sequence_length=LENGTH, batch_size=2)]
    data = curate.load(folders / "bin", sequence_length=LENGTH, batch_size=2, torch=True)
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers)
    found = [batch["input_ids"].numpy() for batch in loader]
    assert len(found) == len(plain)
    assert all(np.array_equal(one, other) for one, other in zip(found, plain, strict=True))
