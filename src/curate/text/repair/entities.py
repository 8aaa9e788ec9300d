"""HTML entities in prose: unescaped by one level, or not at all.

A page whose text was escaped once too often says ``Tom &amp; Jerry`` and ``caf&eacute;``. A text *about* HTML or
programs says ``write &amp;amp;`` or ``p = &reg;`` and means it. What tells them apart:

- escaped text has no ``&`` of its own: in a line of it, each one begins an entity;
- it holds no markup, and none appears when it is unescaped: no tag, and no further entity;
- it does not speak of HTML, XML or entities, and no entity stands in quotation marks of its own;
- no line with an entity looks like code.

Where one of the last three fails, all of the document stays as it is.
"""

import functools
import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ftfy import fixes
from ftfy.chardata import HTML_ENTITY_RE

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.holding import rows_holding
from curate.text.core.kernel import kernel
from curate.text.core.replaced import replaced
from curate.text.repair.entity_names import entity_names, is_entity

_TAG = re.compile(r"<[A-Za-z/!?]")
_MARKUP = re.compile(r"\b(?:x?html\d?|xml|sgml|svg|ampersands?|character entit|entity ref)", re.IGNORECASE)
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\xab\xbb\u2039\u203a\u300c\u300d"
_ENTITY = HTML_ENTITY_RE.pattern
_QUOTED = re.compile(
    f"[{_QUOTES}](?:\\s?{_ENTITY})+\\s?[{_QUOTES}]|[(\\[](?!&(?:copy|reg|trade|pound|euro|deg);){_ENTITY}[)\\]]"
)
_CODE = re.compile(
    r"[{}\\]|[=!<>]=|->|=>|::|\w\(\)|\$[A-Za-z_]|\|\||\);\s*$"
    r"|=\s*&[A-Za-z]|\w\(\s*&[A-Za-z]+;|\breturn\s+&[a-z]+;\s*$|;\s+(?://|/\*|#\s)"
    r"|(?:&amp;\s?){2}|[=-]&gt;\w?|&lt;[-=]|[&|]&gt;"
    r"|\b(?:write|use|type|insert)\s+&(?!quot|[lr][sd]quo|laquo|bdquo|#)\w+;",
    re.IGNORECASE,
)
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u2060-\u2064\ufeff]")


def unescape_prose(texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Texts without the entities of prose, and which ones had any. Idempotent, and never more than one level.

    The very array that came in is returned when nothing changed.

    Args:
        texts: ``large_string`` without nulls; may be a slice.

    Example:
        >>> escaped = ["Tom &amp; Jerry", "write &amp;amp; for it", "&lt;b&gt;bold&lt;/b&gt;", "p = &reg;"]
        >>> unescape_prose(pa.array(escaped, pa.large_string()))[0].to_pylist()
        ['Tom & Jerry', 'write &amp;amp; for it', '&lt;b&gt;bold&lt;/b&gt;', 'p = &reg;']
    """
    unescaped = np.zeros(len(texts), np.bool_)
    rows = rows_holding(texts, "&")
    rows = rows[_holding_entities(*utf8_view(texts), rows, entity_names())]
    before = texts.take(pa.array(rows)).to_pylist()
    after = list(map(_unescaped, before))
    unescaped[rows] = [a != b for a, b in zip(before, after, strict=True)]
    return replaced(texts, rows, pa.array(after, pa.large_string())) if unescaped.any() else texts, unescaped


@kernel
def _holding_entities(
    data: Bytes, offsets: Offsets, rows: npt.NDArray[np.int64], names: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which of the texts of ``rows`` hold one that ftfy knows."""
    holding = np.zeros(len(rows), np.bool_)
    for number in range(len(rows)):
        end = offsets[rows[number] + 1]
        for i in range(offsets[rows[number]], end):
            if data[i] == 0x26 and is_entity(data, i + 1, end, names):
                holding[number] = True
                break
    return holding


def _unescaped(text: str) -> str:
    if _TAG.search(text) or _MARKUP.search(text) or _QUOTED.search(text):
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if "&" not in line:
            continue
        parts = _AMPERSAND.split(line)
        characters = [_character(part) for part in parts[1::2]]
        if all(one is None for one in characters):
            continue
        if _CODE.search(line) or any(map(_holds_entity, line.split("`")[1:-1:2])):
            return text
        if None in characters:
            continue
        parts[1::2] = characters
        lines[number] = "".join(parts)
        seen = _UNSEEN.sub("", lines[number])
        if _TAG.search(seen) or _holds_entity(seen):
            return text
    return "\n".join(lines)


_AMPERSAND = re.compile(f"({_ENTITY}|&)")


def _holds_entity(text: str) -> bool:
    return any(_character(entity) is not None for entity in HTML_ENTITY_RE.findall(text))


@functools.lru_cache(maxsize=4096)
def _character(entity: str) -> str | None:
    """What an entity stands for; None for what is none."""
    character: str = fixes.unescape_html(entity)
    return None if character == entity else character
