"""The chain of rewriters: what they make of the text before it is written, and what they say of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.exporting.turn_by_turn import rewritten_by_turns
from curate.pipeline.record.profile import Effort, Stopwatch
from curate.pipeline.stage_answers import asked, require_rows, require_texts, require_verdicts
from curate.pipeline.step import REASONS, scattered, staying
from curate.stages.contract import Rewriter
from curate.text.core.replaced import replaced


def rewritten(documents: pa.RecordBatch, chain: Sequence[Rewriter]) -> tuple[pa.RecordBatch, Mapping[str, Effort]]:
    """Documents with their new text, and what each rewriter cost.

    A document that a rewriter removes is not touched by those after it: its text stays as that one left it.

    Returns:
        The documents, with the reasons and measures of every rewriter beside them under ``<stage>.<column>`` (null
        where it had nothing to do with a document any more); effort by stage.
    """
    efforts: dict[str, Effort] = {}
    entering = np.ones(len(documents), np.bool_)
    for rewriter in chain:
        watch, rows = Stopwatch(), pa.array(np.flatnonzero(entering))
        batch = documents if entering.all() else documents.take(rows)
        turns = batch["turns"]
        if rewriter.turn_by_turn and turns.null_count < len(batch):
            text, turns, measures = rewritten_by_turns(batch, rewriter)
        else:
            with asked(rewriter):
                text, measures = rewriter.rewrite(batch)
                require_texts(rewriter, text, len(batch))
            text = text if turns.null_count == len(batch) else pc.if_else(turns.is_valid(), batch["text"], text)
        efforts[rewriter.name] = watch.effort(len(batch), batch["text"].nbytes)
        require_rows(rewriter, measures, pa.schema(list(rewriter.adds.items())), batch["text"], len(batch))
        with asked(rewriter):
            verdicts = rewriter.judge(measures)
            require_verdicts(rewriter, verdicts, len(batch))
        if not entering.all():
            text = replaced(documents["text"], np.flatnonzero(entering), text)
            turns = pc.if_else(pa.array(entering), scattered(turns, entering), documents["turns"])
        for name, values in (("text", text), ("turns", turns)):
            documents = documents.set_column(documents.schema.get_field_index(name), name, values)
        columns = {REASONS.name: verdicts, **{name: measures[name] for name in rewriter.adds}}
        for name, values in columns.items():
            documents = documents.append_column(f"{rewriter.name}.{name}", scattered(values, entering))
        kept = entering.copy()
        kept[entering] = staying(verdicts)
        entering = kept
    return documents, efforts


def rows_of(documents: pa.RecordBatch, rewriter: Rewriter) -> pa.RecordBatch:
    """What `rewritten` put beside documents for one rewriter, as its row file has it."""
    schema = pa.schema([REASONS, *(pa.field(name, kind) for name, kind in rewriter.adds.items())])
    arrays = [documents[f"{rewriter.name}.{name}"] for name in schema.names]
    return pa.RecordBatch.from_arrays(
        [one.cast(kind) for one, kind in zip(arrays, schema.types, strict=True)], schema=schema
    )
