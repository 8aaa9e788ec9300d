"""Whatever ends a line in a text becomes a line feed."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text.core.line_ends import LineEnds, unify_line_ends
from curate.text.repair.low_bytes import restore_high_bytes
from hostile_fragments import fuzzed, nasty


def unified(*texts):
    result, done = unify_line_ends(pa.array(texts, pa.large_string()))
    assert (done > 0).tolist() == [a != b for a, b in zip(texts, result.to_pylist(), strict=True)]
    return result.to_pylist(), done.tolist()


def by_regex(text):
    return re.sub(
        "\r(?=\r?\n)|(?P<end>[\r\u2028\u2029\x0b\x1c-\x1e])", lambda m: "\n" if m["end"] else "", text
    ).replace("\x1f", "\t")


@fuzzed
@given(st.lists(nasty.map(lambda text: text.replace("\x85", "\r")), max_size=20))
def test_equals_regular_expressions(texts):
    once, _ = unified(*texts)
    assert once == list(map(by_regex, texts))
    assert unified(*once) == (once, [0] * len(once))


@pytest.mark.parametrize("width", [0, 1, 62, 63, 64, 65, 127, 200])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\u2028", "\x1e", "\x85"])
def test_wherever_they_stand(width, end):
    plain = ("“é” " * 50)[: max(width - 1, 0)] + "x" * min(width, 1)
    assert unified(plain + end + "y")[0] == [plain + "\ny" if plain or end != "\x85" else plain + end + "y"]


def test_both_kinds_are_told():
    assert unified("a\rb\x1fc", "a\x0bb", "a\nb")[1] == [int(LineEnds.LINE_ENDS | LineEnds.SEPARATORS), 2, 0]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\x85two", 2),
        ("One.\x85\x85Two.\x85", 4),
        ("“So?”\x85- item", 1),
        ('"So?"\x85- item', 2),
        ("and so on\x85", 2),
        ("wait\x85 what", 1),  # … of Windows-1252
        ("create\x85...", 1),
        ("Japon\x85)", 1),
        ("Kvitebjørn\x85side 55 \x96 60", 1),
        ("one\x85two\nthree", 1),  # has line feeds of its own
    ],
)
def test_next_lines(text, lines):
    assert unified(text)[0][0].replace("\r", "").count("\n") + 1 == max(lines, text.count("\n") + 1)


def test_low_bytes_need_proof():
    texts = ["\x1cIt\x19s so,\x1d he said \x13 \x18twice\x19.", "\x1cIt s so\x1d", "a\x19 b\x01", ""]
    restored, done = restore_high_bytes(pa.array(texts, pa.large_string()))
    assert restored.to_pylist() == ["“It’s so,” he said – ‘twice’.", *texts[1:]]
    assert done.tolist() == [True, False, False, False]
