"""Greedy selection where the similarities are known: keep a document unless one kept before it is similar enough.

`curate.text.dedup.greedy` compares; this decides, as often as the set of documents that may be kept changes. A
document that has *failed* is passed over: it is kept by nobody's side, so nothing is removed for it, and it is removed
itself only if a kept one before it is similar.

Whether the next best of a cluster will fail as well is not known before it has been tried, and trying one at a time
would take as many rounds as there are bad copies. So the more of a cluster have failed, the more are tried at once.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.text.core.kernel import kernel

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

KEPT, REMOVED, PASSED_OVER, TRIED = 0, 1, 2, 3
TRIED_FIRST = 4
"""Documents tried at once when one has failed; four times as many when two have, and so on by the square."""


class Similar(NamedTuple):
    """Documents in order of preference, and which are similar.

    Documents with the same text have the same *text number*; similarities are between texts.
    """

    texts: Places
    """Number of the text of each document (int64)."""
    clusters: Places
    """Number of the cluster that each belongs to (int64); documents of different ones are not similar."""
    starts: Places
    """Where the neighbours of each text begin (int64), and where the last end."""
    neighbours: Places
    """Numbers of similar texts (int64)."""
    similarities: npt.NDArray[np.float64]
    """Of each neighbour."""


class Chosen(NamedTuple):
    """What becomes of each document."""

    standing: npt.NDArray[np.int8]
    """`KEPT`, `REMOVED`, `PASSED_OVER` or `TRIED` (would be removed, but may have to stand in for one that fails)."""
    survivors: Places
    """Place of the kept document it is removed for (int64), else -1."""
    similarities: npt.NDArray[np.float64]
    exact: Mask
    """Whether that one has the same text."""


def choose(similar: Similar, fixed: Mask, failed: Mask, passed: Mask) -> Chosen:
    """Decide about all documents of a component.

    Args:
        similar: the documents.
        fixed: kept whatever they are similar to; they come first.
        failed: known to be removed by somebody else.
        passed: known to be removed by nobody else.

    Example:
        >>> texts, starts, neighbours = np.array([0, 1, 1, 2]), np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1])
        >>> similar = Similar(texts, np.zeros(4, np.int64), starts, neighbours, np.full(4, 0.9))
        >>> no = np.zeros(4, np.bool_)
        >>> choose(similar, no, no, no).survivors.tolist()
        [-1, 0, 0, -1]
        >>> chosen = choose(similar, no, np.array([True, False, False, False]), ~no)
        >>> chosen.standing.tolist() == [PASSED_OVER, KEPT, REMOVED, REMOVED]
        True
        >>> chosen.survivors.tolist(), chosen.exact.tolist()
        ([-1, -1, 1, 1], [False, False, True, False])
    """
    number = len(similar.texts)
    chosen = Chosen(
        np.empty(number, np.int8), np.full(number, -1, np.int64), np.zeros(number), np.zeros(number, np.bool_)
    )
    _choose(similar, fixed, failed, passed, chosen, *(np.full(len(similar.starts), -1, np.int64) for _ in range(2)))
    return chosen


@kernel
def _choose(
    similar: Similar, fixed: Mask, failed: Mask, passed: Mask, chosen: Chosen, kept: Places, removed: Places
) -> None:
    """``kept`` and ``removed`` have room for each text: which document of it is kept, which was removed first."""
    number = len(similar.texts)
    untried, failures = np.zeros(number, np.int64), np.zeros(number, np.int64)
    for place in range(number):
        text = similar.texts[place]
        begin, end = similar.starts[text], similar.starts[text + 1]
        if kept[text] >= 0:
            survivor, similarity, exact = kept[text], 1.0, True
        elif removed[text] >= 0:
            survivor, similarity = chosen.survivors[removed[text]], chosen.similarities[removed[text]]
            exact = False
        else:
            survivor, similarity, exact = -1, 0.0, False
            for at in range(begin, end):
                other = kept[similar.neighbours[at]]
                found = similar.similarities[at]
                if other >= 0 and (found > similarity or (found == similarity and other < survivor)):
                    survivor, similarity = other, found
        if fixed[place] or (survivor < 0 and not failed[place]):
            chosen.standing[place] = KEPT
            if kept[text] < 0:
                kept[text] = place
            if failures[similar.clusters[place]] and not fixed[place] and not passed[place]:
                untried[place] = TRIED_FIRST * failures[similar.clusters[place]] ** 2 - 1
        elif survivor < 0:
            chosen.standing[place] = PASSED_OVER
            failures[similar.clusters[place]] += 1
        else:
            chosen.survivors[place], chosen.similarities[place], chosen.exact[place] = survivor, similarity, exact
            if removed[text] < 0 and not exact:
                removed[text] = place
            chosen.standing[place] = REMOVED
            if untried[survivor] > 0 and not failed[place] and not passed[place]:
                chosen.standing[place] = TRIED
                untried[survivor] -= 1
