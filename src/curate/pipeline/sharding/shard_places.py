"""Which shard each kept document goes to, and where in it: decided from token counts, written beside the documents.

One quick walk over the counts says where each part begins, or each stretch of a drawn order
(`curate.pipeline.sharding.drawn_order`); parts are then worked on side by side. How often a mixture takes a document
follows from how many there are of each length (`curate.pipeline.sharding.mixing`).
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
from curate.pipeline.sharding.cutters import Bools, Counts, Laying, Units, walk
from curate.pipeline.sharding.drawn_order import DrawnOrder
from curate.pipeline.sharding.mixing import Mixture, Seen, Summary, seen
from curate.pipeline.sharding.rounds import Rounds
from curate.pipeline.sharding.shard_order import is_held_out
from curate.pipeline.step import COUNTS, Step, entering_mask, scattered
from curate.shards.mixture import Share
from curate.shards.mixture.repeats import NO_REPEATS, Repeats
from curate.shards.mixture.settings import MixSettings
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

    def tokens(self, part: int) -> tuple[npt.NDArray[np.int64], Bools]:
        """Tokens of its kept documents, and which of them are for validation."""
        counted = self.counted(part)
        return counted.kept_tokens, counted.held_out

    def kept(self, part: int) -> int:
        """How many of its documents are kept."""
        return int(np.count_nonzero(entering_mask(self.directory, self.judges, part)))

    def summary(self, mix: MixSettings, part: int) -> Summary:
        """What a mixture needs to know of it."""
        counted = self.counted(part)
        return Summary.of(self._seen(mix, counted), counted.kept_tokens, counted.held_out)

    def times(self, mix: MixSettings, mixture: Mixture, part: int) -> npt.NDArray[np.int64]:
        """How often its kept documents are taken."""
        counted = self.counted(part)
        return mixture.times(part, self._seen(mix, counted), counted.kept_tokens, counted.held_out)

    def _seen(self, mix: MixSettings, counted: _Counted) -> Seen:
        return seen(mix, self.judges, self.directory, counted.part, counted.kept)

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
    look, parts = _Look(step, judges, directory, settings.validation, seed), len(plan.parts)
    shuffled, laying = settings.order == "shuffle", Laying.by(settings, seed)
    rounds, mixture, kept = Rounds(look.tokens, parts), None, tuple[int, ...]()
    if mix.active:
        mixture = Mixture.of(in_order(engine, partial(look.summary, mix), range(parts)), mix, seed)
        times = partial(look.times, mix, mixture)
        rounds, kept = Rounds.taking(look.tokens, times, parts, engine, directory.scratch)
    elif shuffled or laying.length:
        kept = tuple(in_order(engine, look.kept, range(parts)))
    if shuffled or laying.length:
        order = DrawnOrder.of(rounds.documents, kept, seed if shuffled else None, engine, directory.scratch)
        found = walk(settings, laying, order.units(laying))
        where: _Where = partial(_sent_home, order.sent_home(found))
    else:
        found = walk(settings, laying, in_order(engine, partial(_units, rounds, laying), range(rounds.slices)))
        where = found.places
    drawn = shuffled or bool(laying.length) or mixture is not None
    shards, content, repeats = _placed(look, rounds, where, engine, drawn=drawn)
    tokens, table = (mixture.tokens, mixture.table) if mixture else (found.tokens, ())
    return Cutting(tokens, found.sizes, found.validation, shards, content, repeats, table)


_Where = Callable[[int, Counts, Bools], tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]]
"""Shard and offset of each document of a slice."""


def _units(rounds: Rounds, laying: Laying, number: int) -> Units:
    return laying.units(number, *rounds.documents(number))


def _sent_home(
    rows: Rows, number: int, _n_tokens: Counts, _held_out: Bools
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    places = rows[number]
    return places.column("shard").to_numpy(), places.column("offset").to_numpy()


def _placed(
    look: _Look, rounds: Rounds, where: _Where, engine: Engine, *, drawn: bool
) -> tuple[dict[int, list[Stretch]], str, dict[int, Repeats]]:
    """Write where the documents of all parts go; the stretches of each shard or a digest, and further places."""
    shards: dict[int, list[Stretch]] = {}
    repeats: dict[int, Repeats] = {}
    contents = []
    place = partial(_place, look, rounds, where, drawn)
    for part, (further, stretches, content) in enumerate(in_order(engine, place, range(rounds.parts))):
        if len(further.rows):
            repeats[part] = further
        for shard, stretch in stretches:
            shards.setdefault(shard, []).append(stretch)
        contents.append(content)
    return shards, digest(contents) if drawn else "", repeats


def _place(
    look: _Look, rounds: Rounds, where: _Where, drawn: bool, part: int
) -> tuple[Repeats, list[tuple[int, Stretch]], str]:
    """Write where the documents of a part go; further places of some, and the stretches for each shard or a digest."""
    counted = look.counted(part)
    n_tokens, held_out = counted.kept_tokens, counted.held_out
    found = []
    for turn in range(rounds.rounds):
        chosen = rounds.chosen(part, turn)
        rows = np.arange(len(n_tokens)) if chosen is None else np.flatnonzero(chosen)
        found.append(Repeats(rows, *where(turn * rounds.parts + part, n_tokens[rows], held_out[rows])))
    shard, offset = np.full(len(n_tokens), -1, np.int32), np.zeros(len(n_tokens), np.int64)
    first, *further = found
    shard[first.rows], offset[first.rows] = first.shard, first.offset
    again = Repeats(*map(np.concatenate, zip(NO_REPEATS, *further, strict=True)))
    order = np.argsort(again.rows, kind="stable")
    again = Repeats(np.flatnonzero(counted.kept)[again.rows[order]], again.shard[order], again.offset[order])
    placed = _Places(counted, shard, offset, again)
    placed.write(look.step, look.directory)
    return (again, [], placed.content) if drawn else (again, placed.stretches(), "")
