"""Pieces of an input that lie evenly in it, read and parsed: what `curate.pipeline.planning.trial` tries."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from curate.corpus.documents import Parsed
from curate.corpus.formats.format import Span
from curate.corpus.formats.tables.table_rows import TableRows
from curate.corpus.input import InputFile
from curate.corpus.parts import Part, Strand
from curate.corpus.reader import Chunk, chunks
from curate.process.child import spent

PLACES = 24
PLACE_BYTES = 250_000
_FEW = 5
"""Pieces of a kind of files, of which fewer tell little: a small dense file beside large ones."""
_REACH = 200_000_000
"""Stored bytes that are read on the way to pieces in the middle of large stretches: about a second."""


class Piece(NamedTuple):
    """Documents of one file, or of files of one kind."""

    file: InputFile
    stored: int
    """Stored bytes that it is, by the bytes that it holds."""
    counted: int
    """The same by its rows, where rows are counted; else as by bytes."""
    parsed: Parsed
    seconds: float
    """CPU seconds of reading and parsing it."""


def pieces(strands: Sequence[Strand]) -> Iterator[Piece]:
    """Pieces of the input that lie evenly in it: all of it, where that is little."""
    spans = [span for strand in strands for span in _spans(strand)]
    ends = np.cumsum([span.bytes for span in spans])
    if not len(ends):
        return
    if ends[-1] <= PLACES * PLACE_BYTES:
        yield from (_first(spans[at : at + 1], None) for at in range(len(spans)))
        return
    places = [(place + 0.5) / PLACES * float(ends[-1]) for place in range(PLACES)]
    within = Counter(np.searchsorted(ends, places, side="right").tolist())
    kinds = Counter(kind_of(spans[at].file) for at in within.elements())
    beyond = -1
    for first, count in within.items():
        if first <= beyond:
            continue
        beyond, taken, kind = first, 0, kind_of(spans[first].file)
        while (
            beyond + 1 < len(spans)
            and kind_of(spans[beyond + 1].file) == kind
            and (taken := taken + spans[beyond].bytes) < PLACE_BYTES
        ):
            beyond += 1
        if beyond > first or spans[first].bytes <= PLACE_BYTES:
            yield _first(spans[first : beyond + 1], PLACE_BYTES)
        else:
            wanted = count if kinds[kind] >= _FEW else 3 * count
            yield from _within(spans[first], wanted, _REACH // len(within))


def _spans(strand: Strand) -> tuple[Span, ...]:
    """The stretches of a strand; parts that must be read one after another are one."""
    if len(strand.parts) == 1:
        return strand.parts[0].spans
    spans = [span for part in strand.parts for span in part.spans]
    return (msgspec.structs.replace(spans[0], stop=spans[-1].stop, bytes=sum(span.bytes for span in spans)),)


def _first(spans: Sequence[Span], most: int | None) -> Piece:
    """What some stretches of files hold, or the first of it."""
    started, stored, parsed = cpu_seconds(), 0, list[Parsed]()
    for chunk in _chunks(spans, most or PLACES * PLACE_BYTES):
        stored += chunk.input_bytes
        parsed.append(chunk.parse())
        if most and (stored >= most or sum(one.documents["text"].nbytes for one in parsed) >= 2 * most):
            break
    return _piece(spans[0].file, stored, stored, parsed, cpu_seconds() - started)


def _within(span: Span, places: int, reach: int) -> Iterator[Piece]:
    """Pieces that lie evenly in what a large stretch holds. What lies between them is read and parsed no further.

    Evenly by the bytes that are held, so that every piece is as likely as it is long: stored bytes are counted by
    blocks, and those of tables by rows. How much there will be is not known before the end, so that thrice as many as
    are wanted are kept, and of these one in three when there are more: places in the middle of thirds stay places.

    Args:
        span: of a file, or of a part of it.
        places: how many pieces are wanted.
        reach: how many stored bytes are read at most.
    """
    read, held, rows, apart, began, parsing = 0, 0, 0, 1, cpu_seconds(), 0.0
    found = list[_Cut]()
    for chunk in _chunks([span], PLACE_BYTES):
        size, count = sum(piece.nbytes for piece in chunk.pieces), _rows(chunk)
        if size and _has_place(held, held + size, apart):
            started = cpu_seconds()
            found.append(_Cut(held, held + size, count, chunk.parse(), cpu_seconds() - started))
            parsing += found[-1].seconds
        read, held, rows = read + chunk.input_bytes, held + size, rows + count
        while len(found) > 3 * places:
            apart *= 3
            found = [cut for cut in found if _has_place(cut.start, cut.stop, apart)]
        if read >= reach:
            break
    chosen = (
        found if len(found) <= places else [found[(2 * at + 1) * len(found) // (2 * places)] for at in range(places)]
    )
    reading = (cpu_seconds() - began - parsing) / max(1, held)
    for cut in chosen:
        size = cut.stop - cut.start
        stored, seconds = round(size * read / held), cut.seconds + reading * size
        yield _piece(span.file, stored, round(cut.rows * read / rows) if rows else stored, [cut.parsed], seconds)


class _Cut(NamedTuple):
    """A chunk of a stretch: where in all that it holds, its rows if it is of a table, and what it was parsed to."""

    start: int
    stop: int
    rows: int
    parsed: Parsed
    seconds: float


def _has_place(start: int, stop: int, apart: int) -> bool:
    """Whether one of evenly spaced places lies in a range."""
    return (start + apart // 2) // apart != (stop + apart // 2) // apart


def _rows(chunk: Chunk) -> int:
    """Rows of a chunk of a table, all of which may be documents; 0 where they are not counted."""
    return sum(len(piece.batch) for piece in chunk.pieces if isinstance(piece, TableRows))


def cpu_seconds() -> float:
    """CPU seconds of this process and its children so far."""
    return time.process_time() + spent.seconds


def _chunks(spans: Sequence[Span], size: int) -> Iterator[Chunk]:
    part = Part(0, "", tuple(spans), sum(span.bytes for span in spans), "")
    return chunks(Strand((part,)), frozenset([0]), size)


def kind_of(file: InputFile) -> str:
    """Files of which a stored byte holds about as much text."""
    return f"{file.format} {file.compression}"


def _piece(file: InputFile, stored: int, counted: int, parsed: Sequence[Parsed], seconds: float) -> Piece:
    documents = pa.Table.from_batches([one.documents for one in parsed]).combine_chunks().to_batches()
    quarantined = pa.concat_batches([one.quarantined for one in parsed])
    whole = Parsed(documents[0] if documents else parsed[0].documents, quarantined)
    return Piece(file, max(1, stored), max(1, counted), whole, seconds)
