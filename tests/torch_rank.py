"""One rank of a training by torch: takes batches, notes each, and keeps its state as a checkpoint would."""

import hashlib
import json
import os
import signal


def digest(batch):
    return hashlib.sha256(batch["input_ids"].numpy().tobytes()).hexdigest()


def train(folder, given, workers, log, stop):
    """Go on where the state says; killed after ``stop`` batches, 0: at the end of the epoch."""
    from torch.utils.data import DataLoader

    import curate

    state = log.with_suffix(".state")
    loader = curate.load(folder, **given, torch=True)
    if state.exists():
        loader.load_state_dict(json.loads(state.read_text()))
    begun = loader.state_dict()
    how = "fork" if workers else None  # quick; what travels to others is tried apart
    batches = DataLoader(loader, batch_size=None, num_workers=workers, multiprocessing_context=how)
    with log.open("a") as file:
        for number, batch in enumerate(batches, 1):
            print(digest(batch), file=file, flush=True)
            now = {**begun, "batches": begun["batches"] + number} if workers else loader.state_dict()
            state.write_text(json.dumps(now))
            if number == stop:
                os.kill(os.getpid(), signal.SIGKILL)
