"""Input that cannot be read as a document: where it lies, why it cannot be read, and the bytes themselves.

Bad input never ends a run and never vanishes: each piece of it is one row here, and the documents that it stands for
are counted in the books; where nobody can know how many they are, its bytes are.
"""

from typing import NamedTuple

import pyarrow as pa

from curate.settings.base import Reason
from curate.text.chats.turns import REASONS as MALFORMED

KEPT_BYTES = 64 * 1024
"""How much of an unreadable piece of input is kept: enough to see what it is, bounded for huge lines."""

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("position", pa.int64()),
        ("byte_offset", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("bytes", pa.binary()),
        ("lost_documents", pa.int64()),
        ("lost_bytes", pa.int64()),
    ]
)
"""``position``: line or row, counted from 1; null when the entry stands for the whole file.
``byte_offset``: where the line begins in the file, for compressed files in what it decompresses to; null for
Parquet.
``lost_documents``: how many documents the entry stands for; null where that cannot be known: it counts as one then.
``lost_bytes``: where it cannot be known, stored bytes of the file that were not read. Of a file that ends too early
nobody knows how much is missing, and all of its bytes are meant; of a row of CSV that swallowed others, its own."""

UNREADABLE = "unreadable_file"
TOO_LITTLE_MEMORY = "too_little_memory"
DANGEROUS = "killed_worker"

REASONS = (
    Reason("bad_json", "The line is not valid JSON."),
    Reason("not_an_object", "The line is valid JSON, but not an object with fields."),
    Reason("ragged_row", "The row has more or fewer fields than the header, or a quote that is never closed."),
    Reason("undecodable", "The bytes are not valid UTF-8."),
    Reason("missing_text", "The text field is missing or null."),
    Reason("text_not_a_string", "The text field holds something other than a string."),
    Reason("document_too_large", "The document is longer than `input.max_document_bytes`."),
    Reason(TOO_LITTLE_MEMORY, "The document would take more memory than `run.memory` leaves for one."),
    Reason("truncated_file", "The file ends too early: what came before was read, the rest is missing."),
    Reason("corrupt_file", "The file is damaged; what could be read of it was."),
    Reason(DANGEROUS, "Two processes died while they worked on the document, so it was put in quarantine."),
    Reason(UNREADABLE, "The file could not be opened or read, or changed during the run."),
    Reason("other_format", "The format of the file is not the one that its name says, and curate does not read it."),
    Reason("took_too_long", "Reading the document took more processor time than is allowed."),
    Reason("no_text", "The document holds no text, such as a PDF of scanned pages."),
    Reason("repeated_text", "More than one column of the file has the name of the text."),
    *MALFORMED,
    Reason("corrupt_metadata", "A field other than the text is damaged; the documents were read without it."),
    Reason("bad_record", "The archive record is malformed: a wrong length, no header, or a damaged body."),
)

PASSED_OVER = (
    Reason("other_record", "An archive record that is not a page: a request, metadata, a note on the archive."),
    Reason("revisit", "An archive record that says that a page has not changed since an earlier capture."),
    Reason("no_success", "A page for which the server sent a status other than 200."),
    Reason("not_text", "A capture of something that is neither HTML nor text: an image, a script, nothing at all."),
)
"""Why a record is no document by its nature. Their entries say where it is and what; no document is lost with them."""


class Quarantined(NamedTuple):
    """One row of the quarantine; the fields are those of `SCHEMA`."""

    file: str
    position: int | None
    byte_offset: int | None
    reason: str
    detail: str
    bytes: bytes = b""
    lost_documents: int | None = 1
    lost_bytes: int | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return len(self.bytes)


class Damaged(Exception):  # noqa: N818  (named for what happened)
    """A file cannot be read any further; carries the reason and the detail of its quarantine entry."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def quarantine_batch(entries: list[Quarantined]) -> pa.RecordBatch:
    """The entries as one batch of `SCHEMA`, their bytes cut to `KEPT_BYTES`.

    Example:
        >>> quarantine_batch([Quarantined("a.jsonl", 3, 70, "bad_json", "truncated", b'{"te')]).num_rows
        1
    """
    columns = dict(zip(Quarantined._fields, zip(*entries, strict=True), strict=True)) if entries else {}
    columns["bytes"] = tuple(content[:KEPT_BYTES] for content in columns.get("bytes", ()))
    arrays = [pa.array(columns.get(field.name, ()), field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
