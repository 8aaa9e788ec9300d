"""Kept text as nanochat reads it: Parquet shards of one column, shuffled, the last of them for validation."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.errors import UserError
from curate.pipeline.document_rows import DocumentRows
from curate.pipeline.exporting.exporting import Exported, shuffled
from curate.store.files import entries, whole_file
from curate.store.manifest import read_manifest
from curate.store.ownership.outputs import require_output_folder

GROUP_ROWS = 1024
"""Documents in a row group: ranks take row groups in turn."""
SHARD_CHARACTERS = 250_000_000
VALIDATION_SHARE = 200
"""One in so many documents is for validation, and at least a row group, but never more than a tenth of them."""
_SCHEMA = pa.schema({"text": pa.string()})


def export_nanochat(run: Path, folder: Path, seed: int = 42) -> Exported:
    """Write ``shard_00000.parquet`` and so on; all appear when the last is whole.

    Args:
        run: a finished run.
        folder: for the shards; it must hold none yet.
        seed: of the shuffle.

    Raises:
        InputError: there is no finished run.
        UserError: the folder holds something.
    """
    kept = int(read_manifest(run).counts.kept)
    require_output_folder(folder)
    if entries(folder):
        raise UserError(
            f"`{folder}` is not empty, and nanochat reads every Parquet file of its folder",
            hint=f"-o {folder}/nanochat",
        )
    validation = min(kept // 10, max(GROUP_ROWS, kept // VALIDATION_SHARE))
    folder.mkdir(parents=True, exist_ok=True)
    names: list[Path] = []
    with contextlib.ExitStack() as files:
        groups = _groups(DocumentRows(run, ["text"]), folder / "texts", seed, kept - validation)
        writer: pq.ParquetWriter | None = None
        left = 0
        for group, is_last in groups:
            if writer is None or left <= 0 or is_last:
                if writer is not None:
                    writer.close()
                names.append(folder / f"shard_{len(names):05d}.parquet")
                path = files.enter_context(whole_file(names[-1]))
                writer = pq.ParquetWriter(
                    path, _SCHEMA, compression="zstd", compression_level=3, use_dictionary=False, write_statistics=False
                )
                files.callback(writer.close)
                left = SHARD_CHARACTERS
            writer.write_table(group, row_group_size=GROUP_ROWS)
            left -= pc.sum(pc.utf8_length(group["text"])).as_py()
            if is_last:
                left = SHARD_CHARACTERS  # the rest is for validation
        if writer is not None:
            writer.close()
    return Exported(str(folder), kept, sum(name.stat().st_size for name in names))


def _groups(source: DocumentRows, scratch: Path, seed: int, training: int) -> Iterator[tuple[pa.Table, bool]]:
    """Row groups, and whether each begins the documents for validation, which follow ``training`` others."""
    waiting = _SCHEMA.empty_table()
    done = 0

    def taken(least: int) -> Iterator[tuple[pa.Table, bool]]:
        nonlocal waiting, done
        while len(waiting) >= least and len(waiting):
            here = min(GROUP_ROWS, len(waiting), *([training - done] if done < training else []))
            yield waiting.slice(0, here), done == training
            waiting, done = waiting.slice(here).combine_chunks(), done + here

    for table in shuffled(source, scratch, seed):
        waiting = pa.concat_tables([waiting, table.cast(_SCHEMA)])
        yield from taken(GROUP_ROWS)
    yield from taken(0)
