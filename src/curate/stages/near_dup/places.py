"""Where a document is, as the files say it: run (null: the file's own), part and row ⇄ its number in the corpus."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Corpus
from curate.stages.near_dup.numbering import Numbering

Numbers = npt.NDArray[np.int64]

NOWHERE = -1
"""Number of no document."""


class Places(NamedTuple):
    """Columns of equal length."""

    run: pa.Array
    part: pa.Array
    row: pa.Array


def places_of(corpus: Corpus, numbering: Numbering, documents: Numbers) -> Places:
    """Where documents are; those of this run, seen from there."""
    parts = numbering.part_of(documents)
    runs = [*(run for run, _ in corpus.earlier), None]
    own = np.array([*(part for _, part in corpus.earlier), 0])
    which = np.minimum(parts, len(corpus.earlier))
    inside = np.where(which < len(corpus.earlier), own[which], parts - len(corpus.earlier))
    return Places(
        pa.array(runs, pa.string()).take(pa.array(which)),
        pa.array(inside, pa.int32()),
        pa.array(documents - numbering.firsts[parts], pa.int64()),
    )


def numbers_of(corpus: Corpus, numbering: Numbering, places: Places, part: int) -> Numbers:
    """Numbers of documents, `NOWHERE` where no place is given; ``part`` is that of the file which names them."""
    firsts: dict[str, int] = {}
    for at, run in enumerate([*(run for run, _ in corpus.earlier), _THIS_RUN]):
        firsts.setdefault(run, at)
    own = corpus.earlier[part][0] if part < len(corpus.earlier) else _THIS_RUN
    which = pc.index_in(pc.fill_null(places.run, own), value_set=pa.array(list(firsts), pa.string()))
    parts = np.array(list(firsts.values()))[which.to_numpy(zero_copy_only=False)]
    parts += pc.fill_null(places.part, 0).to_numpy(zero_copy_only=False)
    numbers = numbering.firsts[parts] + pc.fill_null(places.row, 0).to_numpy(zero_copy_only=False)
    found: Numbers = np.where(places.part.is_valid().to_numpy(zero_copy_only=False), numbers, NOWHERE)
    return found


_THIS_RUN = ""
"""Id that no earlier run has."""
