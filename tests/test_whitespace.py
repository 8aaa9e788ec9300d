"""What `tidy` removes, against plain Python."""

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text.repair.whitespace import CONTROLS, ZERO_WIDTH, Tidying, tidy
from hostile_fragments import fuzzed, nasty

SPACELESS = "\u0e00-\u10ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1b7f\ua980-\uaadf\U00011700-\U0001174f"
tidyings = st.builds(Tidying, st.integers(-1, 3), st.booleans(), st.booleans(), st.booleans())


def tidied(texts, tidying):
    result, done = tidy(pa.array(texts, pa.large_string()), tidying)
    assert (done > 0).tolist() == [a != b for a, b in zip(texts, result.to_pylist(), strict=True)]
    return result.to_pylist()


def is_word(char):
    return unicodedata.category(char)[0] in "LMN"


def line_by_hand(line, tidying):
    """One line without what is removed, a form feed inside it as a line feed."""
    gone = (CONTROLS if tidying.controls else set()) - {"\f", "\x85"}
    removed = (
        gone
        | ((ZERO_WIDTH - {"\u200b"}) if tidying.zero_width else set())
        | ({"\xad"} if tidying.soft_hyphens else set())
    )
    out, apart, skip = "", False, -1
    for i, char in enumerate(line):
        if i == skip:
            continue
        before, after = line[i - 1 : i] if i else "", line[i + 1 : i + 2]
        last = out.rpartition("\n")[2][-1:]
        if tidying.zero_width and char == "\u200b" and not re.search(f"[{SPACELESS}]", before + after):
            continue
        if tidying.controls and char in "\f\x85":
            rest = line[i + 1 :]
            if last and rest:
                out += "\n"
            apart = False
        elif (
            char == "\b"
            and char in gone
            and last
            and after
            and after not in removed | {"\f", "\x85", "\u200b"}
            and not after.isspace()
            and (last in ("_", after) or after == "_")
        ):
            if after == "_":
                skip = i + 1
            else:
                out = out[:-1]
        elif char in gone:
            utf16 = (
                char == "\0"
                and before != "\0"
                and after != "\0"
                and "\0" in (line[max(0, i - 2) : i - 1] if i > 1 else "") + line[i + 2 : i + 3]
            )
            if not apart and last and not utf16:
                apart = is_word(last)
        elif char not in removed:
            out += " " * (apart and is_word(char)) + char
            apart = False
    return out


def by_hand(text, tidying):
    lines = "\n".join(line_by_hand(line, tidying) for line in text.split("\n")).split("\n")
    limit = tidying.max_blank_lines
    if limit < 0:
        return "\n".join(lines)
    kept, blank = [], 0
    for line in lines:
        blank = blank + 1 if not line.strip() else 0
        if (kept and blank <= limit) or line.strip():
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept)


@fuzzed
@given(st.lists(nasty, max_size=20), tidyings)
def test_tidy_equals_plain_python(texts, tidying):
    once = tidied(texts, tidying)
    assert once == [by_hand(text, tidying) for text in texts]
    assert tidied(once, tidying) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("field\x01field\x02\x03field", "field field field"),
        ("a\x00\x00\x00b", "a b"),
        ("h\x00i\x00 \x00y\x00o\x00u\x00", "hi you"),
        ("N\x08N\x08NA\x08AME", "NAME"),
        ("_\x08w_\x08o+\x08o", "wo+o"),
        ("typo\x08\x08\x08\x08word", "typo word"),
        ("見\x01て", "見 て"),
        ("end\x07.", "end."),
        ("ไทย\u200bแลนด์", "ไทย\u200bแลนด์"),
        ("and/\u200bor", "and/or"),
        (" \n\n  a \n\t\nb\n \n", "  a \n\t\nb"),
        ("a\n \n\n \n\nb", "a\n \n\nb"),
        ("\f\fa\f\fb\f", "a\nb"),
        (" \n\t\n", ""),
    ],
)
def test_cases(text, expected):
    assert tidied([text], Tidying()) == [expected]
    assert by_hand(text, Tidying()) == expected


def test_slices():
    texts = pa.array(["\u200b", "x\u200b", "plain"], pa.large_string())
    assert tidy(texts.slice(1, 2), Tidying())[0].to_pylist() == ["x", "plain"]
