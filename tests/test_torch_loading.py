"""`curate.load` under torch's DataLoader: ranks that are killed and started again see the very same batches.

Skipped where torch is not installed; `make test-readers` runs it.
"""

import multiprocessing
import pickle
import signal

import pytest

torch = pytest.importorskip("torch")

import curate  # noqa: E402
from test_shards import write_run  # noqa: E402
from torch_rank import digest, train  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*set_vital.*:UserWarning"),  # torchdata of torch
]
CHOSEN = {"sequence_length": 32, "batch_size": 2, "seed": 7}
KILLED_AFTER = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("torch") / "run", "bin")


@pytest.fixture(scope="module")
def processes():
    """Processes that have torch loaded when they begin, and no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch.utils.data", "curate", "torch_rank"])
    return context


def trained(processes, folder, logs, workers, world, stop):
    """How all ranks ended, which ran at once."""
    ranks = [
        processes.Process(target=train, args=(folder, {**CHOSEN, "rank": rank, "world": world}, workers, log, stop))
        for rank, log in enumerate(logs)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    return [rank.exitcode for rank in ranks]


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_killed_ranks_go_on_with_the_same_batches(processes, folder, tmp_path, workers, world):
    logs = [tmp_path / f"rank-{rank}" for rank in range(world)]
    assert trained(processes, folder, logs, workers, world, KILLED_AFTER) == [-signal.SIGKILL] * world
    assert trained(processes, folder, logs, workers, world, 0) == [0] * world
    for rank, log in enumerate(logs):
        loader = curate.load(folder, **CHOSEN, rank=rank, world=world, torch=True)
        found = log.read_text().split()
        assert found == [digest(batch) for batch in loader]
        assert len(found) > 2 * KILLED_AFTER


def test_a_loader_travels_to_workers_that_are_not_forked(folder):
    data = curate.load(folder, **CHOSEN, torch=True)
    first = digest(next(iter(data)))
    sent = pickle.dumps(data)
    assert len(sent) < 1000  # no token of the shards
    again = pickle.loads(sent)
    assert [first, *(digest(batch) for batch in again)] == [
        digest(batch) for batch in curate.load(folder, **CHOSEN, torch=True)
    ]


@pytest.mark.parametrize("persistent", [False, True])
def test_epochs_of_workers_have_the_orders_of_one_process(folder, persistent):
    alone = curate.load(folder, **CHOSEN, torch=True)
    expected = [[digest(batch) for batch in alone] for _ in range(3)]
    data = curate.load(folder, **CHOSEN, torch=True)
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=2, persistent_workers=persistent)
    for epoch, order in enumerate(expected):
        data.set_epoch(epoch)
        assert [digest(batch) for batch in loader] == order


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_data_loader_goes_on(folder, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader

    def loader():
        data = curate.load(folder, **CHOSEN, torch=True)
        return stateful(data, batch_size=None, num_workers=workers)

    expected = [digest(batch) for batch in loader()]
    first, steps = loader(), []
    for number, batch in enumerate(first):
        steps.append(digest(batch))
        if number == KILLED_AFTER:
            break
    state, again = first.state_dict(), loader()
    again.load_state_dict(state)
    assert [*steps, *(digest(batch) for batch in again)] == expected
