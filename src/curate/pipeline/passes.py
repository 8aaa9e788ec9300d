"""One strand of parts, from input bytes (or documents written before) to the row files of a pass.

::

    chunks ──parse, rewrite──▶ row groups ──settle all stages──▶ documents/ normalize/ language/ …
    (reader)     (workers)      (cut by text)    (workers)        (this lane, in order)

Row groups are cut by the text alone, so files do not depend on how the input was chunked. A part's documents file is
renamed into place last: once it is there, the part has been read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.corpus.documents import SCHEMA as DOCUMENTS_SCHEMA
from curate.corpus.parts import Part, Strand
from curate.corpus.quarantine import SCHEMA as QUARANTINE_SCHEMA
from curate.corpus.quarantine import TOO_LITTLE_MEMORY, UNREADABLE
from curate.corpus.reader import Chunk, chunks
from curate.engine.base import Worker
from curate.events import Advanced
from curate.pipeline.dangerous import Place, dangerous_documents, name_dangerous, without
from curate.pipeline.pass_progress import advance, advance_of_reused, reasons_in
from curate.pipeline.planning.plan import Plan
from curate.pipeline.record.profile import PARSE, READ, WRITE, Costs, Stopwatch
from curate.pipeline.rewriting import rewritten, rows_of
from curate.pipeline.row_group import Columns, RowGroup, one_batch, row_groups, taken_bytes
from curate.pipeline.sampling import sampled
from curate.pipeline.sharding.settled_bytes import SettledBytes
from curate.pipeline.step import Mask, Settled, Step, entering_mask, input_key, settle, staying
from curate.store.digest import digest
from curate.store.footers import footer_of
from curate.store.row_file import Keys, RowFileWriter, keys_of, read_columns, row_file
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, QUARANTINE, RunDirectory
from curate.text.core.arrow import one_array

CHUNK_BYTES = 4_000_000


@dataclass
class PartResult:
    """What happened to one part in one pass."""

    part: int
    documents: int = 0
    reused: bool = False


@dataclass(frozen=True)
class PassTask:
    """What the engine maps over strands in one pass: a value that can travel.

    Attributes:
        plan: the whole plan.
        number: which pass, from 0; the first one reads the input.
        steps: its stages in their roles.
        earlier: steps of the passes before, whose verdicts say who is still in.
        directory: where the files go.
        left: documents that `--limit` still allows to be read; None: all.
        chunk_bytes: how much is read at once.
    """

    plan: Plan
    number: int
    steps: tuple[Step, ...]
    earlier: tuple[Step, ...]
    directory: RunDirectory
    left: int | None = None
    chunk_bytes: int = CHUNK_BYTES

    @property
    def reads_input(self) -> bool:
        """Whether it reads the input, and not documents that are written already."""
        return self.number == 0

    def __call__(self, strand: Strand, worker: Worker) -> list[PartResult]:
        """Do all parts of a strand; finished ones are not done again."""
        return StrandWork(self, worker).do(strand)


class StrandWork:
    """A pass over one strand, on one worker.

    Args:
        task: which pass.
        worker: spreads batches over its threads, and passes on reports of progress and costs.
    """

    def __init__(self, task: PassTask, worker: Worker) -> None:
        self.task, self._dangerous = task, frozenset[Place]()
        self.plan, self.steps, self.earlier, self.directory = task.plan, task.steps, task.earlier, task.directory
        self.reads_input, self.chunk_bytes = task.reads_input, task.chunk_bytes
        self.worker, self.emit, self.profile = worker, worker.tell, Costs(worker.tell)
        self._left = task.left if task.reads_input else None

    def do(self, strand: Strand) -> list[PartResult]:
        """Do all its parts."""
        unread = [part for part in strand.parts if self.reads_input and not self._is_read(part)]
        if self.worker.doubtful and not unread:
            name_dangerous(self.task, strand)
        for part in unread:
            self._forget_what_was_not_read(part)
        results = [self._again(part) for part in strand.parts if part not in unread]
        if self._left is not None:
            self._left -= sum(result.documents for result in results)
        if unread and self.worker.doubtful:
            self._dangerous = dangerous_documents(self.task, strand)
        if unread and self._left != 0:
            results += self._read(strand, unread)
        return results

    # ---- parts whose documents are there ------------------------------------------------------------------

    def _again(self, part: Part) -> PartResult:
        """Bring the row files of a part up to date from its documents and what was measured before."""
        documents = self.directory.part(DOCUMENTS, part.index)
        metadata = footer_of(documents)
        entering = entering_mask(self.directory, self.earlier, part.index)
        finished = self._finished(part, entering)
        result = PartResult(part.index, metadata.num_rows, reused=len(finished) == len(self.steps))
        if result.reused:
            read = metadata.num_rows if self.reads_input else 0
            self.emit(advance_of_reused(self.steps, finished, self.directory, part, read))
            return result
        known = self._earlier_columns(part)
        stored = {step.stage.name: self._stored(step, part) for step in self.steps}
        groups = self._stored_groups(documents, metadata, entering, known, stored)
        read = SettledBytes(part.bytes, metadata.num_rows)
        self._write(part, groups, finished, result, read.settled)
        self.emit(Advanced(input_bytes=read.rest()))
        kept = [name for name, rows in stored.items() if rows is not None]
        self.profile.made(part.name, [*kept, READ, PARSE, WRITE] if kept or self.reads_input else ())
        return result

    def _stored_groups(
        self,
        documents: Path,
        metadata: pq.FileMetaData,
        entering: Mask,
        known: Mapping[str, pa.Array],
        stored: Mapping[str, pa.RecordBatch | None],
    ) -> Iterator[RowGroup]:
        for number, start, stop in groups_in(metadata):
            rows = stop - start
            known_here = {name: values.slice(start, rows) for name, values in known.items()}
            columns = Columns(known_here, (documents, number, metadata))
            kept = {name: batch.slice(start, rows) for name, batch in stored.items() if batch is not None}
            yield RowGroup(start, rows, entering[start:stop], columns, kept)

    def _finished(self, part: Part, entering: Mask) -> dict[str, Mask]:
        """Steps from the first on whose files are whole and still right, with the mask that entered each."""
        finished: dict[str, Mask] = {}
        for step in self.steps:
            file = step.file(self.directory, part.index)
            if keys_of(file) != self._keys(step, part, entering):
                break
            finished[step.stage.name] = entering
            if step.role == "judge":
                entering = entering & staying(reasons_in(file))
        return finished

    def _stored(self, step: Step, part: Part) -> pa.RecordBatch | None:
        file = step.file(self.directory, part.index)
        keys = keys_of(file)
        if keys is None or keys.measure != step.measure_key(self._input_key(step, part)):
            return None
        rows = read_columns(file, step.schema.names)
        documents = footer_of(self.directory.part(DOCUMENTS, part.index)).num_rows
        return one_batch(rows.cast(step.schema)) if len(rows) == documents else None

    def _earlier_columns(self, part: Part) -> dict[str, pa.Array]:
        """Measures of earlier passes that a stage of this one reads, and edits of the text."""
        wanted = {name for step in self.steps for name in step.wanted_columns}
        found: dict[str, pa.Array] = {}
        for step in self.earlier:
            columns = [c for c in step.stage.adds if f"{step.stage.name}.{c}" in wanted or c == "edits"]
            if columns and step.role == "judge":
                table = read_columns(step.file(self.directory, part.index), columns)
                found |= {f"{step.stage.name}.{c}": one_array(table.column(c)) for c in columns}
        return found

    # ---- parts that must be read --------------------------------------------------------------------------

    def _read(self, strand: Strand, unread: list[Part]) -> Iterator[PartResult]:
        wanted = frozenset(part.index for part in unread)
        by_index = {part.index: part for part in unread}
        read = self.profile.drawn(READ, chunks(strand, wanted, self.chunk_bytes), self._piece)
        parsed = self.worker.spread(self._parse, read, lambda chunk: chunk.taken_bytes)
        for index, pieces in groupby(parsed, key=lambda piece: piece.part):
            result = PartResult(index)
            self._read_part(by_index[index], pieces, result)
            yield result
            if self._left == 0:
                return

    def _read_part(self, part: Part, pieces: Iterable["_Piece"], result: PartResult) -> None:
        quarantined: list[pa.RecordBatch] = []
        read = SettledBytes()

        def documents() -> Iterator[pa.RecordBatch]:
            for piece in pieces:
                if len(piece.quarantined):
                    quarantined.append(piece.quarantined)
                batch = self._within_limit(piece.documents)
                read.add(piece.input_bytes, len(batch))
                yield batch
                if self._left == 0:
                    return

        with ExitStack() as stack:
            path = self.directory.part(DOCUMENTS, part.index)
            writer = stack.enter_context(row_file(path, DOCUMENTS_SCHEMA, ["source", "origin.file"]))
            groups = self._fresh_groups(part, row_groups(documents()), writer)
            self._write(part, groups, {}, result, read.settled)
            self.emit(Advanced(input_bytes=read.rest()))
            keys = self._read_keys(part, quarantined)
            self._write_quarantine(part, quarantined, keys)
            writer.finish(keys)
        self.profile.made(part.name)

    def _within_limit(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        """The first documents that `--limit` still allows; a limited run has one strand at a time."""
        if self._left is not None:
            documents = documents.slice(0, self._left)
            self._left -= len(documents)
        return documents

    def _fresh_groups(
        self, part: Part, groups: Iterable[pa.RecordBatch], writer: RowFileWriter | None
    ) -> Iterator[RowGroup]:
        """Write the documents of each row group, and hand it on with what the rewriters measured."""
        start = 0
        for group in groups:
            documents = group.select(DOCUMENTS_SCHEMA.names)
            with self.profile.phase(WRITE, len(group), documents.nbytes, part.name):
                if writer:
                    writer.write(documents)
            columns = Columns({name: documents.column(name) for name in DOCUMENTS_SCHEMA.names})
            stored = {rewriter.name: rows_of(group, rewriter) for rewriter in self.plan.rewriters}
            yield RowGroup(start, len(group), np.ones(len(group), np.bool_), columns, stored)
            start += len(group)

    def _parse(self, chunk: Chunk) -> "_Piece":
        watch, piece = Stopwatch(), self._piece(chunk)
        documents, quarantined = without(self._dangerous, *sampled(chunk.parse(), self.plan.config.input.sample))
        self.profile.add(PARSE, watch.effort(len(documents), documents.column("text").nbytes), piece)
        if self.plan.rewriters:
            documents, efforts = rewritten(documents, self.plan.rewriters)
            for name, effort in efforts.items():
                self.profile.add(name, effort, piece)
        return _Piece(chunk.part, chunk.input_bytes, documents, quarantined)

    def _piece(self, chunk: Chunk) -> str:
        return self.directory.names[chunk.part]

    def _write_quarantine(self, part: Part, quarantined: list[pa.RecordBatch], keys: Keys) -> None:
        """A file for every part: one that is missing was lost, and says nothing about what it held."""
        with row_file(self.directory.part(QUARANTINE, part.index), QUARANTINE_SCHEMA, ["file", "reason"]) as writer:
            if quarantined:
                writer.write(pa.concat_batches(quarantined))
            writer.finish(keys)

    # ---- both ---------------------------------------------------------------------------------------------

    def _write(
        self,
        part: Part,
        groups: Iterable[RowGroup],
        finished: Mapping[str, Mask],
        result: PartResult,
        settled_bytes: Callable[[int], int],
    ) -> None:
        """Settle row groups on all cores and write each step's file in order.

        ``settled_bytes`` says how many bytes of input more are done when so many documents more are.
        """
        masks: dict[str, list[Mask]] = {step.stage.name: [] for step in self.steps}
        rows_done = 0
        with ExitStack() as stack:
            writers = {
                step.stage.name: stack.enter_context(
                    row_file(step.file(self.directory, part.index), step.schema, _dictionary(step.schema))
                )
                for step in self.steps
                if step.stage.name not in finished
            }
            for group, settled in self.worker.spread(partial(self._settle, part.name), groups, taken_bytes):
                for step, one in zip(self.steps, settled, strict=True):
                    name = step.stage.name
                    masks[name].append(one.entering)
                    if name in writers:
                        with self.profile.phase(WRITE, size=one.rows.nbytes, piece=part.name):
                            writers[name].write(one.rows)
                rows_done += group.rows
                read = group.rows if self.reads_input else 0
                self.emit(advance(self.steps, settled, read, settled_bytes(group.rows)))
            result.documents = rows_done
            for step in self.steps:
                if step.stage.name in writers:
                    entering = np.concatenate([np.zeros(0, np.bool_), *masks[step.stage.name]])
                    writers[step.stage.name].finish(self._keys(step, part, entering))

    def try_one(self, part: Part, document: pa.RecordBatch) -> None:
        """Do with one document what is done in this pass, and write nothing."""
        document, _ = rewritten(document, self.plan.rewriters)
        for group in self._fresh_groups(part, [document], None):
            self._settle(part.name, group)

    def entering(self, part: Part) -> Iterator[RowGroup]:
        """The documents of a part that this pass works on, in files that earlier ones wrote."""
        documents = self.directory.part(DOCUMENTS, part.index)
        mask, known = entering_mask(self.directory, self.earlier, part.index), self._earlier_columns(part)
        return self._stored_groups(documents, footer_of(documents), mask, known, {})

    def try_row(self, part: Part, group: RowGroup, row: int) -> None:
        """As `try_one`, with a document of `entering`."""
        self._settle(part.name, group._replace(entering=np.arange(group.rows) == row))

    def _settle(self, piece: str, group: RowGroup) -> tuple[RowGroup, list[Settled]]:
        settled = settle(self.steps, group.columns, group.entering, group.stored)
        for step, one in zip(self.steps, settled, strict=True):
            if one.effort.documents:
                self.profile.add(step.stage.name, one.effort, piece)
        return group, settled

    def _is_read(self, part: Part) -> bool:
        """Documents and quarantine are whole, and so is what the rewriters said, which cannot be measured again."""
        documents, quarantine = (keys_of(self.directory.part(folder, part.index)) for folder in (DOCUMENTS, QUARANTINE))
        if documents != quarantine or documents not in self._finished_keys(part):
            return False
        said = (step for step in self.steps if step.stage in self.plan.rewriters)
        return all(self._stored(step, part) is not None for step in said)

    def _read_keys(self, part: Part, quarantined: list[pa.RecordBatch]) -> Keys:
        """Keys of documents and quarantine: the second says when all of it should be read again."""
        whole, with_this_memory = self._finished_keys(part)
        if _came_late(part, quarantined):
            return Keys(whole.measure, digest(whole.measure, "again"))
        short = any(pc.any(pc.equal(batch["reason"], TOO_LITTLE_MEMORY)).as_py() for batch in quarantined)
        return with_this_memory if short else whole

    def _finished_keys(self, part: Part) -> tuple[Keys, Keys]:
        """Of a part that was read whole, and of one that was read as far as the memory for one document allows."""
        key, memory = self._documents_key(part), max(span.file.memory for span in part.spans)
        return Keys(key, key), Keys(key, digest(key, "memory", memory))

    def _forget_what_was_not_read(self, part: Part) -> None:
        """What was said of the documents that could be read does not lie beside those that can be read now."""
        keys, finished = keys_of(self.directory.part(DOCUMENTS, part.index)), self._finished_keys(part)
        if keys and keys.measure == finished[0].measure and keys not in finished:
            self.directory.forget([DOCUMENTS, QUARANTINE, *(stage.name for stage in self.plan.stages)], part.index)

    def _documents_key(self, part: Part) -> str:
        return self.plan.documents_key(part)

    def _keys(self, step: Step, part: Part, entering: Mask) -> Keys:
        key = self._input_key(step, part)
        return Keys(step.measure_key(key), step.verdict_key(key, entering))

    def _input_key(self, step: Step, part: Part) -> str:
        before = (*self.earlier, *self.steps[: self.steps.index(step)])
        return input_key(self._documents_key(part), before, step, self.directory, part.index)


def _came_late(part: Part, quarantined: list[pa.RecordBatch]) -> bool:
    """Whether a file that could be read when the run was planned could not be when its turn came."""
    known = {span.file.name for span in part.spans if span.file.problem}
    return any(
        reason == UNREADABLE and file not in known
        for batch in quarantined
        for file, reason in zip(batch["file"].to_pylist(), batch["reason"].to_pylist(), strict=True)
    )


class _Piece(NamedTuple):
    part: int
    input_bytes: int
    documents: pa.RecordBatch
    quarantined: pa.RecordBatch


def _dictionary(schema: pa.Schema) -> list[str]:
    """Columns with few distinct values: names and lists of names."""
    lists = [f"{f.name}.list.element" for f in schema if f.type == pa.list_(pa.string())]
    return lists + [f.name for f in schema if f.type == pa.string() and f.name != "survivor"]
