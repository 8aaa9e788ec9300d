"""One tokenizer for both arms: 2,047 byte-level tokens, trained half on raw and half on curated text."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from curate.evidence.proxies.kneser_ney import START, VOCABULARY, Tokens

PIECE = 512
"""Tokens of a piece: what arms are sampled in, and how much of a held-out document is scored."""
TRAINING_BYTES = 1_500_000
"""Of each arm."""
_BATCH = 500


class Pieces(NamedTuple):
    """Texts cut into pieces of up to `PIECE` tokens."""

    tokens: Tokens
    """With `START` where a piece begins."""
    offsets: npt.NDArray[np.int64]
    """Piece ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``."""
    texts: npt.NDArray[np.int64]
    """Number of the text that each piece is from."""


class Vocabulary:
    """The tokenizer.

    Args:
        sides: texts of each arm, as many as there are; `TRAINING_BYTES` of each are looked at.

    Example:
        >>> words = Vocabulary([["the cat sat on the mat"] * 9])
        >>> pieces = words.pieces(["the cat", ""])
        >>> len(pieces.offsets) - 1, pieces.texts.tolist(), words.sizes(pieces.tokens).sum()
        (1, [0], np.int64(7))
    """

    def __init__(self, sides: Sequence[Sequence[str]]) -> None:
        self._tokenizer = Tokenizer(models.BPE())
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self._tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY - 1,
            show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        )
        self._tokenizer.train_from_iterator((text for side in sides for text in _some(side)), trainer)
        known = self._tokenizer.get_vocab()
        self._sizes = np.zeros(VOCABULARY, np.int64)
        for token, number in known.items():  # the byte-level alphabet has one character a byte
            self._sizes[number + 1] = len(token)

    def pieces(self, texts: Sequence[str], most: int = 0) -> Pieces:
        """Texts as tokens, in pieces.

        Args:
            texts: of documents; empty ones have no piece.
            most: pieces of a text at most; 0: all.
        """
        found, lengths, owners = list[Tokens](), list[int](), list[int]()
        waiting = iter(enumerate(texts))
        while batch := list(islice(waiting, _BATCH)):
            encoded = self._tokenizer.encode_batch_fast([text for _, text in batch], add_special_tokens=False)
            for (number, _), each in zip(batch, encoded, strict=True):
                tokens = np.array(each.ids, np.uint16) + np.uint16(1)
                tokens = tokens[: most * PIECE] if most else tokens
                for start in range(0, len(tokens), PIECE):
                    tokens[start] |= START
                    lengths.append(min(PIECE, len(tokens) - start))
                    owners.append(number)
                found.append(tokens)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        return Pieces(np.concatenate([np.empty(0, np.uint16), *found]), offsets, np.array(owners, np.int64))

    def sizes(self, tokens: Tokens) -> npt.NDArray[np.int64]:
        """Bytes of each token."""
        return np.asarray(self._sizes[tokens & np.uint16(VOCABULARY - 1)])


def _some(texts: Sequence[str]) -> Iterator[str]:
    """The first texts, `TRAINING_BYTES` of them."""
    left = TRAINING_BYTES
    for text in texts:
        if left <= 0:
            return
        yield text[:left]
        left -= len(text.encode())
