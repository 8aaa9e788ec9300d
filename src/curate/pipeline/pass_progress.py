"""How far a pass is: what its stages said of some documents, for the display."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.corpus.parts import Part
from curate.events import Advanced, StageCounts
from curate.pipeline.step import Mask, Settled, Step, reason_counts, staying
from curate.store.row_file import read_columns
from curate.store.run_directory import RunDirectory
from curate.text.core.arrow import one_array


def advance(steps: Sequence[Step], settled: Sequence[Settled], documents: int, input_bytes: int) -> Advanced:
    """Of one row group.

    Args:
        steps: of the pass.
        settled: what each did.
        documents: read from the input.
        input_bytes: of it, as stored.
    """
    counts, tokens = {}, 0
    for step, one in zip(steps, settled, strict=True):
        reasons = reason_counts(one.rows.column("reasons")) if step.role == "judge" else Counter[str]()
        counts[step.stage.name] = StageCounts(int(one.entering.sum()), int(one.staying.sum()), reasons)
        if step.role == "encode":
            tokens += pc.sum(one.rows.column("n_tokens")).as_py() or 0
    return Advanced(input_bytes, documents, tokens, stages=counts)


def advance_of_reused(
    steps: Sequence[Step], finished: Mapping[str, Mask], directory: RunDirectory, part: Part, documents: int
) -> Advanced:
    """Of a part that was there already.

    Args:
        steps: of the pass.
        finished: by stage, the documents that came in.
        directory: the run.
        part: which.
        documents: read from the input.
    """
    counts = {}
    for step in steps:
        came = int(finished[step.stage.name].sum())
        if step.role == "judge":
            reasons = reasons_in(step.file(directory, part.index))
            counts[step.stage.name] = StageCounts(came, int(staying(reasons).sum()), reason_counts(reasons))
        else:
            counts[step.stage.name] = StageCounts(came, came)
    return Advanced(part.bytes, documents, reused=True, stages=counts)


def reasons_in(file: Path) -> pa.Array:
    """The reasons in a row file."""
    return one_array(read_columns(file, ["reasons"]).column("reasons"))
