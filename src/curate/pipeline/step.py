"""What one stage does to one row group of a part, and the row file that it keeps.

A stage takes one of three roles in a pass: it *judges* (measures and reasons, for people), *observes* (what a corpus
stage will resolve) or *encodes* (token ids for the shards). All three give one row for each document, null where the
document is already out, so one mechanism measures, resumes and writes them all: **measure what is missing**.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.planning.plan import measure_key, thresholds_of
from curate.pipeline.record.profile import Effort, Stopwatch
from curate.pipeline.stage_answers import asked, require_ids, require_rows, require_verdicts
from curate.shards.files.token_bytes import BYTES, HIGH, LOW, split
from curate.stages.contract import CorpusStage, Stage
from curate.store.digest import digest
from curate.store.footers import FileState, footer_of
from curate.store.objects.store_path import StorePath
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.store.seal import seal_of

if TYPE_CHECKING:
    from curate.text.chats.spans import View

Mask = npt.NDArray[np.bool_]
Columns = Callable[[str], pa.Array]
"""Gives a column of the row group by name: ``text``, ``id`` …, or ``<stage>.<measure>``."""
Values = TypeVar("Values", pa.Array, pa.RecordBatch)

REASONS = pa.field("reasons", pa.list_(pa.string()))
COUNTS = pa.schema([("n_tokens", pa.int64()), ("characters", pa.int64()), ("unknown", pa.int64())])
"""What is counted of each text that is encoded: tokens, characters, and those of them that are unknown."""
TOKENS = pa.schema([*COUNTS, pa.field(LOW, BYTES), pa.field(HIGH, BYTES)])
"""What is kept of an encoder: counts apart from ids, so that cutting shards reads a few bytes a document. Ids are
bytes: Parquet encodes a list element by element, which takes longer than making the ids."""

_ROLES = {"encode": "encode as bytes in two columns"}
"""What is kept in another way than earlier versions kept it, under another name, so that it is made again."""


@dataclass(frozen=True)
class Step:
    """A stage in its role."""

    stage: Stage
    role: Literal["judge", "observe", "encode"]
    ready: Callable[[Stage], None] | None = None
    """Called before the stage measures: returns when it may."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Who compiles kernels in this process is of no use in another one."""
        return Step, (self.stage, self.role)

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """Columns of the row file."""
        if self.role == "judge":
            return pa.schema([REASONS, *(pa.field(name, kind) for name, kind in self.stage.adds.items())])
        if self.role == "observe":
            return self.stage.partial_schema  # type: ignore[attr-defined]
        return TOKENS

    @property
    def wanted_columns(self) -> tuple[str, ...]:
        """Columns the stage reads: what it needs, and what it uses when it is there."""
        return (*self.stage.needs, *self.stage.wants)

    @property
    def view(self) -> "View":
        """What of a conversation the stage reads."""
        return self.stage.reads

    @property
    def edits(self) -> bool:
        """Whether it may change the text that later stages see."""
        return self.role == "judge" and "edits" in self.stage.adds

    def file(self, directory: RunDirectory, part: int) -> Path:
        """Where the rows of a part are kept."""
        place = directory.part if self.role == "judge" else directory.cached
        return place(self.stage.name, part)

    def measure_key(self, input_key: str) -> str:
        """What the measures depend on, for an input with that key (see `input_key`)."""
        return digest(_ROLES.get(self.role, self.role), measure_key(input_key, self.stage))

    def verdict_key(self, input_key: str, entering: Mask) -> str:
        """What the whole file depends on: the measures, the thresholds, and which documents came in."""
        thresholds = thresholds_of(self.stage) if self.role == "judge" else {}
        rows = digest(len(entering), np.packbits(entering).tobytes())
        return digest(self.measure_key(input_key), thresholds, rows)

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows for a batch of documents that are all still in."""
        if self.ready:
            self.ready(self.stage)
        text = batch.column("text") if "text" in batch.schema.names else None
        with asked(self.stage):
            if self.role == "judge":
                measures = self.stage.measure(batch)
                require_rows(self.stage, measures, pa.schema(list(self.stage.adds.items())), text, len(batch))
                return measures.add_column(0, REASONS, pa.nulls(len(batch), REASONS.type))
            if self.role == "observe":
                observed = self.stage.observe(batch)  # type: ignore[attr-defined]
                require_rows(self.stage, observed, self.schema, text, len(batch))
                return observed
            ids, unknown = self.stage.encode_rows(batch)  # type: ignore[attr-defined]
            require_ids(self.stage, ids, unknown, len(batch))
        counts = [pc.list_value_length(ids).cast(pa.int64()), pc.utf8_length(text).cast(pa.int64()), unknown]
        halves = split(ids, wide=self.stage.has_wide_ids)  # type: ignore[attr-defined]
        return pa.RecordBatch.from_arrays([*counts, *halves], schema=TOKENS)

    def judged(self, rows: pa.RecordBatch, entering: Mask) -> tuple[pa.RecordBatch, Mask]:
        """Rows with their reasons, and which documents stay in."""
        if self.role != "judge":
            return rows, entering
        measures = rows.remove_column(0)
        measures = measures if entering.all() else measures.filter(pa.array(entering))
        with asked(self.stage):
            verdicts = self.stage.judge(measures)
            require_verdicts(self.stage, verdicts, len(measures))
        reasons = scattered(verdicts, entering)
        staying = entering.copy()
        staying[entering] = pc.list_value_length(verdicts).to_numpy(zero_copy_only=False) == 0
        return rows.set_column(0, REASONS, reasons), staying


@dataclass(frozen=True)
class Settled:
    """One step's rows of one row group, and the masks before and after it."""

    rows: pa.RecordBatch
    entering: Mask
    staying: Mask
    effort: Effort


def settle(
    steps: tuple[Step, ...], columns: Columns, entering: Mask, stored: Mapping[str, pa.RecordBatch]
) -> list[Settled]:
    """Run the steps over one row group, measuring only rows that came in and were not measured before.

    Args:
        steps: in pipeline order.
        columns: gives document columns and measures of earlier passes.
        entering: documents not yet out.
        stored: rows kept from before, by stage name.
    """
    settled: list[Settled] = []
    earlier: dict[str, pa.Array] = {}
    unmade: dict[str, list[pa.Array]] = {"text": [], "turns": []}

    def column(name: str) -> pa.Array:
        if unmade.get(name):
            edit = with_edits if name == "text" else with_moves
            earlier[name] = functools.reduce(edit, unmade[name], earlier[name] if name in earlier else columns(name))
            unmade[name].clear()
        return earlier[name] if name in earlier else columns(name)

    for step in steps:
        rows, effort = _measured(step, column, entering, stored.get(step.stage.name))
        rows, staying = step.judged(rows, entering)
        settled.append(Settled(rows, entering, staying, effort))
        earlier |= {f"{step.stage.name}.{name}": rows.column(name) for name in rows.schema.names}
        if step.edits:
            for waiting in unmade.values():  # where nobody measures, nobody reads the text
                waiting.append(rows.column("edits"))
        entering = staying
    return settled


def input_key(documents_key: str, before: Sequence[Step], reader: Step, directory: RunDirectory, part: int) -> str:
    """What a step sees depends on: the documents, the edits of steps before it, and those whose measures it reads.

    What a corpus stage made of a part follows from all others, so it is known by its columns alone.
    """
    key = documents_key
    for at, step in enumerate(before):
        wanted = (f"{step.stage.name}.edits", *reader.wanted_columns)
        read = tuple(column for column in step.stage.adds if f"{step.stage.name}.{column}" in wanted)
        if read and isinstance(step.stage, CorpusStage):
            file = step.file(directory, part)
            key = digest(key, _made(file, read, seal_of(file)))
        elif read:
            key = digest(key, step.measure_key(input_key(documents_key, before[:at], step, directory, part)))
    return key


@functools.lru_cache(maxsize=256)
def _made(file: Path, columns: tuple[str, ...], seal: bytes) -> str:  # noqa: ARG001
    """Digest of columns of a row file that has that seal."""
    table, sink = read_columns(file, columns), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return digest(sink.getvalue().to_pybytes())


def with_edits(texts: pa.Array, edits: pa.Array) -> pa.Array:
    """Texts with their edits applied; the kernel is loaded by the first that has any."""
    if not pc.any(pc.greater(pc.list_value_length(edits), 0)).as_py():
        return texts
    from curate.text.core.edits import edited

    return edited(texts, edits)


def with_moves(turns: pa.Array, edits: pa.Array) -> pa.Array:
    """Turns of conversations in the texts with their edits applied."""
    if turns.null_count == len(turns):
        return turns
    from curate.text.chats.spans import moved

    return moved(turns, edits)


def scattered(values: Values, mask: Mask) -> Values:
    """``values``, an array or rows, placed where ``mask`` is true, null elsewhere.

    Example:
        >>> scattered(pa.array([7, 8]), np.array([True, False, True])).to_pylist()
        [7, None, 8]
    """
    if mask.all():
        return values
    places = np.cumsum(mask) - 1
    return values.take(pa.array(places, mask=~mask))


def _measured(
    step: Step, column: Columns, entering: Mask, stored: pa.RecordBatch | None
) -> tuple[pa.RecordBatch, Effort]:
    known = _present(stored) if stored is not None else np.zeros(len(entering), np.bool_)
    missing = entering & ~known
    if stored is not None and not missing.any():
        return _only(stored, entering), Effort()
    batch, turns = _batch(step, column, missing)
    watch = Stopwatch()
    fresh = step.measure(batch) if len(batch) else _no_rows(step.schema)
    if turns is not None and step.edits:
        from curate.text.chats.spans import edits_of_whole

        whole = edits_of_whole(fresh.column("edits"), turns, step.view)
        fresh = fresh.set_column(fresh.schema.get_field_index("edits"), fresh.schema.field("edits"), whole)
    effort = watch.effort(len(batch), _text_bytes(batch))
    fresh = pa.RecordBatch.from_arrays([fresh.column(name) for name in step.schema.names], schema=step.schema)
    return _merged(fresh, missing, stored, entering & known), effort


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], kind) for kind in schema.types], schema=schema)


def _batch(step: Step, column: Columns, rows: Mask) -> tuple[pa.RecordBatch, pa.Array | None]:
    """The columns that the stage reads, for the given rows; optional ones that no stage provides are omitted.

    Returns:
        The batch, and the turns of its texts where it has only some of them.
    """
    names, arrays = [], []
    for name in step.wanted_columns:
        try:
            values = column(name)
        except KeyError:
            continue
        names.append(name)
        arrays.append(values if rows.all() else values.filter(pa.array(rows)))
    turns = _turns(column, rows) if step.view != "conversation" and "text" in names else None
    if turns is not None:
        from curate.text.chats.spans import viewed

        arrays[names.index("text")] = viewed(arrays[names.index("text")], turns, step.view)
    return pa.RecordBatch.from_arrays(arrays, names=names), turns


def _turns(column: Columns, rows: Mask) -> pa.Array | None:
    """Turns of the given rows; None where none is a conversation."""
    try:
        turns = column("turns")
    except KeyError:  # the documents of an earlier version
        return None
    if turns.null_count == len(turns):
        return None
    return turns if rows.all() else turns.filter(pa.array(rows))


def _merged(fresh: pa.RecordBatch, missing: Mask, stored: pa.RecordBatch | None, kept: Mask) -> pa.RecordBatch:
    if stored is None or not kept.any():
        return scattered(fresh, missing)
    rows = np.where(kept, np.arange(len(kept)), len(stored) + np.cumsum(missing) - 1)
    return pa.concat_batches([stored.select(fresh.schema.names), fresh]).take(pa.array(rows, mask=~(kept | missing)))


def _only(rows: pa.RecordBatch, mask: Mask) -> pa.RecordBatch:
    if mask.all():
        return rows
    return rows.take(pa.array(np.arange(len(mask)), mask=~mask))


def _present(rows: pa.RecordBatch) -> Mask:
    """Rows that were measured: the first column of every row file is null exactly where nothing was."""
    present: Mask = rows.column(0).is_valid().to_numpy(zero_copy_only=False)
    return present


def _text_bytes(batch: pa.RecordBatch) -> int:
    if "text" not in batch.schema.names or not len(batch):
        return 0
    return int(pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0)


def staying(reasons: pa.Array) -> Mask:
    """Documents that came into a stage and were kept by it: an empty list of reasons, not null."""
    kept: Mask = pc.fill_null(pc.equal(pc.list_value_length(reasons), 0), False).to_numpy(zero_copy_only=False)
    return kept


def entering_mask(directory: RunDirectory, earlier: tuple[Step, ...], part: int) -> Mask:
    """Documents of a part that every earlier stage kept."""
    mask = np.ones(footer_of(directory.part(DOCUMENTS, part)).num_rows, np.bool_)
    for step in earlier:
        if step.role == "judge":
            mask &= _kept_by(step.file(directory, part))
    return mask


def _kept_by(file: Path) -> Mask:
    """Documents that the stage with this file kept. Every step asks again, so of the last files it is remembered."""
    if isinstance(file, StorePath):
        return _kept(file)
    rows, bits = _kept_bits(FileState.of(file))
    return np.unpackbits(bits, count=rows).view(np.bool_)


@functools.lru_cache(maxsize=256)
def _kept_bits(file: FileState) -> tuple[int, npt.NDArray[np.uint8]]:
    kept = _kept(Path(file.path))
    return len(kept), np.packbits(kept)


def _kept(file: Path) -> Mask:
    return staying(read_columns(file, ["reasons"]).column("reasons").combine_chunks())


def reason_counts(reasons: pa.Array) -> dict[str, int]:
    """How often each reason was given."""
    counted: list[dict[str, Any]] = pc.value_counts(pc.list_flatten(reasons)).to_pylist()
    return {entry["values"]: entry["counts"] for entry in counted}
