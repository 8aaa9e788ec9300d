"""A finished run judged by other rules, from the signals it stored; no text is read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import UserError
from curate.pipeline.planning.lint import Finding
from curate.stages.quality import Quality, QualitySettings
from curate.stages.quality.rules import Rule
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory


class Fired(NamedTuple):
    """What one rule does to the documents of a run."""

    rule: Rule
    documents: int
    """Documents beyond its limit."""
    alone: int
    """Of those, documents that no other rule is against."""
    measured: int
    """Documents of which its signal is known."""


class Rejudged(NamedTuple):
    """What rules do to the documents of a run."""

    documents: int
    """Documents that reached `quality`."""
    kept: int
    fired: tuple[Fired, ...]


def rejudged(run: Path, settings: QualitySettings) -> Rejudged:
    """Judge the documents of a finished run by other limits.

    Args:
        run: the run directory.
        settings: the limits; which lines they would cut is not looked at.

    Raises:
        UserError: `quality` did not run there.
    """
    stage = Quality(settings)
    rules = settings.rules()
    counts = np.zeros((3, len(rules)), np.int64)
    documents = kept = 0
    for batch in _measured(run, stage.judged_by):
        masks = stage.failures(batch)
        against = sum((mask.view(np.int8) for mask in masks.values()), np.zeros(batch.num_rows, np.int16))
        documents += batch.num_rows
        kept += int(np.count_nonzero(against == 0))
        lonely = against == 1
        for place, (mask, rule) in enumerate(zip(masks.values(), rules, strict=True)):
            known = batch.num_rows - batch[rule.signal].null_count
            counts[:, place] += np.count_nonzero(mask), np.count_nonzero(mask & lonely), known
    fired = (Fired(rule, *map(int, found)) for rule, found in zip(rules, counts.T, strict=True))
    return Rejudged(documents, kept, tuple(fired))


def never_fired(result: Rejudged) -> Iterator[Finding]:
    """The rules that removed no document."""
    for one in result.fired:
        key = f"quality.{one.rule.key}"
        if not one.measured:
            yield Finding(
                "never_fired", key, f"the run measured `{one.rule.signal}` for no document, so the rule cannot fire"
            )
        elif not one.documents:
            yield Finding("never_fired", key, f"the rule removed none of {one.measured:,} documents")


def _measured(run: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Measures of the documents that reached `quality`."""
    manifest = read_manifest(run)
    if Quality.name not in {stage.name for stage in manifest.stages}:
        raise UserError(f"`{run}` holds no measures of `quality`", hint="curate stages")
    directory = RunDirectory.finished(run, manifest)
    for part in range(len(directory.names)):  # polars reads them in half the CPU time that pyarrow takes
        file = directory.checked(Quality.name, part, [_REASONS, *columns])
        frame = pl.read_parquet(file, columns=[_REASONS, *columns])
        if frame[_REASONS].null_count():
            frame = frame.filter(pl.col(_REASONS).is_not_null())
        came = frame.select(columns or _REASONS).rechunk()
        yield from came.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches(max_chunksize=_ROWS)


_REASONS = "reasons"
"""Null for the documents that an earlier stage removed."""

_ROWS = 1 << 15
"""Few enough that the columns of a batch stay in the processor's cache."""
