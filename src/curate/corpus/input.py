"""What an input file is, and the section ``[input]``."""

import fnmatch
import functools
import os
from typing import Literal, NamedTuple

import msgspec

from curate.corpus.inspection.template import template_fields
from curate.settings.base import Settings
from curate.text.chats.shape import parsed

Compression = Literal["", "gzip", "zstd", "bzip2", "xz", "lz4"]

COMPRESSIONS: dict[str, Compression] = {
    ".gz": "gzip",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".lz4": "lz4",
}


COMPRESSION_NAMES = "gzip, zstd, bzip2, xz and lz4"

NO_CONVERSATION = "none"
"""Value of ``input.conversation``: no record is one."""


class InputSettings(Settings, frozen=True):
    """The section ``[input]``: which fields hold what, and how files are cut.

    Raises:
        ValueError: a size is not positive.
    """

    text: str = ""
    r"""Field that holds the text (dots reach into objects), or a template of several such as ``{title}\n\n{body}``;
    empty: found in the records, where one answer is likely."""
    conversation: str = ""
    """Fields that hold a conversation: ``messages`` (a list of turns), ``question -> answer``,
    ``prompt -> chosen | rejected``; empty: the usual ones are recognised; ``none``: records hold none."""
    id: str = ""
    """Field that holds the id; empty: guessed, else ``file#position``."""
    source: str = ""
    """Field that names the source; empty: guessed, else the first folder, else the file's stem."""
    text_suffixes: tuple[str, ...] = ()
    """More suffixes of files that are read as plain text, such as ``.log``."""
    exclude: tuple[str, ...] = ()
    """Names of files to skip, or patterns of names such as ``*/drafts/*`` (``*`` also matches ``/``)."""
    split: str = "file"
    """Where documents of plain text and Markdown end: with the ``file``, with each ``line``, or at this separator."""
    csv_header: bool = True
    """Whether the first row of CSV and TSV names the fields; without one they are ``column 1``, ``column 2`` …"""
    max_document_bytes: int = 128 * 1024 * 1024
    """Longer lines, values and text files go to quarantine: one document must fit in memory several times."""
    sample: float = 1.0
    """Share of the documents that is read, drawn by what they say: copies are drawn together, and mostly
    near-duplicates, too."""
    part_bytes: int = 64_000_000
    """Size of a part, the unit of work and of resume."""
    against: tuple[str, ...] = ()
    """Folders of finished runs whose documents count as already there: near_dup removes what they hold."""

    def __post_init__(self) -> None:
        if not 0 < self.sample <= 1:
            raise ValueError(f"`input.sample` is a share above 0 and up to 1, but is {self.sample:g}")
        for key in ("max_document_bytes", "part_bytes"):
            value = getattr(self, key)
            if value < 1:
                raise ValueError(f"`input.{key}` must be at least 1 byte, but is {value}")
        template_fields(self.text)
        if not self.split:
            raise ValueError("`input.split` is `file`, `line` or the separator of documents, but is empty")
        for suffix in self.text_suffixes:
            if not suffix.startswith(".") or suffix.lower() != suffix:
                raise ValueError(f"`input.text_suffixes` holds suffixes in lower case such as `.log`, not `{suffix}`")
        if self.conversation not in {"", NO_CONVERSATION}:
            try:
                parsed(self.conversation)
            except ValueError as error:
                raise ValueError(f"`input.conversation` = {error}") from None
            if self.text:
                raise ValueError("`input.text` and `input.conversation` are both set; a record is one or the other")


TAKEN_BY_A_BYTE = 10
"""Bytes of memory that work on a document takes for each of its bytes, whatever it says (`curate.corpus.memory`)."""


class LineMark(NamedTuple):
    """Where a line begins: a place at which a file of lines can be entered."""

    offset: int
    line: int
    """Number of the line, counted from 1."""


class RowGroup(NamedTuple):
    """Size of one row group of a Parquet file."""

    rows: int
    bytes: int
    """Uncompressed."""


class Problem(NamedTuple):
    """Why a whole file goes to quarantine, noticed when it was inspected."""

    reason: str
    detail: str
    lost_documents: int | None = None
    """How many documents are lost with it, where that is known."""


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the corpus. `discover` fills the first block of fields, `inspect` the second."""

    path: str
    name: str
    """Relative to the given folder, with ``/``: the same on every machine."""
    format: str
    """Name of a format of `curate.corpus.formats.registry`."""
    compression: Compression = ""
    max_document_bytes: int = InputSettings().max_document_bytes
    memory: int = 0
    """Bytes that work on one document may take; 0: no document of the file is so large that it matters."""

    size: int = 0
    """Bytes as they are stored."""
    tag: str = ""
    """What an object store calls the state of an object (its ETag); empty for files of a disk."""
    fingerprint: str = ""
    """XXH3-128 of the content, of an object of its tag and size; empty when the file cannot be read."""
    member: tuple[int, ...] = ()
    """Numbers of the member in its archive, and of that archive in the one that ``path`` is; empty: no member."""
    outer_size: int = 0
    """Stored bytes of the archive that ``path`` is."""
    encoding: str = ""
    """In which lines and tables are read; empty: UTF-8. A text that is a file may have another (its metadata)."""
    empty: bool = False
    text: str = ""
    id: str = ""
    source: str = ""
    conversation: str = ""
    """Where its records hold conversations, as `curate.text.chats.shape.parsed` reads it; empty: they hold a text."""
    guessed: frozenset[str] = frozenset()
    """Which of ``text``, ``conversation``, ``id``, ``source`` were guessed rather than set."""
    options: tuple[str, ...] = ()
    """What else its format must know to read it: settings, and what was found out when it was inspected."""
    marks: tuple[LineMark, ...] = ()
    """Ascending; files of plain lines only."""
    row_groups: tuple[RowGroup, ...] = ()
    repeated: frozenset[str] = frozenset()
    """Names that more than one column has."""
    problem: Problem | None = None
    note: str = ""
    """Something worth telling the user that is no problem."""

    def noted(self, note: str) -> "InputFile":
        """The same with one more note; an empty one adds nothing."""
        return msgspec.structs.replace(self, note="; ".join(filter(None, [self.note, note])))

    @property
    def text_fields(self) -> tuple[str, ...]:
        """The fields of which the text is made where it is a template; none where ``text`` is the name of one."""
        return () if "text" in self.guessed else template_fields(self.text)

    @property
    def is_stream(self) -> bool:
        """Whether it can be read from its beginning alone."""
        return bool(self.compression or self.encoding or self.tag or self.member)

    @property
    def longest_document(self) -> int:
        """Bytes beyond which a line, a value or a text is not even looked at."""
        return min(self.max_document_bytes, self.memory // TAKEN_BY_A_BYTE) if self.memory else self.max_document_bytes

    @property
    def default_source(self) -> str:
        """The first folder, else the stem of the file."""
        return _source_of(self.name.partition("!")[0] if self.member else self.name)


SkippedKind = Literal[
    "format", "text", "hidden", "run", "irregular", "no_text", "sidecar", "empty", "member", "excluded"
]
"""``format``: one that curate does not read. ``text``: of a suffix that is not read. ``no_text``: fields, but not the
text. ``sidecar``: what a tool noted about the folder. ``empty``: a folder without files. ``member``: of an archive.
``excluded``: by ``input.exclude``."""
LOST_KINDS = frozenset({"format", "text", "irregular", "no_text", "member"})
"""What may have held documents that were wanted."""


class Skipped(NamedTuple):
    """A file or folder that was found and not taken."""

    path: str
    """Its name, as `InputFile.name` has it."""
    why: str
    kind: SkippedKind = "format"
    """What files that are reported together have in common."""


def excluded_by(name: str, settings: InputSettings) -> str:
    """The pattern of ``input.exclude`` that a file's name matches; empty: none.

    Example:
        >>> excluded_by("a/drafts/b.txt", InputSettings(exclude=("*/drafts/*",)))
        '*/drafts/*'
    """
    return next((each for each in settings.exclude if each == name or fnmatch.fnmatchcase(name, each)), "")


@functools.lru_cache(maxsize=1024)
def _source_of(name: str) -> str:
    """Asked for every document of some formats."""
    folder, slash, _ = name.partition("/")
    return folder if slash else stem(name)


def stem(name: str) -> str:
    """A name without its format and compression.

    Example:
        >>> stem("forum.jsonl.zst")
        'forum'
    """
    before, suffix = os.path.splitext(name)  # noqa: PTH122  (a name, not a path)
    return os.path.splitext(before)[0] if suffix.lower() in COMPRESSIONS else before  # noqa: PTH122
