"""Strings of JSON to texts, against Python's own reader."""

import json

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from curate.corpus.formats.json_records.json_strings import unescaped
from thorough import settings

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), max_size=8)
ESCAPES = st.sampled_from(
    [
        r"\n",
        r"\t",
        r"\r",
        r"\b",
        r"\f",
        r"\"",
        r"\\",
        r"\/",
        r"\u0000",
        r"\u00E9",
        r"\u20ac",
        r"\uFFFF",
        r"\uD83D\ude00",
    ]
)


def texts_of(written):
    """The kernel's answer for strings with their quotation marks."""
    data = "".join(written).encode()
    sizes = np.array([len(string.encode()) for string in written], np.int64)
    ends = np.cumsum(sizes)
    return unescaped(np.frombuffer(data, np.uint8), ends - sizes + 1, ends - 1).to_pylist()


@settings(deadline=None)
@given(TEXTS, st.booleans())
@example(["x" * 64 + "\n" + "y" * 63 + "😀", "", "\\" * 130], True)
def test_what_was_written_is_read(texts, ascii_only):
    assert texts_of([json.dumps(text, ensure_ascii=ascii_only) for text in texts]) == texts


@settings(deadline=None)
@given(st.lists(st.lists(ESCAPES | st.text("aé語😀", max_size=70), max_size=12), max_size=6))
def test_escapes_mean_what_they_mean_to_python(pieces):
    written = ['"' + "".join(string) + '"' for string in pieces]
    assert texts_of(written) == [json.loads(string) for string in written]
