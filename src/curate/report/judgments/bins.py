"""One measure of many documents, put into bins and held against limits in one go over its values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.text.core.kernel import kernel

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@kernel
def put_into_bins(
    values: Floats,
    apart: Flags,
    kept: Flags,
    tokens: Numbers,
    only: npt.NDArray[np.int32],
    first: int,
    edges: Floats,
    per: float,
    limits: Floats,
    below: Flags,
    at: Flags,
    near: Floats,
    reasons: npt.NDArray[np.int32],
    sums: Numbers,
    alone: Numbers,
    sides: Numbers,
    distances: Floats,
    rows: Numbers,
) -> Any:
    """Count documents.

    Args:
        values: of each document; NaN is none.
        apart: documents that are in no bin; empty: none is.
        kept: whether each was kept.
        tokens: of each that was.
        only: code of the reason of documents that have just one.
        first: row of the first document.
        edges: where bins begin and the last ends; the first and the last hold all beyond.
        per: bins in a distance of 1, where they are about equally wide; else 0, and they are gone through.
        limits: what values are held against.
        below: of each limit, whether smaller values are beyond it.
        at: whether the value itself is, too.
        near: up to which distance a value is near; below 0: none is.
        reasons: code of the reason of each limit.
        sums: documents, kept ones and their tokens, by bin; they are added to.
        alone: for each limit and bin, documents with its reason alone.
        sides: documents beyond, and near, each limit.
        distances: for each limit, beyond and within: the smallest distances, ascending; infinity where none is.
        rows: the rows of these documents.

    Returns:
        Documents in bins, documents apart, and the largest value in a bin.
    """
    documents, aside, largest = 0, 0, 0.0
    bins, many = sums.shape[1], distances.shape[2]
    for place in range(len(values)):
        value = values[place]
        if np.isnan(value):
            continue
        inside, found = len(apart) == 0 or not apart[place], 0
        if inside:
            if value >= edges[bins - 1]:
                found = bins - 1
            elif value > edges[0]:
                found = min(int((value - edges[0]) * per), bins - 1)
                while edges[found] > value:
                    found -= 1
                while edges[found + 1] <= value:
                    found += 1
            sums[0, found] += 1
            sums[1, found] += kept[place]
            sums[2, found] += tokens[place]
            documents += 1
            largest = max(largest, value)
        else:
            aside += 1
        for line in range(len(limits)):
            distance = value - limits[line]
            beyond = distance < 0.0 if below[line] else distance > 0.0
            beyond |= at[line] and distance == 0.0
            away = abs(distance)
            if inside:
                sides[0, line] += beyond
                sides[1, line] += away <= near[line]
                if only[place] == reasons[line]:
                    alone[line, found] += 1
            side = 0 if beyond else 1
            if inside and many and away < distances[line, side, many - 1]:
                slot = many - 1
                while slot and away < distances[line, side, slot - 1]:
                    distances[line, side, slot] = distances[line, side, slot - 1]
                    rows[line, side, slot] = rows[line, side, slot - 1]
                    slot -= 1
                distances[line, side, slot], rows[line, side, slot] = away, first + place
    return documents, aside, largest
