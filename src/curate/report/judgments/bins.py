"""One measure of many documents, put into bins and held against limits.

Each loop does one thing to all values, so that most of them become vector instructions and none waits for a branch
that depends on the value: a single loop took three times as long.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.text.core.kernel import inner, kernel

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]

_BLOCK = 512
"""Values that are gone through one by one where one of them is nearer than all before."""


@kernel
def put_into_bins(
    values: Floats,
    scale: Floats,
    kept: Flags,
    tokens: Numbers,
    only: Codes,
    first: int,
    begin: Floats,
    low: float,
    per: float,
    limits: Floats,
    below: Flags,
    at: Flags,
    near: Floats,
    reasons: Codes,
    sums: Numbers,
    alone: Numbers,
    sides: Numbers,
    distances: Floats,
    rows: Numbers,
) -> Any:
    """Count documents.

    Args:
        values: of each document; NaN where it is in no bin. Infinite ones are in the outer bins, and near to nothing.
        scale: of each document, a number that grows with its bin, about evenly.
        kept: whether each was kept.
        tokens: of each that was.
        only: code of the reason of documents that have just one.
        first: row of the first document.
        begin: where each bin begins, the first at minus infinity; then NaN twice, for documents in no bin.
        low: on that scale, where the first bin begins.
        per: bins in a distance of 1 on that scale.
        limits: what values are held against.
        below: of each limit, whether smaller values are beyond it.
        at: whether the value itself is, too.
        near: up to which distance a value is near; below 0: none is.
        reasons: code of the reason of each limit; below 0: no document has it.
        sums: by bin: documents, kept ones and their tokens; they are added to. One row more than there are bins: of
            documents that are in none.
        alone: for each limit and bin, and behind them for no bin: documents with its reason alone.
        sides: documents beyond, and near, each limit.
        distances: for each limit, beyond and within: the smallest distances, ascending; infinity where none is.
        rows: the rows of these documents.

    Returns:
        The largest finite value in a bin, or 0.
    """
    found = np.empty(len(values), np.uint32)
    largest = _find_bins(values, scale, begin, low, per, found)
    for place in range(len(found)):
        at_bin = sums[found[place]]
        at_bin[0] += 1
        at_bin[1] += kept[place]
        at_bin[2] += tokens[place]
    for line in range(len(limits)):
        for place in range(len(only) * (reasons[line] >= 0)):
            if only[place] == reasons[line]:
                alone[line, found[place]] += 1
        way = -1.0 if below[line] else 1.0
        beyond, close = _sides(values, limits[line], way, at[line], near[line])
        sides[0, line] += beyond
        sides[1, line] += close
        for side in range(2):
            _nearest(values, limits[line], way, at[line], side, first, distances[line, side], rows[line, side])
    return largest


@inner
def _find_bins(values: Floats, scale: Floats, begin: Floats, low: float, per: float, found: Any) -> float:
    """The bin of each value; returns the largest finite value."""
    none, one, largest = len(begin) - 2, np.uint64(1), 0.0
    top = float(none - 1)
    for place in range(len(values)):
        guess = (scale[place] - low) * per
        guess = min(guess, top)
        guess = max(0.0, guess)
        found[place] = np.uint32(guess) if values[place] == values[place] else none
    for place in range(len(values)):
        value, at = values[place], np.uint64(found[place])
        while begin[at] > value:
            at -= one
        while begin[at + one] <= value:
            at += one
        found[place] = at
        if largest < value < np.inf:
            largest = value
    return largest


@inner
def _sides(values: Floats, limit: float, way: float, at: bool, near: float) -> Any:
    """Values beyond a limit, and near it."""
    beyond, close = 0, 0
    for place in range(len(values)):
        distance = way * (values[place] - limit)
        beyond += (distance > 0.0) | (at & (distance == 0.0))
        close += abs(distance) <= near
    return beyond, close


@inner
def _nearest(
    values: Floats, limit: float, way: float, at: bool, side: int, first: int, distances: Floats, rows: Numbers
) -> None:
    """The values on one side that are nearest to a limit: 0 is beyond it."""
    last = len(distances) - 1
    if last < 0:
        return
    way = way if side == 0 else -way
    level = at if side == 0 else not at
    for start in range(0, len(values), _BLOCK):
        block, worst, nearer = values[start : start + _BLOCK], distances[last], 0
        for place in range(len(block)):
            away = way * (block[place] - limit)
            nearer += (away < worst) & ((away > 0.0) | (level & (away == 0.0)))
        for place in range(len(block) * (nearer > 0)):
            away = way * (block[place] - limit)
            if away < distances[last] and (away > 0.0 or (level and away == 0.0)):
                slot = last
                while slot and away < distances[slot - 1]:
                    distances[slot], rows[slot] = distances[slot - 1], rows[slot - 1]
                    slot -= 1
                distances[slot], rows[slot] = away, first + start + place
