"""Vocabularies in SentencePiece's own ``.model`` files. The package ``sentencepiece`` is the reference, an extra.

A BPE that rewrites nothing (Llama 2, Mistral, Gemma) is also written as a ``tokenizer.json``, so that fastokens can
encode where it gives the same ids on the probe texts.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import PlanError, require
from curate.models.tokenizers.added_tokens import AddedTokens, is_mark
from curate.models.tokenizers.backends import Backend, FlatIds
from curate.models.tokenizers.end_marks import chosen_end, listed
from curate.models.tokenizers.habits import unknown_letters
from curate.models.tokenizers.hugging_face.tokenizer_json import JsonVocabulary
from curate.models.tokenizers.sentencepiece_proto import (
    CONTROL,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Proto,
    read_proto,
)

if TYPE_CHECKING:
    import sentencepiece

FILE = "tokenizer.model"
_BLANK = "\N{LOWER ONE EIGHTH BLOCK}"


class SentencePieceVocabulary:
    """A ``.model`` file of which no control token can come from text.

    Args:
        content: of the file.
        name: of the file, for messages.
        end_of_document: token that ends documents, or ``auto``.

    Raises:
        ValueError: the file is no such model.
        PlanError: it cannot be used.
    """

    def __init__(self, content: bytes, name: str, end_of_document: str) -> None:
        self._proto, self._name = read_proto(content), name
        pieces = self._proto.pieces
        self.control_tokens: Mapping[str, int] = {p.text: at for at, p in enumerate(pieces) if p.kind == CONTROL}
        self.end_of_document = chosen_end(name, end_of_document, self.control_tokens)
        self.size = len(pieces)
        self.pattern: str | None = None
        self.begin_mark: str | None = None
        self.added_tokens: AddedTokens = "words"
        self.file: tuple[str, bytes] | None = (FILE, content)
        self.drops_unknown = False
        self._unknown = next(at for at, piece in enumerate(pieces) if piece.kind == UNKNOWN)
        self.nothing_is_lost = self._proto.has_bytes
        self.backends: tuple[str, ...] = (
            ("fastokens", "sentencepiece") if _is_convertible(self._proto) else ("sentencepiece",)
        )

    def digest(self) -> bytes:
        """Of the file."""
        assert self.file
        return hashlib.sha256(self.file[1]).digest()

    def open(self, backend: str) -> Backend:
        """Fastokens or sentencepiece.

        Raises:
            ValueError: fastokens cannot read what the file says.
        """
        if backend == "fastokens":
            converted = msgspec.json.encode(_as_json(self._proto))
            return JsonVocabulary(converted, self._name, self.end_of_document, "words").open("fastokens")
        return self._encode

    def _encode(self, texts: pa.Array) -> FlatIds:
        strings = texts.to_pylist()
        if not strings:
            return FlatIds(np.zeros(0, np.uint32), np.zeros(1, np.int64))
        arrays = self._reference.encode(strings, return_type="numpy")
        offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in arrays])]).astype(np.int64)
        ids = np.concatenate(arrays).astype(np.uint32)
        if self.nothing_is_lost:
            return FlatIds(ids, offsets)
        unknown = np.zeros(len(strings), np.int64)
        for row in np.unique(np.searchsorted(offsets, np.flatnonzero(ids == self._unknown), side="right") - 1):
            unknown[row] = len(self.unknown_places(strings[row]))
        return FlatIds(ids, offsets, unknown)

    def habits(self) -> tuple[str, ...]:
        """What the user should know of the tokenizer before it is used."""
        found = []
        if self._proto.rewrites:
            rules = f"by the rules `{self._proto.normalizer}`"
            found.append(f"`{self._name}` rewrites text before it splits it, {rules}; its author intended that.")
        if self._proto.joins_blanks:
            found.append(f"`{self._name}` merges several spaces into one: indentation is not in its ids.")
        if marks := [word for word in self.words() if is_mark(word)]:
            found.append(f"`{self._name}` makes tokens of {listed(marks)} wherever a text spells them.")
        if letters := unknown_letters(self.unknown_places):
            lost = f"becomes `{self._proto.pieces[self._unknown].text}`"
            said = f"what it does not know {lost}, and the run counts it."
            found.append(f"`{self._name}` does not know all letters of {letters}; {said}")
        return tuple(found)

    @property
    def adds_blank(self) -> bool:
        """Whether a blank is put before every text."""
        return self._proto.adds_blank

    def words(self) -> list[str]:
        """Pieces that are found in text before anything else."""
        return [piece.text for piece in self._proto.pieces if piece.kind == USER_DEFINED]

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) of what becomes the unknown token."""
        if self.nothing_is_lost:
            return []
        found: list[int] = []
        mapping = self._reference.encode_as_offset_mapping(text)
        for number, (start, stop) in zip(mapping["ids"], mapping["offsets"], strict=True):
            if number == self._unknown:
                found += range(start, stop)
        return found

    def decode(self, ids: npt.NDArray[np.uint32]) -> str:
        """Text by SentencePiece's decoder; without the blank that it puts before a text."""
        if len(ids) and int(ids.max()) >= self.size:
            raise KeyError(int(ids.max()))
        text: str = self._reference.decode(ids.astype(np.int64).tolist())
        return text

    @functools.cached_property
    def _reference(self) -> "sentencepiece.SentencePieceProcessor":
        require("sentencepiece", "sentencepiece", f"`{self._name}` is a model of SentencePiece")
        import sentencepiece

        assert self.file
        return sentencepiece.SentencePieceProcessor(model_proto=self.file[1])


def sentencepiece_vocabulary(path: Path, end_of_document: str = "auto") -> SentencePieceVocabulary:
    """The vocabulary in a ``.model`` file.

    Raises:
        PlanError: the file is not one, or cannot be used.
    """
    try:
        return SentencePieceVocabulary(path.read_bytes(), str(path), end_of_document)
    except OSError as error:
        raise PlanError(f"`{path}` cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, StopIteration) as error:
        raise PlanError(f"`{path.name}` is not a model of SentencePiece: {error}", where=str(path)) from error


def _is_convertible(proto: Proto) -> bool:
    """Whether merges by rank do what SentencePiece does by score.

    That joins any letters whose piece there is, known or not, takes the first of equal scores in the text, and splits
    unused pieces again.
    """
    if proto.kind != "bpe" or not proto.has_bytes or proto.rewrites or proto.joins_blanks or not proto.marks_words:
        return False
    letters = {piece.text for piece in proto.pieces if piece.kind == NORMAL and len(piece.text) == 1}
    made = [piece for piece in proto.pieces if piece.kind == NORMAL and len(piece.text) > 1]
    return (
        all(piece.kind != UNUSED for piece in proto.pieces)
        and len({piece.score for piece in made}) == len(made)
        and letters.issuperset("".join(piece.text for piece in made))
    )


def _as_json(proto: Proto) -> dict[str, Any]:
    """The same as a ``tokenizer.json``: merges are all splits of a piece into two others, the likeliest piece first."""
    ids = {piece.text: at for at, piece in enumerate(proto.pieces)}
    normal = {piece.text for piece in proto.pieces if piece.kind == NORMAL}
    merges: list[tuple[float, int, int, list[str]]] = []
    for piece in proto.pieces:
        for at in range(1, len(piece.text) if piece.kind == NORMAL else 0):
            left, right = piece.text[:at], piece.text[at:]
            if left in normal and right in normal:
                merges.append((-piece.score, ids[left], ids[right], [left, right]))
    merges.sort(key=lambda merge: merge[:3])
    blank = [{"type": "Prepend", "prepend": _BLANK}] if proto.adds_blank else []
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": _BLANK}
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if proto.adds_blank else []
    added = [
        {
            "id": at,
            "content": piece.text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": piece.kind != USER_DEFINED,
        }
        for at, piece in enumerate(proto.pieces)
        if piece.kind in {CONTROL, USER_DEFINED}
    ]
    unknown = next(piece.text for piece in proto.pieces if piece.kind == UNKNOWN)
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [*blank, replaced]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _BLANK}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                *strip,
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": unknown,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": ids,
            "merges": [merge for *_, merge in merges],
        },
    }
