"""Hugging Face tokenizers as the reference for ``tokenizer.json``, with an account of what they do not know.

A model may have no token for a character. Some put their unknown token there, BPE without one drops the character and
leaves no trace. Such a BPE is opened twice: once with an unknown token that it does not have, so that the loss shows,
and as it is. A text in which that token does not occur has the same ids in both, as nothing else tells them apart.
"""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.text.tokenizers.backends import FlatIds, flat_ids, panics_are_errors

if TYPE_CHECKING:
    import tokenizers


class HuggingFaceBackend:
    """The reference for ``tokenizer.json``.

    Args:
        tokenizer: encodes; knows an unknown token if it can meet anything unknown.
        unknown: its id; None where everything can be spelled.
        drops: the unknown token is not the file's: leave it out.
        as_it_is: encodes what holds unknown characters, as the file says; None where it cannot.
        removes: characters may disappear before the model sees them.
    """

    def __init__(
        self,
        tokenizer: "tokenizers.Tokenizer",
        unknown: int | None = None,
        *,
        drops: bool = False,
        as_it_is: "tokenizers.Tokenizer | None" = None,
        removes: bool = False,
    ) -> None:
        self._tokenizer, self._unknown = tokenizer, unknown
        self._drops, self._as_it_is, self._removes = drops, as_it_is, removes

    def __call__(self, texts: pa.Array) -> FlatIds:
        """One Python list for each text; those with unknown characters are encoded again to count them."""
        strings = texts.to_pylist()
        with panics_are_errors():
            lists = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(strings, add_special_tokens=False)]
            if self._unknown is None and not self._removes:
                return flat_ids(lists)
            unknown = np.zeros(len(strings), np.int64)
            for row, ids in enumerate(lists):
                met = self._unknown in ids
                if met or self._removes:
                    unknown[row] = len(self.unknown_places(strings[row]))
                if met and self._drops:
                    lists[row] = self._without_unknown(strings[row], ids)
        return flat_ids(lists, unknown)

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) of what no token stands for: unknown to the model, or removed before it."""
        with panics_are_errors():
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
        places = {
            place
            for number, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if number == self._unknown
            for place in range(start, min(end, len(text)))
        }
        if self._removes:
            places |= {
                place for place in uncovered(text, encoding.offsets) if unicodedata.category(text[place])[0] in "LNPS"
            }
        return sorted(places)

    def _without_unknown(self, text: str, ids: list[int]) -> list[int]:
        if self._as_it_is is None:
            return [number for number in ids if number != self._unknown]
        found: list[int] = self._as_it_is.encode(text, add_special_tokens=False).ids
        return found


def uncovered(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """Places of characters that lie in no token.

    Example:
        >>> uncovered("a b", [(0, 1), (2, 3)])
        [1]
    """
    covered = np.zeros(len(text) + 1, np.int64)
    for start, end in offsets:
        if end > start:
            covered[min(start, len(text))] += 1
            covered[min(end, len(text))] -= 1
    places: list[int] = np.flatnonzero(np.cumsum(covered[:-1]) == 0).tolist()
    return places
