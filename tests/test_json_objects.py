"""Lines read together by the kernel, against the same lines read one by one."""

import json
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.corpus.compression import Block
from curate.corpus.documents import Rows
from curate.corpus.formats.json_records import jsonl
from curate.corpus.formats.json_records.json_objects import members
from curate.corpus.formats.json_records.json_values import values_as_lines
from curate.corpus.formats.json_records.jsonl import parse_each, parse_together
from curate.corpus.input import InputFile
from curate.corpus.lines import BOM, Lines
from curate.corpus.quarantine import Damaged
from thorough import settings

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80)
KEYS = st.sampled_from(["text", "id", "source", "lang", "größe", "a b", 'q"', ""])
VALUES = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=3), max_leaves=6
)
DOCUMENTS = st.fixed_dictionaries(
    {"text": st.text(max_size=200)},
    optional={"id": st.text(max_size=8) | st.integers(), "source": st.text(max_size=8), "lang": VALUES, "url": VALUES},
)
LINES = st.builds(
    lambda record, plain, space, around: f"{around}{json.dumps(record, ensure_ascii=plain, separators=space)}{around}",
    DOCUMENTS | st.dictionaries(KEYS, VALUES, max_size=6) | VALUES,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\r: ")]),
    st.sampled_from(["", "", " ", "\t"]),
)
ODD = [
    b"",
    b" \t\r",
    b"\x0b",
    b"{}",
    b"{ }",
    b"null",
    b'{"text":"a"} x',
    b'{"text":"a"',
    b'{"text":"a",}',
    b'{"text":"a" "id":1}',
    b'{"text":null}',
    b'{"text":1}',
    b'{"text":"a","text":"b"}',
    b'{"t\\u0065xt":"a"}',
    b'{"text":"\\ud83d\\ude00"}',
    b'{"text":"\\ud83d"}',
    b'{"text":"\\ude00\\ud83d"}',
    b'{"text":"\\ud83d\\u0041"}',
    b'{"text":"a","n":"\\ud83d"}',
    b'{"text":"\\u12g4"}',
    b'{"text":"\\x41"}',
    b'{"text":"a\tb"}',
    b'{"text":"a","n":01}',
    b'{"text":"a","n":-}',
    b'{"text":"a","n":1.}',
    b'{"text":"a","n":1e}',
    b'{"text":"a","n":-0.5E+07}',
    b'{"text":"a","n":NaN}',
    b'{"text":"a","n":tru}',
    b'{"text":"a","n":[1,[2,{"k":[]}],{}]}',
    b'{"text":"a","n":[1,]}',
    b'{"text":"a","n":[1}',
    b'{"text":"a","n":{"k"}}',
    b'{"text":"a","n":' + b"[" * 70 + b"]" * 70 + b"}",
    b'{"text":"a","id":{"x":1},"source":"s"}',
    b'{"text":"a","id":null,"source":""}',
    b'{"text":"a","id":1.50,"source":true}',
]
PLAIN = b'{"text": "a b", "id": 7, "url": "u"}'


@settings(deadline=None, max_examples=400)
@given(st.lists(LINES.map(str.encode) | st.sampled_from(ODD), max_size=6), st.booleans(), st.integers(0, 3))
@example([PLAIN], False, 0)
def test_what_is_read_together_is_what_is_read_one_by_one(lines, ended, fields):
    check(b"\n".join(lines) + b"\n" * ended, fields)


@pytest.mark.parametrize("line", ODD)
def test_odd_lines_are_never_misread(line):
    check(PLAIN + b"\n" + line + b"\n" + PLAIN, 1)
    check(BOM + line, 1)


@settings(deadline=None, max_examples=400)
@given(LINES.map(str.encode), st.data())
def test_a_damaged_line_is_never_misread(line, data):
    at = data.draw(st.integers(0, len(line)))
    damage = data.draw(st.sampled_from([b"", b'"', b"\\", b",", b"}", b"{", b"]", b"0", b"e", b":", b"\\u", b" "]))
    damaged = line[:at] + damage + line[at + data.draw(st.integers(0, 1)) :]
    try:
        damaged.decode()
    except UnicodeDecodeError:
        return
    check(damaged, 1)


def test_usual_lines_are_read_together():
    lines = [PLAIN, b"", b'{"text":"\\u00e9\\n","source":"web"}', b' {"id" : "x", "text" : ""}\r']
    assert check(b"\n".join(lines), 1)
    assert check(PLAIN, 0)


def test_strings_longer_than_a_block_end_where_they_end():
    for length in (*range(60, 70), 127, 128, 129, 1000):
        for inside in ("", "\\n", "\\u00e9", '\\"'):
            assert check(f'{{"text":"{"x" * length}{inside}{"y" * 70}","n":"{"z" * length}"}}'.encode(), 1)


def test_more_keys_than_can_be_compared_are_read_one_by_one():
    keys = ",".join(f'"k{number}":{number}' for number in range(100))
    assert not check(f'{{"text":"a",{keys}}}'.encode(), 0)


def test_nothing_is_found_in_a_line_that_ends_early():
    data = np.frombuffer(PLAIN, np.uint8)
    for end in range(1, len(PLAIN)):
        assert members(data, np.array([0]), np.array([end]), [b"text"]) is None


def test_lines_far_from_an_odd_one_are_read_together():
    lines = [PLAIN.replace(b"a b", b"x" * 500)] * 1000
    lines[300] = b'{"text":'
    file, one_by_one = InputFile(path="", name="a.jsonl", format="jsonl", text="text"), []
    with patch.object(jsonl, "parse_each", lambda few, rows: one_by_one.append(few) or parse_each(few, rows)):
        documents = Rows()
        jsonl.parse(Lines(file, 1, 0, b"\n".join(lines)), documents)
    assert len(documents.parsed().documents) == 999
    assert [(few.first_line <= 301, few.nbytes < 66_000) for few in one_by_one] == [(True, True)]
    assert documents.parsed().quarantined["position"].to_pylist() == [301]


def check(data, fields):
    """Whether the lines are read together; whether or not, they are read as they are one by one."""
    names = [{}, {"id": "id"}, {"id": "id", "source": "source"}, {"id": "meta.id"}][fields]
    file = InputFile(path="", name="web/a.jsonl", format="jsonl", text="text", **names)
    lines, together, each, halved = Lines(file, 10, 0, data), Rows(), Rows(), Rows()
    parse_each(lines, each)
    documents, quarantined = each.parsed()
    documents.validate(full=True)
    with patch.object(jsonl, "_FEW_BYTES", 30):
        jsonl.parse(lines, halved)
    assert halved.parsed().documents.equals(documents)
    assert halved.parsed().quarantined.equals(quarantined)
    if fields == 3 or not parse_together(lines, ["text", *names.values()], together):
        assert not len(together.parsed().documents)
        return False
    assert together.parsed().documents.equals(documents)
    assert not len(quarantined)
    together.parsed().documents.validate(full=True)
    return True


@given(st.lists(st.text('a"\\\n,[]{}é', max_size=150) | LINES, max_size=6), st.data())
@settings()
def test_values_are_found_whatever_the_blocks(pieces, data):
    """Blocks of a byte are read byte by byte, long ones 64 bytes at a time."""
    written = "".join(pieces).encode()
    cuts = data.draw(st.sampled_from([range(len(written)), (), range(0, len(written), 97)]))
    bounds = [0, *cuts, len(written)]
    blocks = (Block(written[at:to], at, to - at) for at, to in pairwise(bounds))
    assert _lines_of(blocks) == _lines_of(iter([Block(bytes([byte]), 0, 1) for byte in written]))


def _lines_of(blocks):
    lines = []
    try:
        lines.extend(block.data for block in values_as_lines(blocks))
    except Damaged as damage:
        lines.append(damage.reason.encode())
    return b"".join(lines)
