"""Mojibake that is meant, and repairs that repair nothing: where a careful reader would leave a line alone.

Text *about* encodings quotes mojibake: "you see ``Ã©`` where ``é`` should be". Three signs tell such a line from a
damaged one; two of them are enough:

- everything that ftfy would change stands in quotation marks, back quotes or brackets of its own;
- the document holds all that the repair would bring, as it should be, elsewhere;
- the document names an encoding.

Text that was never UTF-8 (Chinese or Japanese in another encoding, read as Latin-1) contains pieces that look
like UTF-8 by chance. Repairing them makes other garbage, which cannot be distinguished from the first. So a repair
of single pieces is accepted only if it repairs nearly everything that was wrong with the line.
"""

import functools
import re
from collections import Counter

from ftfy import TextFixerConfig
from ftfy.badness import badness, is_bad

from curate.text.repair.ftfy_steps import fix_encoding

LEFT_OVER = 8
"""A repair of single pieces may leave one mistake of this many. Real ones leave none, chance ones most of them."""

_ENCODING_NAME = re.compile(
    r"\b(?:utf[-_ ]?(?:8|16|32)|latin[-_ ]?(?:1|2|9|15)|iso[-_ ]?8859|(?:windows|cp|code ?page)[-_ ]?(?:125\d|437|850)"
    r"|mojibake|unicode|ascii|charset|encodings?)\b",
    re.IGNORECASE,
)
_OPENING = "\"'`([\u2018\u201a\u201c\u201e\u2039\xab\u300c\u300e"
_CLOSING = "\"'`)]\u2018\u2019\u201c\u201d\u203a\xbb\u300d\u300f"
_QUOTED = re.compile(f"[{re.escape(_OPENING)}][^\\s{re.escape(_OPENING + _CLOSING)}]{{1,40}}[{re.escape(_CLOSING)}]")
_WORD = re.compile(r"[^\W\d_]+|[^\w\s]+")


class Surroundings:
    """The document in which a line stands, read only when a line of it is in doubt."""

    def __init__(self, text: str) -> None:
        self._text = text

    @functools.cached_property
    def names_encoding(self) -> bool:
        """Does it speak of an encoding?"""
        return _ENCODING_NAME.search(self._text) is not None

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Its words and runs of signs beyond ASCII."""
        return frozenset(_words(self._text))


def is_damage(line: str, config: TextFixerConfig, document: Surroundings) -> bool:
    """Whether ftfy should repair the encoding of a line in which it finds mojibake.

    Args:
        line: the line, or a piece of a long one.
        config: the configuration of ftfy.
        document: where the line stands.

    Example:
        >>> about = 'Read as Latin-1, "é" becomes "Ã©".'
        >>> is_damage(about, TextFixerConfig(), Surroundings(about))
        False
        >>> is_damage("un cafÃ©", TextFixerConfig(), Surroundings("un cafÃ©"))
        True
    """
    quoted = not is_bad(_QUOTED.sub(" ", line))
    if not quoted and not document.names_encoding:
        return _repairs(line, config)
    repaired, _ = fix_encoding(line, config)
    brought = _words(repaired) - _words(line)
    signs = quoted + document.names_encoding + (bool(brought) and brought.keys() <= document.words)
    return signs < 2 and _repairs(line, config)


def _repairs(line: str, config: TextFixerConfig) -> bool:
    repaired, plan = fix_encoding(line, config)
    return "decode_inconsistent_utf8" not in plan or badness(repaired) * LEFT_OVER <= badness(line)


def _words(text: str) -> Counter[str]:
    return Counter(word for word in _WORD.findall(text) if not word.isascii())
