"""A 5-gram model with interpolated Kneser-Ney smoothing, counted exactly and one token at a time.

All n-grams of all orders live in one hash table with 64-bit keys that cannot collide: 11 bits a token, five tokens,
and the order. An entry is 16 bytes: the key, and beside it three numbers in one word:

- ``count`` (24 bits): how often the n-gram was seen (order 5), or how many different tokens came before it (below);
- ``total`` (24 bits): the sum of the counts of all n-grams that continue it;
- ``types`` (16 bits): how many different ones there are.

A token adds to its 5-gram. Only where that is new, the 4-gram inside it has one more token before it, and so on down: a
model that has seen D tokens is scored, then learns on, so one pass gives the loss at every budget.

Source: Kneser and Ney 1995; Chen and Goodman 1999, "An empirical study of smoothing techniques for language
modeling", interpolated form with one discount for each order, ``n1 / (n1 + 2·n2)``.
"""

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.kernel import inner, kernel

Tokens = npt.NDArray[np.uint16]
Slots = npt.NDArray[np.uint64]

ORDER = 5
TOKEN_BITS = 11
VOCABULARY = 1 << TOKEN_BITS
MOST_TOKENS = (1 << 24) - 1
"""What a model can be trained on: counts have 24 bits."""
START = np.uint16(1 << 15)
"""Bit of a token that begins a piece of text: nothing before it is looked at."""

_FULL = 0.7
_ENTRIES_FOR_A_TOKEN = 1.6
"""At most, as measured on a million tokens of English; the table grows where that does not suffice."""


class KneserNey:
    """The model; see the text above.

    Args:
        tokens: how many it will be trained on at most; sizes the table.

    Example:
        >>> model = KneserNey(10)
        >>> text = np.array([START | 7, 8, 9, 7, 8, 9], np.uint16)
        >>> model.train(text)
        >>> bits = model.bits(text, np.array([0, 6]))
        >>> bool(bits[0] < 6 * TOKEN_BITS)
        True
    """

    def __init__(self, tokens: int) -> None:
        bits = max(12, int(np.ceil(np.log2(max(1, tokens) * _ENTRIES_FOR_A_TOKEN / _FULL))))
        self._table = np.zeros(2 << bits, np.uint64)
        self._used = np.zeros(1, np.int64)
        self._seldom = np.zeros((ORDER + 1, 3), np.int64)
        """For each order how many n-grams have count 1, and how many 2."""
        self._history = 0
        self.tokens = 0

    def train(self, tokens: Tokens) -> None:
        """Learn from tokens (1 to 2047, with `START` where a piece begins); goes on where the last call ended."""
        if self.tokens + len(tokens) > MOST_TOKENS:
            raise ValueError(f"the model counts {MOST_TOKENS:,} tokens at most")
        at = 0
        while True:
            at, self._history = _train(self._table, self._used, self._seldom, tokens, at, np.uint64(self._history))
            if at == len(tokens):
                break
            larger = np.zeros(2 * len(self._table), np.uint64)
            _move(self._table, larger)
            self._table = larger
        self.tokens += len(tokens)

    def bits(self, tokens: Tokens, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Bits that the model needs for each of several texts.

        Args:
            tokens: of all texts.
            offsets: text ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``.
        """
        once, twice = self._seldom[:, 1].astype(float), self._seldom[:, 2].astype(float)
        discounts = np.clip(once / np.maximum(once + 2 * twice, 1), 0.05, 0.95)
        out = np.zeros(len(offsets) - 1)
        _score(self._table, discounts, tokens, offsets, out)
        return out


@inner
def _slot(table, key):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Where a key is, or the free place where it would be; Fibonacci hashing of a mixed key, linear probing."""
    mask = uint64(len(table) // 2 - 1)
    mixed = (key ^ (key >> uint64(31))) * uint64(0x7FB5D329728EA185)
    mixed = (mixed ^ (mixed >> uint64(27))) * uint64(0x81DADEF4BC2DD44D)
    at = (mixed ^ (mixed >> uint64(33))) & mask
    while table[2 * at] != uint64(0) and table[2 * at] != key:
        at = (at + uint64(1)) & mask
    return 2 * at


@inner
def _key(history, order):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """The last ``order`` tokens of a history (newest lowest), with the order; never 0."""
    mask = (uint64(1) << uint64(TOKEN_BITS * order)) - uint64(1)
    return (history & mask) | (uint64(order + 1) << uint64(TOKEN_BITS * ORDER))


@kernel
def _train(table, used, seldom, tokens, start, history):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Add tokens from ``start``; returns where it ended, which is early when the table is nearly full."""
    limit = int(len(table) // 2 * _FULL)
    for at in range(start, len(tokens)):
        if used[0] > limit:
            return at, history
        token = uint64(tokens[at])
        if token >= uint64(START):
            history, token = uint64(0), token - uint64(START)
        history = ((history << uint64(TOKEN_BITS)) | token) & ((uint64(1) << uint64(TOKEN_BITS * ORDER)) - uint64(1))
        order = ORDER
        while order > 0:
            key = _key(history, order)
            place = _slot(table, key)
            if table[place] == uint64(0):
                table[place] = key
                used[0] += 1
            count = table[place + uint64(1)] & uint64(0xFFFFFF)
            table[place + uint64(1)] += uint64(1)
            new = count == uint64(0)
            if count < uint64(3):
                if count > uint64(0):
                    seldom[order, count] -= 1
                if count < uint64(2):
                    seldom[order, count + uint64(1)] += 1
            key = _key(history >> uint64(TOKEN_BITS), order - 1)
            place = _slot(table, key)
            if table[place] == uint64(0):
                table[place] = key
                used[0] += 1
            table[place + uint64(1)] += uint64(1) << uint64(24)
            if not new:
                break
            table[place + uint64(1)] += uint64(1) << uint64(48)
            order -= 1
    return len(tokens), history


@kernel
def _move(table, larger):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for place in range(0, len(table), 2):
        if table[place] != uint64(0):
            to = _slot(larger, table[place])
            larger[to] = table[place]
            larger[to + uint64(1)] = table[place + 1]


@kernel
def _score(table, discounts, tokens, offsets, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for text in range(len(offsets) - 1):
        history, bits = uint64(0), 0.0
        for at in range(offsets[text], offsets[text + 1]):
            token = uint64(tokens[at])
            if token >= uint64(START):
                history, token = uint64(0), token - uint64(START)
            chance = 1.0 / (VOCABULARY - 1)
            whole = ((history << uint64(TOKEN_BITS)) | token) & ((uint64(1) << uint64(TOKEN_BITS * ORDER)) - uint64(1))
            for order in range(1, ORDER + 1):
                place = _slot(table, _key(history, order - 1))
                total = (table[place + uint64(1)] >> uint64(24)) & uint64(0xFFFFFF)
                if table[place] == uint64(0) or total == uint64(0):
                    break
                types = table[place + uint64(1)] >> uint64(48)
                place = _slot(table, _key(whole, order))
                count = 0.0
                if table[place] != uint64(0):
                    count = float(table[place + uint64(1)] & uint64(0xFFFFFF))
                seen = max(count - discounts[order], 0.0)
                chance = (seen + discounts[order] * float(types) * chance) / float(total)
            bits -= np.log2(chance)
            history = whole
        out[text] = bits
