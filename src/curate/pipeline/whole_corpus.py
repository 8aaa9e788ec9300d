"""What a corpus stage sees of a run: partials and texts of all parts, and the verdicts it gives back."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.engine.base import Engine, in_order, spreading
from curate.pipeline.choices import Choice, settings_that_count
from curate.pipeline.planning.plan import Plan, measure_key, thresholds_of
from curate.pipeline.record.profile import Made, Profile
from curate.pipeline.stage_answers import asked, require_rows, require_verdicts
from curate.pipeline.step import REASONS, Mask, Step, entering_mask, input_key, scattered, with_edits, with_moves
from curate.stages.contract import Audited, Comparing, CorpusStage, Deduplicating, Receive, Rows, Send
from curate.store.checked_json import BrokenJson, read_json, write_json
from curate.store.digest import digest
from curate.store.files import allocate, remove
from curate.store.footers import footer_of
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import Keys, keys_of, read_columns, row_file
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory, Spread
from curate.text.core.arrow import one_array

if TYPE_CHECKING:
    from curate.text.chats.spans import View

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Place(NamedTuple):
    """Where a part of this or an earlier run is, and which of its stages changed the text."""

    directory: RunDirectory
    part: int
    editors: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Of an earlier run: the stages whose removals do not count as there."""

    def file(self, folder: str) -> Path:
        return self.directory.part(folder, self.part)


class WholeCorpus:
    """The `curate.stages.contract.Corpus` of one corpus stage. Pickled, it can be read, but starts no work."""

    def __init__(
        self,
        plan: Plan,
        stage: CorpusStage,
        before: tuple[Step, ...],
        directory: RunDirectory,
        engine: Engine,
        choice: Choice | None = None,
    ) -> None:
        self._stage, self._directory = stage.name, directory
        self._engine: Engine | None = engine
        self._view: View = stage.reads
        own = tuple(step.stage.name for step in before if step.edits)
        runs = plan.against if isinstance(stage, Comparing) else ()
        self.earlier: Sequence[tuple[str, int]] = [(run.run_id, part) for run in runs for part in range(run.parts)]
        self._places = [
            *(
                _Place(run.directory, part, editors, others)
                for run in runs
                for editors, others in [(run.editors_before(stage.name), run.others_than(stage.name))]
                for part in range(run.parts)
            ),
            *(_Place(directory, part.index, own) for part in plan.parts),
        ]
        files = [place.file(DOCUMENTS) for place in self._places]
        self.rows: Sequence[int] = [*in_order(engine, _rows_in, files)]
        known = choice or Choice.knowing_nothing(len(plan.parts))
        self.failed: Sequence[npt.NDArray[np.int64]] = known.failed
        self.passed: Sequence[npt.NDArray[np.int64]] = known.passed
        self.trying = known.trying

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_engine": None}

    def partial(self, part: int, columns: Sequence[str]) -> pa.Table:
        """See `curate.stages.contract.Corpus.partial`."""
        place = self._places[part]
        table = read_columns(place.directory.cached(self._stage, place.part), columns)
        if not place.others:
            return table
        removed = _removed_by(self.earlier[part][0], tuple(map(place.file, place.others)), len(table))
        return table.take(pa.array(np.arange(len(table)), mask=removed)) if removed.any() else table

    def judged(self, part: int, columns: Sequence[str]) -> pa.Table:
        """See `curate.stages.contract.Corpus.judged`."""
        return read_columns(self._places[part].file(self._stage), columns)

    def texts(self, part: int, rows: npt.NDArray[np.int64]) -> Iterator[pa.Array]:
        """See `curate.stages.contract.Corpus.texts`. Only row groups that hold a wanted row are read."""
        place = self._places[part]
        file = pq.ParquetFile(parquet_source(place.file(DOCUMENTS)))
        edits = [read_columns(place.file(editor), ["edits"]).column("edits") for editor in place.editors]
        has_turns = self._view != "conversation" and "turns" in file.schema_arrow.names
        for group, start, stop in groups_in(file.metadata):
            here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, stop)]
            if len(here):
                own = [edit.take(pa.array(here)).combine_chunks() for edit in edits]
                turns = _taken(file, group, here - start, "turns") if has_turns else None
                # no name for the text, which would hold it while the next is read
                yield self._seen(functools.reduce(with_edits, own, _taken(file, group, here - start)), turns, own)

    def _seen(self, texts: pa.Array, turns: pa.Array | None, edits: Sequence[pa.Array]) -> pa.Array:
        """What the stage reads of the texts."""
        if turns is None or turns.null_count == len(turns):
            return texts
        from curate.text.chats.spans import viewed

        return viewed(texts, functools.reduce(with_moves, edits, turns), self._view)

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `curate.stages.contract.Corpus.map`."""
        assert self._engine, "a corpus that has travelled starts no work"
        return in_order(self._engine, task, items)

    def exchange(self, send: Send, senders: int, receive: Receive, receivers: int, schema: pa.Schema) -> Rows:
        """See `curate.stages.contract.Corpus.exchange`."""
        assert self._engine, "a corpus that has travelled starts no work"
        return self._engine.exchange(send, senders, receive, receivers, schema, self._directory.scratch)

    def scratch(self, dtype: npt.DTypeLike, size: int) -> npt.NDArray[Any]:
        """See `curate.stages.contract.Corpus.scratch`."""
        if size == 0:
            return np.zeros(0, dtype)
        if self._engine is None:  # elsewhere: on the disk of whoever does the work
            with TemporaryFile() as file:
                allocate(file, np.dtype(dtype).itemsize * size)
                return np.memmap(file, dtype, "r+", shape=(size,))
        path = self._directory.new_scratch(self._stage)
        with path.open("w+b") as file:
            remove(path)  # its name is gone, its mapping stays
            allocate(file, np.dtype(dtype).itemsize * size)
            return np.memmap(file, dtype, "r+", shape=(size,))


def _rows_in(file: Path) -> int:
    return int(footer_of(file).num_rows)


@functools.lru_cache(maxsize=256)
def _removed_by(run_id: str, files: tuple[Path, ...], rows: int) -> Mask:  # noqa: ARG001
    """Documents of a part to which one of the stages with these files gives a reason, in the run with that id."""
    removed = np.zeros(rows, np.bool_)
    for file in files:
        reasons = read_columns(file, ["reasons"]).column("reasons")
        removed |= pc.greater(pc.fill_null(pc.list_value_length(reasons), 0), 0).to_numpy()
    return removed


def _taken(file: pq.ParquetFile, group: int, rows: npt.NDArray[np.int64], column: str = "text") -> pa.Array:
    """Some of the texts of a row group, not copied where they follow each other."""
    texts = file.read_row_group(group, columns=[column], use_threads=False).column(column)
    in_a_row = rows[-1] - rows[0] + 1 == len(rows)
    return one_array(texts.slice(rows[0], len(rows)) if in_a_row else texts.take(pa.array(rows)))


def resolve(
    plan: Plan,
    stage: CorpusStage,
    earlier: tuple[Step, ...],
    directory: RunDirectory,
    engine: Engine,
    profile: Profile,
    choice: Choice | None = None,
) -> Mapping[str, Any] | None:
    """Write what a corpus stage says of every document, unless it is all there; what its audit says, if it has one.

    Args:
        plan: of the run.
        stage: has observed every part.
        earlier: steps before it.
        directory: the run.
        engine: where the work runs.
        profile: hears what was made.
        choice: what is known of documents that later stages remove, for a deduplicating stage.
    """
    entering = functools.partial(entering_mask, directory, earlier)
    keys = keys_for(plan, stage, earlier, directory, choice, spreading(engine))
    corpus = WholeCorpus(plan, stage, earlier, directory, engine, choice)
    stored = [*in_order(engine, keys_of, [directory.part(stage.name, part.index) for part in plan.parts])]
    measured = [each and each.measure for each in stored] == [each.measure for each in keys]
    audited = _Audited(directory.audit(stage.name), digest([key.measure for key in keys]))
    figures = audited.figures() if isinstance(stage, Audited) else None
    unaudited = isinstance(stage, Audited) and figures is None
    if stored != keys or unaudited:
        measure: Callable[[int], pa.RecordBatch]
        if measured and not unaudited:
            if choice and isinstance(stage, Deduplicating):
                with asked(stage):
                    measure = stage.choose(corpus, everywhere=not choice.rounds)
            else:
                measure = functools.partial(_measured, stage, directory)
        elif isinstance(stage, Audited):
            with asked(stage):
                measure, figures = stage.resolve_audited(corpus)
            audited.keep(figures)
        else:
            with asked(stage):
                measure = stage.resolve(corpus)
        judge = functools.partial(_judge, stage, measure, entering, directory, keys)
        for _ in in_order(engine, judge, [part.index for part in plan.parts]):
            pass
        profile.made(Made(kept=(stage.name,) if measured and not unaudited else ()))
    directory.clear_scratch()
    return figures


def _judge(
    stage: CorpusStage,
    measure: Callable[[int], pa.RecordBatch],
    entering: Callable[[int], Mask],
    directory: RunDirectory,
    keys: Sequence[Keys],
    part: int,
) -> None:
    mask, schema = entering(part), Step(stage, "judge").schema
    with asked(stage):
        measures = measure(part)
        require_rows(stage, measures, pa.schema(list(stage.adds.items())), None, len(mask))
        verdicts = stage.judge(measures.filter(pa.array(mask)))
        require_verdicts(stage, verdicts, int(mask.sum()))
    reasons = scattered(verdicts, mask)
    with row_file(directory.part(stage.name, part), schema, ["reasons.list.element"]) as writer:
        judged = measures.add_column(0, REASONS, reasons).cast(schema)
        for group in groups_in(footer_of(directory.part(DOCUMENTS, part))):
            writer.write(judged.slice(group.start, group.stop - group.start))
        writer.finish(keys[part])


class _Audited(NamedTuple):
    """The file with what an audit found, and what the judgments that it is about depend on."""

    file: Path
    key: str

    def figures(self) -> Mapping[str, Any] | None:
        """What is kept of these judgments."""
        try:
            kept = read_json(self.file)
        except (FileNotFoundError, BrokenJson):
            return None
        return kept["figures"] if kept.get("key") == self.key else None

    def keep(self, figures: Mapping[str, Any]) -> None:
        write_json(self.file, {"key": self.key, "figures": dict(figures)})


def _measured(stage: CorpusStage, directory: RunDirectory, part: int) -> pa.RecordBatch:
    """Measures that are there already."""
    rows = read_columns(directory.part(stage.name, part), stage.adds).combine_chunks()
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in rows.columns], schema=rows.schema)


def keys_for(
    plan: Plan,
    stage: CorpusStage,
    earlier: tuple[Step, ...],
    directory: RunDirectory,
    choice: Choice | None = None,
    spread: Spread = map,
) -> list[Keys]:
    """Keys of each part's file: a verdict depends on every document of the corpus. ``spread`` looks at parts."""
    look = functools.partial(_entering_digest, directory, earlier, Step(stage, "observe"))
    looked = list(spread(look, [(part.index, plan.documents_key(part)) for part in plan.parts]))
    inputs, masks = [one[0] for one in looked], [one[1] for one in looked]
    against = [run.digest(stage.name) for run in plan.against] if isinstance(stage, Comparing) else []
    everything = digest(measure_key("", stage), inputs, masks, against)
    judged = [thresholds_of(stage), *([choice.key, settings_that_count(plan, stage)] if choice else [])]
    return [Keys(digest(everything, part.index), digest(everything, part.index, *judged)) for part in plan.parts]


def _entering_digest(
    directory: RunDirectory, earlier: tuple[Step, ...], observed: Step, part: tuple[int, str]
) -> tuple[str, str]:
    """What a stage sees of a part depends on, and which documents of it come in, as digests."""
    index, documents_key = part
    entering = digest(np.packbits(entering_mask(directory, earlier, index)).tobytes())
    return input_key(documents_key, earlier, observed, directory, index), entering
