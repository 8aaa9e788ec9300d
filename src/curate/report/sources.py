"""What became of each source and each language."""

import msgspec
import polars as pl

from curate.report.judgments.judgments import LABEL, Judgments
from curate.report.judgments.looking import REASONS

SOURCES = 40
"""Sources listed one by one; the rest is one row."""
LANGUAGES = 15
"""Languages listed one by one; the rest is one row."""

UNNAMED_SOURCE = "(no source)"
UNMEASURED = "(not measured)"
_OTHERS = "({n} others)"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Documents that share a source or a language: how many came in, how many were kept."""

    name: str
    documents: int
    kept: int
    bytes_in: int
    bytes_kept: int
    tokens: int
    top_reason: str = ""

    @property
    def kept_share(self) -> float:
        """Share of the documents that were kept."""
        return self.kept / self.documents if self.documents else 0.0


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """Documents with one label of the language stage, and how many of them their score removed."""

    language: str
    documents: int
    removed: int
    removed_bytes: int
    sources: tuple[str, ...]
    """Where most of the removed ones are from, at most three."""


def by_source(judgments: Judgments) -> tuple[Group, ...]:
    """Every source with what was kept of it and the reason that took most, largest first."""
    named = pl.col("source").fill_null(UNNAMED_SOURCE)
    reasons = [
        judgments.tally.select("documents", source=named, reason=pl.col(f"{stage}.{REASONS}"))
        .filter(pl.col("reason").list.len() > 0)
        .explode("reason")
        .group_by("source", pl.format(f"{stage}.{{}}", "reason").alias("reason"))
        .agg(pl.col("documents").sum().alias("len"))
        for stage in judgments.stages
    ]
    groups, *counted = pl.collect_all([_grouped(judgments, named), *reasons])
    top = _top_reasons(counted)
    return _listed(groups, top, SOURCES)


def by_language(judgments: Judgments) -> tuple[Group, ...]:
    """Every language label with what was kept of it; empty without the stage ``language``."""
    if not judgments.has("language.label"):
        return ()
    groups = _grouped(judgments, pl.col(LABEL).fill_null(UNMEASURED)).collect()
    return _listed(groups, {}, LANGUAGES)


def labels_of(judgments: Judgments) -> tuple[Label, ...]:
    """Every label of the language stage, that of most removed documents first; empty without that stage."""
    if not judgments.has("language.label"):
        return ()
    low = pl.col(f"language.{REASONS}").list.contains("low_score")
    counted = (
        judgments.tally.filter(pl.col(LABEL).is_not_null())
        .group_by(language=pl.col(LABEL), source=pl.col("source").fill_null(UNNAMED_SOURCE))
        .agg(
            documents=pl.col("documents").sum(),
            removed=pl.col("documents").filter(low.fill_null(value=False)).sum(),
            removed_bytes=pl.col("bytes").filter(low.fill_null(value=False)).sum(),
        )
    )
    found = counted.sort(["removed", "documents", "source"], descending=[True, True, False]).collect()
    tables = found.partition_by("language", maintain_order=True)
    labels = [
        Label(
            language=table["language"][0],
            documents=int(table["documents"].sum()),
            removed=int(table["removed"].sum()),
            removed_bytes=int(table["removed_bytes"].sum()),
            sources=tuple(table.filter(pl.col("removed") > 0)["source"].head(3)),
        )
        for table in tables
    ]
    return tuple(sorted(labels, key=lambda label: (-label.removed, -label.documents, label.language)))


def _grouped(judgments: Judgments, name: pl.Expr) -> pl.LazyFrame:
    kept = judgments.kept()
    return (
        judgments.tally.select("documents", "bytes", "tokens", name=name, kept=kept)
        .group_by("name")
        .agg(
            documents=pl.col("documents").sum(),
            kept=pl.col("documents").filter(pl.col("kept")).sum(),
            bytes_in=pl.col("bytes").sum(),
            bytes_kept=pl.col("bytes").filter(pl.col("kept")).sum(),
            tokens=pl.col("tokens").sum(),
        )
        .sort(["documents", "name"], descending=[True, False])
    )


def _top_reasons(counted: list[pl.DataFrame]) -> dict[str, str]:
    found = [table for table in counted if table.height]
    if not found:
        return {}
    most = (
        pl.concat(found)
        .sort(["len", "reason"], descending=[True, False])
        .unique("source", keep="first", maintain_order=True)
    )
    return dict(zip(most["source"], most["reason"], strict=True))


def _listed(groups: pl.DataFrame, top_reasons: dict[str, str], shown: int) -> tuple[Group, ...]:
    listed = [Group(**row, top_reason=top_reasons.get(row["name"], "")) for row in groups.head(shown).to_dicts()]
    rest = groups.slice(shown)
    if rest.height:
        sums = rest.select(pl.col("documents", "kept", "bytes_in", "bytes_kept", "tokens").sum()).to_dicts()[0]
        listed.append(Group(name=_OTHERS.format(n=f"{rest.height:,}"), **sums))
    return tuple(listed)
