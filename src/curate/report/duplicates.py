"""Clusters of duplicates: how many, how large, and what the copies were worth."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.report.judgments.judgments import ROW, Judgments
from curate.report.judgments.looking import REASONS, Documents, coded
from curate.report.saved.compute import Redundancy, redundancy
from curate.report.sources import UNNAMED_SOURCE
from curate.stages.contract import PASSED_OVER, TO
from curate.store.manifest_entries import Judged

LARGEST = 8
"""Clusters shown one by one."""
CLUSTER_SOURCES = 5
"""Sources named for each of them."""
MATRIX = 8
"""Sources shown in the matrix, those with the most duplicates; the others are one row and one column."""
EARLIER_RUN = "an earlier run"
OTHERS = "other sources"


class ClusterSize(msgspec.Struct, frozen=True, kw_only=True):
    """All clusters with the same number of documents (the survivor is one of them)."""

    documents: int
    clusters: int


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Whose documents were removed in favour of whose."""

    sources: tuple[str, ...]
    """Of the removed documents: the rows."""
    survivors: tuple[str, ...]
    """Of the kept ones: the columns."""
    documents: tuple[tuple[int, ...], ...]
    """Documents removed, a row for each of ``sources``."""


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """One survivor and what it stands for."""

    row: int
    """Row of the survivor in the run."""
    survivor: str
    """Its id."""
    documents: int
    """Itself and its copies."""
    sources: tuple[tuple[str, int], ...] = ()
    """Sources of the copies in this run and how many each has, most first; no more than `CLUSTER_SOURCES`."""
    other_sources: int = 0
    """Sources beyond these."""


class Duplicates(msgspec.Struct, frozen=True, kw_only=True):
    """What near_dup found and how it looked for it."""

    sizes: tuple[ClusterSize, ...]
    removed: int
    passed_over: int = 0
    """Documents that were like others and preferred, but removed by a later stage: nothing was removed for them."""
    largest: tuple[Cluster, ...]
    """Largest first."""
    bands: int = 0
    rows: int = 0
    similarity: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()
    """Similarity → probability that a pair is compared."""
    redundancy: Redundancy | None = None
    matrix: Matrix | None = None
    """None where one source duplicates only itself."""
    audit: Mapping[str, Any] | None = None
    """What a sample says of duplicates that were missed; None where it holds none."""

    @property
    def clusters(self) -> int:
        """Clusters of two documents or more."""
        return sum(size.clusters for size in self.sizes)


class Found(NamedTuple):
    """What a look at documents finds."""

    sizes: pl.DataFrame
    """Survivors and their bytes by number of copies, ``documents``."""
    largest: pl.DataFrame
    """Survivors with most copies: ``row``, ``documents``."""
    totals: dict[str, int]


class Copies:
    """What a report asks of the documents about duplicates.

    Args:
        judgments: of a run in which near_dup ran.
    """

    def __init__(self, judgments: Judgments) -> None:
        names = ("copies", REASONS, "standing")
        self.columns = ["raw_bytes", *(f"near_dup.{name}" for name in names if judgments.has(f"near_dup.{name}"))]

    def of(self, piece: Documents) -> Found:
        """See `curate.report.judgments.looking.Question`."""
        reasons = piece.given("near_dup")
        rows = np.flatnonzero(reasons.number == 0)
        documents, size = piece.whole("near_dup.copies", missing=1)[rows], piece.raw_bytes[rows]
        alone = documents == 1  # nearly all are
        several = pl.DataFrame({ROW: rows + piece.first, "bytes": size, "documents": documents}).filter(~alone)
        single = pl.DataFrame({"documents": [1], "clusters": [int(alone.sum())], "bytes": [int(size[alone].sum())]})
        sizes = several.group_by("documents").agg(clusters=pl.len().cast(pl.Int64), bytes=pl.col("bytes").sum())
        passed_over = 0
        if "near_dup.standing" in self.columns:
            standing = coded(piece.column("near_dup.standing"))
            code = pc.index(standing.dictionary.cast(pa.string()), PASSED_OVER).as_py()
            passed_over = pc.sum(pc.equal(standing.indices, code)).as_py()
        return Found(
            pl.concat([single.filter(pl.col("clusters") > 0), sizes]),
            _first_few(several.select(ROW, "documents").filter(pl.col("documents") > 1)),
            {
                "removed": int((reasons.number > 0).sum()),
                "passed_over": passed_over or 0,
                "bytes": int(piece.raw_bytes[piece.kept].sum()),
                "tokens": int(piece.tokens.sum()),
            },
        )

    def joined(self, found: Found, behind: Found) -> Found:
        """See `curate.report.judgments.looking.Question`."""
        sizes = pl.concat([found.sizes, behind.sizes]).group_by("documents").agg(pl.col("clusters", "bytes").sum())
        totals = {name: number + behind.totals[name] for name, number in found.totals.items()}
        return Found(sizes, _first_few(pl.concat([found.largest, behind.largest])), totals)


def has_copies(judgments: Judgments) -> bool:
    """Whether near_dup ran."""
    return judgments.has("near_dup.copies", f"near_dup.{REASONS}")


def find_duplicates(
    manifest: Judged, judgments: Judgments, epochs: float, found: Found | None = None
) -> Duplicates | None:
    """What near_dup did in this run; None when it did not run.

    Args:
        manifest: of the run.
        judgments: of the run.
        epochs: of the training run for which redundancy is computed.
        found: by `Copies`, where it looked.
    """
    if not has_copies(judgments):
        return None
    if found is None:
        (found,) = judgments.look(Copies(judgments))
    if found is None:
        found = Copies(judgments).of(judgments.nothing)
    by_size = found.sizes.sort("documents")
    settings = manifest.plan.get("near_dup", {}) or {}
    largest: dict[int, int] = dict(found.largest.iter_rows())
    pairs, sources = _for_whom(judgments, largest)
    return Duplicates(
        sizes=tuple(
            ClusterSize(documents=row["documents"], clusters=row["clusters"])
            for row in by_size.to_dicts()
            if row["documents"] > 1
        ),
        removed=found.totals["removed"],
        passed_over=found.totals["passed_over"],
        largest=_clusters(judgments, largest, sources),
        bands=settings.get("bands", 0),
        rows=settings.get("rows", 0),
        similarity=settings.get("similarity", 0.0),
        curve=tuple((float(at), float(chance)) for at, chance in settings.get("curve", ())),
        redundancy=_redundancy(by_size, found.totals, epochs),
        matrix=_matrix(pairs),
        audit=audit if (audit := manifest.audit.get("near_dup")) and audit["twins"] else None,
    )  # fmt: skip


def _first_few(clusters: pl.DataFrame) -> pl.DataFrame:
    return clusters.sort("documents", ROW, descending=[True, False]).head(LARGEST)


def _clusters(
    judgments: Judgments, largest: Mapping[int, int], sources: Mapping[int, Mapping[str, int]]
) -> tuple[Cluster, ...]:
    """The clusters of these survivors: row → documents, and row → source → copies."""
    found: list[Cluster] = []
    for row, documents in largest.items():
        copies = sorted(sources[row].items(), key=lambda one: (-one[1], one[0]))
        found.append(
            Cluster(
                row=row,
                survivor=judgments.id_of(row),
                documents=documents,
                sources=tuple(copies[:CLUSTER_SOURCES]),
                other_sources=max(0, len(copies) - CLUSTER_SOURCES),
            )
        )
    return tuple(found)


_REMOVED = pa.schema([("row", pa.int64()), ("source", pa.string()), ("documents", pa.int64())])
"""Documents removed for one: its row in its part, -1 where an earlier run holds it."""


def _send_removed(judgments: Judgments, part: int) -> Iterator[pa.RecordBatch]:
    """To the part of each survivor: from which sources documents were removed for it."""
    read = judgments.decoded_part(part, ["source", "near_dup.survivor_at", "near_dup.survivor_run"])
    survivor = read.column("near_dup.survivor_at")
    removed = pc.indices_nonzero(survivor.is_valid())
    at, own = survivor.take(removed), read.column("near_dup.survivor_run").take(removed).is_null()
    sources = coded(read.column("source").take(removed))
    sent = pl.DataFrame(
        {
            TO: pc.if_else(own, at.field("part"), part).cast(pa.int64()),
            "row": pc.if_else(own, at.field("row"), -1).cast(pa.int64()),
            "code": sources.indices,
        }
    )
    counted = sent.group_by(TO, "row", "code").agg(pl.len().cast(pl.Int64).alias("documents")).sort(TO)
    names = pc.fill_null(sources.dictionary.cast(pa.string()).take(counted["code"].to_arrow()), UNNAMED_SOURCE)
    yield pa.record_batch([counted[TO].to_arrow(), counted["row"].to_arrow(), names, counted["documents"].to_arrow()],
                          pa.schema([(TO, pa.int64()), *_REMOVED]))  # fmt: skip


def _receive_removed(
    judgments: Judgments, largest: Mapping[int, Collection[int]], part: int, rows: pa.Table
) -> pa.Table:
    """Removed documents by source and that of their survivor, and each of the part's ``largest`` for itself."""
    sources = coded(judgments.decoded_part(part, ["source"]).column("source"))
    unnamed = len(sources.dictionary)
    names = pa.concat_arrays([sources.dictionary.cast(pa.string()), pa.array([UNNAMED_SOURCE, EARLIER_RUN])])
    of, at = pc.fill_null(sources.indices, unnamed).to_numpy(), rows.column("row").to_numpy()
    survivor = np.full(len(at), unnamed + 1)
    survivor[at >= 0] = of[at[at >= 0]]
    removed = pl.DataFrame(rows).with_columns(survivor=pl.Series(names.take(pa.array(survivor))))
    apart = pl.col("row").is_in(list(largest.get(part, ())))
    known = removed.with_columns(row=pl.when(apart).then(pl.col("row")))
    return known.group_by("source", "survivor", "row").agg(pl.col("documents").sum()).to_arrow()


def _for_whom(
    judgments: Judgments, largest: Collection[int]
) -> tuple[dict[tuple[str, str], int], dict[int, dict[str, int]]]:
    """Removed documents by their source and that of their survivor; and by source, for each of these survivors."""
    pairs: dict[tuple[str, str], int] = {}
    copies: dict[int, dict[str, int]] = {row: {} for row in largest}
    apart: dict[int, dict[int, int]] = {}
    for of_run in largest:
        part, inside = judgments.place(of_run)
        apart.setdefault(part, {})[inside] = of_run
    receive = partial(_receive_removed, judgments, {part: tuple(rows) for part, rows in apart.items()})
    for part, table in enumerate(judgments.sent(partial(_send_removed, judgments), receive, _REMOVED)):
        for source, survivor, row, documents in zip(*(column.to_pylist() for column in table.columns), strict=True):
            pairs[source, survivor] = pairs.get((source, survivor), 0) + documents
            if row is not None:
                own = copies[apart[part][row]]
                own[source] = own.get(source, 0) + documents
    return pairs, copies


def _matrix(counts: Mapping[tuple[str, str], int]) -> Matrix | None:
    """Removed documents by their source and that of their survivor."""
    if len({name for pair in counts for name in pair}) < 2:
        return None
    rows, columns = (_foremost(counts, side) for side in (0, 1))
    shown: dict[tuple[str, str], int] = {}
    for (source, kept), documents in counts.items():
        place = (source if source in rows else OTHERS, kept if kept in columns else OTHERS)
        shown[place] = shown.get(place, 0) + documents
    return Matrix(
        sources=rows,
        survivors=columns,
        documents=tuple(tuple(shown.get((row, column), 0) for column in columns) for row in rows),
    )


def _foremost(counts: Mapping[tuple[str, str], int], side: int) -> tuple[str, ...]:
    """Names on one side of the pairs, those with the most documents first; the rest as one."""
    totals: dict[str, int] = {}
    for pair, documents in counts.items():
        totals[pair[side]] = totals.get(pair[side], 0) + documents
    names = sorted(totals, key=lambda name: (-totals[name], name))
    return tuple(names) if len(names) <= MATRIX + 1 else (*names[:MATRIX], OTHERS)


def _redundancy(by_size: pl.DataFrame, totals: Mapping[str, int], epochs: float) -> Redundancy | None:
    """The bracket, with bytes turned into tokens by the kept text's own ratio."""
    if not totals["tokens"] or not totals["bytes"]:
        return None
    per_byte = totals["tokens"] / totals["bytes"]
    tokens = {row["documents"]: row["bytes"] * per_byte for row in by_size.to_dicts()}
    return redundancy(
        tokens,
        epochs=epochs,
        assumptions=(
            f"tokens of a cluster: bytes of its survivor x {per_byte:.4f} tokens a byte, the mean of the kept text",
            "copies are taken to be as long as their survivor",
        ),
    )
