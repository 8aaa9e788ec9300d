"""The section ``model`` of a ``tokenizer.json``: a vocabulary, and what is done with characters that it does not know.

Tokens that no text may become are taken out of it, and what is left is numbered anew without holes; a table leads back
to the ids of the file. So a control token cannot come from text by whatever way a library looks words up.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

Kind = Literal["BPE", "Unigram", "WordPiece", "WordLevel"]

UNKNOWN = "\ufdd0?"
"""What the unknown token is called in a trimmed model, so that a text about `<unk>` is not taken for one. Models that
look up single characters and merge them never reach it."""
NAMELESS = ""
"""What it is called where whole words or pieces of text are looked up: any name longer than this could be in a text."""

LARGEST_ID = 2**31 - 2
"""Ids are stored as int32 by Parquet shards, and one is kept for the end mark."""

_UNKNOWN_BY_DEFAULT: Mapping[str, str] = {"WordPiece": "[UNK]", "WordLevel": "<unk>"}
_BYTE_TOKENS = frozenset(f"<0x{byte:02X}>" for byte in range(256))


class JsonModel(NamedTuple):
    """A model as the file has it.

    Attributes:
        kind: how it splits words into tokens.
        section: the JSON object.
        ids: id of each token.
        unknown: the token for what it does not know; None where it has none, and such characters are dropped.
    """

    kind: Kind
    section: Mapping[str, Any]
    ids: Mapping[str, int]
    unknown: str | None

    @property
    def byte_tokens(self) -> frozenset[str]:
        """Tokens that stand for single bytes of what it does not know otherwise; all 256, or none."""
        return _BYTE_TOKENS if self.section.get("byte_fallback") and self.ids.keys() >= _BYTE_TOKENS else frozenset()

    @property
    def has_affixes(self) -> bool:
        """Whether the same letters are other tokens inside a word or at its end."""
        return bool(self.section.get("continuing_subword_prefix") or self.section.get("end_of_word_suffix"))

    def is_made_of_many(self, token: str) -> bool:
        """Whether BPE reaches a token by merges alone, as it is no single letter."""
        return self.kind == "BPE" and len(token.removesuffix(self._suffix).removeprefix(self._prefix)) > 1

    def merged(self) -> set[str]:
        """Tokens that merges of BPE make."""
        return {left + right.removeprefix(self._prefix) for left, right in _pairs(self.section.get("merges") or ())}

    @property
    def _prefix(self) -> str:
        return self.section.get("continuing_subword_prefix") or ""

    @property
    def _suffix(self) -> str:
        return self.section.get("end_of_word_suffix") or ""


class Trimmed(NamedTuple):
    """A model without some tokens.

    Attributes:
        section: the JSON object.
        ids: for each id in it the id in the file; -1 for the unknown token that was added because the file has none.
        unknown: its id of what the model does not know.
    """

    section: dict[str, Any]
    ids: npt.NDArray[np.int64]
    unknown: int | None


def read_model(section: Any) -> JsonModel:
    """A model, looked through as far as the library that reads it would not say what is wrong.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(section, Mapping):
        raise TypeError("its `model` is not a JSON object")
    kind = _kind(section)
    vocabulary = section.get("vocab")
    if kind == "Unigram":
        if not isinstance(vocabulary, list) or not all(_is_piece(entry) for entry in vocabulary):
            raise ValueError("`model.vocab` is not a list of pieces with their scores")
        ids = {piece: number for number, (piece, _) in enumerate(vocabulary)}
        at = section.get("unk_id")
        if at is not None and not (isinstance(at, int) and 0 <= at < len(vocabulary)):
            raise ValueError(f"`model.unk_id` = {at} is not a piece of its vocabulary")
        unknown = None if at is None else str(vocabulary[at][0])
    else:
        if not isinstance(vocabulary, Mapping):
            raise ValueError("`model.vocab` is not an object of tokens and ids")
        ids = dict(vocabulary)
        named = section.get("unk_token", _UNKNOWN_BY_DEFAULT.get(kind))
        unknown = named if named in ids else None
    _check_ids(ids)
    _check_prefix(section)
    return JsonModel(kind, section, ids, unknown)


def unknown_name(model: JsonModel, *, by_bytes: bool) -> str:
    """A name that no text can be taken for.

    Args:
        model: of the file.
        by_bytes: it sees text as letters that stand for bytes, of which none is in `UNKNOWN`.
    """
    merges_only = model.kind == "BPE" and (by_bytes or not model.section.get("ignore_merges"))
    return UNKNOWN if merges_only or NAMELESS in model.ids else NAMELESS


def trimmed(model: JsonModel, control: Collection[str], *, spare: bool, name: str) -> Trimmed:
    """The model without control tokens, and with an unknown token.

    Args:
        model: of the file.
        control: tokens that no text may become.
        spare: where the model has no unknown token, add one, so that what it does not know shows.
        name: of the unknown token.
    """
    section = {**model.section, **({"dropout": None} if "dropout" in model.section else {})}
    if model.kind == "Unigram":
        return _trimmed_pieces(section, control, spare=spare, name=name)
    kept = sorted(
        (number, token) for token, number in model.ids.items() if token not in control or token == model.unknown
    )
    ids = [number for number, _ in kept]
    names = {name if token == model.unknown else token: at for at, (_, token) in enumerate(kept)}
    if spare and name not in names:
        names[name] = len(names)
        ids.append(-1)
    section |= {"vocab": names, "unk_token": name if name in names else None}
    gone = model.ids.keys() & {*control, model.unknown}
    if gone and section.get("merges"):
        section["merges"] = _without(section["merges"], gone, model)
    if section["unk_token"] is None and model.kind != "BPE":
        section["unk_token"] = name  # a name that is not there
    return Trimmed(section, np.array(ids, np.int64), names.get(name))


def without_unknown(model: Trimmed) -> dict[str, Any]:
    """A trimmed BPE that drops what it does not know, as the file says; ids are the same."""
    return {**model.section, "unk_token": None}


def _trimmed_pieces(section: dict[str, Any], control: Collection[str], *, spare: bool, name: str) -> Trimmed:
    vocabulary, unknown = section["vocab"], section.get("unk_id")
    kept = [
        (number, name if number == unknown else piece, score)
        for number, (piece, score) in enumerate(vocabulary)
        if number == unknown or piece not in control
    ]
    ids = [number for number, _, _ in kept]
    pieces = [[piece, score] for _, piece, score in kept]
    at = ids.index(unknown) if unknown is not None else None
    if at is None and spare:
        at = len(pieces)
        pieces.append([name, max((score for _, score in pieces), default=0.0)])  # the lowest decides what unknown costs
        ids.append(-1)
    section |= {"vocab": pieces, "unk_id": at}
    return Trimmed(section, np.array(ids, np.int64), at)


def _kind(section: Mapping[str, Any]) -> Kind:
    named = section.get("type")
    if named in {"BPE", "Unigram", "WordPiece", "WordLevel"}:
        return named  # type: ignore[no-any-return]  # one of the four
    if named is not None:
        raise ValueError(f"its model is of the kind `{named}`, not BPE, Unigram, WordPiece or WordLevel")
    if "merges" in section:  # files of old do not say
        return "BPE"
    if isinstance(section.get("vocab"), list):
        return "Unigram"
    return "WordPiece" if "max_input_chars_per_word" in section else "WordLevel"


def _is_piece(entry: Any) -> TypeGuard[list[Any]]:
    return (
        isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], int | float)
    )


def _check_ids(ids: Mapping[str, int]) -> None:
    if not ids:
        raise ValueError("its vocabulary is empty")
    of: dict[int, str] = {}
    for token, number in ids.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST_ID:
            raise ValueError(f"the id of `{token}` is {number!r}, not a number from 0 to {LARGEST_ID:,}")
        if number in of:
            raise ValueError(f"`{of[number]}` and `{token}` have the same id {number}")
        of[number] = token


def _check_prefix(section: Mapping[str, Any]) -> None:
    """Hugging Face tokenizers cuts the prefix off by its length, whatever stands there, and may end the process."""
    prefix: str = section.get("continuing_subword_prefix") or ""
    merges = section.get("merges") if prefix else None
    odd = next((right for _, right in _pairs(merges or ()) if not right.startswith(prefix)), None)
    if odd is not None:
        raise ValueError(
            f"a merge adds `{odd}`, which does not begin with `model.continuing_subword_prefix` = `{prefix}`"
        )


def _pairs(merges: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for merge in merges:
        left, _, right = merge.partition(" ") if isinstance(merge, str) else (merge[0], "", merge[1])
        yield left, right


def _without(merges: list[Any], gone: set[str], model: JsonModel) -> list[Any]:
    """Merges that neither take nor make a token that is gone."""
    prefix = model.section.get("continuing_subword_prefix") or ""
    return [
        merge
        for merge, (left, right) in zip(merges, _pairs(merges), strict=True)
        if not {left, right, left + right.removeprefix(prefix)} & gone
    ]
