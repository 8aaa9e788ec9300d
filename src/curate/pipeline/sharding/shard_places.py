"""Which shard each kept document goes to, and where in it: decided from token counts, written beside the documents.

One quick walk over the counts says where each part begins, or each stretch of a drawn order
(`curate.pipeline.sharding.drawn_order`); parts are then worked on side by side. Best fit and a mixture need the counts
of the whole corpus at once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.engine.base import Engine, in_order
from curate.pipeline.planning.plan import Plan
from curate.pipeline.row_group import one_batch
from curate.pipeline.sharding.cutters import Bools, Counts, Cut, narrow, walk
from curate.pipeline.sharding.drawn_order import DrawnOrder
from curate.pipeline.sharding.mixing import Instances, Seen, instances, seen
from curate.pipeline.sharding.shard_order import Order, is_held_out, ordered
from curate.pipeline.step import COUNTS, Step, entering_mask, scattered
from curate.shards.mixture import Share
from curate.shards.mixture.repeats import NO_REPEATS, Repeats
from curate.shards.mixture.settings import MixSettings
from curate.shards.settings import ShardSettings
from curate.stages.contract import Rows
from curate.store.digest import digest
from curate.store.row_file import Keys, keys_of, read_columns, row_file
from curate.store.run_directory import RunDirectory

CLUSTER = "content_hash"
"""Column of a stage that finds duplicates; the same for all copies of a kept document."""


class Stretch(NamedTuple):
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
        tokens: of all kept documents.
        sizes: tokens of each shard, padding included.
        validation: number of the first shard for validation.
        shards: stretches of parts, by shard; none where documents of a shard stand in another order than in the corpus.
        drawn: digest of what goes where, in that case.
        repeats: further places of documents that a mixture takes more than once, by part.
        table: the groups of the mixture, where there is one.
    """

    tokens: int
    sizes: tuple[int, ...]
    validation: int
    shards: Mapping[int, list[Stretch]] = {}
    drawn: str = ""
    repeats: Mapping[int, Repeats] = {}
    table: Sequence[Share] = ()


class _Counted(NamedTuple):
    """What was counted of the documents of one part, which of them are kept, and what they were counted from.

    ``held_out`` says of the kept ones which are for validation.
    """

    part: int
    counts: pa.RecordBatch
    kept: npt.NDArray[np.bool_]
    held_out: npt.NDArray[np.bool_]
    key: str

    @property
    def kept_tokens(self) -> npt.NDArray[np.int64]:
        """Tokens of each kept document."""
        tokens: npt.NDArray[np.int64] = (
            self.counts.column("n_tokens").filter(pa.array(self.kept)).to_numpy(zero_copy_only=False)
        )
        return tokens.astype(np.int64)


class _Places(NamedTuple):
    """Where the kept documents of one part go; a shard of -1: into none."""

    counted: _Counted
    shard: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    repeats: Repeats = NO_REPEATS

    def stretches(self) -> list[tuple[int, Stretch]]:
        """What goes to each shard."""
        rows, found = np.flatnonzero(self.counted.kept), []
        for number in np.unique(self.shard):
            inside = rows[self.shard == number]
            ends = int(inside.min()), int(inside.max())
            found.append((int(number), Stretch(self.counted.part, *ends, self.counted.key)))
        return found

    @property
    def content(self) -> str:
        """Digest of what goes where."""
        places = (self.shard, self.offset, *self.repeats)
        return digest(self.counted.key, *(each.tobytes() for each in places))

    def write(self, step: Step, directory: RunDirectory) -> None:
        """Write the encoder's judgments: what was counted, and the place in the shards."""
        part, counts, kept, _, key = self.counted
        file, schema = directory.part(step.stage.name, part), Step(step.stage, "judge").schema
        keys = Keys(key, digest(key, self.shard.tobytes(), self.offset.tobytes()))
        if keys_of(file) == keys:
            return
        nowhere = self.shard < 0
        places = {
            **{name: counts.column(name) for name in COUNTS.names},
            "shard": scattered(pa.array(self.shard, mask=nowhere), kept),
            "offset": scattered(pa.array(self.offset, mask=nowhere), kept),
        }
        measures = pa.RecordBatch.from_arrays(
            [places[name].cast(kind) for name, kind in step.stage.adds.items()], names=list(step.stage.adds)
        )
        reasons = scattered(step.stage.judge(measures.filter(pa.array(kept))), kept)
        with row_file(file, schema) as writer:
            writer.write(pa.RecordBatch.from_arrays([reasons, *measures.columns], schema=schema))
            writer.finish(keys)


class _Whole(NamedTuple):
    """Places of all kept documents: the first of each (a shard of -1: none), and those of documents taken again."""

    taken: Instances
    order: Order
    shard: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    again: npt.NDArray[np.int64]
    """Instances that are not the first of their documents, by document."""

    @classmethod
    def of(cls, taken: Instances, order: Order, documents: int) -> "_Whole":
        """Bring both together."""
        shard, offset = np.full(documents, -1, np.int32), np.zeros(documents, np.int64)
        first = taken.is_first
        shard[taken.document[first]], offset[taken.document[first]] = order.shard[first], order.offset[first]
        again = np.flatnonzero(~first)
        return cls(taken, order, shard, offset, again[np.argsort(taken.document[again], kind="stable")])

    def start(self, part: int, done: int, documents: int) -> "_Start":
        """Of one part with so many kept documents, before which there were ``done``."""
        stop = done + documents
        first, last = np.searchsorted(self.taken.document[self.again], [done, stop])
        here = self.again[first:last]
        again = Repeats(self.taken.document[here] - done, self.order.shard[here], self.order.offset[here])
        return _Start(part, places=(self.shard[done:stop], self.offset[done:stop]), again=again)


class _Start(NamedTuple):
    """A part, and where each of its kept documents goes, and those that are taken again, where all are placed at once.

    Rows of ``again`` are counted among the kept documents.
    """

    part: int
    places: tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]] | None = None
    again: Repeats = NO_REPEATS


class _Look(NamedTuple):
    """Looks at one part: a value that can travel."""

    step: Step
    judges: tuple[Step, ...]
    directory: RunDirectory
    validation: float
    seed: int

    def counted(self, part: int) -> _Counted:
        """What was counted of it."""
        cached = self.directory.cached(self.step.stage.name, part)
        counts = one_batch(read_columns(cached, COUNTS.names))
        kept = entering_mask(self.directory, self.judges, part)
        held_out = np.zeros(int(np.count_nonzero(kept)), np.bool_)
        if self.validation and len(held_out):
            held_out = is_held_out(self._clusters(part, kept), self.validation, self.seed)
        made_from = keys_of(cached)
        return _Counted(part, counts, kept, held_out, made_from.verdict if made_from else "")

    def tokens(self, part: int) -> tuple[Counts, Bools]:
        """Tokens of its kept documents, and which of them are for validation."""
        counted = self.counted(part)
        return narrow(counted.kept_tokens), counted.held_out

    def kept(self, part: int) -> int:
        """How many of its documents are kept."""
        return int(np.count_nonzero(entering_mask(self.directory, self.judges, part)))

    def seen(self, mix: MixSettings, part: int) -> tuple[Counts, Bools, list[Seen]]:
        """Tokens and validation, and what a mixture goes by."""
        counted = self.counted(part)
        found = [seen(mix, self.judges, self.directory, part, counted.kept)] if mix.active else []
        return counted.kept_tokens, counted.held_out, found

    def _clusters(self, part: int, kept: Bools) -> list[bytes]:
        """What all copies of each kept document share."""
        step = next(step for step in self.judges if CLUSTER in step.stage.adds)
        column = read_columns(step.file(self.directory, part), [CLUSTER]).column(CLUSTER)
        return column.filter(pa.array(kept)).to_pylist()  # type: ignore[no-any-return]


def cut(plan: Plan, step: Step, judges: tuple[Step, ...], directory: RunDirectory, engine: Engine) -> Cutting:
    """Give every kept document its place in the shards, and write the encoder's row files.

    Args:
        plan: of the run; its last pass is done.
        step: the encoder, whose token ids lie in the cache.
        judges: every stage with verdicts before it.
        directory: the run.
        engine: reads and writes row files of several parts at once.
    """
    settings, mix, seed = plan.config.shards, plan.config.mix, plan.config.run.seed
    look = _Look(step, judges, directory, settings.validation, seed)
    parts = [part.index for part in plan.parts]
    if mix.active or settings.packing == "best_fit":
        return _at_once(look, parts, settings, mix, engine)
    shuffled = settings.order == "shuffle"
    if shuffled:
        kept = list(in_order(engine, look.kept, parts))
        order = DrawnOrder.of(look.tokens, kept, seed, engine, directory.scratch)
        found = walk(settings, order.counts())
        where: _Where = partial(_sent_home, order.sent_home(found))
    else:
        found = walk(settings, in_order(engine, look.tokens, parts))
        where = partial(_in_input_order, found)
    shards, content, _ = _placed(look, [_Start(part) for part in parts], where, engine, drawn=shuffled)
    return Cutting(found.tokens, found.sizes, found.validation, shards, content)


def _at_once(look: _Look, parts: Sequence[int], settings: ShardSettings, mix: MixSettings, engine: Engine) -> Cutting:
    """Places that need the counts of all documents: best fit, or a mixture."""
    found = list(in_order(engine, partial(look.seen, mix), parts))
    n_tokens = np.concatenate([np.zeros(0, np.int64), *(counts for counts, _, _ in found)])
    held_out = np.concatenate([np.zeros(0, np.bool_), *(held for _, held, _ in found)])
    taken = instances(n_tokens, held_out, [one for *_, of_part in found for one in of_part], mix, look.seed)
    shuffled = settings.order == "shuffle"
    order = ordered(
        n_tokens[taken.document],
        held_out[taken.document],
        settings.shard_tokens,
        look.seed if shuffled else None,
        settings.packing,
        settings.sequence_length,
    )
    whole, starts, done = _Whole.of(taken, order, len(n_tokens)), list[_Start](), 0
    for part, (counts, *_) in zip(parts, found, strict=True):
        starts.append(whole.start(part, done, len(counts)))
        done += len(counts)
    shards, content, repeats = _placed(look, starts, _as_placed, engine, drawn=True)
    sizes = tuple(order.sizes.tolist())
    return Cutting(int(n_tokens.sum()), sizes, order.validation, shards, content, repeats, taken.table)


_Where = Callable[[_Counted, _Start], tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]]
"""Shard and offset of each kept document of a part."""


def _as_placed(_counted: _Counted, start: _Start) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    assert start.places
    return start.places


def _in_input_order(
    found: Cut, counted: _Counted, start: _Start
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    return found.places(start.part, counted.kept_tokens, counted.held_out)


def _sent_home(rows: Rows, _counted: _Counted, start: _Start) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    places = rows[start.part]
    return places.column("shard").to_numpy(), places.column("offset").to_numpy()


def _placed(
    look: _Look, starts: Sequence[_Start], where: _Where, engine: Engine, *, drawn: bool
) -> tuple[dict[int, list[Stretch]], str, dict[int, Repeats]]:
    """Write where the documents of all parts go; the stretches of each shard or a digest, and further places."""
    shards: dict[int, list[Stretch]] = {}
    repeats: dict[int, Repeats] = {}
    contents = []
    place = partial(_place, look, where, drawn)
    for start, (further, stretches, content) in zip(starts, in_order(engine, place, starts), strict=True):
        if len(further.rows):
            repeats[start.part] = further
        for shard, stretch in stretches:
            shards.setdefault(shard, []).append(stretch)
        contents.append(content)
    return shards, digest(contents) if drawn else "", repeats


def _place(look: _Look, where: _Where, drawn: bool, start: _Start) -> tuple[Repeats, list[tuple[int, Stretch]], str]:
    """Write where the documents of a part go; further places of some, and the stretches for each shard or a digest."""
    counted = look.counted(start.part)
    repeats = start.again
    if len(repeats.rows):
        repeats = Repeats(np.flatnonzero(counted.kept)[repeats.rows], repeats.shard, repeats.offset)
    placed = _Places(counted, *where(counted, start), repeats)
    placed.write(look.step, look.directory)
    return (repeats, [], placed.content) if drawn else (repeats, placed.stretches(), "")
