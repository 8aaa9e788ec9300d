"""What later stages say of documents that they never saw, because an earlier one removed them.

Who asks what a stage contributes has to know which of its documents would have been kept without it. Those are measured
here, in the sample alone, and nothing is written.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.pipeline.planning.config import Config
from curate.pipeline.step import Step, settle, with_edits, with_moves
from curate.stages import stage_class
from curate.stages.contract import CorpusStage, Encoder, Rewriter
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Settled(NamedTuple):
    """What would have become of documents."""

    kept: Mask
    texts: pa.Array
    """With the edits of later stages."""


class Later:
    """The stages of a run, ready to look at what they did not see.

    Args:
        config: the settings of the run.
        names: its stages, in order.

    Stages that must see the whole corpus do not run: duplicates among the sample are looked for elsewhere.
    """

    def __init__(self, config: Config, names: Sequence[str]) -> None:
        self.names = tuple(names)
        stages = [stage_class(name)(config.stage(name)) for name in names]  # type: ignore[call-arg]
        self._steps = [
            None if isinstance(stage, CorpusStage | Encoder | Rewriter) else Step(stage, "judge") for stage in stages
        ]

    def _turns(
        self, directory: RunDirectory, part: int, group: int, start: int, rows: Numbers, behind: int
    ) -> pa.Array:
        """Turns of conversations in texts that have the edits of stages up to one."""
        with pq.ParquetFile(parquet_source(directory.checked(DOCUMENTS, part, (), group=group))) as file:
            if "turns" not in file.schema_arrow.names:
                raise KeyError("turns")
            turns = file.read_row_group(group, columns=["turns"]).column(0).combine_chunks().take(rows - start)
        for name in self.names[: behind + 1]:
            if "edits" in pq.read_schema(parquet_source(directory.part(name, part))).names:
                edits = read_columns(directory.checked(name, part, ["edits"]), ["edits"]).column(0).combine_chunks()
                turns = with_moves(turns, edits.take(rows))
        return turns

    def settle(
        self, directory: RunDirectory, part: int, group: int, start: int, rows: Numbers, texts: pa.Array, behind: int
    ) -> Settled:
        """Have documents of a row group judged by the stages behind one.

        Args:
            directory: of the run.
            part: number of the part.
            group: number of the row group.
            start: row of the part that the group begins with.
            rows: the documents, as rows of the part.
            texts: theirs, with the edits of stages that saw them.
            behind: number of the stage that removed them.
        """
        steps = tuple(step for step in self._steps[behind + 1 :] if step)
        seen = frozenset(self.names[: behind + 1])

        @functools.cache
        def column(name: str) -> pa.Array:
            stage, dot, measure = name.partition(".")
            if name == "text":
                return texts
            if name == "turns":
                return self._turns(directory, part, group, start, rows, behind)
            if not dot:
                with pq.ParquetFile(parquet_source(directory.checked(DOCUMENTS, part, [name], group=group))) as file:
                    if name not in file.schema_arrow.names:
                        raise KeyError(name)
                    return file.read_row_group(group, columns=[name]).column(0).combine_chunks().take(rows - start)
            if stage not in seen or measure not in pq.read_schema(parquet_source(directory.part(stage, part))).names:
                raise KeyError(name)
            return (
                read_columns(directory.checked(stage, part, [measure]), [measure]).column(0).combine_chunks().take(rows)
            )

        entering = np.ones(len(rows), np.bool_)
        if not steps:
            return Settled(entering, texts)
        done = settle(steps, column, entering, {})
        for each in done:
            if "edits" in each.rows.schema.names:
                texts = with_edits(texts, each.rows.column("edits"))
        return Settled(done[-1].staying, texts)
