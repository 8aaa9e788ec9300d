"""What ``observe`` notes about each document: all that candidate search needs, and nothing of the text.

Each column lies by itself, so that resolving reads one band of the whole corpus without the others.
"""

from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.text.fingerprint import content_hashes
from curate.text.lsh import Banding
from curate.text.minhash import Counts, Signatures, band_keys

_FIXED = (
    pa.field("id", pa.string()),
    pa.field("content_hash", pa.binary(16)),
    pa.field("length", pa.uint32()),
    pa.field("shingles", pa.uint32()),
)


def band_column(band: int) -> str:
    """Name of the column with the keys of a band."""
    return f"band_{band:02d}"


def partial_schema(bands: int) -> pa.Schema:
    """Id, content hash, bytes of text, number of shingles (repeats included), and a key for each band."""
    return pa.schema([*_FIXED, *(pa.field(band_column(band), pa.uint64()) for band in range(bands))])


def observation(
    schema: pa.Schema,
    ids: pa.Array,
    texts: pa.Array,
    sketches: Signatures,
    shingles: Counts,
    banding: Banding,
) -> pa.RecordBatch:
    """The partial of one batch, row for row."""
    lengths = pc.min_element_wise(pc.binary_length(texts), pa.scalar(2**32 - 1, pa.int64())).cast(pa.uint32())
    keys = band_keys(sketches, banding.bands, banding.rows)
    columns = [
        ids.cast(pa.string()),
        content_hashes(texts),
        lengths,
        pa.array(shingles),
        *map(pa.array, keys),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """A numeric column of a partial as numpy, with 0 where the document was already out."""
    values = table.column(name).combine_chunks()
    numbers: npt.NDArray[Any] = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    return numbers
