"""What a SentencePiece ``.model`` file holds, read from its protocol buffer: pieces, kind, and what becomes of text.

Only fields that decide ids are read (``sentencepiece_model.proto`` of SentencePiece 0.2); others are passed over.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Value = int | bytes
_KINDS: Mapping[int, Literal["unigram", "bpe", "word", "char"]] = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)


class Piece(NamedTuple):
    """A token of the vocabulary; its place is its id."""

    text: str
    score: float
    kind: int


class Proto(NamedTuple):
    """The file.

    Attributes:
        pieces: in order of their ids.
        kind: how words are split.
        normalizer: name of the rules that rewrite text; ``identity`` for none.
        rewrites: whether there are rules.
        adds_blank: a blank is put before every text.
        joins_blanks: blanks at the ends are removed, and several become one.
        marks_words: blanks become a letter of the vocabulary, before words.
    """

    pieces: tuple[Piece, ...]
    kind: Literal["unigram", "bpe", "word", "char"]
    normalizer: str
    rewrites: bool
    adds_blank: bool
    joins_blanks: bool
    marks_words: bool

    @property
    def has_bytes(self) -> bool:
        """Whether what it does not know is spelled in bytes."""
        return sum(piece.kind == BYTE for piece in self.pieces) == 256


def read_proto(content: bytes) -> Proto:
    """The parts of the file.

    Raises:
        ValueError: it is no such file.
    """
    pieces: list[Piece] = []
    trainer, normalizer = dict[int, Value](), dict[int, Value]()
    for field, value in _fields(content):
        if field == 1:
            pieces.append(_piece(_bytes(value)))
        elif field == 2:
            trainer = dict(_fields(_bytes(value)))
        elif field == 3:
            normalizer = dict(_fields(_bytes(value)))
    kind = int(trainer.get(3, 1))
    if not pieces or kind not in _KINDS:
        raise ValueError("it holds no vocabulary of SentencePiece")
    return Proto(
        tuple(pieces),
        _KINDS[kind],
        _bytes(normalizer.get(1, b"")).decode() or "identity",
        bool(normalizer.get(2)),
        bool(normalizer.get(3, 1)),
        bool(normalizer.get(4, 1)),
        bool(normalizer.get(5, 1)) and not trainer.get(24),
    )


def _piece(content: bytes) -> Piece:
    text, score, kind = "", 0.0, NORMAL
    for field, value in _fields(content):
        if field == 1:
            text = _bytes(value).decode()
        elif field == 2:
            (score,) = struct.unpack("<f", _bytes(value))
        elif field == 3:
            kind = int(value)
    return Piece(text, score, kind)


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field of it has another type")  # noqa: TRY004  (of the file, not of an argument)
    return value


def _fields(content: bytes) -> Iterator[tuple[int, Value]]:
    """Numbers and values of the fields of one message."""
    at = 0
    while at < len(content):
        key, at = _number(content, at)
        wire = key & 7
        if wire == 0:
            value, at = _number(content, at)
            yield key >> 3, value
            continue
        size = 0
        if wire == 2:
            size, at = _number(content, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("it is not a protocol buffer")
        if at + size > len(content):
            raise ValueError("it ends too soon")
        yield key >> 3, content[at : at + size]
        at += size


def _number(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise ValueError("it ends too soon")
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
