"""`curate.load` under torch's DataLoader on two ranks, each killed in the middle and started again: the same batches.

    python tests/readers/killed_loader.py FOLDER

FOLDER holds shards. Needs curate and torch.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

RANKS, KILLED_AFTER = 2, 7


def train(folder, rank, workers, state, log, stop):
    """Take batches of a rank and note each; the state is kept after every batch, as a trainer's checkpoint would be."""
    from torch.utils.data import DataLoader

    import curate

    loader = curate.load(folder, sequence_length=512, batch_size=4, rank=rank, world=RANKS, seed=7, torch=True)
    if state.exists():
        loader.load_state_dict(json.loads(state.read_text()))
    begun = loader.state_dict()
    with log.open("a") as file:
        for number, batch in enumerate(DataLoader(loader, batch_size=None, num_workers=workers), 1):
            file.write(hashlib.sha256(batch["input_ids"].numpy().tobytes()).hexdigest() + "\n")
            file.flush()
            now = {**begun, "batches": begun["batches"] + number} if workers else loader.state_dict()
            state.write_text(json.dumps(now))
            if number == stop:
                os.kill(os.getpid(), signal.SIGKILL)


def both(folder, work, workers, stop):
    """Both ranks at once; how they ended."""
    work.mkdir(exist_ok=True)
    started = [
        subprocess.Popen([sys.executable, __file__, folder, str(work), str(rank), str(workers), str(stop)])
        for rank in range(RANKS)
    ]
    return [one.wait() for one in started]


def main(folder):
    for workers in (0, 2):
        with tempfile.TemporaryDirectory() as name:
            whole, killed = Path(name) / "whole", Path(name) / "killed"
            assert both(folder, whole, workers, 0) == [0] * RANKS
            assert both(folder, killed, workers, KILLED_AFTER) == [-signal.SIGKILL] * RANKS
            assert both(folder, killed, workers, 0) == [0] * RANKS
            logs = [[(one / f"log-{rank}").read_text().split() for rank in range(RANKS)] for one in (whole, killed)]
            assert logs[0] == logs[1]
            seen = [digest for log in logs[0] for digest in log]
            assert len(seen) == len(set(seen)) > 2 * RANKS * KILLED_AFTER
            batches = [len(log) for log in logs[0]]
        print(json.dumps({"loader": "torch DataLoader", "ranks": RANKS, "workers": workers, "batches": batches}))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        at, rank, workers, stop = Path(sys.argv[2]), *map(int, sys.argv[3:])
        train(sys.argv[1], rank, workers, at / f"state-{rank}", at / f"log-{rank}", stop)
