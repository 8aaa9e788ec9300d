"""Texts that cost `normalize` most: what has been, or might be, quadratic or a hundred times as slow as prose.

Each entry of `HOSTILE_TEXTS` makes a text of about the size asked for. `python -m benchmarks.normalize_cliffs` times
them beside prose.
"""

import itertools
import unicodedata
from collections.abc import Callable, Mapping

Maker = Callable[[int], str]
"""Bytes of UTF-8 → a text of about that size."""


def repeated(fragment: str, *, before: str = "", after: str = "") -> Maker:
    """A fragment again and again."""
    return lambda n_bytes: before + fragment * max(1, n_bytes // len(fragment.encode())) + after


def nested(opening: str, closing: str, core: str = "") -> Maker:
    """One pair of fragments inside the other."""

    def make(n_bytes: int) -> str:
        depth = max(1, n_bytes // len((opening + closing).encode()))
        return opening * depth + core + closing * depth

    return make


def numbered(form: str) -> Maker:
    """Lines of one form, each with another number, so that no two are equal."""

    def make(n_bytes: int) -> str:
        count = max(1, n_bytes // len(form.format(100_000).encode()))
        return "".join(form.format(number) for number in range(count))

    return make


def cycled(fragments: str) -> Maker:
    """Fragments between spaces, in turn, again and again."""

    def make(n_bytes: int) -> str:
        one = fragments.split(" ")
        count = max(1, n_bytes // len("".join(one).encode()) * len(one))
        return "".join(itertools.islice(itertools.cycle(one), count))

    return make


def misread(text: str, *encodings: str) -> str:
    """UTF-8 read in a wrong encoding, once for each."""
    for encoding in encodings:
        text = text.encode().decode(encoding)
    return text


WORDS = "naïve façade, “coöperate” – déjà vu… "
LAYERS = misread("é", "latin-1", "latin-1", "latin-1", "latin-1")
CHINESE = "中国电子学会".encode("gb18030").decode("latin-1")

HOSTILE_TEXTS: Mapping[str, Maker] = {
    # line ends
    "CR alone": repeated("\r"),
    "words between CR": repeated("word\r"),
    "CR LF": repeated("a\r\n"),
    "CR CR LF": repeated("a\r\r\n"),
    "line ends of all kinds": cycled("a \r\n \r \u2028 \x0b \x1c \x85 \n \u2029"),
    "line separators": repeated("\u2028"),
    "next lines": repeated("a\x85"),
    "blank lines": repeated("\n"),
    "lines of spaces": repeated(" \n"),
    "spaces": repeated(" "),
    "no-break spaces": repeated("\xa0"),
    "one long line": repeated("word "),
    "one long word": repeated("x"),
    "one long word beyond ASCII": repeated("é"),
    "one long word of Han": repeated("漢"),
    # entities
    "&amp;amp;amp;": repeated("amp;", before="&"),
    "&amp;amp; again and again": repeated("&amp;amp; "),
    "entities nested": nested("&#38", ";"),
    "entities nested by names": nested("&am", "p;", "&"),
    "entities": repeated("&eacute; "),
    "entities without spaces": repeated("&lt;"),
    "numeric entities": repeated("&#8203;"),
    "entities on lines of their own": numbered("&hellip;{}\n"),
    "ampersands": repeated("&"),
    "ampersands and hashes": repeated("&#"),
    "names without an end": repeated("&abcdefghijklmnopqrstuvwxyz"),
    "semicolons": repeated("&;"),
    "tags": repeated("<b>"),
    "quoted entities": repeated('"&lt;" '),
    # mojibake
    "mojibake": repeated("Ã©"),
    "mojibake in words": repeated("cafÃ© "),
    "mojibake in lines": repeated("Ã©\n"),
    "mojibake in different lines": numbered("Ã©{}\n"),
    "mojibake of quotation marks": repeated("â€™ word "),
    "mojibake beside the right form": repeated("Ã© é ’ "),
    "mojibake that becomes mojibake": repeated("ƒ", before="Ã"),
    "mojibake in four layers": repeated(LAYERS + " "),
    "mojibake in four layers beside the right form": repeated(LAYERS + " é’ "),
    "mojibake of different layers": cycled(
        " ".join(misread("é", *("latin-1",) * depth) for depth in range(5)).replace(" ", " \x20")
    ),
    "mojibake quoted": repeated('"Ã©" in UTF-8 '),
    "mojibake with lost bytes": repeated("â€� "),
    "mojibake with spaces": repeated("Ã "),
    "mojibake of emoji as surrogates": repeated("í\xa0½í¸\x80"),
    "Latin-1 and Windows-1252 mixed": repeated("d\x92un côté\n"),
    "UTF-8 and Windows-1252 in layers": cycled("Ã© \x92 â€™ é \xe2\x80\x99 Â\xa0"),
    "Chinese read as Latin-1": repeated(CHINESE),
    "a quotation mark and no other": repeated('"Ã©'),
    # controls
    "C1 controls": repeated("\x92"),
    "C1 controls in different lines": numbered("l\x92{}\n"),
    "C1 controls without a meaning": repeated("a\x81b"),
    "NUL": repeated("\x00"),
    "UTF-16": repeated("a\x00"),
    "controls between words": repeated("a\x01b "),
    "low bytes": repeated("it\x19s \x1cso\x1d "),
    "backspaces": repeated("a\x08"),
    "struck over": repeated("a\x08a_\x08b"),
    "terminal escapes": repeated("\x1b[31m"),
    "terminal escapes in different lines": numbered("\x1b[31m{}\x1b[0m\n"),
    "terminal escapes nested": nested("\x1b[", "0m"),
    "escapes without an end": repeated("\x1b["),
    "an escape of digits": repeated("1;", before="\x1b["),
    "escapes of Japanese": repeated("\x1b$B$*@$OC\x1b(B\n"),
    "separators": repeated("a\x1fb\x1e"),
    # invisible characters, normalization
    "zero width spaces": repeated("\u200b"),
    "zero width spaces in Thai": repeated("ก\u200b"),
    "byte order marks": repeated("\ufeff"),
    "soft hyphens": repeated("a\xad"),
    "object replacement characters": repeated("a\ufffc"),
    "replacement characters": repeated("\ufffd"),
    "marks on one letter": repeated("\u0301\u0327", before="e"),
    "marks of one class": repeated("\u0301", before="e"),
    "marks that come apart": repeated("\u0f73\u0f71\u0344", before="e"),
    "decomposed letters": repeated(unicodedata.normalize("NFD", WORDS)),
    "decomposed Hangul": repeated(unicodedata.normalize("NFD", "한국어 ")),
    "decomposed Vietnamese": repeated(unicodedata.normalize("NFD", "tiếng Việt ")),
    "nukta": repeated("\u0958\u093c"),
    "compatibility ideographs": repeated("\uf900"),
    "ligatures": repeated("ﬁ"),
    "ligatures that grow": repeated("\ufdfa"),
    "full-width forms": repeated("\uff21\uff0c"),
    "curly quotes": repeated("“a” "),
    "ellipses": repeated("…"),
    "private use": repeated("\ue000\U000f0000"),
    "noncharacters": repeated("\uffff\U0001ffff"),
    "emoji": repeated("👩\u200d👩\u200d👧\ufe0f"),
}
"""Name → what makes it."""
