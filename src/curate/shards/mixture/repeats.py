"""``repeats.parquet``: where documents lie that a mixture takes more than once, besides their first place.

The first place is with the documents' judgments, in the run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.store.files import whole_file
from curate.store.objects.ranges import parquet_source

REPEATS_FILE = "repeats.parquet"
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "n_tokens": pa.int64(),
        "part": pa.int32(),
        "row": pa.int64(),
        "shard": pa.int32(),
        "offset": pa.int64(),
    }
)


class Repeats(NamedTuple):
    """Further places of documents of one part.

    Attributes:
        rows: of the documents, ascending.
        shard: number of the shard.
        offset: of the first token there.
    """

    rows: npt.NDArray[np.int64]
    shard: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]

    def between(self, start: int, stop: int) -> "Repeats":
        """Those of rows from ``start`` to before ``stop``."""
        first, last = np.searchsorted(self.rows, [start, stop])
        return Repeats(self.rows[first:last], self.shard[first:last], self.offset[first:last])


NO_REPEATS = Repeats(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))


def write_repeats(folder: Path, tables: "Mapping[int, tuple[Repeats, pa.Array, pa.Array]]") -> None:
    """Write the file.

    Args:
        folder: of the shards.
        tables: part → places, with id and token count of each.
    """
    with (
        whole_file(folder / REPEATS_FILE) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as file,
    ):
        for part, (repeats, ids, n_tokens) in sorted(tables.items()):
            many = len(repeats.rows)
            columns = [ids, n_tokens, pa.array(np.full(many, part, np.int32)), *map(pa.array, repeats)]
            file.write_table(pa.table(columns, schema=SCHEMA), row_group_size=max(1, many))


def read_repeats(folder: Path) -> pa.Table | None:
    """All rows; None where nothing is repeated."""
    file = folder / REPEATS_FILE
    return pq.read_table(parquet_source(file)) if file.is_file() else None
