"""The stage's files: for every document what was cut, as edits, and what is left."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from curate.stages.contract import Corpus, Rows
from curate.stages.line_dup.repeated import PARTIAL, passages_of
from curate.stages.line_dup.settings import LineDupSettings
from curate.stages.partitioning import column
from curate.text.core.arrow import EDITS, edit_lists
from curate.text.dedup.passages import COUNTS, Cuts, Repeated, cut_passages

MEASURES: Mapping[str, pa.DataType] = {
    "cut_lines": pa.int64(),
    "cut_characters": pa.int64(),
    "cut_share": pa.float64(),
    "words_before": pa.int64(),
    "words_left": pa.int64(),
    "edits": EDITS,
}
"""``cut_lines`` that are not blank, ``cut_characters`` and their share; words only where something was cut."""


def cut_part(corpus: Corpus, repeated: Rows, settings: LineDupSettings, part: int) -> pa.RecordBatch:
    """`MEASURES` of one part, row for row; only texts that lose a passage are read."""
    partial = corpus.partial(part, PARTIAL.names)
    found = Repeated(column(repeated[part], "key"), column(repeated[part], "keeper"))
    rows = _rows_cut(partial, found)
    cuts = cut_passages(
        pa.concat_arrays([pa.array([], pa.large_string()), *corpus.texts(part, rows)]),
        rows,
        column(partial, "scope")[rows],
        found,
        paragraphs=settings.paragraphs,
        min_characters=settings.min_characters,
    )
    present = partial.column("id").is_valid().to_numpy()
    return _measures(cuts, rows, present)


def _rows_cut(partial: pa.Table, repeated: Repeated) -> np.ndarray:
    """Documents that hold a repeated passage and do not keep it."""
    passages = passages_of(partial)
    at = np.searchsorted(repeated.keys, passages.keys)
    inside = np.flatnonzero(at < len(repeated.keys))
    hit = inside[repeated.keys[at[inside]] == passages.keys[inside]]
    return np.unique(passages.rows[hit][repeated.keeper[at[hit]] != passages.rows[hit]])


def _measures(cuts: Cuts, rows: np.ndarray, present: np.ndarray) -> pa.RecordBatch:
    counts = np.zeros((len(present), len(COUNTS)), np.int64)
    counts[rows] = cuts.counts
    lines, cut, characters, before, left = counts.T
    is_cut = np.zeros(len(present), np.bool_)
    is_cut[rows] = True
    per_document = np.zeros(len(present), np.int64)
    per_document[rows] = np.diff(cuts.ends, prepend=0)
    nothing = pa.array([""]).take(pa.array(np.zeros(len(cuts.starts), np.int8)))
    edits = edit_lists(cuts.starts, cuts.stops, nothing, np.cumsum(per_document))
    columns = [
        pa.array(lines, mask=~present),
        pa.array(cut, mask=~present),
        pa.array(cut / np.maximum(characters, 1), mask=~present),
        pa.array(before, mask=~is_cut),
        pa.array(left, mask=~is_cut),
        edits.take(pa.array(np.arange(len(present)), mask=~present)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(MEASURES.items())))
