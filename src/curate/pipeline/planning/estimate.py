"""What a run will take, from trying the plan on a few megabytes of its own input. Nothing is written.

A guess is honest about being one: it comes from the first documents of some parts, one thread, and excludes duplicates
(they need the whole corpus), so it says ``about``.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.corpus.parts import Strand
from curate.corpus.reader import chunks
from curate.pipeline.planning.plan import Plan
from curate.pipeline.rewriting import rewritten, rows_of
from curate.pipeline.step import Step, settle
from curate.process.child import spent
from curate.stages.contract import Encoder

SAMPLE_BYTES = 2_000_000
STRANDS_TRIED = 4

RESOLVE_SHARE = 0.30
"""Comparing candidates and cutting shards, for one second of the passes: 8.6 to 28 s for 1.07 GB of documentation."""
PARQUET_SHARE = 0.32
"""Size of zstd-1 Parquet for one byte of text; this and the next two as found on sample_data."""
CACHE_BYTES_A_TOKEN = 1.6
SHARD_BYTES_A_TOKEN = 1.5


class Estimate(NamedTuple):
    """Seconds of wall time and bytes of disk that a run will take; documents and megabytes it was tried on."""

    seconds: float
    disk_bytes: int
    sampled_documents: int
    sampled_bytes: int


class Travels(NamedTuple):
    """Bytes between this machine and object stores: each object of the input once, and what is written."""

    read: int
    written: int


def estimate(plan: Plan, workers: int) -> Estimate:
    """Try the plan on a sample of its input.

    Args:
        plan: checked.
        workers: cores that the run will use.
    """
    sample = list(_sample(plan))
    if not sample:
        return Estimate(0.0, 0, 0, 0)
    _try(plan, sample[0][0].slice(0, 20))  # kernels compile and models load outside the clock
    seconds, text_bytes, tokens, documents, input_bytes = 0.0, 0, 0, 0, 0
    for batch, consumed in sample:
        started = time.process_time() + spent.seconds
        found = _try(plan, batch)
        seconds += time.process_time() + spent.seconds - started
        tokens, documents = tokens + found, documents + len(batch)
        text_bytes += int(pa.compute.sum(batch.column("raw_bytes")).as_py() or 0)
        input_bytes += consumed
    scale = plan.config.input.sample * plan.input_bytes / max(1, input_bytes)
    disk = text_bytes * PARQUET_SHARE + tokens * (CACHE_BYTES_A_TOKEN + SHARD_BYTES_A_TOKEN) + 150 * documents
    return Estimate(seconds * scale * (1 + RESOLVE_SHARE) / workers, int(disk * scale), documents, text_bytes)


def _sample(plan: Plan) -> Iterator[tuple[pa.RecordBatch, int]]:
    step = max(1, len(plan.strands) // STRANDS_TRIED)
    for strand in plan.strands[::step][:STRANDS_TRIED]:
        yield from _first_chunk(strand)


def _first_chunk(strand: Strand) -> Iterator[tuple[pa.RecordBatch, int]]:
    for chunk in chunks(strand, frozenset([strand.parts[0].index]), SAMPLE_BYTES // STRANDS_TRIED):
        documents = chunk.parse().documents
        if len(documents):
            yield documents, max(1, chunk.input_bytes)
            return


def _try(plan: Plan, documents: pa.RecordBatch) -> int:
    """Run every stage over a batch; returns the tokens that came out."""
    documents, _ = rewritten(documents, plan.rewriters)
    said = {rewriter.name: rows_of(documents, rewriter) for rewriter in plan.rewriters}
    entering, tokens = np.ones(len(documents), np.bool_), 0
    for one in plan.passes:
        steps = [Step(s, "encode" if isinstance(s, Encoder) else "judge") for s in one.stages]
        if one.closing:
            steps.append(Step(one.closing, "observe"))
        for settled in settle(tuple(steps), lambda name: documents.column(_index(documents, name)), entering, said):
            entering = settled.staying
            if "n_tokens" in settled.rows.schema.names:
                tokens += int(pa.compute.sum(settled.rows.column("n_tokens")).as_py() or 0)
    return tokens


def _index(documents: pa.RecordBatch, name: str) -> int:
    index = documents.schema.get_field_index(name)
    if index < 0:
        raise KeyError(name)
    return int(index)
