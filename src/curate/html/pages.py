"""Which documents are HTML: those that are declared to be, and those that begin as a page does."""

import pyarrow as pa
import pyarrow.compute as pc

CONTENT_TYPE = "content_type"
"""Field of the metadata that declares what a document is."""

_DECLARED = rf'"{CONTENT_TYPE}":\s*"[^"]'
_HTML = rf'"{CONTENT_TYPE}":\s*"\s*(?i:text/html|application/xhtml\+xml)\s*[;"]'
_BEGINS = r"(?is)^\x{FEFF}?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)[\s>]"


def are_pages(texts: pa.Array, metadata: pa.Array | None) -> pa.Array:
    """Which documents are HTML, as booleans.

    What the metadata declare (``content_type``: every format that knows it writes it there, and rows may have such a
    field) decides; where they declare nothing, a text that begins with ``<!doctype html`` or ``<html``, behind white
    space, an XML declaration and comments, is a page. Markdown that begins with a tag is none.

    Args:
        texts: ``large_string`` without nulls.
        metadata: one JSON object each, or null; None: there are no metadata.

    Example:
        >>> texts = pa.array(["<!DOCTYPE html><p>Hi", "<div>a README</div>", "<html> is a tag"], pa.large_string())
        >>> metadata = pa.array([None, '{"content_type":"text/html; charset=utf-8"}', '{"content_type":"text/plain"}'])
        >>> are_pages(texts, metadata).to_pylist()
        [True, True, False]
    """
    begins = pc.match_substring_regex(texts, _BEGINS)
    if metadata is None or metadata.null_count == len(metadata):
        return begins
    known = pc.fill_null(pc.match_substring_regex(metadata, _DECLARED), fill_value=False)
    html = pc.fill_null(pc.match_substring_regex(metadata, _HTML), fill_value=False)
    return pc.if_else(known, html, begins)
