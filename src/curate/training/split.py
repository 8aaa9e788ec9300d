"""Two shares of both sides that have no document in common: to fit and to measure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import InputError, UserError
from curate.training.examples import Examples, Placed

FEWEST = 50
"""Different documents that each side must have: 7 of them measure."""
FEW = 500
"""Below this many on a side the figures of a card are rough."""
FOLDS = 5

_MEASURED = 0.15
_ANOTHER_ORDER = 0xD1342543DE82EF95  # odd: a bijection of places
_MOST_SHARED = 0.2


class Labelled(NamedTuple):
    """Texts with their side."""

    texts: pa.Array
    """``large_string`` without nulls."""
    good: npt.NDArray[np.bool_]
    folds: npt.NDArray[np.int64]
    """Which fold each document is held out with, 0 to ``FOLDS - 1``."""


class Split(NamedTuple):
    """What a model is made from and measured on."""

    fit: Labelled
    measure: Labelled
    shared: int
    """Documents that are on both sides: in none of the shares."""


def split(good: Examples, bad: Examples) -> Split:
    """Shares of about 85 and 15 % of each side, by hash of the document or its group.

    Raises:
        UserError: the sides share a file or too many documents.
        InputError: a side has too few different documents.
    """
    if both := sorted(good.files & bad.files):
        raise UserError(f"`{both[0]}` is given as good and as bad", hint="name different files with --good and --bad")
    shared = np.intersect1d(good.fingerprints, bad.fingerprints, assume_unique=True)
    smaller = min(len(good.fingerprints), len(bad.fingerprints))
    if len(shared) > _MOST_SHARED * smaller:
        raise UserError(
            f"the sides leak into each other: {len(shared):,} of {smaller:,} documents of the smaller side are on both",
            hint="remove the documents they share from one of them",
        )
    out = frozenset(shared.tolist())
    sides = [[placed for key, placed in side.texts.items() if key not in out] for side in (good, bad)]
    for name, documents in zip(("--good", "--bad"), sides, strict=True):
        if len(documents) < FEWEST:
            raise InputError(
                f"`{name}` has {len(documents):,} different documents that are not on the other side, "
                f"but at least {FEWEST} are needed",
                hint="give more examples; a few thousand are better",
            )
    # One bound for both sides, so that a group is never in both shares; documents are in the order of their places.
    smaller_side = min(sides, key=len)
    bound = smaller_side[round(len(smaller_side) * _MEASURED)].place
    fit = [[placed for placed in side if placed.place >= bound] for side in sides]
    measure = [[placed for placed in side if placed.place < bound] for side in sides]
    if not all((*fit, *measure)):
        raise InputError("the groups are too few or too unequal to be split", hint="give more examples, or no --group")
    return Split(_labelled(*fit), _labelled(*measure), len(shared))


def _labelled(good: Sequence[Placed], bad: Sequence[Placed]) -> Labelled:
    texts = pa.array([placed.text for placed in (*good, *bad)], pa.large_string())
    side = np.repeat([True, False], [len(good), len(bad)]).astype(np.bool_)
    folds = [(placed.place * _ANOTHER_ORDER % 2**64 >> 32) % FOLDS for placed in (*good, *bad)]
    return Labelled(texts, side, np.array(folds, np.int64))
