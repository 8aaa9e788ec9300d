"""Clusters of duplicates: how many, how large, and what the copies were worth."""

from collections.abc import Mapping
from typing import Any

import msgspec
import polars as pl

from curate.report.compute import Redundancy, redundancy
from curate.report.judgments import REASONS, ROW, Judgments, ask

LARGEST = 8
"""Clusters shown one by one."""


class ClusterSize(msgspec.Struct, frozen=True, kw_only=True):
    """All clusters with the same number of documents (the survivor is one of them)."""

    documents: int
    clusters: int


class Duplicates(msgspec.Struct, frozen=True, kw_only=True):
    """What near_dup found and how it looked for it."""

    sizes: tuple[ClusterSize, ...]
    removed: int
    largest: tuple[tuple[int, int], ...]
    """Row of the survivor and documents in the cluster, largest first."""
    bands: int = 0
    rows: int = 0
    similarity: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()
    """Similarity → probability that a pair is compared."""
    redundancy: Redundancy | None = None

    @property
    def clusters(self) -> int:
        """Clusters of two documents or more."""
        return sum(size.clusters for size in self.sizes)


def find_duplicates(manifest: Mapping[str, Any], judgments: Judgments, epochs: float) -> Duplicates | None:
    """What near_dup did in this run; None when it did not run."""
    if not judgments.has("near_dup.copies", f"near_dup.{REASONS}"):
        return None
    stays = pl.col(f"near_dup.{REASONS}").list.len() == 0
    documents = pl.col("near_dup.copies").cast(pl.Int64).fill_null(1)
    removed = pl.col(f"near_dup.{REASONS}").list.len() > 0
    weights = judgments.frame.filter(stays).select(documents=documents, bytes=pl.col("raw_bytes").cast(pl.Int64))
    by_size, largest, totals = ask(
        [
            weights.group_by("documents").agg(clusters=pl.len(), bytes=pl.col("bytes").sum()).sort("documents"),
            judgments.frame.filter(stays & (documents > 1))
            .select(ROW, documents=documents)
            .top_k(LARGEST, by=[pl.col("documents"), -pl.col(ROW).cast(pl.Int64)]),
            judgments.frame.select(
                removed=removed.sum(),
                bytes=pl.col("raw_bytes").cast(pl.Int64).filter(judgments.kept()).sum(),
                tokens=judgments.kept_tokens().sum(),
            ),
        ]
    )
    found = totals.to_dicts()[0]
    settings = manifest.get("plan", {}).get("near_dup", {}) or {}
    return Duplicates(
        sizes=tuple(
            ClusterSize(documents=row["documents"], clusters=row["clusters"])
            for row in by_size.to_dicts()
            if row["documents"] > 1
        ),
        removed=found["removed"],
        largest=tuple(largest.sort("documents", ROW, descending=[True, False]).select(ROW, "documents").iter_rows()),
        bands=settings.get("bands", 0),
        rows=settings.get("rows", 0),
        similarity=settings.get("similarity", 0.0),
        curve=tuple((float(at), float(chance)) for at, chance in settings.get("curve", ())),
        redundancy=_redundancy(by_size, found, epochs),
    )  # fmt: skip


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
