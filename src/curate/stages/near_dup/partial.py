"""What ``observe`` notes about each document: all that candidate search needs, and nothing of the text.

Each column lies by itself, so that resolving reads one band of the whole corpus without the others.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Corpus
from curate.stages.near_dup.preference import CORPUS, priority, scope
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.partitioning import column
from curate.text.dedup.content_hash import content_hashes
from curate.text.dedup.minhash import Sketches, band_keys

_FIXED = (
    pa.field("id", pa.string()),
    pa.field("content_hash", pa.binary(16)),
    pa.field("priority", pa.uint64()),
    pa.field("scope", pa.uint64()),
    pa.field("shingles", pa.uint32()),
    pa.field("cohort", pa.uint32()),
)


_AT_ONCE = 4_000_000
"""Bytes of keys that are read together."""


def band_column(band: int) -> str:
    """Name of the column with the keys of a band."""
    return f"band_{band:02d}"


def keys_of_bands(corpus: Corpus, part: int, bands: int) -> Iterator[npt.NDArray[np.uint64]]:
    """Keys of all documents of a part, band after band: of several, where the part is small, at one look."""
    at_once = max(1, _AT_ONCE // (8 * max(corpus.rows[part], 1)))
    for first in range(0, bands, at_once):
        table = corpus.partial(part, [band_column(band) for band in range(first, min(bands, first + at_once))])
        yield from (column(table, name) for name in table.column_names)


def partial_schema(bands: int) -> pa.Schema:
    """Id, content hash, `priority`, `scope`, number of shingles, what the audit samples by, a key for each band."""
    return pa.schema([*_FIXED, *(pa.field(band_column(band), pa.uint64()) for band in range(bands))])


def observation(
    schema: pa.Schema,
    batch: pa.RecordBatch,
    settings: NearDupSettings,
    sketches: Sketches,
) -> pa.RecordBatch:
    """The partial of one batch, row for row."""
    scopes = scope(batch, settings)
    keys = band_keys(sketches.signatures, settings.banding.bands, settings.banding.rows)
    cohorts = sketches.extremes
    if settings.scope != CORPUS:  # documents of different scopes then share no bucket
        keys = keys ^ pc.fill_null(scopes, 0).to_numpy()
        cohorts = cohorts ^ pc.fill_null(scopes, 0).to_numpy().astype(np.uint32)
    columns = [
        batch.column("id").cast(pa.string()),
        content_hashes(batch.column("text")),
        priority(batch, settings),
        scopes,
        pa.array(np.where(scopes.is_valid(), sketches.shingles, 0), pa.uint32()),
        pa.array(cohorts),
        *map(pa.array, keys),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
