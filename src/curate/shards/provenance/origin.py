"""The documents of the run that wrote the shards, when its folder is still around them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.shards.mixture.repeats import REPEATS_FILE, read_repeats
from curate.store.manifest import find_manifest
from curate.store.manifest_entries import Manifest
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, MANIFEST, SHARDS
from curate.text.chats.spans import moved
from curate.text.core.edits import edited

Int64 = npt.NDArray[np.int64]


class UnreadableRun(Exception):  # noqa: N818  (named for what it is)
    """A file of the run, and why it cannot be read: no fault of the shards."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason


class Spans(NamedTuple):
    """Where documents lie, as the run recorded it: in the shards, and in its own parts.

    Attributes:
        ids: document ids.
        shard: int64, number of the shard.
        offset: int64, position of the first token there.
        n_tokens: int64.
        part: int64, number of the part.
        row: int64, row in the part.
    """

    ids: pa.Array
    shard: Int64
    offset: Int64
    n_tokens: Int64
    part: Int64
    row: Int64

    def rows(self, start: int, stop: int) -> "Spans":
        """Documents ``start`` to ``stop``."""
        return Spans(*(column[start:stop] for column in self))


class Origin:
    """Documents of a run that went into shards, in corpus order, read part by part.

    Args:
        run: folder of the run.
        manifest: of the run.
        renumbered: spans as converted shards have them, in the same order.

    All methods raise `UnreadableRun` when a file of the run is damaged or gone.
    """

    def __init__(self, run: Path, manifest: Manifest, renumbered: "Callable[[Spans], Spans] | None" = None) -> None:
        self._run, self._stages = run, manifest.stage_names
        self._names = manifest.part_names
        drawn = manifest.section("shards")
        in_order = drawn.get("order", "input") == "input" and not drawn.get("validation")
        with _reading(f"{SHARDS}/{REPEATS_FILE}"):
            self._repeats = read_repeats(run / SHARDS)
        in_order = in_order and drawn.get("packing") != "best_fit" and not _is_mixed(manifest)
        parts = self._read() if in_order else self._read_sorted()
        self._parts = map(renumbered, parts) if renumbered else parts
        self._pending = _no_spans()
        self._texts = _Texts(-1, 0, pa.chunked_array([], pa.string()))
        self._edits: tuple[int, list[pa.ChunkedArray]] = (-1, [])

    @classmethod
    def of(cls, run: Path, renumbered: "Callable[[Spans], Spans] | None" = None) -> "Origin | None":
        """The finished run with tokens in that folder, or None if there is none."""
        found = find_manifest(run)
        if found.state == "damaged":
            raise UnreadableRun(MANIFEST, "it is damaged")
        manifest = found.manifest
        return cls(run, manifest, renumbered) if manifest and _TOKENIZE in manifest.stage_names else None

    def take(self, shard: int, count: int) -> Spans:
        """The next documents of a shard, at most ``count``. Shards must be asked for in order."""
        available = self._available(shard, count)
        taken = self._pending.rows(0, min(count, available))
        self._pending = self._pending.rows(len(taken.ids), len(self._pending.ids))
        return taken

    def drop(self, shard: int) -> int:
        """Leave out what remains up to a shard; how many documents that was."""
        dropped = 0
        while rows := len(self.take(shard, _AT_ONCE).ids):
            dropped += rows
        return dropped

    def text(self, part: int, row: int) -> str:
        """Text of one document as the tokenizer saw it: with the edits of all stages."""
        if not (self._texts.part == part and 0 <= row - self._texts.start < len(self._texts.column)):
            self._texts = self._read_texts(part, row)
        if self._edits[0] != part:
            self._edits = part, self._read_edits(part)
        text = self._texts.column.slice(row - self._texts.start, 1).cast(pa.large_string()).combine_chunks()
        for edits in self._edits[1]:
            text = edited(text, edits.slice(row, 1).combine_chunks())
        return str(text[0])

    def conversation(self, part: int, row: int) -> "tuple[str, list[Any], bytes] | None":
        """A conversation as the tokenizer saw it: record without texts, turns, text; None where it is none."""
        name, start = f"{DOCUMENTS}/{self._names[part]}", 0
        text = self.text(part, row)
        with _reading(name), pq.ParquetFile(parquet_source(self._run / name)) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if row < start + rows:
                    found = file.read_row_group(group, columns=["metadata", "turns"]).slice(row - start, 1)
                    turns = pa.concat_arrays(found["turns"].chunks)
                    for edits in self._edits[1]:
                        turns = moved(turns, edits.slice(row, 1).combine_chunks())
                    spans = turns[0].as_py()
                    return None if spans is None else (found["metadata"][0].as_py(), spans, text.encode())
                start += rows
        raise UnreadableRun(name, f"there is no row {row}")

    def _read_edits(self, part: int) -> list[pa.ChunkedArray]:
        """The column ``edits`` of every stage that has one, in the order of the pipeline."""
        found: list[pa.ChunkedArray] = []
        for stage in self._stages:
            name = f"{stage}/{self._names[part]}"
            with _reading(name), pq.ParquetFile(parquet_source(self._run / name)) as file:
                if "edits" in file.schema_arrow.names:
                    found.append(file.read(columns=["edits"])["edits"])
        return found

    def _read_texts(self, part: int, row: int) -> "_Texts":
        name, start = f"{DOCUMENTS}/{self._names[part]}", 0
        with _reading(name), pq.ParquetFile(parquet_source(self._run / name)) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if row < start + rows:
                    return _Texts(part, start, file.read_row_group(group, columns=["text"])["text"])
                start += rows
        raise UnreadableRun(name, f"there is no row {row}")

    def _available(self, shard: int, count: int) -> int:
        """Pending documents up to a shard, after reading parts until there are ``count`` or no more."""
        while True:
            available = int(np.searchsorted(self._pending.shard, shard, side="right"))
            if available >= count or available < len(self._pending.ids):
                return available
            following = next(self._parts, None)
            if following is None:
                return available
            self._pending = _joined([self._pending, following])

    def _read(self) -> Iterator[Spans]:
        for number, name in enumerate(self._names):
            with _reading(f"{_TOKENIZE}/{name}"):
                judged = read_columns(self._run / _TOKENIZE / name, ["n_tokens", "shard", "offset"])
            rows = np.flatnonzero(pc.is_valid(judged["shard"]).to_numpy())
            kept = judged.take(rows)
            with _reading(f"{DOCUMENTS}/{name}"):
                ids = read_columns(self._run / DOCUMENTS / name, ["id"])["id"].take(rows)
            shard, offset, n_tokens = (
                kept[name].to_numpy().astype(np.int64) for name in ("shard", "offset", "n_tokens")
            )
            yield Spans(_one(ids), shard, offset, n_tokens, np.full(len(rows), number, np.int64), rows)

    def _read_sorted(self) -> Iterator[Spans]:
        """All documents in the order of the shards, where that is not the corpus's: 48 bytes and the id of each."""
        spans = _joined([_no_spans(), *self._read(), *_again(self._repeats)])
        order = np.lexsort((spans.offset, spans.shard))
        yield Spans(spans.ids.take(pa.array(order)), *(column[order] for column in spans[1:]))


_AT_ONCE = 1_000_000
_TOKENIZE = "tokenize"


def _no_spans() -> Spans:
    none = np.empty(0, np.int64)
    return Spans(pa.array([], pa.string()), none, none, none, none, none)


def _is_mixed(manifest: Manifest) -> bool:
    """Whether documents were taken more or less often than once."""
    return bool(manifest.shards and manifest.shards.mix)


def _again(repeats: pa.Table | None) -> Iterator[Spans]:
    if repeats is not None:
        columns = (repeats[name].to_numpy().astype(np.int64) for name in Spans._fields[1:])
        yield Spans(_one(repeats["id"]), *columns)


class _Texts(NamedTuple):
    """The row group read last: samples ascend, so the next text is often in it."""

    part: int
    start: int
    column: pa.ChunkedArray


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, KeyError) as error:  # a name of a column can be damaged, too
        raise UnreadableRun(name, str(error).partition("\n")[0]) from error


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(pa.string()).combine_chunks()


def _joined(spans: list[Spans]) -> Spans:
    ids = pa.concat_arrays([each.ids for each in spans])
    return Spans(ids, *(np.concatenate(columns) for columns in list(zip(*spans, strict=True))[1:]))
