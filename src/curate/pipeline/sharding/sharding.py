"""From token ids kept beside the documents to shards of a set size, written side by side.

Which documents are in a shard follows from counts alone (`curate.pipeline.sharding.shard_places`), so a shard that an
earlier attempt wrote from the same documents, and that is still what was written, is left as it is.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.engine.base import Engine, Hear, Worker
from curate.pipeline.planning.plan import Plan
from curate.pipeline.record.profile import Made
from curate.pipeline.sharding.shard_order import pieces
from curate.pipeline.sharding.shard_places import Cutting, Stretch
from curate.pipeline.step import Step
from curate.shards.block import Block
from curate.shards.entry import At, ShardEntry
from curate.shards.files.token_bytes import BYTES, HIGH, LOW, as_lists, brought_together
from curate.shards.format import Layout
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex, layout_of, write_index
from curate.shards.mixture.repeats import NO_REPEATS, REPEATS_FILE, Repeats, write_repeats
from curate.shards.notes import Notes
from curate.shards.packing.padding import filled_up, padded
from curate.shards.settings import ShardSettings
from curate.shards.writer import write_shard
from curate.stages.contract import TO
from curate.store.digest import digest
from curate.store.footers import footer_of
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.row_groups import groups_in
from curate.store.run_directory import CACHE, DOCUMENTS, SHARDS, RunDirectory
from curate.text.core.arrow import one_array


def write_shards(
    cutting: Cutting, plan: Plan, step: Step, directory: RunDirectory, engine: Engine, hear: Hear | None = None
) -> ShardIndex:
    """Write the shards and their index; whatever is there already is kept.

    Args:
        cutting: what goes where.
        plan: of the run.
        step: the encoder, whose token ids lie in the cache.
        directory: the run.
        engine: writes several shards at once.
        hear: hears of each shard that is written, and what it cost.
    """
    settings = plan.config.shards
    tokenizer = step.stage.tokenizer  # type: ignore[attr-defined]
    chats = getattr(step.stage, "chats", None)
    notes, layout = notes_of(directory), layout_of(settings, tokenizer, masked=chats is not None)
    made_from = _drawn_from(cutting, plan)

    if cutting.repeats:
        notes.require_room(REPEATS_FILE)

    items = [
        _Shard(
            number,
            stretches := tuple(cutting.shards.get(number, ())),
            digest(*made_from, settings.format, msgspec.to_builtins(layout), [each.content for each in stretches]),
            size if layout.sequence_length else None,
        )
        for number, size in enumerate(cutting.sizes)
    ]
    sent = None
    if cutting.drawn:
        missing = [shard.number for shard in items if notes.existing(shard.number, shard.key) is None]
        sent = _Sent(cutting, missing, step, directory, engine) if missing else None
    directory.shards.mkdir(parents=True, exist_ok=True)
    task = _ShardTask(notes, settings, layout, step, directory, cutting.validation, sent)
    entries: dict[int, ShardEntry] = dict(engine.map(task, items, hear))
    if cutting.drawn:
        directory.clear_scratch()
    notes.clear(entries.values())
    if cutting.repeats:
        write_repeats(directory.shards, {part: _named(part, cutting, step, directory) for part in cutting.repeats})
    listed = [entries[number] for number in sorted(entries)]
    return write_index(directory.shards, settings, tokenizer, listed, mix=cutting.table, chats=chats)


class _Shard(NamedTuple):
    """A shard to be written: what goes into it, and what it follows from."""

    number: int
    stretches: tuple[Stretch, ...]
    key: str
    padded_to: int | None


@dataclass(frozen=True)
class _ShardTask:
    """Writes one shard, unless it is there."""

    notes: Notes
    settings: ShardSettings
    layout: Layout
    step: Step
    directory: RunDirectory
    validation: int
    sent: "_Sent | None"

    def __call__(self, shard: _Shard, worker: Worker) -> tuple[int, ShardEntry]:
        """The number of the shard and its entry in the index."""
        number, stretches, key, size = shard
        split = "validation" if number >= self.validation else ""
        entry = self.notes.existing(number, key)
        if entry is None:
            groups = _groups(stretches, number, self.step, self.directory)
            documents: Iterable[pa.RecordBatch | Block]
            n_tokens = None
            if self.sent:
                documents = self.sent.documents(number, worker)
            else:
                if FORMATS[self.settings.format].counts_first:
                    n_tokens = _counts(stretches, number, size, self.step, self.directory)
                documents = worker.spread(_Group.read, groups)  # while one writes
                if size is not None:
                    documents = filled_up(documents, size, self.step.stage.end_of_document_id)  # type: ignore[attr-defined]
            note, folder = functools.partial(self.notes.take, number, key=key), self.directory.shards
            entry = write_shard(
                folder, number, documents, self.settings, self.layout, split=split, whole=note, n_tokens=n_tokens
            )
            worker.tell(Made(entry.file))
        if stretches:
            first, last = At(stretches[0].part, stretches[0].first), At(stretches[-1].part, stretches[-1].last)
            entry = msgspec.structs.replace(entry, first=first, last=last)
        return number, msgspec.structs.replace(entry, split=split)


def _named(part: int, cutting: Cutting, step: Step, directory: RunDirectory) -> tuple[Repeats, pa.Array, pa.Array]:
    """Further places of documents of a part, with their ids and counts."""
    rows = pa.array(cutting.repeats[part].rows)
    ids = read_columns(directory.part(DOCUMENTS, part), ["id"]).column("id").combine_chunks()
    counts = read_columns(directory.part(step.stage.name, part), ["n_tokens"]).column("n_tokens").combine_chunks()
    return cutting.repeats[part], ids.take(rows).cast(pa.string()), counts.take(rows)


def _drawn_from(cutting: Cutting, plan: Plan) -> tuple[object, ...]:
    """What the documents of a shard follow from besides its own stretches."""
    settings, seed = plan.config.shards, plan.config.run.seed
    drawn: tuple[object, ...] = (settings.validation, seed) if settings.validation else ()
    if cutting.drawn:
        drawn += (settings.order, seed, cutting.drawn)
    return drawn


PIECE_TOKENS = 4_000_000
"""Tokens of a shuffled shard that are put in order at once."""
_SENT = pa.schema({"offset": pa.int64(), "id": pa.string(), "input_ids": BYTES})


class _Sent:
    """Documents of shuffled shards, brought together piece by piece."""

    def __init__(
        self, cutting: Cutting, missing: Sequence[int], step: Step, directory: RunDirectory, engine: Engine
    ) -> None:
        self._first, self._missing = pieces(cutting.sizes, PIECE_TOKENS), np.array(sorted(missing), np.int64)
        self._step, self._directory, self._repeats = step, directory, cutting.repeats
        self._sizes, self._mark = cutting.sizes, step.stage.end_of_document_id  # type: ignore[attr-defined]
        self._pieces = engine.exchange(
            self._send, len(directory.names), None, int(self._first[-1]), _SENT, directory.scratch
        )

    def documents(self, shard: int, worker: Worker) -> Iterator[Block]:
        """The documents of a shard in their order, with the padding between them."""
        numbers = range(int(self._first[shard]), int(self._first[shard + 1]))
        yield from padded(worker.spread(self._pieces.__getitem__, numbers), self._sizes[shard], self._mark)

    def _send(self, part: int) -> Iterator[pa.RecordBatch]:
        ids = read_columns(self._directory.part(DOCUMENTS, part), ["id"]).column("id").combine_chunks()
        placed = read_columns(self._directory.part(self._step.stage.name, part), ["shard", "offset"])
        shard = placed.column("shard").fill_null(-1).to_numpy().astype(np.int64)
        offset = placed.column("offset").fill_null(0).to_numpy()
        wanted = np.isin(shard, self._missing)
        repeats = self._repeats.get(part, NO_REPEATS)
        with pq.ParquetFile(parquet_source(self._directory.cached(self._step.stage.name, part))) as file:
            for group, start, stop in groups_in(file.metadata):
                here = np.flatnonzero(wanted[start:stop])
                again = repeats.between(start, stop)
                chosen = np.isin(again.shard, self._missing)
                if len(here) or chosen.any():
                    tokens = _ids_in(file, group)
                    at = np.concatenate([here + start, again.rows[chosen]])
                    shards = np.concatenate([shard[here + start], again.shard[chosen]])
                    offsets = np.concatenate([offset[here + start], again.offset[chosen]])
                    to = self._first[shards] + offsets // PIECE_TOKENS
                    order = np.argsort(to, kind="stable")  # here, so that the mailbox need not move the ids again
                    at, offsets, to = at[order], offsets[order], to[order]
                    rows = pa.array(at - start)
                    yield pa.RecordBatch.from_arrays(
                        [
                            pa.array(to),
                            pa.array(offsets),
                            ids.take(pa.array(at)).cast(pa.string()),
                            tokens.take(rows),
                        ],
                        names=[TO, *_SENT.names],
                    )


def _ids_in(file: pq.ParquetFile, group: int) -> pa.Array:
    """The ids of all documents of a row group, as bytes."""
    table = file.read_row_group(group, columns=[LOW, HIGH], use_threads=False)
    return brought_together(one_array(table.column(LOW)), one_array(table.column(HIGH)))


def notes_of(directory: RunDirectory) -> Notes:
    """What is known of the shards of a run."""
    return Notes(directory.shards, directory.path / CACHE / SHARDS)


class _Group(NamedTuple):
    """Documents of a shard that lie in one row group of the encoder's cache."""

    cached: Path
    number: int
    ids: pa.Array
    here: pa.Array

    def read(self) -> pa.RecordBatch:
        """Their ids and token ids."""
        with pq.ParquetFile(parquet_source(self.cached)) as file:
            tokens = _ids_in(file, self.number)
        ids = self.ids
        if self.here.true_count < len(self.here):
            ids, tokens = ids.filter(self.here), tokens.filter(self.here)
        return pa.RecordBatch.from_arrays([ids, as_lists(tokens)], ["id", "input_ids"])


def _counts(
    stretches: Sequence[Stretch], number: int, size: int | None, step: Step, directory: RunDirectory
) -> npt.NDArray[np.int64]:
    """Tokens of the documents of shard ``number``, in order, and of the padding up to a size at its end."""
    found = [np.zeros(0, np.int64)]
    for stretch in stretches:
        counts = read_columns(directory.part(step.stage.name, stretch.part), ["shard", "n_tokens"])
        found.append(counts.filter(pc.equal(counts["shard"], number))["n_tokens"].to_numpy().astype(np.int64))
    rest = (size or 0) - sum(int(each.sum()) for each in found)
    return np.concatenate([*found, [rest]] if rest > 0 else found)


def _groups(stretches: Sequence[Stretch], number: int, step: Step, directory: RunDirectory) -> Iterator[_Group]:
    """Row groups with documents of shard ``number``, in order."""
    for stretch in stretches:
        ids = read_columns(directory.part(DOCUMENTS, stretch.part), ["id"]).column("id").combine_chunks()
        places = read_columns(directory.part(step.stage.name, stretch.part), ["shard"]).column("shard")
        here = pc.fill_null(pc.equal(places, number), False).combine_chunks()
        cached = directory.cached(step.stage.name, stretch.part)
        for group, start, stop in groups_in(footer_of(cached)):
            inside = stop > stretch.first and start <= stretch.last
            if inside and pc.any(here.slice(start, stop - start)).as_py():
                yield _Group(cached, group, ids.slice(start, stop - start), here.slice(start, stop - start))
