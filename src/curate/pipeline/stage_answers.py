"""Check the answers of stages from other packages against what they declare, so that a mistake there is an error.

The tests check the stages of curate itself in the same way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from curate.errors import BrokenStage, CurateError
from curate.stages.contract import Stage
from curate.text.core.arrow import EDITS, utf8_view

_SHOWN = 3
_CONTINUES, _FIRST_BITS = 0x80, 0xC0
"""Of a byte inside a character of UTF-8."""


@contextmanager
def asked(stage: Stage | type[Stage]) -> Iterator[None]:
    """What a stage of another package raises has a note that says whose it is.

    Raises:
        BrokenStage: it asked Python to end, or raised what means the end of a loop: neither is an end of the run.
    """
    try:
        yield
    except CurateError:
        raise
    except (SystemExit, StopIteration) as error:
        raise _broken(stage, f"it raised {type(error).__name__}({error})") from error
    except Exception as error:
        if not _is_ours(stage):
            error.add_note(f"raised in the stage `{stage.name}` of `{_module(stage)}`")
        raise


def require_rows(stage: Stage, answer: Any, schema: pa.Schema, texts: pa.Array | None, rows: int) -> None:
    """Nothing where an answer has the columns of ``schema``, and as many rows as were asked about.

    Args:
        stage: whose it is.
        answer: of ``measure`` or ``observe``.
        schema: what it declares.
        texts: what it was asked about, and what edits are of; None: not known here.
        rows: how many documents it was asked about.

    Raises:
        BrokenStage: it has not.
    """
    if _is_ours(stage):
        return
    if not isinstance(answer, pa.RecordBatch):
        raise _broken(stage, f"it gave {_a(answer)} where a RecordBatch was to come")
    for field in schema:
        places = answer.schema.get_all_field_indices(field.name)
        if len(places) != 1:
            raise _broken(
                stage, f"the column `{field.name}` is there {len(places)} times; it gave {answer.schema.names}"
            )
        if answer.schema.field(places[0]).type != field.type:
            kind = answer.schema.field(places[0]).type
            raise _broken(stage, f"the column `{field.name}` is of type {kind}, and was to be {field.type}")
    _require_sound(stage, answer)
    if len(answer) != rows:
        raise _broken(stage, f"it gave {len(answer):,} rows for {rows:,} documents")
    if "edits" in schema.names and answer.column("edits").type == EDITS:
        _require_edits(stage, answer.column("edits"), texts)


def require_verdicts(stage: Stage, answer: Any, rows: int) -> None:
    """Nothing where an answer of ``judge`` is a list of declared reasons for each document.

    Raises:
        BrokenStage: it is not.
    """
    if _is_ours(stage):
        return
    if not isinstance(answer, pa.Array) or not (types.is_list(answer.type) and types.is_string(answer.type.value_type)):
        what = answer.type if isinstance(answer, pa.Array) else _a(answer)
        raise _broken(stage, f"`judge` gave {what} where an array of list<string> was to come")
    if len(answer) != rows:
        raise _broken(stage, f"`judge` gave {len(answer):,} verdicts for {rows:,} documents")
    if answer.null_count:
        raise _broken(stage, "`judge` gave null as a verdict; an empty list keeps a document")
    declared = {reason.code for reason in stage.reasons}
    unknown = [code for code in pc.unique(pc.list_flatten(answer)).to_pylist() if code not in declared]
    if unknown:
        raise _broken(stage, f"`judge` gave reasons that `reasons` does not declare: {unknown[:_SHOWN]}")
    given = pa.table({"row": pc.list_parent_indices(answer), "code": pc.list_flatten(answer)})
    if given.group_by(["row", "code"]).aggregate([]).num_rows < given.num_rows:
        raise _broken(stage, "`judge` gave a reason twice for one document, which would count it twice")


def require_texts(stage: Stage, answer: Any, rows: int) -> None:
    """Nothing where an answer of ``rewrite`` is a text for each document.

    Raises:
        BrokenStage: it is not.
    """
    if _is_ours(stage):
        return
    if not isinstance(answer, pa.Array) or answer.type != pa.large_string():
        what = answer.type if isinstance(answer, pa.Array) else _a(answer)
        raise _broken(stage, f"`rewrite` gave {what} where an array of large_string was to come")
    _require_sound(stage, answer)
    if len(answer) != rows or answer.null_count:
        raise _broken(stage, f"`rewrite` gave {len(answer) - answer.null_count:,} texts for {rows:,} documents")


def require_ids(stage: Stage, ids: Any, unknown: Any, rows: int) -> None:
    """Nothing where an answer of ``encode`` has ids and a count of unknown characters for each document.

    Raises:
        BrokenStage: it has not.
    """
    if _is_ours(stage):
        return
    for answer, kind in ((ids, pa.large_list(pa.uint32())), (unknown, pa.int64())):
        if not isinstance(answer, pa.Array) or answer.type != kind:
            what = answer.type if isinstance(answer, pa.Array) else _a(answer)
            raise _broken(stage, f"`encode` gave {what} where an array of {kind} was to come")
        if len(answer) != rows or answer.null_count:
            given = len(answer) - answer.null_count
            raise _broken(stage, f"`encode` gave {given:,} values of {kind} for {rows:,} documents")


def _require_sound(stage: Stage, answer: pa.Array | pa.RecordBatch) -> None:
    """Buffers hold what their types say, text UTF-8: kernels rely on it, and readers of the files fail at it."""
    try:
        answer.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _broken(stage, f"it gave an array that is damaged: {error}") from error


def _require_edits(stage: Stage, edits: pa.Array, texts: pa.Array | None) -> None:
    """Edits ascend, do not overlap, and begin and end between characters of their text: kernels rely on it."""
    counts = pc.fill_null(pc.list_value_length(edits), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if texts is None or not counts.any():
        return
    items = edits.flatten()
    if any(items.field(name).null_count for name in EDITS.value_type.names):
        raise _broken(stage, "an edit has a null in it")
    starts, stops = (items.field(name).to_numpy() for name in ("start", "end"))
    data, offsets = utf8_view(texts)
    rows = np.repeat(np.arange(len(counts)), counts)
    sizes, begins = np.diff(offsets)[rows], offsets[:-1][rows]
    first = np.append(True, rows[1:] != rows[:-1])
    before = np.where(first, 0, np.append(0, stops[:-1]))
    wrong = (starts < before) | (stops < starts) | (stops > sizes)
    if not wrong.any():
        padded = np.append(data, np.uint8(0))
        wrong = np.zeros(len(rows), np.bool_)
        for places in (starts, stops):
            inside = (padded[begins + places] & _FIRST_BITS == _CONTINUES) & (places < sizes)
            wrong |= inside
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        where = f"from byte {starts[at]} to {stops[at]} of a text of {sizes[at]} bytes"
        raise _broken(stage, f"its edits overlap, lie outside of their text or inside of a character: one goes {where}")


def _is_ours(stage: Stage | type[Stage]) -> bool:
    return _module(stage).partition(".")[0] == __name__.partition(".")[0]


def _module(stage: Stage | type[Stage]) -> str:
    kind: type[Stage] = stage if isinstance(stage, type) else type(stage)
    return kind.__module__


def _a(answer: Any) -> str:
    return "None" if answer is None else f"a {type(answer).__name__}"


def _broken(stage: Stage | type[Stage], what: str) -> BrokenStage:
    return BrokenStage(
        f"the stage `{stage.name}` of `{_module(stage)}` does not answer as it declares: {what}",
        hint=f"--skip {stage.name} runs without it; docs/write_a_stage.md has the contract",
    )
