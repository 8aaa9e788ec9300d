"""From a token of a shard back to its document: its id, and where it was in the input."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.index import ShardIndex, read_index, remedy
from curate.shards.mixture.repeats import REPEATS_FILE, read_repeats
from curate.shards.provenance.lineage import source_of, stream
from curate.shards.reader import read_blocks
from curate.store.files import place
from curate.store.manifest import find_manifest
from curate.store.manifest_entries import Manifest
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS

Int64 = npt.NDArray[np.int64]


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """The document that a token is of.

    Attributes:
        id: of the document.
        source: of the document; None where the run is not around the shards.
        file: of the input.
        position: line or row in that file, from 1.
        part: number of the document's part in the run.
        row: its row there.
        token: which token of the document it is, from 0.
        n_tokens: how many the document has.
    """

    id: str
    source: str | None = None
    file: str | None = None
    position: int | None = None
    part: int | None = None
    row: int | None = None
    token: int
    n_tokens: int


def shard_named(name: str) -> tuple[Path, int]:
    """The folder and the number of a shard: any of its files, or its number in a folder.

    Raises:
        InputError: there is no such shard.
    """
    path = place(name)
    folder = path.parent
    if path.is_dir():
        raise InputError(f"`{path}` is a folder; name a shard in it", hint=f"ls {shlex.quote(name)}")
    index = read_index(folder)
    for number, entry in enumerate(index.shards):
        stem = entry.file.partition(".")[0]
        if path.name in {*entry.files, stem, str(number)}:
            return folder, number
    raise InputError(f"`{folder}` has no shard `{path.name}`: it holds {len(index.shards)}", hint=f"ls {folder}")


def locate(folder: Path, number: int, offset: int) -> Located:
    """The document of the token at ``offset`` of a shard.

    Args:
        folder: of the shards.
        number: of the shard, from 0.
        offset: of the token, from 0.

    Raises:
        InputError: there is no such token.
    """
    index = read_index(folder)
    entry = index.shards[number]
    if not 0 <= offset < entry.tokens:
        raise InputError(f"`{entry.file}` has no token {offset:,}: it has {entry.tokens:,}, from 0")
    origin = source_of(folder, index)
    counts = stream(index)
    if index.made_from and origin.is_dir() and offset < counts[number]:
        at_all, before = offset + int(counts[:number].sum()), read_index(origin)
        numbers = [at for at, each in enumerate(before.shards) if each.split == index.split]
        ends = np.cumsum(stream(before)[numbers])
        there = int(np.searchsorted(ends, at_all, side="right"))
        return locate(origin, numbers[there], at_all - int(ends[there - 1] if there else 0))
    return _in_run(folder, number, offset) or _in_shard(folder, index, entry, offset)


def _in_run(folder: Path, number: int, offset: int) -> Located | None:
    """As the run around the shards recorded it."""
    run = folder.absolute().parent
    manifest = find_manifest(run).manifest
    if not manifest or not manifest.shards:
        return None
    encoder = manifest.stages[-1].name
    for part, name in enumerate(manifest.part_names):
        table = read_columns(run / encoder / name, ["shard", "offset", "n_tokens"])
        shard, start, count = (
            table[column].fill_null(-1).to_numpy().astype(np.int64) for column in ("shard", "offset", "n_tokens")
        )
        rows = np.flatnonzero((shard == number) & (start <= offset) & (offset < start + count))
        if len(rows):
            row = int(rows[0])
            return _located(run, manifest, part, row, offset - int(start[row]), int(count[row]))
    return _again(folder, run, manifest, number, offset)


def _again(folder: Path, run: Path, manifest: Manifest, number: int, offset: int) -> Located | None:
    """Where a mixture took a document again."""
    try:
        table = read_repeats(folder)
    except (OSError, pa.ArrowException) as error:
        raise DamagedShard(f"`{folder / REPEATS_FILE}` cannot be read: {error}", hint=remedy(folder)) from error
    if table is None:
        return None
    shard, start, count = (table[name].to_numpy() for name in ("shard", "offset", "n_tokens"))
    rows = np.flatnonzero((shard == number) & (start <= offset) & (offset < start + count))
    if not len(rows):
        return None
    at = int(rows[0])
    part, row = table["part"][at].as_py(), table["row"][at].as_py()
    return _located(run, manifest, part, row, offset - int(start[at]), int(count[at]))


def _located(run: Path, manifest: Manifest, part: int, row: int, token: int, n_tokens: int) -> Located:
    name = manifest.parts[part].name
    found = read_columns(run / DOCUMENTS / name, ["id", "source", "origin"]).slice(row, 1).to_pylist()[0]
    return Located(
        id=found["id"],
        source=found["source"],
        file=found["origin"]["file"],
        position=found["origin"]["position"],
        part=part,
        row=row,
        token=token,
        n_tokens=n_tokens,
    )


def _in_shard(folder: Path, index: ShardIndex, entry: ShardEntry, offset: int) -> Located:
    """As the shard's own index has it."""
    start = 0
    for ids, n_tokens in _documents(folder, index, entry):
        ends = start + np.cumsum(n_tokens)
        if len(ends) and offset < ends[-1]:
            row = int(np.searchsorted(ends, offset, side="right"))
            if not ids[row].is_valid:
                raise InputError(f"token {offset:,} of `{entry.file}` is padding: it is of no document")
            count = int(n_tokens[row])
            return Located(id=str(ids[row]), token=offset - int(ends[row]) + count, n_tokens=count)
        start = int(ends[-1]) if len(ends) else start
    raise InputError(f"`{entry.file}` ends before token {offset:,}")


def _documents(folder: Path, index: ShardIndex, entry: ShardEntry) -> Iterator[tuple[pa.Array, Int64]]:
    """Ids and tokens of documents, some at a time; without reading tokens where an index file has them."""
    if entry.index_file is None:
        yield from ((block.ids, block.n_tokens) for block in read_blocks(folder, index, entry))
        return
    with pq.ParquetFile(parquet_source(folder / entry.index_file)) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=["id", "n_tokens"]).combine_chunks()
            yield pa.concat_arrays(rows["id"].chunks), rows["n_tokens"].to_numpy()
