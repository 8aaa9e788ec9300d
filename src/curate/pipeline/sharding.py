"""From token ids kept beside the documents to shards of a set size, and the place of every document in them.

Cutting is one quick walk over token counts; shards are then written side by side. Which documents are in a shard
follows from counts alone, so a shard that an earlier attempt wrote from the same documents, and that is still what was
written, is left as it is.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.engine.base import Engine
from curate.pipeline.plan import Plan
from curate.pipeline.profile import Profile
from curate.pipeline.row_group import one_array, one_batch
from curate.pipeline.shard_order import Order, is_held_out, ordered, pieces
from curate.pipeline.step import COUNTS, Step, entering_mask, scattered
from curate.shards.block import Block
from curate.shards.cutting import Cutter
from curate.shards.entry import At, ShardEntry
from curate.shards.index import ShardIndex, layout_of, write_index
from curate.shards.notes import Notes
from curate.shards.padding import padded
from curate.shards.writer import write_shard
from curate.stages.contract import TO
from curate.store.digest import digest
from curate.store.ranges import parquet_source
from curate.store.row_file import Keys, keys_of, read_columns, row_file
from curate.store.run_directory import CACHE, DOCUMENTS, SHARDS, RunDirectory

CLUSTER = "content_hash"
"""Column of a stage that finds duplicates; the same for all copies of a kept document."""


class _Stretch(NamedTuple):
    """Rows ``first`` to ``last`` of one part that go to one shard, and what their ids were made from."""

    part: int
    first: int
    last: int
    key: str

    @property
    def content(self) -> tuple[str, int, int]:
        """What its tokens follow from, wherever the part stands in the run."""
        return self.key, self.first, self.last


class Cutting(NamedTuple):
    """Which documents go to which shard, and their tokens together.

    Attributes:
        shards: stretches of parts, by shard.
        tokens: of all kept documents.
        sizes: tokens of each shard, padding included; empty where the walk over the corpus told them.
        drawn: whether documents of a shard stand in another order than in the corpus.
        validation: number of the first shard for validation.
    """

    shards: dict[int, list[_Stretch]]
    tokens: int
    sizes: tuple[int, ...] = ()
    drawn: bool = False
    validation: int = 2**31


class _Counted(NamedTuple):
    """What was counted of the documents of one part, which of them are kept, and what they were counted from."""

    part: int
    counts: pa.RecordBatch
    kept: npt.NDArray[np.bool_]
    key: str

    @property
    def kept_tokens(self) -> npt.NDArray[np.int64]:
        """Tokens of each kept document."""
        tokens: npt.NDArray[np.int64] = (
            self.counts.column("n_tokens").filter(pa.array(self.kept)).to_numpy(zero_copy_only=False)
        )
        return tokens


class _Places(NamedTuple):
    """Where the kept documents of one part go."""

    counted: _Counted
    shard: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]

    def stretches(self) -> list[tuple[int, _Stretch]]:
        """What goes to each shard."""
        rows, found = np.flatnonzero(self.counted.kept), []
        for number in np.unique(self.shard):
            inside = rows[self.shard == number]
            found.append((int(number), _Stretch(self.counted.part, int(inside[0]), int(inside[-1]), self.counted.key)))
        return found

    def write(self, step: Step, directory: RunDirectory) -> None:
        """Write the encoder's judgments: what was counted, and the place in the shards."""
        part, counts, kept, key = self.counted
        file, schema = directory.part(step.stage.name, part), Step(step.stage, "judge").schema
        keys = Keys(key, digest(key, self.shard.tobytes(), self.offset.tobytes()))
        if keys_of(file) == keys:
            return
        places = {
            **{name: counts.column(name) for name in COUNTS.names},
            "shard": scattered(pa.array(self.shard), kept),
            "offset": scattered(pa.array(self.offset), kept),
        }
        measures = pa.RecordBatch.from_arrays(
            [places[name].cast(kind) for name, kind in step.stage.adds.items()], names=list(step.stage.adds)
        )
        reasons = scattered(step.stage.judge(measures.filter(pa.array(kept))), kept)
        with row_file(file, schema) as writer:
            writer.write(pa.RecordBatch.from_arrays([reasons, *measures.columns], schema=schema))
            writer.finish(keys)


def cut(plan: Plan, step: Step, judges: tuple[Step, ...], directory: RunDirectory, engine: Engine) -> Cutting:
    """Give every kept document its place in the shards, and write the encoder's row files.

    Args:
        plan: of the run; its last pass is done.
        step: the encoder, whose token ids lie in the cache.
        judges: every stage with verdicts before it.
        directory: the run.
        engine: reads and writes row files of several parts at once.
    """
    settings, seed = plan.config.shards, plan.config.run.seed
    cutter = Cutter(settings.shard_tokens)
    cutting: dict[int, list[_Stretch]] = {}
    tokens = 0
    parts = [part.index for part in plan.parts]
    whole: Order | None = None

    def count(part: int) -> _Counted:
        cached = directory.cached(step.stage.name, part)
        counts = one_batch(read_columns(cached, COUNTS.names))
        made_from = keys_of(cached)
        return _Counted(part, counts, entering_mask(directory, judges, part), made_from.verdict if made_from else "")

    def places() -> Iterator[_Places]:
        nonlocal tokens
        done = 0
        for counted in engine.spread(count, parts):
            kept = counted.kept_tokens
            tokens += int(kept.sum())
            if whole is None:
                yield _Places(counted, *cutter.cut(kept))
            else:
                here = slice(done, done + len(kept))
                yield _Places(counted, whole.shard[here], whole.offset[here])
            done += len(kept)

    def looked_at(part: int) -> tuple[npt.NDArray[np.int64], list[bytes]]:
        counted = count(part)
        return counted.kept_tokens, _clusters(judges, directory, counted) if settings.validation else []

    shuffled = settings.order == "shuffle"
    if shuffled or settings.validation or settings.packing != "none":
        found = list(engine.spread(looked_at, parts))
        n_tokens = np.concatenate([np.zeros(0, np.int64), *(counts for counts, _ in found)])
        clusters = [cluster for _, of_part in found for cluster in of_part]
        held_out = is_held_out(clusters, settings.validation, seed) if clusters else np.zeros(len(n_tokens), np.bool_)
        whole = ordered(
            n_tokens,
            held_out,
            settings.shard_tokens,
            seed if shuffled else None,
            settings.packing,
            settings.sequence_length,
        )

    def write(placed: _Places) -> list[tuple[int, _Stretch]]:
        placed.write(step, directory)
        return placed.stretches()

    for stretches in engine.spread(write, places()):
        for shard, stretch in stretches:
            cutting.setdefault(shard, []).append(stretch)
    if whole is None:
        return Cutting(cutting, tokens)
    drawn = shuffled or settings.packing == "best_fit"
    return Cutting(cutting, tokens, tuple(whole.sizes.tolist()), drawn, whole.validation)


def _clusters(judges: tuple[Step, ...], directory: RunDirectory, counted: _Counted) -> list[bytes]:
    """What all copies of each kept document of a part share."""
    step = next(step for step in judges if CLUSTER in step.stage.adds)
    column = read_columns(step.file(directory, counted.part), [CLUSTER]).column(CLUSTER)
    return column.filter(pa.array(counted.kept)).to_pylist()  # type: ignore[no-any-return]


def write_shards(
    cutting: Cutting, plan: Plan, step: Step, directory: RunDirectory, engine: Engine, profile: Profile
) -> ShardIndex:
    """Write the shards and their index; whatever is there already is kept.

    Args:
        cutting: what goes where.
        plan: of the run.
        step: the encoder, whose token ids lie in the cache.
        directory: the run.
        engine: writes several shards at once.
        profile: hears of each shard that is written.
    """
    settings, shards = plan.config.shards, cutting.shards
    tokenizer = step.stage.tokenizer  # type: ignore[attr-defined]
    notes, layout = notes_of(directory), layout_of(settings, tokenizer)
    made_from = _drawn_from(cutting, plan)

    def key_of(number: int) -> str:
        content = [stretch.content for stretch in shards[number]]
        return digest(*made_from, settings.format, msgspec.to_builtins(layout), content)

    sent = None
    if cutting.drawn:
        missing = [number for number in shards if notes.existing(number, key_of(number)) is None]
        sent = _Sent(cutting, missing, step, directory, engine) if missing else None

    def write(number: int) -> tuple[int, ShardEntry]:
        stretches = shards[number]
        first, last = At(stretches[0].part, stretches[0].first), At(stretches[-1].part, stretches[-1].last)
        split, key = "validation" if number >= cutting.validation else "", key_of(number)
        entry = notes.existing(number, key)
        if entry is None:
            documents: Iterable[pa.RecordBatch | Block] = (
                sent.documents(number)
                if sent
                else engine.spread(_Group.read, _groups(stretches, number, step, directory))  # read while one writes
            )
            if layout.sequence_length:
                documents = padded(documents, cutting.sizes[number], tokenizer.end_of_document_id)
            note = functools.partial(notes.take, number, key=key)
            entry = write_shard(directory.shards, number, documents, settings, layout, split=split, whole=note)
            profile.made(entry.file)
        places = {} if cutting.drawn else {"first": first, "last": last}
        return number, msgspec.structs.replace(entry, split=split, **places)

    directory.shards.mkdir(parents=True, exist_ok=True)
    entries = dict(engine.map(write, sorted(shards)))
    if cutting.drawn:
        directory.clear_scratch()
    notes.clear(entries.values())
    return write_index(directory.shards, settings, tokenizer, [entries[number] for number in sorted(entries)])


def _drawn_from(cutting: Cutting, plan: Plan) -> tuple[object, ...]:
    """What the documents of a shard follow from besides its own stretches."""
    settings, seed = plan.config.shards, plan.config.run.seed
    drawn: tuple[object, ...] = (settings.validation, seed) if settings.validation else ()
    if cutting.drawn:
        everything = [[stretch.content for stretch in stretches] for _, stretches in sorted(cutting.shards.items())]
        drawn += (settings.order, seed, digest(everything))
    return drawn


PIECE_TOKENS = 4_000_000
"""Tokens of a shuffled shard that are put in order at once."""
_SENT = pa.schema({"offset": pa.int64(), "id": pa.string(), "input_ids": pa.large_list(pa.uint32())})


class _Sent:
    """Documents of shuffled shards, brought together piece by piece."""

    def __init__(
        self, cutting: Cutting, missing: Sequence[int], step: Step, directory: RunDirectory, engine: Engine
    ) -> None:
        self._first, self._missing = pieces(cutting.sizes, PIECE_TOKENS), np.array(sorted(missing), np.int64)
        self._step, self._directory = step, directory
        found = {stretch.part for number in missing for stretch in cutting.shards[number]}
        self._parts = sorted(found)
        self._pieces = engine.exchange(
            self._send, len(self._parts), _in_order, int(self._first[-1]), _SENT, directory.scratch
        )

    def documents(self, shard: int) -> Iterator[pa.RecordBatch]:
        """The documents of a shard in their order."""
        for piece in range(int(self._first[shard]), int(self._first[shard + 1])):
            yield from self._pieces[piece].select(_SENT.names).to_batches()

    def _send(self, sender: int) -> Iterator[pa.RecordBatch]:
        part = self._parts[sender]
        ids = read_columns(self._directory.part(DOCUMENTS, part), ["id"]).column("id").combine_chunks()
        placed = read_columns(self._directory.part(self._step.stage.name, part), ["shard", "offset"])
        shard = placed.column("shard").fill_null(-1).to_numpy().astype(np.int64)
        offset = placed.column("offset").fill_null(0).to_numpy()
        wanted = np.isin(shard, self._missing)
        start = 0
        with pq.ParquetFile(parquet_source(self._directory.cached(self._step.stage.name, part))) as file:
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                here = np.flatnonzero(wanted[start : start + size])
                if len(here):
                    tokens = file.read_row_group(group, columns=["input_ids"], use_threads=False).column("input_ids")
                    rows, at = pa.array(here), here + start
                    to = self._first[shard[at]] + offset[at] // PIECE_TOKENS
                    yield pa.RecordBatch.from_arrays(
                        [
                            pa.array(to),
                            pa.array(offset[at]),
                            ids.take(pa.array(at)).cast(pa.string()),
                            one_array(tokens).take(rows).cast(pa.large_list(pa.uint32())),
                        ],
                        names=[TO, *_SENT.names],
                    )
                start += size


def _in_order(_piece: int, rows: pa.Table) -> pa.Table:
    return rows.take(pc.sort_indices(rows, sort_keys=[("offset", "ascending")]))


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
            tokens = (
                file.read_row_group(self.number, columns=["input_ids"], use_threads=False)
                .column("input_ids")
                .combine_chunks()
            )
        return pa.RecordBatch.from_arrays([self.ids.filter(self.here), tokens.filter(self.here)], ["id", "input_ids"])


def _groups(stretches: list[_Stretch], number: int, step: Step, directory: RunDirectory) -> Iterator[_Group]:
    """Row groups with documents of shard ``number``, in order."""
    for stretch in stretches:
        ids = read_columns(directory.part(DOCUMENTS, stretch.part), ["id"]).column("id").combine_chunks()
        places = read_columns(directory.part(step.stage.name, stretch.part), ["shard"]).column("shard")
        here = pc.fill_null(pc.equal(places, number), False).combine_chunks()
        cached = directory.cached(step.stage.name, stretch.part)
        footer = pq.read_metadata(parquet_source(cached))
        start = 0
        for group in range(footer.num_row_groups):
            size = footer.row_group(group).num_rows
            inside = start + size > stretch.first and start <= stretch.last
            if inside and pc.any(here.slice(start, size)).as_py():
                yield _Group(cached, group, ids.slice(start, size), here.slice(start, size))
            start += size
