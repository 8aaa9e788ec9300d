"""Clusters of duplicates: how many, how large, and what the copies were worth."""

from collections.abc import Mapping
from typing import Any

import msgspec
import polars as pl

from curate.report.judgments import REASONS, ROW, Judgments, ask
from curate.report.saved.compute import Redundancy, redundancy
from curate.report.sources import UNNAMED_SOURCE
from curate.stages.contract import PASSED_OVER
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


def find_duplicates(manifest: Judged, judgments: Judgments, epochs: float) -> Duplicates | None:
    """What near_dup did in this run; None when it did not run."""
    if not judgments.has("near_dup.copies", f"near_dup.{REASONS}"):
        return None
    stays = pl.col(f"near_dup.{REASONS}").list.len() == 0
    documents = pl.col("near_dup.copies").cast(pl.Int64).fill_null(1)
    removed = pl.col(f"near_dup.{REASONS}").list.len() > 0
    known = judgments.has("near_dup.standing")
    passed_over = pl.col("near_dup.standing") == PASSED_OVER if known else pl.lit(value=False)
    weights = judgments.frame.filter(stays).select(documents=documents, bytes=pl.col("raw_bytes").cast(pl.Int64))
    by_size, largest, totals = ask(
        [
            weights.group_by("documents").agg(clusters=pl.len(), bytes=pl.col("bytes").sum()).sort("documents"),
            judgments.frame.filter(stays & (documents > 1))
            .select(pl.col(ROW).cast(pl.Int64), documents=documents)
            .top_k(LARGEST, by=[pl.col("documents"), -pl.col(ROW)]),
            judgments.frame.select(
                removed=removed.sum(),
                passed_over=passed_over.sum(),
                bytes=pl.col("raw_bytes").cast(pl.Int64).filter(judgments.kept()).sum(),
                tokens=judgments.kept_tokens().sum(),
            ),
        ]
    )
    found = totals.to_dicts()[0]
    settings = manifest.plan.get("near_dup", {}) or {}
    return Duplicates(
        sizes=tuple(
            ClusterSize(documents=row["documents"], clusters=row["clusters"])
            for row in by_size.to_dicts()
            if row["documents"] > 1
        ),
        removed=found["removed"],
        passed_over=found["passed_over"],
        largest=_clusters(judgments, dict(largest.sort("documents", ROW, descending=[True, False]).iter_rows())),
        bands=settings.get("bands", 0),
        rows=settings.get("rows", 0),
        similarity=settings.get("similarity", 0.0),
        curve=tuple((float(at), float(chance)) for at, chance in settings.get("curve", ())),
        redundancy=_redundancy(by_size, found, epochs),
        matrix=_matrix(judgments),
        audit=audit if (audit := manifest.audit.get("near_dup")) and audit["twins"] else None,
    )  # fmt: skip


def _clusters(judgments: Judgments, largest: Mapping[int, int]) -> tuple[Cluster, ...]:
    """The clusters of these survivors: row → documents."""
    if not largest:
        return ()
    counted = (
        _removed(judgments)
        .filter(pl.col("row").is_in(list(largest)))
        .group_by("row", pl.col("source").fill_null(UNNAMED_SOURCE))
        .len()
        .sort("len", "source", descending=[True, False])
        .group_by("row", maintain_order=True)
        .agg(pl.col("source", "len").head(CLUSTER_SOURCES), named=pl.len())
    )
    (answer,) = ask([counted])
    found = {row["row"]: row for row in answer.to_dicts()}
    none = {"source": [], "len": [], "named": 0}
    return tuple(
        Cluster(
            row=row,
            survivor=judgments.id_of(row),
            documents=documents,
            sources=tuple(zip(of["source"], of["len"], strict=True)),
            other_sources=of["named"] - len(of["source"]),
        )
        for row, documents in largest.items()
        for of in [found.get(row, none)]
    )


def _removed(judgments: Judgments) -> pl.LazyFrame:
    """Source of every removed document, and the row of its survivor; null where an earlier run holds that."""
    survivor = pl.col("near_dup.survivor_at")
    firsts = pl.LazyFrame(
        {"part": list(range(len(judgments.files))), "first": judgments.offsets[:-1]},
        schema={"part": pl.Int32, "first": pl.Int64},
    )
    removed = judgments.frame.filter(survivor.is_not_null()).select(
        "source",
        run=pl.col("near_dup.survivor_run"),
        part=survivor.struct.field("part").cast(pl.Int32),
        row=survivor.struct.field("row").cast(pl.Int64),
    )
    return removed.join(firsts, on="part", how="left").select(
        "source", row=pl.when(pl.col("run").is_null()).then(pl.col("first") + pl.col("row"))
    )


def _matrix(judgments: Judgments) -> Matrix | None:
    """Removed documents by their source and that of their survivor."""
    survivors = judgments.frame.filter(pl.col("near_dup.copies") > 1)
    names = survivors.select(row=pl.col(ROW).cast(pl.Int64), survivor="source")
    pairs = (
        _removed(judgments)
        .join(names, on="row", how="left")
        .with_columns(survivor=pl.when(pl.col("row").is_null()).then(pl.lit(EARLIER_RUN)).otherwise(pl.col("survivor")))
    )
    (counted,) = ask([pairs.group_by("source", "survivor").agg(documents=pl.len())])
    counts = {(row["source"], row["survivor"]): row["documents"] for row in counted.to_dicts()}
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
