"""A rewriter and conversations: it sees every turn as a text of its own, so that nothing joins two of them."""

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.stage_answers import asked, require_rows, require_texts
from curate.stages.contract import Rewriter
from curate.text.chats.spans import joined, split


def rewritten_by_turns(documents: pa.RecordBatch, rewriter: Rewriter) -> tuple[pa.Array, pa.Array, pa.RecordBatch]:
    """Texts with every turn rewritten, the turns in them, and the measures of whole documents.

    Of the turns of a conversation lists of words are united in the order of first use, numbers added up, and yes or no
    is yes where all are; of names the first is taken.

    Args:
        documents: with ``text`` and ``turns``.
        rewriter: changes texts.
    """
    turns = documents.column("turns")
    pieces, rows = split(documents.column("text"), turns)
    others = [documents.column(name).take(rows) for name in documents.schema.names if name not in {"text", "turns"}]
    names = ["text", *(name for name in documents.schema.names if name not in {"text", "turns"})]
    with asked(rewriter):
        text, measures = rewriter.rewrite(pa.RecordBatch.from_arrays([pieces, *others], names=names))
        require_texts(rewriter, text, len(pieces))
        require_rows(rewriter, measures, pa.schema(list(rewriter.adds.items())), pieces, len(pieces))
    text = _still_json(pieces, text, turns)
    starts = np.searchsorted(rows.to_numpy(), np.arange(len(documents) + 1))
    columns = [_folded(measures.column(name), starts, kind) for name, kind in rewriter.adds.items()]
    made, spans = joined(text, turns)
    return made, spans, pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(rewriter.adds.items())))


def _still_json(before: pa.Array, after: pa.Array, turns: pa.Array) -> pa.Array:
    """The new texts, but calls and answers of tools as they were where they are no JSON any more."""
    tools = [
        span["role"] == "tool" or "/tool_calls/" in span["path"] or span["path"].endswith("/function_call")
        for spans in turns.to_pylist()
        for span in (spans or [{"role": "", "path": ""}])
    ]
    kept = [
        at for at in np.flatnonzero(tools).tolist() if _is_json(before[at].as_py()) and not _is_json(after[at].as_py())
    ]
    if not kept:
        return after
    mask = np.zeros(len(after), np.bool_)
    mask[kept] = True
    return pc.if_else(pa.array(mask), before, after)


def _is_json(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict | list)
    except ValueError:
        return False


def _folded(values: pa.Array, starts: Iterable[int], kind: pa.DataType) -> pa.Array:
    """One value for each document from those of its turns."""
    flat, bounds = values.to_pylist(), list(starts)
    groups = [flat[first:last] for first, last in itertools.pairwise(bounds)]
    made: list[Any] = []
    for group in groups:
        known = [each for each in group if each is not None]
        if not known or pa.types.is_string(kind):
            made.append(known[0] if known else None)
        elif pa.types.is_list(kind):
            made.append(list(dict.fromkeys(item for each in known for item in each)))
        elif pa.types.is_boolean(kind):
            made.append(all(known))
        else:
            made.append(sum(known))
    return pa.array(made, kind)
