"""Which shard each kept document goes to, and where in it: decided from token counts, written beside the documents.

Where documents keep their order, one quick walk over the counts says where each part begins; parts are then worked on
side by side. A drawn order, packing or a mixture needs the counts of the whole corpus at once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.engine.base import Engine, in_order
from curate.pipeline.planning.plan import Plan
from curate.pipeline.row_group import one_batch
from curate.pipeline.sharding.mixing import Instances, Seen, instances, seen
from curate.pipeline.sharding.shard_order import Order, is_held_out, ordered
from curate.pipeline.step import COUNTS, Step, entering_mask, scattered
from curate.shards.mixture import Share
from curate.shards.mixture.repeats import NO_REPEATS, Repeats
from curate.shards.mixture.settings import MixSettings
from curate.shards.packing.cutting import Cutter
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
        shards: stretches of parts, by shard.
        tokens: of all kept documents.
        sizes: tokens of each shard, padding included; empty where the walk over the corpus told them.
        drawn: whether documents of a shard stand in another order than in the corpus.
        validation: number of the first shard for validation.
        repeats: further places of documents that a mixture takes more than once, by part.
        table: the groups of the mixture, where there is one.
        mixture: digest of what is taken how often, where not each document once.
    """

    shards: dict[int, list[Stretch]]
    tokens: int
    sizes: tuple[int, ...] = ()
    drawn: bool = False
    validation: int = 2**31
    repeats: Mapping[int, Repeats] = {}
    table: Sequence[Share] = ()
    mixture: str = ""


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
    """Where the kept documents of one part go; a shard of -1: into none."""

    counted: _Counted
    shard: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    repeats: Repeats = NO_REPEATS

    def stretches(self) -> list[tuple[int, Stretch]]:
        """What goes to each shard."""
        rows, found = np.concatenate([np.flatnonzero(self.counted.kept), self.repeats.rows]), []
        shard = np.concatenate([self.shard, self.repeats.shard])
        for number in np.unique(shard[shard >= 0]):
            inside = rows[shard == number]
            ends = int(inside.min()), int(inside.max())
            found.append((int(number), Stretch(self.counted.part, *ends, self.counted.key)))
        return found

    def write(self, step: Step, directory: RunDirectory) -> None:
        """Write the encoder's judgments: what was counted, and the place in the shards."""
        part, counts, kept, key = self.counted
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
    """A part, and where its first kept document goes; or where each of them goes, and those that are taken again."""

    part: int
    state: tuple[int, int] = (0, 0)
    places: tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]] | None = None
    again: Repeats = NO_REPEATS
    """Its ``rows`` are counted among the kept documents."""


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
    counting = partial(_counted, step, judges, directory)
    parts = [part.index for part in plan.parts]
    tokens, starts, whole = 0, list[_Start](), None
    shuffled = settings.order == "shuffle"
    if shuffled or settings.validation or settings.packing != "none" or mix.active:
        look = partial(_looked_at, counting, judges, directory, settings.validation, seed, mix)
        found = list(in_order(engine, look, parts))
        n_tokens = np.concatenate([np.zeros(0, np.int64), *(counts for counts, _, _ in found)])
        held_out = np.concatenate([np.zeros(0, np.bool_), *(held for _, held, _ in found)])
        taken = instances(n_tokens, held_out, [one for *_, of_part in found for one in of_part], mix, seed)
        order = ordered(
            n_tokens[taken.document],
            held_out[taken.document],
            settings.shard_tokens,
            seed if shuffled else None,
            settings.packing,
            settings.sequence_length,
        )
        whole, done = _Whole.of(taken, order, len(n_tokens)), 0
        for part, (counts, *_) in zip(parts, found, strict=True):
            starts.append(whole.start(part, done, len(counts)))
            done += len(counts)
        tokens = int(n_tokens.sum())
    else:
        cutter = Cutter(settings.shard_tokens)
        kept_tokens = in_order(engine, partial(_kept_tokens, counting), parts)
        for part, kept in zip(parts, kept_tokens, strict=True):
            starts.append(_Start(part, cutter.state))
            cutter.cut(kept.astype(np.int64))
            tokens += int(kept.sum())
    cutting: dict[int, list[Stretch]] = {}
    repeats: dict[int, Repeats] = {}
    place = partial(_placed, counting, step, directory, settings.shard_tokens)
    for start, (further, stretches) in zip(starts, in_order(engine, place, starts), strict=True):
        if len(further.rows):
            repeats[start.part] = further
        for shard, stretch in stretches:
            cutting.setdefault(shard, []).append(stretch)
    if whole is None:
        return Cutting(cutting, tokens)
    drawn = shuffled or settings.packing == "best_fit" or mix.active
    mixture = (
        digest(*(each.tobytes() for each in (whole.shard, whole.offset, whole.again, *whole.order[:2])))
        if mix.active
        else ""
    )
    sizes, table = tuple(whole.order.sizes.tolist()), whole.taken.table
    return Cutting(cutting, tokens, sizes, drawn, whole.order.validation, repeats, table, mixture)


Counting = Callable[[int], _Counted]


def _counted(step: Step, judges: tuple[Step, ...], directory: RunDirectory, part: int) -> _Counted:
    cached = directory.cached(step.stage.name, part)
    counts = one_batch(read_columns(cached, COUNTS.names))
    made_from = keys_of(cached)
    return _Counted(part, counts, entering_mask(directory, judges, part), made_from.verdict if made_from else "")


def _kept_tokens(counting: Counting, part: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """As small as they travel."""
    kept = counting(part).kept_tokens
    return kept.astype(np.min_scalar_type(int(kept.max()) if len(kept) else 0))


def _looked_at(
    counting: Counting,
    judges: tuple[Step, ...],
    directory: RunDirectory,
    share: float,
    seed: int,
    mix: MixSettings,
    part: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], list[Seen]]:
    """Tokens of each kept document of a part, which of them are for validation, and what a mixture goes by."""
    counted = counting(part)
    tokens = counted.kept_tokens
    clusters = _clusters(judges, directory, counted) if share else []
    held_out = is_held_out(clusters, share, seed) if clusters else np.zeros(len(tokens), np.bool_)
    return tokens, held_out, [seen(mix, judges, directory, part, counted.kept)] if mix.active else []


def _placed(
    counting: Counting, step: Step, directory: RunDirectory, limit: int, start: _Start
) -> tuple[Repeats, list[tuple[int, Stretch]]]:
    """Write where the documents of a part go; further places of some, and the stretches for each shard."""
    counted = counting(start.part)
    shard, offset = start.places or Cutter(limit, *start.state).cut(counted.kept_tokens)
    repeats = start.again
    if len(repeats.rows):
        repeats = Repeats(np.flatnonzero(counted.kept)[repeats.rows], repeats.shard, repeats.offset)
    placed = _Places(counted, shard, offset, repeats)
    placed.write(step, directory)
    return repeats, placed.stretches()


def _clusters(judges: tuple[Step, ...], directory: RunDirectory, counted: _Counted) -> list[bytes]:
    """What all copies of each kept document of a part share."""
    step = next(step for step in judges if CLUSTER in step.stage.adds)
    column = read_columns(step.file(directory, counted.part), [CLUSTER]).column(CLUSTER)
    return column.filter(pa.array(counted.kept)).to_pylist()  # type: ignore[no-any-return]
