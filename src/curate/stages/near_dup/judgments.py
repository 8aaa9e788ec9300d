"""The stage's files: for every document its content hash, survivor, exact Jaccard and number of copies."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Corpus
from curate.stages.near_dup.exact import OUT
from curate.stages.near_dup.numbering import Index, Numbering
from curate.stages.near_dup.survivors import Survivors
from curate.text.arrow import utf8_array, utf8_view

_PLACE = pa.struct([("part", pa.int32()), ("row", pa.int64())])

JUDGMENTS: Mapping[str, pa.DataType] = {
    "content_hash": pa.binary(16),
    "survivor": pa.string(),
    "survivor_at": _PLACE,
    "jaccard": pa.float64(),
    "exact": pa.bool_(),
    "copies": pa.int64(),
}
"""Measures: ``survivor``, ``survivor_at``, ``jaccard`` and ``exact`` of removed documents, ``copies`` of kept
ones."""


def judgments(corpus: Corpus, survivors: Survivors) -> Iterator[pa.RecordBatch]:
    """One batch for each part, row for row with its documents; all null where a document was already out."""
    copies = _copies(survivors)
    ids = _Ids(corpus, survivors.numbering, np.flatnonzero(copies > 1))
    for part in survivors.numbering.parts:
        yield _judge_part(corpus, survivors, part, copies, ids)


def _judge_part(corpus: Corpus, survivors: Survivors, part: int, copies: Index, ids: "_Ids") -> pa.RecordBatch:
    span = survivors.numbering.span(part)
    survivor = survivors.survivor[span]
    kept = survivor == np.arange(span.start, span.stop)
    removed = (survivor != OUT) & ~kept
    exact = survivors.exact[span]
    places, rows = survivors.numbering.locate(np.where(removed, survivor, 0))
    columns = [
        corpus.partial(part, ["content_hash"]).column("content_hash").combine_chunks(),
        ids.of(survivor, removed),
        pa.StructArray.from_arrays(
            [pa.array(places, pa.int32()), pa.array(rows, pa.int64())],
            fields=list(_PLACE),
            mask=pa.array(~removed),
        ),
        pa.array(np.where(exact, 1.0, survivors.jaccard[span]), mask=~removed),
        pa.array(exact, mask=~removed),
        pa.array(copies[span].astype(np.int64), mask=~kept),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(JUDGMENTS.items())))


def _copies(survivors: Survivors) -> Index:
    """How many documents each kept one stands for, itself included (0 for the others)."""
    copies = np.zeros(survivors.numbering.documents, survivors.numbering.dtype)
    np.add.at(copies, survivors.survivor[survivors.survivor != OUT], 1)
    return copies


class _Ids:
    """Ids of the survivors that somebody names, in a file: they may be more than memory should hold."""

    def __init__(self, corpus: Corpus, numbering: Numbering, named: npt.NDArray[np.int64]) -> None:
        self._corpus, self._numbering, self._named = corpus, numbering, named
        self._bounds = np.searchsorted(named, numbering.firsts)
        lengths = [pc.binary_length(self._read(part)).to_numpy() for part in numbering.parts]
        offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
        characters = corpus.scratch("ids", np.uint8, int(offsets[-1]))
        for part in numbering.parts:
            data, inside = utf8_view(self._read(part))
            first = offsets[self._bounds[part]]
            characters[first : first + inside[-1] - inside[0]] = data[inside[0] : inside[-1]]
        self._ids = utf8_array(characters, offsets)

    def of(self, survivor: Index, removed: npt.NDArray[np.bool_]) -> pa.Array:
        """Id of every survivor, null where the document was not removed."""
        places = np.searchsorted(self._named, survivor)
        return self._ids.take(pa.array(places, mask=~removed)).cast(pa.string())

    def _read(self, part: int) -> pa.Array:
        named = self._named[self._bounds[part] : self._bounds[part + 1]]
        ids = self._corpus.partial(part, ["id"]).column("id").combine_chunks().cast(pa.large_string())
        return ids.take(pa.array(named - self._numbering.firsts[part]))
