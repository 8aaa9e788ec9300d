"""Which documents would be removed if others came, or if the similarity were higher: from stored partners alone.

No text is read and nothing is exchanged, so the answer is there at once. A document that would be kept although it was
removed, and of which not all partners are stored, may be like others that nobody has compared it with: it is marked as
unsure.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import reasons_where
from curate.stages.near_dup.choice import similar_texts
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.reconsidering import Reconsidered
from curate.text.dedup.choosing import KEPT, REMOVED, choose
from curate.text.dedup.components import flatten, unite

JUDGED = ("reasons", "partners", "more_partners")
"""Columns of the stage's judgments that are read."""
PREFERRED = ("priority", "id")
"""Columns of what it observed."""

EXACT, NEAR = "exact_duplicate", "near_duplicate"
"""The reasons that the stage gives."""

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def gathered(judged: Iterable[pa.Table]) -> dict[str, npt.NDArray[Any]]:
    """What the stage wrote of all documents, as plain arrays: it is read once, and any question is asked of it.

    Args:
        judged: `JUDGED` of every part.
    """
    rows, removed, listed = [0], [np.empty(0, np.bool_)], [_NO_PAIRS]
    earlier: dict[tuple[str, int, int], int] = {}
    for table in judged:
        listed.append(_listed(table, sum(rows), earlier))
        removed.append(np.asarray(_lengths(table.column("reasons")) > 0))
        rows.append(len(table))
    ones, parts, places, *measured = (np.concatenate(each) for each in zip(*listed, strict=True))
    firsts = np.cumsum(rows, dtype=np.int64)
    others = np.where(parts < 0, places, firsts[np.minimum(parts, len(firsts) - 1)] + places)
    nodes = np.unique(np.concatenate((ones, others[others >= 0])))
    home, inside = np.arange(len(nodes)), others >= 0
    unite(np.searchsorted(nodes, ones[inside]), np.searchsorted(nodes, others[inside]), home)
    flatten(home)
    pairs = _Pairs(ones, others, *measured)
    return {"removed": np.concatenate(removed), "nodes": nodes, "home": home, **pairs._asdict()}


_NO_PAIRS = tuple(np.empty(0, kind) for kind in (np.int64, np.int64, np.int64, np.float64, np.bool_, np.bool_))


def _listed(table: pa.Table, first: int, earlier: dict[tuple[str, int, int], int]) -> tuple[npt.NDArray[Any], ...]:
    """The pairs of a part: number of the one; part and row of the other, or -1 and a number if of an earlier run;
    Jaccard; whether exact; whether the one has partners that are not listed.
    """
    lists = table.column("partners").combine_chunks()
    rows = np.repeat(np.arange(len(lists)), _lengths(lists))
    run, *columns = (lists.flatten().field(place) for place in range(lists.type.value_type.num_fields))
    part, row, jaccard, exact = (np.array(column.to_numpy(zero_copy_only=False)) for column in columns)
    for at in np.flatnonzero(run.is_valid().to_numpy(zero_copy_only=False)).tolist():
        place = run[at].as_py(), int(part[at]), int(row[at])
        part[at], row[at] = -1, earlier.setdefault(place, -1 - len(earlier))
    more = pc.fill_null(table.column("more_partners"), False).to_numpy()[rows]
    return first + rows, part.astype(np.int64), row, jaccard, exact, more


def _lengths(lists: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(), np.int64)


def reconsidered(
    written: Mapping[str, npt.NDArray[Any]],
    preferred: Callable[[Numbers], pa.Table | None],
    came: Mask,
    comes: Mask,
    settings: NearDupSettings,
    then: NearDupSettings,
) -> Reconsidered:
    """Choose survivors among other documents, or by another similarity.

    Args:
        written: as `gathered`.
        preferred: `PREFERRED` of some documents; None where that is lost: survivors of now are preferred then.
        came: documents that came and that no other stage removed, in the run.
        comes: the same, as they would come.
        settings: those to choose by. Pairs of a lower similarity are not stored: only those that are count.
        then: those of the run.
    """
    pairs = _Pairs(*(written[name] for name in _Pairs._fields))
    nodes, home = written["nodes"], written["home"]
    same = (settings.similarity, settings.banding) == (then.similarity, then.banding)
    touched = nodes[_is_one_of(home, home[came[nodes] != comes[nodes]])] if same else nodes
    if not len(touched):
        return Reconsidered(touched, pa.nulls(0, pa.list_(pa.string())), np.zeros(0, np.bool_))
    pairs = pairs.of(touched, len(came))
    removed = written["removed"][touched]
    fixed = np.unique(pairs.others[pairs.others < 0])  # of earlier runs: they stay
    own = _in_order(touched, preferred(touched), removed, settings)
    documents = np.concatenate((fixed, own))
    by_number = np.argsort(documents)
    ones, others = (
        by_number[np.searchsorted(documents, side, sorter=by_number)] for side in (pairs.ones, pairs.others)
    )
    similar = similar_texts(
        np.zeros(len(documents), np.int64), ones, others, pairs.jaccard, pairs.exact, settings.similarity
    )
    failed = np.concatenate((np.zeros(len(fixed), np.bool_), ~comes[own]))
    chosen = choose(similar, np.arange(len(documents)) < len(fixed), failed, np.ones(len(documents), np.bool_))
    standing, exact = chosen.standing[len(fixed) :], chosen.exact[len(fixed) :]
    again = (standing == KEPT) & written["removed"][own] & comes[own]
    goes, listed = standing == REMOVED, _is_one_of(own, pairs.ones[pairs.more])
    more, fewer = _missed(chosen.similarities[len(fixed) :][goes & ~exact], settings, then)
    order = np.argsort(own)
    reasons = reasons_where({EXACT: (goes & exact)[order], NEAR: (goes & ~exact)[order]}, len(own))
    return Reconsidered(own[order], reasons, (again & listed)[order], more, fewer)


def _is_one_of(numbers: Numbers, some: Numbers) -> Mask:
    """Which of the numbers, none of them negative, are among some of them."""
    marked = np.zeros(int(numbers.max(initial=-1)) + 1, np.bool_)
    marked[some] = True
    return np.asarray(marked[numbers], np.bool_)


def _missed(
    similarities: npt.NDArray[np.float64], settings: NearDupSettings, then: NearDupSettings
) -> tuple[float, float]:
    """Documents that the bands of now are expected to miss, and those that the bands of then missed."""
    if settings.similarity < then.similarity:
        return 0.0, math.inf
    if settings.banding == then.banding:
        return 0.0, 0.0
    different, which = np.unique(similarities, return_inverse=True)
    found, were = (
        np.array([banding.catch_probability(s) for s in different.tolist()])[which]
        for banding in (settings.banding, then.banding)
    )
    return float((1 - found).sum()), float((1 / np.maximum(were, 1e-3) - 1).sum())


class _Pairs(NamedTuple):
    """Pairs that are stored: numbers of documents in the run, negative ones of earlier runs."""

    ones: Numbers
    others: Numbers
    jaccard: npt.NDArray[np.float64]
    exact: Mask
    more: Mask
    """Whether the first has partners that are not listed."""

    def of(self, documents: Numbers, rows: int) -> "_Pairs":
        """The pairs of these documents, which are whole components, of a run of so many rows."""
        wanted = np.zeros(rows, np.bool_)
        wanted[documents] = True
        here = wanted[self.ones]
        return _Pairs(self.ones[here], self.others[here], self.jaccard[here], self.exact[here], self.more[here])


def _in_order(documents: Numbers, rows: pa.Table | None, removed: Mask, settings: NearDupSettings) -> Numbers:
    """The documents as they are preferred."""
    if rows is None:
        return documents[np.argsort(removed, kind="stable")]
    keys = {
        "rank": pc.bit_wise_not(pc.fill_null(rows.column("priority"), 0)),
        **({"id": rows.column("id")} if settings.by_id else {}),
        "document": pa.array(documents),
    }
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return np.asarray(documents[order.to_numpy()])
