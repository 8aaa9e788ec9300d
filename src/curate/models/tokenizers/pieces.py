r"""Long texts encoded piece by piece, with the ids that the whole would have.

A text is split by a pattern into words, and merges join the letters of each word. Libraries take time and memory that
grow faster than the length of a word, so a megabyte without a blank costs a hundred times as much as prose; and one
long text takes several times its size while it is encoded. Two kinds of places are safe to cut at:

- *Between words.* A line feed ends a word and a letter behind it begins one, by every pattern here.
- *Inside a word*, in a run of letters of one kind. BPE lets one check that: tokens are the encoding of a text exactly
  if each two neighbours are the encoding of theirs. (Merges are made in one order everywhere; the first
  that crossed from a token to its neighbour would do so in these two alone.) So a piece is encoded, its last tokens are
  put aside, the next piece begins at a token of it, and must begin with that same token: then all neighbours have
  been seen side by side. Where it does not, more is put aside; at worst, the whole is encoded at once.

A piece that ends in a run is followed by what follows the run, so that the pattern sees the same word, only shorter.
"""

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import regex  # type: ignore[import-untyped]

from curate.cache.tables import Tables, derived
from curate.models.tokenizers.backends import Backend, FlatIds
from curate.text.core.arrow import Bytes, utf8_view
from curate.text.core.codepoints import CODE_POINTS

Ids = npt.NDArray[np.uint32]

LONG = 1 << 17
"""Bytes from which a text is looked at."""
SEGMENT = 1 << 22
"""Bytes of a long text that are encoded at once where it can be cut between words."""
PIECE = 1 << 13
"""Characters of a run that are encoded at once."""
MARGIN = 64
"""Characters before the end of a piece whose tokens are put aside, to begin with."""
MOST_BLANKS = 1 << 12
"""White space behind a run of blanks that a piece may be followed by."""


class Splitting(NamedTuple):
    """How a pattern splits text into words, as far as cutting has to know.

    Attributes:
        cased: upper and lower case are distinguished, as in `o200k_base`.
        long_numbers: a number of any length is one word.
        last_blank_apart: the last of some blanks is a word of its own, a line feed too.
    """

    cased: bool = False
    long_numbers: bool = False
    last_blank_apart: bool = False

    def groups(self) -> npt.NDArray[np.uint8]:
        """For each kind of letter its group, of which any number in a row stays in one word; 0: of no such."""
        groups = np.zeros(len(_KINDS), np.uint8)
        if self.cased:
            groups[[_SMALL, _CAPITAL, _CASELESS, _OTHER]] = _SMALL, _CAPITAL, _CASELESS, _OTHER
        else:
            groups[[_SMALL, _CAPITAL, _CASELESS, _TITLE]] = _SMALL
            groups[[_MARK, _OTHER]] = _OTHER
            groups[_NUMBER] = _NUMBER if self.long_numbers else 0
        return groups


class _Run(NamedTuple):
    """Letters of one kind in a row, and what stands behind them."""

    start: int
    stop: int
    following: str


class _Piece(NamedTuple):
    """A stretch of a text and its tokens, and where in the text the run begins that it ends in."""

    start: int
    stop: int
    ids: Ids
    run_start: int


class Piecewise:
    """A backend whose long texts are cut.

    Args:
        backend: encodes by one BPE.
        lengths: bytes of each token.
        splitting: of its pattern.
        words: added words; a text that holds one is not cut inside words.
        composes: its normalizer composes letters (NFC); a text that it would change is not cut inside words.
    """

    def __init__(
        self,
        backend: Backend,
        lengths: npt.NDArray[np.int64],
        splitting: Splitting,
        words: Sequence[str] = (),
        *,
        composes: bool = False,
    ) -> None:
        self._backend, self._lengths = backend, lengths
        self._words, self._composes = words, composes
        self._splitting, self._groups = splitting, splitting.groups()

    def __call__(self, texts: pa.Array) -> FlatIds:
        """Short texts in one go, long ones by themselves."""
        data, offsets = utf8_view(texts)
        long = np.flatnonzero(np.diff(offsets) >= LONG)
        if not long.size:
            return self._backend(texts)
        found: list[Ids] = []
        counts: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
        start = 0
        for row in [*long.tolist(), len(texts)]:
            if row > start:
                short = self._backend(texts[start:row])
                found.append(short.ids)
                counts.append(np.diff(short.offsets))
            if row < len(texts):
                pieces = list(self._long(data[offsets[row] : offsets[row + 1]]))
                found += pieces
                counts.append(np.array([sum(map(len, pieces))], np.int64))
            start = row + 1
        return FlatIds(np.concatenate(found), np.cumsum(np.concatenate(counts)))

    def _long(self, data: Bytes) -> Iterator[Ids]:
        start = 0
        while start < len(data):
            stop = self._between_words(data, start + SEGMENT)
            text = data[start:stop].tobytes().decode()
            yield from self._in_pieces(text, self._runs(text)) if self._may_cut_words(text) else [self._ids(text)]
            start = stop

    def _between_words(self, data: Bytes, least: int) -> int:
        """The first byte from ``least`` on where a word is sure to begin, or the length of the data."""
        while least < len(data):
            while least < len(data) and data[least] & 0xC0 == 0x80:
                least += 1
            window = data[least : least + _WINDOW].tobytes().decode(errors="ignore")
            at = window.find("\n")
            while at >= 0:
                if window[at + 1 : at + 2].isalpha() and _kind(window[at + 1]) in _LETTERS:
                    return least + len(window[: at if self._splitting.last_blank_apart else at + 1].encode())
                at = window.find("\n", at + 1)
            if least + _WINDOW >= len(data):
                break
            least += _WINDOW - 16  # the place may lie across the end of the window
        return len(data)

    def _may_cut_words(self, text: str) -> bool:
        if any(word in text for word in self._words):
            return False
        return not self._composes or unicodedata.is_normalized("NFC", text)

    def _in_pieces(self, text: str, runs: Sequence[_Run]) -> list[Ids]:
        """Ids of a text that is cut in some runs."""
        stops = [
            (stop, run.following, run.start)
            for run in runs
            for stop in range(run.start + PIECE, run.stop - PIECE, PIECE)
        ]
        done: list[Ids] = []
        piece: _Piece | None = None
        for stop, following, run_start in [*stops, (len(text), "", len(text))]:
            start, ids = 0, None
            margin = MARGIN
            while piece is not None and ids is None:
                count, start = self._put_aside(piece, text, margin)
                if not count:
                    return [self._ids(text)]
                ids = self._ids(text[start:stop] + following)
                if ids[0] == piece.ids[count]:
                    done.append(piece.ids[:count])
                else:
                    ids, margin = None, 2 * margin
            piece = _Piece(start, stop, self._ids(text[:stop] + following) if ids is None else ids, run_start)
        assert piece
        return [*done, piece.ids]

    def _put_aside(self, piece: _Piece, text: str, margin: int) -> tuple[int, int]:
        """How many tokens of a piece are kept, and where in the text the next one begins; no tokens if none may be."""
        encoded = text[piece.start : max(piece.start, piece.stop - margin)].encode()
        least = len(text[piece.start : max(piece.start, piece.run_start + 2)].encode())
        ends = np.cumsum(self._lengths[piece.ids])
        last = int(np.searchsorted(ends, len(encoded))) - 1  # the last token that ends before the margin
        for count in range(last, 0, -1):
            begin = int(ends[count - 1])
            if begin < least:
                break
            if encoded[begin] & 0xC0 != 0x80:
                return count, piece.start + len(encoded[:begin].decode())
        return 0, piece.start

    def _runs(self, text: str) -> list[_Run]:
        found, at = list[_Run](), PIECE
        while at < len(text):
            run = self._run_at(text, at)
            if run is not None:
                found.append(run)
                at = run.stop
            at += PIECE
        return found

    def _run_at(self, text: str, at: int) -> _Run | None:
        """The run around a place; None if there is none that may be cut."""
        glance = text[at : at + _GLANCE]
        if glance[0].isspace():
            return _blanks_at(text, at) if glance == glance[0] * _GLANCE else None
        if any(letter.isspace() for letter in glance):
            return None
        group = self._groups_of(glance)
        if not group[0] or (group != group[0]).any():
            return None
        start, stop = self._extent(text, at, int(group[0]))
        inside = (
            self._splitting.cased and group[0] == _CASELESS and start > 0 and _kinds_of(text[start - 1])[0] in _IN_WORDS
        )
        return None if stop - start < 3 * PIECE or inside else _Run(start, stop, text[stop : stop + _FOLLOWING])

    def _extent(self, text: str, at: int, group: int) -> tuple[int, int]:
        start, stop = at, at
        while start > 0:
            block = self._groups_of(text[max(0, start - _BLOCK) : start])
            others = np.flatnonzero(block != group)
            start -= len(block) - (int(others[-1]) + 1 if others.size else 0)
            if others.size:
                break
        while stop < len(text):
            block = self._groups_of(text[stop : stop + _BLOCK])
            others = np.flatnonzero(block != group)
            stop += int(others[0]) if others.size else len(block)
            if others.size:
                break
        return start, stop

    def _groups_of(self, text: str) -> npt.NDArray[np.uint8]:
        groups: npt.NDArray[np.uint8] = self._groups[_kinds_of(text)]
        return groups

    def _ids(self, text: str) -> Ids:
        return self._backend(pa.array([text], pa.large_string())).ids


def _blanks_at(text: str, at: int) -> _Run | None:
    """The run of one white space character around a place, with all white space behind it.

    A line feed in that decides which blanks belong together. A run of line feeds must be the last of them, as marks
    before it may have taken it to their word.
    """
    blank = text[at]
    if not _WHITE_SPACE.match(blank):
        return None
    other = f"[^{regex.escape(blank)}]"
    before, behind = regex.search(f"(?r){other}", text, endpos=at), regex.search(other, text, pos=at)
    start, stop = before.end() if before else 0, behind.start() if behind else len(text)
    rest = _WHITE_SPACE.match(text, stop)
    end = rest.end() if rest else stop
    following = text[stop : end + _FOLLOWING]
    ambiguous = blank in "\r\n" and ({*"\r\n"} & {*text[stop:end]} or text[end : end + 1] == "/")
    if stop - start < 3 * PIECE or end - stop > MOST_BLANKS or ambiguous:
        return None
    return _Run(start, stop, following)


_KINDS = _UNSETTLED, _SMALL, _CAPITAL, _TITLE, _CASELESS, _NUMBER, _MARK, _OTHER = range(8)
_LETTERS = (_SMALL, _CAPITAL, _TITLE, _CASELESS)
_IN_WORDS = (*_LETTERS, _MARK, _UNSETTLED)
_BY_CATEGORY = {"Ll": _SMALL, "Lu": _CAPITAL, "Lt": _TITLE, "Lm": _CASELESS, "Lo": _CASELESS}


def _kinds_of(text: str) -> npt.NDArray[np.uint8]:
    """What each letter is."""
    kinds: npt.NDArray[np.uint8] = _kinds()[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
    return kinds


@functools.cache
def _kinds() -> npt.NDArray[np.uint8]:
    return derived("piece_kinds", f"1 {unicodedata.unidata_version}", _build_kinds)["kinds"]


def _build_kinds() -> Tables:
    return {"kinds": np.array([_kind(chr(point)) for point in range(CODE_POINTS)], np.uint8)}


def _kind(letter: str) -> int:
    """What a letter is in every version of Unicode that libraries may know."""
    category, once = unicodedata.category(letter), unicodedata.ucd_3_2_0.category(letter)
    if category == "Cn" or _WHITE_SPACE.match(letter):
        return _UNSETTLED
    if category[0] in "SPC":  # as what has no category yet
        return _OTHER if once[0] in "SPC" else _UNSETTLED
    if once != category:
        return _UNSETTLED
    return _BY_CATEGORY.get(category, _NUMBER if category[0] == "N" else _MARK)


_FOLLOWING = 8
_GLANCE = 16
_BLOCK = 1 << 16
_WINDOW = 1 << 16
_WHITE_SPACE = regex.compile(r"[\p{White_Space}--\u180e]+", regex.VERSION1)
