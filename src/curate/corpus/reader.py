"""Strands read as chunks: one thread does I/O, decompression and line splitting, any other thread parses.

A chunk ends where it has enough bytes; which chunk a document falls into changes nothing about it.
"""

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from curate.corpus.documents import Parsed, Rows
from curate.corpus.formats.format import Joinable, Piece, Span, Step
from curate.corpus.formats.registry import formats
from curate.corpus.input import TAKEN_BY_A_BYTE, InputFile
from curate.corpus.memory import within_memory
from curate.corpus.parts import Part, Strand
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined
from curate.corpus.stored import stored_bytes


class Chunk(NamedTuple):
    """A run of input of one part, read and not yet parsed."""

    part: int
    """Index of the part."""
    pieces: tuple[Piece | Quarantined, ...]
    input_bytes: int
    """Stored bytes of the part consumed since its chunk before."""
    last: bool
    """No other chunk of this part follows."""

    @property
    def taken_bytes(self) -> int:
        """Bytes of memory that parsing takes."""
        return TAKEN_BY_A_BYTE * sum(piece.nbytes for piece in self.pieces)

    def parse(self) -> Parsed:
        """The documents of the chunk, and what of it goes to quarantine. Safe on any thread."""
        rows = Rows()
        for piece in _joined(self.pieces):
            if isinstance(piece, Quarantined):
                rows.quarantined.append(piece)
            else:
                formats()[piece.file.format].parse(piece, rows)
        memory = max((piece.file.memory for piece in self.pieces if not isinstance(piece, Quarantined)), default=0)
        return within_memory(rows.parsed(), memory) if memory else rows.parsed()


def chunks(strand: Strand, wanted: frozenset[int], chunk_bytes: int) -> Iterator[Chunk]:
    """Read a strand once; every wanted part gives its chunks in order, the last of them marked.

    Args:
        strand: as `curate.corpus.parts.cut` made it.
        wanted: indexes of the parts to yield; the others are read past where they must be.
        chunk_bytes: size at which a chunk is handed on.

    A part without a document still yields one (last) chunk. The ``input_bytes`` of its chunks add up to the
    ``bytes`` of the part.
    """
    desks = [_Desk(part, wanted=part.index in wanted) for part in strand.parts]
    final = max((i for i, desk in enumerate(desks) if desk.wanted), default=-1)
    if final < 0:
        return
    current = 0
    with closing(_steps(strand, chunk_bytes)) as steps:
        for step in steps:
            desks[step.part].consumed += step.stored
            if step.piece is None:
                continue
            while current < step.part and current <= final:
                yield from desks[current].close()
                current += 1
            if current > final:
                return
            yield from desks[current].add(step.piece, chunk_bytes)
    for desk in desks[current : final + 1]:
        yield from desk.close()


class _Desk:
    """What has been read of one part and not been handed on."""

    def __init__(self, part: Part, *, wanted: bool) -> None:
        self.wanted = wanted
        self.consumed = 0
        self._part = part
        self._handed_on = 0
        self._pieces: list[Piece | Quarantined] = []
        self._held = 0

    def add(self, piece: Piece | Quarantined, chunk_bytes: int) -> Iterator[Chunk]:
        if not self.wanted:
            return
        self._pieces.append(piece)
        self._held += piece.nbytes
        if self._held >= chunk_bytes:
            yield self._chunk(self.consumed - self._handed_on, last=False)

    def close(self) -> Iterator[Chunk]:
        if self.wanted:
            # A damaged file is not read to its end; the rest counts as consumed, so that progress ends full.
            yield self._chunk(self._part.bytes - self._handed_on, last=True)

    def _chunk(self, input_bytes: int, *, last: bool) -> Chunk:
        chunk = Chunk(self._part.index, tuple(self._pieces), input_bytes, last)
        self._handed_on += input_bytes
        self._pieces, self._held = [], 0
        return chunk


class _Step(NamedTuple):
    """One thing the reader did."""

    part: int
    """Which part of the strand it belongs to, counted from 0."""
    piece: Piece | Quarantined | None
    stored: int


def _steps(strand: Strand, chunk_bytes: int) -> Generator[_Step, None, None]:
    if len(strand.parts) == 1:
        for span in strand.parts[0].spans:
            yield from _span_steps(span, chunk_bytes)
        return
    spans = [part.spans[0] for part in strand.parts]
    first, starts = spans[0], [span.start for span in spans]
    whole = Span(first.file, first.start, spans[-1].stop, first.first_position, sum(span.bytes for span in spans))
    for step in _counted(formats()[first.file.format].read(whole, chunk_bytes), whole.bytes):
        yield _Step(bisect_right(starts, step.at) - 1, step.piece, step.stored)


def _span_steps(span: Span, chunk_bytes: int) -> Iterator[_Step]:
    file, format_ = span.file, formats()[span.file.format]
    if file.problem:
        kept, (reason, detail, documents) = _first_bytes(file), file.problem
        known = 1 if format_.one_document else documents
        lost_bytes = file.size if known is None else None
        entry = Quarantined(file.name, None, None, reason, detail, kept, known, lost_bytes)
        yield _Step(0, entry, span.bytes)
        return
    for step in _counted(format_.read(span, chunk_bytes), span.bytes):
        yield _Step(0, step.piece, step.stored)


def _counted(source: Iterable[Step], size: int) -> Iterator[Step]:
    """The same, and what is lost where damage ends them counted in stored bytes, of which there are ``size``."""
    read = 0
    for step in source:
        read += step.stored
        piece = step.piece
        if isinstance(piece, Quarantined) and piece.lost_documents is None and piece.lost_bytes is None:
            lost = size if piece.reason == "truncated_file" else max(0, size - read)
            yield step._replace(piece=piece._replace(lost_bytes=lost))
        else:
            yield step


def _first_bytes(file: InputFile) -> bytes:
    """The beginning of a file that goes to quarantine whole, as far as it can be had."""
    try:
        with stored_bytes(file) as source:
            return source.at(0, KEPT_BYTES)
    except Damaged:
        return b""


def _joined(pieces: Iterable[Piece | Quarantined]) -> Iterator[Piece | Quarantined]:
    """The same pieces, but those that follow each other are one where they can be: streams give a few at a time."""
    run: list[Joinable] = []
    for piece in pieces:
        if run and not (isinstance(piece, type(run[-1])) and piece.follows(run[-1])):
            yield run[0].joined(run)
            run = []
        if hasattr(piece, "joined"):  # comparing with the protocol takes as long as reading a record
            run.append(piece)  # type: ignore[arg-type]
        else:
            yield piece
    if run:
        yield run[0].joined(run)
