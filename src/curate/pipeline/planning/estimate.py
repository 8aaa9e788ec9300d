"""What a run will take: seconds and bytes of disk, from what the plan came to on pieces of its own input.

Starting, the report, and what needs all of the corpus cannot be tried; they are constants, as measured on the corpora
of ``benchmarks/check_accuracy.py``.
"""

import math
from typing import NamedTuple

from curate.pipeline.planning.extrapolation import Guess
from curate.pipeline.planning.trial import Trial

START_SECONDS = 3.3
"""CPU seconds of a run of little input: starting, kernels, models, the report."""
_CHILD_SECONDS = 1.0
"""CPU seconds of starting a process with an extractor."""
_DOCUMENT_SECONDS = 120e-6
"""CPU seconds of comparing and choosing near-duplicates, and of the report, for a document that rules keep."""
_TOKEN_SECONDS = 0.15e-6
"""CPU seconds of cutting shards, for a token."""
_START_BYTES = 800_000
"""The report and the record of a run."""
_SHARD_BYTES_A_TOKEN = 1.3
_UNSURE = 0.25
"""By what share two runs of the same differ: other work of the machine, a cold cache."""


class Estimate(NamedTuple):
    """What a run will take, and the documents and bytes of text that it was tried on."""

    seconds: Guess
    """Of wall time, starting included."""
    cpu_seconds: Guess
    """Of all processes, starting included."""
    disk_bytes: Guess
    """Of the run directory, its cache included."""
    sampled_documents: int
    sampled_bytes: int


class Travels(NamedTuple):
    """Bytes between this machine and object stores: each object of the input once, and what is written."""

    read: int
    written: int


def estimated(trial: Trial, workers: int) -> Estimate:
    """What a run will take.

    Args:
        trial: of its plan.
        workers: cores that the run will use.
    """
    tokens = trial.all_tokens or Guess(0.0, 0.0)
    documents, share = trial.all_documents, trial.kept
    kept = Guess(documents.value * share.value, _sum(_by(documents, share.value), _by(share, documents.value)))
    passes = trial.cpu_seconds
    later = kept.value * _DOCUMENT_SECONDS + tokens.value * _TOKEN_SECONDS
    work = passes.value + later
    start = START_SECONDS + (_CHILD_SECONDS * workers if trial.child_seconds else 0.0)
    spread = _sum(passes.error, _by(kept, _DOCUMENT_SECONDS), _by(tokens, _TOKEN_SECONDS))
    disk = trial.row_bytes.value + tokens.value * _SHARD_BYTES_A_TOKEN + _START_BYTES
    return Estimate(
        _guess(start + work / workers, spread and spread / workers),
        _guess(start + work, spread),
        _guess(disk, _sum(trial.row_bytes.error, _by(tokens, _SHARD_BYTES_A_TOKEN))),
        trial.documents,
        trial.text_bytes,
    )


def _by(guess: Guess, factor: float) -> float | None:
    return None if guess.error is None else guess.error * factor


def _sum(*errors: float | None) -> float | None:
    """The error of a sum; None where one of them is not known."""
    known = [error for error in errors if error is not None]
    return math.hypot(*known) if len(known) == len(errors) else None


def _guess(value: float, spread: float | None) -> Guess:
    return Guess(value, None if spread is None else math.hypot(spread, _UNSURE * value))
