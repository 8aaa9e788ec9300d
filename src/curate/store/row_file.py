"""One Parquet file of a part, row for row with its documents, that knows what it was made from.

Two keys in the footer say so. The *measure key* covers everything its measures depend on; the *verdict key* adds
what its verdicts depend on. A file whose two keys are the expected ones is finished; one whose measure key alone
fits still saves measuring. A third entry says where in a run the file belongs: a copy of it elsewhere is the user's.
All that, and the checksums of all its bytes (`curate.store.seal`), lives in the file itself, so a file and the
knowledge about it cannot come apart.

Row groups follow those of the documents, which are cut by the text alone: bytes do not depend on how a run was batched.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curate.store.digest import digest
from curate.store.files import whole_file
from curate.store.footers import footer_of
from curate.store.objects.ranges import is_far, parquet_source
from curate.store.objects.store_path import StorePath
from curate.store.seal import BrokenSeal, checked, seal

if TYPE_CHECKING:
    import polars as pl

MEASURE_KEY = b"curate.measure_key"
VERDICT_KEY = b"curate.verdict_key"
PLACE = b"curate.file"

TEXTS: dict[str, object] = {"compression": "zstd", "compression_level": 1}
JUDGMENTS = "lz4"
"""They are read again and again: a fifth larger than with zstd, and read in three fifths of the time."""
DENSE = "ids_low"
"""A column that compressing takes ten times as long as writing, and makes hardly smaller."""


@dataclass(frozen=True)
class Keys:
    """What a file was made from, as digests."""

    measure: str
    verdict: str


def _compression(schema: pa.Schema) -> dict[str, object]:
    if "text" in schema.names:
        return TEXTS
    dense = DENSE in schema.names
    return {
        "compression": {name: "none" if name == DENSE else JUDGMENTS for name in schema.names} if dense else JUDGMENTS
    }


class RowFileWriter:
    """Writes record batches as they come, one row group each; the keys are set before the end."""

    def __init__(self, path: Path, place: str, schema: pa.Schema, *, dictionary: list[str]) -> None:
        self._place = place
        self._writer = pq.ParquetWriter(
            path,
            schema,
            use_dictionary=dictionary,
            write_statistics=False,
            store_schema=True,
            **_compression(schema),
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append one row group."""
        self._writer.write_table(pa.Table.from_batches([batch]), row_group_size=max(1, batch.num_rows))

    def finish(self, keys: Keys) -> None:
        """Set the keys and close."""
        self._writer.add_key_value_metadata({MEASURE_KEY: keys.measure, VERDICT_KEY: keys.verdict, PLACE: self._place})
        self._writer.close()

    def abandon(self) -> None:
        """Close without keys; the file is not to be used."""
        self._writer.close()


@contextmanager
def row_file(final: Path, schema: pa.Schema, dictionary: list[str] | None = None) -> Iterator[RowFileWriter]:
    """A writer whose file appears as ``final``, sealed, when the block ends well.

    Args:
        final: where the file will be.
        schema: columns of every batch.
        dictionary: columns worth dictionary encoding (few distinct values); text never is.
    """
    with whole_file(final) as temporary:
        writer = RowFileWriter(temporary, place_of(final), schema, dictionary=dictionary or [])
        try:
            yield writer
        finally:
            writer.abandon()
        seal(temporary)


def size_of_rows(batch: pa.RecordBatch) -> int:
    """Bytes that rows take in a row file; its footer is not counted."""
    footers: list[pq.FileMetaData] = []
    pq.write_table(
        pa.Table.from_batches([batch]),
        pa.BufferOutputStream(),
        write_statistics=False,
        metadata_collector=footers,
        **_compression(batch.schema),
    )
    groups = [footers[0].row_group(number) for number in range(footers[0].num_row_groups)]
    return sum(group.column(at).total_compressed_size for group in groups for at in range(group.num_columns))


def read_columns(path: Path, columns: Iterable[str], footer: pq.FileMetaData | None = None) -> pa.Table:
    """Columns of a whole file, in the order asked for; its footer need not be read where it is known.

    Not by ``pyarrow.parquet.read_table``: importing the dataset layer that it goes through takes as long as reading
    200 MB, and each call three times as long as this. Nor by Arrow's own threads: who reads here is one of
    several workers, and would wait for work that it can do itself.
    """
    names = list(columns)
    if footer is None and not isinstance(path, StorePath):
        footer = footer_of(path)
    with pq.ParquetFile(parquet_source(path), metadata=footer, pre_buffer=False) as file:
        return file.read(columns=names, use_threads=False).select(names)


def scanned(files: Sequence[Path], columns: Sequence[str]) -> "pl.LazyFrame":
    """Columns of files one below the other, for polars; of large objects only these columns travel."""
    import polars as pl

    if not any(map(is_far, files)):
        return pl.scan_parquet(list(files)).select(columns)
    return pl.concat([cast("pl.DataFrame", pl.from_arrow(read_columns(file, columns))).lazy() for file in files])


def place_of(file: Path) -> str:
    """Folder and name: what a row file says of itself, and nobody else's file does.

    Example:
        >>> place_of(Path("curated/quality/part-5f0c0db3a1e2-0000.parquet"))
        'quality/part-5f0c0db3a1e2-0000.parquet'
    """
    return f"{file.parent.name}/{file.name}"


def is_in_place(file: Path) -> bool:
    """Whether it is a row file that curate wrote, under this name and in this folder."""
    try:
        metadata = checked(file, ()).metadata or {}
    except BrokenSeal:
        return False
    return bool(metadata.get(PLACE) == place_of(file).encode(errors="replace"))


def keys_of(path: Path) -> Keys | None:
    """The keys of a file; None when there is no whole footer, or it carries none."""
    try:
        return keys_in(checked(path, ()))
    except BrokenSeal:
        return None


def keys_together(keys: Iterable[Keys | None]) -> str:
    """One digest of what several files were made from, in their order."""
    return digest([[each.measure, each.verdict] if each else None for each in keys])


def keys_in(footer: pq.FileMetaData) -> Keys | None:
    """The keys in a footer; None when it carries none."""
    metadata = footer.metadata or {}
    if MEASURE_KEY not in metadata:
        return None
    return Keys(metadata[MEASURE_KEY].decode(), metadata.get(VERDICT_KEY, b"").decode())
