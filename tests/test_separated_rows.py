"""Rows of CSV, many lines at a time, against Python's reader that is given one line after another."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.corpus.compression import Block
from curate.corpus.formats.tables import separated_rows
from curate.corpus.formats.tables.separated_rows import Table
from curate.corpus.input import InputFile
from curate.corpus.quarantine import Damaged

PIECES = [b'"', b'"', b'""', b",", b",", b"\n", b"\n", b"\r\n", b"\r", b"a", b"bc", b" ", "é".encode(), b"\xff", b"\0"]
DATA = st.lists(st.sampled_from(PIECES), max_size=60).map(lambda pieces: b"h,i\n" + b"".join(pieces))
Told = tuple[list[list[str]], list[tuple[int, int, str, bytes]]]


class TooLongError(Exception):
    pass


def line_by_line(data: bytes, limit: int) -> Told:
    """Rows, and what is lost: where it begins, how long it is, why, its first bytes."""
    lines = iter(split(data[4:]))
    rows, lost, at = [], [], 4
    taken: list[bytes] = []
    ended = [False]

    def text() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            if sum(map(len, taken)) > limit:
                raise TooLongError
            yield line.decode(errors="surrogateescape")
        ended[0] = True

    while True:
        taken.clear()
        ended[0] = False
        why, row = "", []
        try:
            row = next(csv.reader(text()))
        except StopIteration:
            return rows, lost
        except TooLongError:
            why = "long"
        except csv.Error:
            why = "ragged"
        raw = b"".join(taken)
        if not why and ended[0] and raw.count(b'"') % 2:
            why = "ragged"
        elif not why and len(row) != 2:
            why = "ragged" if any(field.strip() for field in row) else "blank"
        if not why:
            rows.append(row)
        elif why != "blank":
            lost.append((at, len(raw), why, raw))
        at += len(raw)


def split(data: bytes) -> list[bytes]:
    *lines, rest = data.split(b"\n")
    return [line + b"\n" for line in lines] + [rest] * bool(rest)


def many_lines(data: bytes, limit: int, block: int) -> Told:
    source = (Block(data[at : at + block], at, block) for at in range(0, len(data), block))
    file = InputFile(path="a.csv", name="a.csv", format="csv", size=len(data), options=(",",), max_document_bytes=limit)
    rows, lost = [], []
    table = Table(file, source)
    for run in table.runs():
        rows += run.rows
        if run.lost:
            entry = table.entry(run.lost, 1)
            assert entry.lost_bytes is None or 0 < entry.lost_bytes <= len(data)
            why = "long" if entry.reason == "document_too_large" else "ragged"
            size = int(entry.detail.split()[0].replace(",", "")) if why == "long" else len(entry.bytes)
            lost.append((entry.byte_offset, size, why, entry.bytes))
    return rows, lost


@pytest.mark.parametrize("at_once", [1, 16, 1 << 18])
@given(data=DATA, limit=st.integers(6, 80), block=st.integers(1, 40))
@example(data=b'h,i\n""""\r"\n', limit=6, block=1)
@example(data=b'h,i\n"a\nx,y\nb"\rc\nd,e\n', limit=80, block=1)
def test_rows_are_those_of_one_line_after_another(at_once: int, data: bytes, limit: int, block: int) -> None:
    before, separated_rows._AT_ONCE = separated_rows._AT_ONCE, at_once
    try:
        rows, lost = many_lines(data, limit, block)
    finally:
        separated_rows._AT_ONCE = before
    told_rows, told_lost = line_by_line(data, limit)
    assert rows == told_rows
    assert [one[:3] for one in lost] == [one[:3] for one in told_lost]
    assert all(told[3].startswith(one[3]) and one[3] for one, told in zip(lost, told_lost, strict=True))


@given(data=DATA, cut=st.integers(4, 60), block=st.integers(1, 40))
def test_damage_costs_the_row_that_it_hit(data: bytes, cut: int, block: int) -> None:
    whole = data[:cut]

    def source() -> Iterator[Block]:
        for at in range(0, len(whole), block):
            yield Block(whole[at : at + block], at, block)
        raise Damaged("truncated_file", "it ends here")

    file = InputFile(path="a.csv", name="a.csv", format="csv", size=len(data), options=(",",))
    table = Table(file, source())
    *runs, last = table.runs()
    told, _ = line_by_line(whole[: whole.rfind(b"\n") + 1], 1000)
    rows = [row for run in runs for row in run.rows]
    assert rows == told[: len(rows)]
    assert len(told) - len(rows) <= 1  # the one that goes on
    assert last.lost is not None
    entry = table.entry(last.lost, 1)
    assert (entry.reason, entry.bytes) == ("truncated_file", whole[entry.byte_offset :])


def test_rows_that_contradict_themselves_cost_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spreadsheet with carriage returns in its fields: the lines behind each are not read over and over."""
    given = []

    def counted(lines: bytes) -> io.StringIO:
        given.append(len(lines))
        return io.StringIO(lines.decode(errors="surrogateescape"), newline="\n")

    monkeypatch.setattr(separated_rows, "_text", counted)
    data = b"text,n\n" + b"a field with\ra return,1\n" * 4_000
    rows, lost = many_lines(data, 10**6, 1 << 16)
    assert (rows, len(lost)) == ([], 4_000)
    assert sum(given) < 2 * len(data)
