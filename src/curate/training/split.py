"""Two shares of both sides that have no document in common: to fit and to measure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import InputError, UserError
from curate.training.examples import Examples

FEWEST = 50
"""Different documents that each side must have: 7 of them measure."""
FEW = 500
"""Below this many on a side the figures of a card are rough."""
_MEASURED = 0.15
_MOST_SHARED = 0.2


class Labelled(NamedTuple):
    """Texts with their side."""

    texts: pa.Array
    """``large_string`` without nulls."""
    good: npt.NDArray[np.bool_]


class Split(NamedTuple):
    """What a model is made from and measured on."""

    fit: Labelled
    measure: Labelled
    shared: int
    """Documents that are on both sides: left out of all shares."""


def split(good: Examples, bad: Examples) -> Split:
    """Shares of 85 and 15 % of each side, by hash of the document.

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
            hint="leave the documents they share out of one of them",
        )
    out = frozenset(shared.tolist())
    sides = [[text for key, text in side.texts.items() if key not in out] for side in (good, bad)]
    for name, texts in zip(("--good", "--bad"), sides, strict=True):
        if len(texts) < FEWEST:
            raise InputError(
                f"`{name}` has {len(texts):,} different documents that are not on the other side, "
                f"but at least {FEWEST} are needed",
                hint="give more examples; a few thousand are better",
            )
    shares = [_shares(texts) for texts in sides]
    fit, measure = (labelled(*pair) for pair in zip(*shares, strict=True))
    return Split(fit, measure, len(shared))


def labelled(good: Sequence[str], bad: Sequence[str]) -> Labelled:
    """Texts of both sides as one column."""
    return Labelled(
        pa.array([*good, *bad], pa.large_string()), np.repeat([True, False], [len(good), len(bad)]).astype(np.bool_)
    )


def _shares(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """``texts`` are in random order already."""
    measured = round(len(texts) * _MEASURED)
    return texts[measured:], texts[:measured]
