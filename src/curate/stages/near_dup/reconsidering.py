"""Which documents would be removed if others came, or if the similarity were higher: from stored partners alone.

No text is read and nothing is exchanged, so the answer is there at once. A document that would be kept although it was
removed, and of which not all partners are stored, may be like others that nobody has compared it with: it is told.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Reconsidered, reasons_where
from curate.stages.near_dup.choice import similar_texts
from curate.stages.near_dup.settings import NearDupSettings
from curate.text.dedup.choosing import KEPT, REMOVED, choose
from curate.text.dedup.components import flatten, unite

JUDGED = ("reasons", "partners", "more_partners", "exact")
"""Columns of the stage's judgments that are read."""
PREFERRED = ("priority", "id")
"""Columns of what it observed."""

EXACT, NEAR = "exact_duplicate", "near_duplicate"
"""The reasons that the stage gives."""

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def reconsidered(
    judged: Sequence[pa.Table],
    preferred: Sequence[pa.Table] | None,
    before: Sequence[Mask],
    now: Sequence[Mask],
    settings: NearDupSettings,
    then: NearDupSettings,
) -> Reconsidered:
    """Choose survivors among other documents, or by another similarity.

    Args:
        judged: `JUDGED` of every part.
        preferred: `PREFERRED` of every part; None where that is lost: survivors of now are preferred then.
        before: documents that came and that no other stage removed, in the run.
        now: the same, as they would come.
        settings: those to choose by. Pairs of a lower similarity are not stored: only those that are count.
        then: those of the run.
    """
    firsts = np.concatenate(([0], np.cumsum([len(table) for table in judged]))).astype(np.int64)
    came, comes = (np.concatenate([np.empty(0, np.bool_), *masks]) for masks in (before, now))
    gave = np.concatenate([np.empty(0, np.int32), *(_given(table) for table in judged)])
    removed, exact = gave > 0, np.concatenate([np.empty(0, np.bool_), *(_exact(table) for table in judged)])
    pairs = _Pairs(judged, firsts)
    nodes = np.unique(np.concatenate((pairs.ones, pairs.others[pairs.others >= 0])))
    unsure = removed & comes
    unsure[nodes] = False  # the others were compared once more when survivors were chosen again
    more = fewer = 0.0
    same = (settings.similarity, settings.banding) == (then.similarity, then.banding)
    touched = pairs.connected(nodes, nodes[came[nodes] != comes[nodes]]) if same else nodes
    if len(touched):
        pairs = pairs.of(touched)
        documents = np.concatenate((pairs.fixed, _in_order(touched, preferred, firsts, removed, settings)))
        by_number = np.argsort(documents)
        ones, others = (
            by_number[np.searchsorted(documents, side, sorter=by_number)] for side in (pairs.ones, pairs.others)
        )
        clusters = np.zeros(len(documents), np.int64)
        similar = similar_texts(clusters, ones, others, pairs.jaccard, pairs.exact, settings.similarity)
        fixed = np.arange(len(documents)) < len(pairs.fixed)
        own = documents[~fixed]
        failed = np.concatenate((np.zeros(len(pairs.fixed), np.bool_), ~comes[own]))
        chosen = choose(similar, fixed, failed, np.ones(len(documents), np.bool_))
        standing = chosen.standing[~fixed]
        again = (standing == KEPT) & removed[own] & comes[own]
        unlisted = np.zeros(len(comes), np.bool_)
        unlisted[pairs.ones[pairs.more]] = True
        unsure[own] = again & unlisted[own]
        removed[own] = standing == REMOVED
        exact[own] = chosen.exact[~fixed]
        near = (standing == REMOVED) & ~chosen.exact[~fixed]
        more, fewer = _missed(chosen.similarities[~fixed][near], settings, then)
    cut = [slice(first, end) for first, end in itertools.pairwise(firsts)]
    reasons = [
        reasons_where({EXACT: removed[c] & exact[c], NEAR: removed[c] & ~exact[c]}, c.stop - c.start) for c in cut
    ]
    return Reconsidered(reasons, [unsure[c] for c in cut], more, fewer)


def _missed(
    similarities: npt.NDArray[np.float64], settings: NearDupSettings, then: NearDupSettings
) -> tuple[float, float]:
    """Documents that the bands of now are expected to miss, and those that the bands of then missed."""
    if settings.similarity < then.similarity:
        return 0.0, math.inf
    if settings.banding == then.banding:
        return 0.0, 0.0
    found, were = (np.array([each.banding.catch_probability(s) for s in similarities]) for each in (settings, then))
    return float((1 - found).sum()), float((1 / np.maximum(were, 1e-3) - 1).sum())


class _Pairs:
    """Pairs that are stored: numbers of documents in the run, negative ones of earlier runs."""

    def __init__(self, judged: Sequence[pa.Table] = (), firsts: Numbers | None = None) -> None:
        found: list[tuple[Numbers, Numbers, npt.NDArray[np.float64], Mask, Mask]] = []
        earlier: dict[tuple[str, int, int], int] = {}
        for number, table in enumerate(judged):
            assert firsts is not None
            lists = table.column("partners").combine_chunks()
            rows = np.repeat(np.arange(len(lists)), pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
            listed = lists.flatten()
            run, part, row, jaccard, exact = (listed.field(place) for place in range(listed.type.num_fields))
            others = firsts[np.minimum(part.to_numpy(zero_copy_only=False), len(judged))] + row.to_numpy(
                zero_copy_only=False
            )
            for at in np.flatnonzero(run.is_valid().to_numpy(zero_copy_only=False)).tolist():
                place = run[at].as_py(), part[at].as_py(), row[at].as_py()
                others[at] = earlier.setdefault(place, -1 - len(earlier))
            more = pc.fill_null(table.column("more_partners"), False).combine_chunks().take(pa.array(rows))
            found.append(
                (
                    firsts[number] + rows,
                    others,
                    jaccard.to_numpy(zero_copy_only=False),
                    exact.to_numpy(zero_copy_only=False),
                    more.to_numpy(zero_copy_only=False),
                )
            )
        self.ones, self.others, self.jaccard, self.exact, self.more = (
            np.concatenate([np.empty(0, kind), *(each[place] for each in found)])
            for place, kind in enumerate((np.int64, np.int64, np.float64, np.bool_, np.bool_))
        )

    @property
    def fixed(self) -> Numbers:
        """Documents of earlier runs; they stay."""
        return np.unique(self.others[self.others < 0])

    def of(self, documents: Numbers) -> "_Pairs":
        """The pairs of these documents, which are whole components."""
        here, some = np.isin(self.ones, documents, assume_unique=False), _Pairs()
        for name in ("ones", "others", "jaccard", "exact", "more"):
            setattr(some, name, getattr(self, name)[here])
        return some

    def connected(self, nodes: Numbers, seeds: Numbers) -> Numbers:
        """All of ``nodes`` that pairs connect with one of the seeds."""
        if not len(seeds):
            return seeds
        home = np.arange(len(nodes))
        inside = self.others >= 0
        unite(np.searchsorted(nodes, self.ones[inside]), np.searchsorted(nodes, self.others[inside]), home)
        flatten(home)
        wanted = np.unique(home[np.searchsorted(nodes, seeds)])
        return nodes[np.isin(home, wanted)]


def _in_order(
    documents: Numbers, preferred: Sequence[pa.Table] | None, firsts: Numbers, removed: Mask, settings: NearDupSettings
) -> Numbers:
    """The documents as they are preferred."""
    if preferred is None:
        return documents[np.argsort(removed[documents], kind="stable")]
    rows = pa.concat_tables(
        table.take(pa.array(documents[(documents >= first) & (documents < end)] - first))
        for table, first, end in zip(preferred, firsts[:-1], firsts[1:], strict=True)
    )
    keys = {
        "rank": pc.bit_wise_not(pc.fill_null(rows.column("priority"), 0)),
        **({"id": rows.column("id")} if settings.by_id else {}),
        "document": pa.array(documents),
    }
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return np.asarray(documents[order.to_numpy()])


def _given(table: pa.Table) -> npt.NDArray[np.int32]:
    """Reasons that each document was given."""
    return np.asarray(pc.fill_null(pc.list_value_length(table.column("reasons")), 0).to_numpy(), np.int32)


def _exact(table: pa.Table) -> Mask:
    return np.asarray(pc.fill_null(table.column("exact"), False).to_numpy(), np.bool_)
