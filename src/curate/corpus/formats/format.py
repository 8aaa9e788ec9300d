"""What an input format must do. A new format is one file in `curate.corpus.formats` and one entry in its registry.

A file goes through the five in order: ``inspect`` looks at it once before the run, ``split`` says where it may be cut
into parts, ``read`` gives its pieces (I/O and decompression, one thread), ``parse`` makes documents of a piece (any
thread). What happens to a document must depend on the file alone, never on where pieces or parts begin.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec

from curate.corpus.documents import Rows
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.fields import Enough, Seen, never
from curate.corpus.quarantine import Quarantined


class Piece(Protocol):
    """Input that was read and not yet parsed: a named tuple of any shape that has these two."""

    @property
    def file(self) -> InputFile:
        """What it is a piece of."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        ...


class Joinable(Protocol):
    """A piece that can be put together with those that follow it: many small ones cost more than one."""

    @property
    def file(self) -> InputFile:
        """What it is a piece of."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        ...

    def follows(self, before: Any) -> bool:
        """Whether it begins where another piece of its kind ends."""
        ...

    def joined(self, pieces: Sequence[Any]) -> "Joinable":
        """Itself and pieces that follow each other, of which it is the first, as one."""
        ...


class Span(msgspec.Struct, frozen=True):
    """A stretch of one file: stored bytes, or blocks of rows of a table."""

    file: InputFile
    start: int
    stop: int
    first_position: int
    """Number of the first line or row, counted from 1 (unknown within compressed files: 1)."""
    bytes: int
    """Stored bytes, for progress."""


class Step(NamedTuple):
    """One thing that ``read`` did."""

    at: int
    """Where in the file the piece begins, in the unit of `Span.start`: tells to which part of a strand it belongs."""
    piece: Piece | Quarantined | None
    """None: nothing but progress."""
    stored: int = 0
    """Stored bytes newly consumed."""


class Looked(NamedTuple):
    """One file, and what of its records was seen; None where it has no records with fields, or none can be read."""

    file: InputFile
    seen: Seen | None = None


class Format(ABC):
    """Reads the files of one format.

    Attributes:
        name: in ``run.json`` and `InputFile.format`.
        about: one sentence for people.
        suffixes: of file names, in lower case with the dot.
        version: bump when the same bytes can give other documents.
        packable: whether files may be compressed as a whole (``.gz``, ``.zst`` …).
        fields: whether records have named fields, of which one is the text.
        one_document: whether a file is one document.
        encoded: whether files may be in another encoding than UTF-8, which is then found before ``inspect``.
        counts_lines: whether ``inspect`` wants to know where lines begin (`InputFile.marks`).
        slow_to_open: whether even a small file takes a while to inspect.
        mends: whether ``read`` goes on behind damage: a file with a damaged beginning is read, too, and its ``head`` is
            empty then.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    packable: ClassVar[bool] = True
    fields: ClassVar[bool] = False
    one_document: ClassVar[bool] = False
    encoded: ClassVar[bool] = False
    counts_lines: ClassVar[bool] = False
    slow_to_open: ClassVar[bool] = False
    mends: ClassVar[bool] = False

    def recognizes(self, head: bytes) -> bool:  # noqa: ARG002
        """Whether a file that begins like this is of the format, whatever its name: true only where that is certain."""
        return False

    def lacks(self, head: bytes) -> str:  # noqa: ARG002
        """Why a file of this name that begins like this is not of the format; empty where it may be."""
        return ""

    def admits(self, head: bytes) -> bool:  # noqa: ARG002
        """Whether a file of this name may be of the format although it begins like one of a more general kind."""
        return False

    def variant(self, settings: InputSettings) -> str:  # noqa: ARG002
        """Name of the format that reads files of these suffixes under these settings."""
        return self.name

    def actual(self, file: InputFile, head: bytes) -> str:  # noqa: ARG002
        """Name of the format that a file named as of this one really is, of those that share a suffix."""
        return self.name

    @abstractmethod
    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        """What one look at a file tells: problems, fields, blocks of rows.

        Args:
            file: with size, fingerprint and marks.
            head: its first bytes, decompressed; empty only where they are damaged and the format ``mends``.
            settings: the section ``[input]``.

        Raises:
            Damaged: it cannot be read; the file goes to quarantine as a whole.
        """

    def look_at_all(
        self,
        file: InputFile,  # noqa: ARG002
        settings: InputSettings,  # noqa: ARG002
        enough: Enough = never,  # noqa: ARG002
    ) -> Seen | None:
        """What all records of a file hold, or as many as are ``enough``; None: ``inspect`` saw all."""
        return None

    def text_bytes(self, file: InputFile) -> int:
        """How much text a file holds, roughly."""
        return file.size * TEXT_RATIO if file.compression else file.size

    def longest(self, file: InputFile) -> int | None:
        """Bytes that no document of a file exceeds; None where that is not known."""
        return None if file.is_stream else file.size

    def whole(self, file: InputFile) -> Span:
        """All of a file."""
        return span(file, 0, file.size, 1, file.size)

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:  # noqa: ARG002
        """A large file cut at places that depend on the file alone.

        Args:
            file: inspected.
            part_bytes: wanted size of a part, in bytes of text.

        Yields:
            Spans, a part each. Those of one tuple are read one after another by one ``read`` over all of them.
        """
        yield (self.whole(file),)

    @abstractmethod
    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:
        """The pieces of a span, in order. Damage is a `Quarantined` piece, never an exception.

        Args:
            span: as ``split`` or ``whole`` gave it, or several of one tuple put together.
            chunk_bytes: about so much is wanted in a piece.
        """

    @abstractmethod
    def parse(self, piece: Any, rows: Rows) -> None:
        """Append the documents of a piece to ``rows``, and to its quarantine what is none."""


TEXT_RATIO = 3
"""Bytes of text in a byte of compressed text, roughly."""


def span(file: InputFile, start: int, stop: int, first_position: int, size: int) -> Span:
    """Spans travel to other processes and machines: without the marks, which only ``split`` needs."""
    return Span(msgspec.structs.replace(file, marks=()), start, stop, first_position, size)
