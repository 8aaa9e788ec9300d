"""Scripts: which letters belong to which, and in which ones each language is written.

Why this exists: an identifier of languages names one for every text. A label is only believable where the text is
written in a script of that language (`BELIEVABLE`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Script(NamedTuple):
    """A script and the code points among which its letters are."""

    name: str
    ranges: tuple[tuple[int, int], ...]
    """First and last code point of each."""


SCRIPTS: tuple[Script, ...] = (
    Script("none", ()),  # number 0: no letter
    Script("Latin", ((0x41, 0x24F), (0x250, 0x2B8), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F),
                     (0xA720, 0xA7FF), (0xAB30, 0xAB6F))),
    Script("Greek", ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    Script("Cyrillic", ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F))),
    Script("Armenian", ((0x531, 0x58F),)),
    Script("Georgian", ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F))),
    Script("Han", ((0x3005, 0x3007), (0x3105, 0x312F), (0x31A0, 0x31BF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
                   (0xF900, 0xFAFF), (0x20000, 0x323AF))),
    Script("Kana", ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0x1B000, 0x1B16F))),
    Script("Hangul", ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97F), (0xAC00, 0xD7FF))),
    Script("Hebrew", ((0x5D0, 0x5F4),)),
    Script("Ethiopic", ((0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F))),
    Script("other", ()),  # letters of scripts in which no language that identifiers know is written
    Script("Arabic", ((0x620, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF))),
    Script("Thaana", ((0x780, 0x7BF),)),
    Script("Devanagari", ((0x900, 0x97F), (0xA8E0, 0xA8FF))),
    Script("Bengali", ((0x980, 0x9FF),)),
    Script("Gurmukhi", ((0xA00, 0xA7F),)),
    Script("Gujarati", ((0xA80, 0xAFF),)),
    Script("Oriya", ((0xB00, 0xB7F),)),
    Script("Tamil", ((0xB80, 0xBFF),)),
    Script("Telugu", ((0xC00, 0xC7F),)),
    Script("Kannada", ((0xC80, 0xCFF),)),
    Script("Malayalam", ((0xD00, 0xD7F),)),
    Script("Sinhala", ((0xD80, 0xDFF),)),
    Script("Thai", ((0xE00, 0xE7F),)),
    Script("Lao", ((0xE80, 0xEFF),)),
    Script("Tibetan", ((0xF00, 0xFFF),)),
    Script("Myanmar", ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F))),
    Script("Khmer", ((0x1780, 0x17FF),)),
    Script("Mongolian", ((0x1800, 0x18AF),)),
)  # fmt: skip
"""A script's number is its place here. From `JOINING_FROM` on come those whose writers use invisible joiners."""

NUMBER_OF = {script.name: number for number, script in enumerate(SCRIPTS)}
LATIN, CYRILLIC, OTHER = (NUMBER_OF[name] for name in ("Latin", "Cyrillic", "other"))
JOINING_FROM = NUMBER_OF["Arabic"]

BELIEVABLE = 4
"""A label is believable where at least one in so many bytes of a text's letters is of a script of that language. On
labelled text with code and foreign names in it, the least was 0.35."""

_WRITTEN_IN = {
    "Cyrillic": "av ba be bg bxr ce cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah sr tg tt tyv uk xal",
    "Cyrillic Latin": "az bs sh tk uz",
    "Latin": "kk sr tt",
    "Greek": "el",
    "Armenian": "hy",
    "Georgian": "ka xmf",
    "Hebrew": "he yi",
    "Arabic": "ar arz azb ckb fa kk ku ky lrc ms mzn pnb ps sd ug ur",
    "Latin Cyrillic": "ku ug",
    "Thaana": "dv",
    "Devanagari": "bh dty gom hi hif mai mr ne new sa sd",
    "Latin Kannada": "gom",
    "Bengali": "as bn bpy",
    "Gurmukhi": "pa",
    "Gujarati": "gu",
    "Oriya": "or",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Tibetan": "bo",
    "Myanmar": "my",
    "Khmer": "km",
    "Mongolian": "mn",
    "Ethiopic": "am",
    "Han": "ja ko wuu yue zh",
    "Kana": "ja",
    "Hangul": "ko",
}
"""Scripts → languages written in each of them; those that are not here are written in Latin letters alone."""

_ALSO_LATIN = frozenset("hif ms".split())  # noqa: SIM905


def scripts_of(language: str) -> frozenset[str]:
    """Names of the scripts that a language is written in.

    Example:
        >>> sorted(scripts_of("sr")), sorted(scripts_of("ja")), sorted(scripts_of("en"))
        (['Cyrillic', 'Latin'], ['Han', 'Kana'], ['Latin'])
    """
    found = {script for names, languages in _WRITTEN_IN.items() if language in languages.split()
             for script in names.split()}  # fmt: skip
    return frozenset(found | {"Latin"} if not found or language in _ALSO_LATIN else found)


Written = npt.NDArray[np.bool_]
"""``(languages, scripts)``: whether each language is written in each script, by its number."""


def written_in(languages: Sequence[str]) -> Written:
    """In which scripts each language is written."""
    scripts = [scripts_of(language) for language in languages]
    return np.array([[script.name in own for script in SCRIPTS] for own in scripts])


def believable(written: Written, letters: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which language may be that of which text, by `BELIEVABLE`.

    Args:
        written: of the languages.
        letters: ``(texts, scripts)``, bytes of letters.

    Returns:
        ``(texts, languages)``; all false for a text without letters.

    Example:
        >>> letters = np.zeros((1, len(SCRIPTS)), np.int64)
        >>> letters[0, [LATIN, CYRILLIC]] = 50, 10
        >>> believable(written_in(["en", "ru", "sr"]), letters).tolist()
        [[True, False, True]]
    """
    total = letters[:, 1:].sum(1, keepdims=True)
    own: npt.NDArray[np.int64] = letters[:, 1:] @ written[:, 1:].T
    return np.asarray((own * BELIEVABLE >= total) & (total > 0))
