"""The input formats; third parties add theirs by an entry point in the group ``curate.formats``."""

import functools
from collections.abc import Mapping
from importlib.metadata import entry_points

from curate.corpus.formats.archive import Tar, Zip
from curate.corpus.formats.document_file import Docx, Epub, Pdf
from curate.corpus.formats.format import Format
from curate.corpus.formats.html_file import HtmlFile
from curate.corpus.formats.installed import loaded, refused
from curate.corpus.formats.json_records.json_lines import JsonLines
from curate.corpus.formats.json_records.json_values import JsonValues
from curate.corpus.formats.plain_text import SeparatedText, TextDocument, TextLines
from curate.corpus.formats.tables.arrow_ipc import ArrowIpc
from curate.corpus.formats.tables.parquet import Parquet
from curate.corpus.formats.tables.separated import Separated
from curate.corpus.formats.warc import Warc

BUILTIN: tuple[Format, ...] = (
    JsonLines(),
    JsonValues(),
    Parquet(),
    ArrowIpc(),
    Separated(),
    TextDocument(),
    TextLines(),
    SeparatedText(),
    HtmlFile(),
    Warc(),
    Epub(),
    Docx(),
    Pdf(),
    Zip(),
    Tar(),
)

GROUP = "curate.formats"


@functools.cache
def formats() -> Mapping[str, Format]:
    """All formats by name: built in first, then installed ones.

    Raises:
        PlanError: an installed format does not load, is none, or has a name or a suffix that is taken.
    """
    found = {each.name: each for each in BUILTIN}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        each = loaded(entry)
        taken = {suffix for one in found.values() for suffix in one.suffixes} & set(each.suffixes)
        if each.name in found or taken:
            what = f"the name `{each.name}`" if each.name in found else f"the suffix `{min(taken)}`"
            raise refused(entry, f"takes {what}, which is taken")
        found[each.name] = each
    return found


@functools.cache
def by_suffix() -> Mapping[str, Format]:
    """The format that each suffix speaks of.

    Example:
        >>> by_suffix()[".ndjson"].name
        'jsonl'
    """
    return {suffix: each for each in formats().values() for suffix in each.suffixes}


def recognized(head: bytes) -> Format | None:
    """The format that certainly begins like this, if there is one.

    Example:
        >>> found = recognized(b"PAR1")
        >>> found and found.name
        'parquet'
    """
    return next((each for each in formats().values() if each.recognizes(head)), None)
