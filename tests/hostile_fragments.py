"""What ftfy, normalization or the cleaning after them react to, whole or in halves, and texts drawn of it."""

from ftfy.badness import MOJIBAKE_CATEGORIES
from hypothesis import HealthCheck
from hypothesis import strategies as st

from thorough import settings

FRAGMENTS = [
    *("&amp;", "&lt;", "&gt;", "&#233;", "&#x200b;", "&#8203;", "&#0;", "&EACUTE;", "&null;", "&am", "p;", "amp;", "&"),
    *("<", ">", "＜", "＆amp；", "\r\n", "\r", "\n", "\n\n\n\n", " \n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"),
    *("\x1b[31m", "\x1b", "[0m", "\x00", "\x07", "\x7f", "\x81", "\x9d", "\x1a", "\ufffd", "?", "\ufeff", "\u200b"),
    *("\u2060", "\u2062", "\xad", "\u200c", "\u200d", "\u200f", "\ufe0f", " ", "\t", "\xa0", "\u3000", "\u2003"),
    *("’", "“", "ﬁ", "ŉ", "Ǆ", "Ａ", "ｶ", "ﾞ", "￣", "e", "\u0301", "\u0323", "\u0327", "\u021f", "\u0338", "≠", "="),
    *("가", "각", "ᄀ", "ᅡ", "ᆨ", "\u093c", "न", "\u09c7", "\u09be", "\u0344", "\u0958", "א\u05bc", "\ufb2a"),
    *(
        "Ã©",
        "â€œ",
        "â€™",
        "Â ",
        "Ã ",
        "à²",
        "ð\x9f\x98\x8d",
        "Ð",
        "вЂ™",
        "Œ",
        "œ",
        "√",
        "°",
        "×²",
        "ГўВЂВ",
        "β€™",
        "ā€",
    ),
    *("UTF-8", '"Ã©"', "é", "\x92", "d\x92un", "Ãƒ", "ƒ", "ÖÐ¹ú", "\x1c", "\x1d", "\x1e", "\x1f", "\x01", "\x08", "_"),
    *(
        "a\x19b",
        "ก",
        "ข\u200b",
        "\ufffc",
        "\ufff9",
        "\u206a",
        "&nbsp;",
        "&eacute;",
        "`",
        '"',
        "= &",
        "{",
        "<b>",
        "HTML",
    ),
    *("½", "ª", "\ufdfa", "㎏", "\uf900", "\u037e", "\u212b", "ᄀ\u1161", "\u0f73", "\u0f71"),
]
MOJIBAKE = sorted({char for chars in MOJIBAKE_CATEGORIES.values() for char in chars})

nasty = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(MOJIBAKE), st.sampled_from("abc XYZ.,19"), st.characters()),
    max_size=20,
).map(lambda pieces: "".join(pieces).encode("utf-8", "replace").decode())

fuzzed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
