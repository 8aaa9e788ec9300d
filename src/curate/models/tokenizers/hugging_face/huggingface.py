"""Hugging Face tokenizers as the reference for ``tokenizer.json``, with an account of what they do not know.

A model may have no token for a character. Some put their unknown token there, BPE without one drops the character and
leaves no trace. Such a BPE is opened twice: once with an unknown token that it does not have, so that the loss shows,
and as it is. A text in which that token does not occur has the same ids in both, as nothing else tells them apart.
"""

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.models.tokenizers.backends import FlatIds, flat_ids, panics_are_errors

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
                    unknown[row] = np.count_nonzero(self._unknown_in(strings[row]))
                if met and self._drops:
                    lists[row] = self._without_unknown(strings[row], ids)
        return flat_ids(lists, unknown)

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) of what no token stands for: unknown to the model, or removed before it."""
        places: list[int] = np.flatnonzero(self._unknown_in(text)).tolist()
        return places

    def _unknown_in(self, text: str) -> npt.NDArray[np.bool_]:
        """Whether each character is unknown."""
        with panics_are_errors():
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        found = covered(len(text), offsets[np.array(encoding.ids, np.int64) == self._unknown])
        if self._removes:
            missing = np.flatnonzero(~covered(len(text), offsets))
            found[missing] = [unicodedata.category(text[place])[0] in "LNPS" for place in missing]
        return found

    def _without_unknown(self, text: str, ids: list[int]) -> list[int]:
        if self._as_it_is is None:
            return [number for number in ids if number != self._unknown]
        found: list[int] = self._as_it_is.encode(text, add_special_tokens=False).ids
        return found


def covered(length: int, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """For each character of a text whether it lies in a token.

    Args:
        length: of the text.
        offsets: where each token begins and ends, one row for each.

    Example:
        >>> covered(3, np.array([[0, 1], [2, 3]])).tolist()
        [True, False, True]
    """
    starts, ends = np.minimum(offsets, length).T
    depth = np.bincount(starts, minlength=length + 1) - np.bincount(ends, minlength=length + 1)
    found: npt.NDArray[np.bool_] = np.cumsum(depth[:length]) > 0
    return found
