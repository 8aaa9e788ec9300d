"""Reasons against sources, languages and each other: where a rule falls, and what it alone removes."""

from collections.abc import Sequence

import msgspec
import polars as pl

from curate.report.judgments.judgments import LABEL, Judgments
from curate.report.judgments.looking import REASONS
from curate.report.sources import UNMEASURED, UNNAMED_SOURCE

COLUMNS = 10
"""Sources or languages that have a column of their own: those with most documents."""
ROWS = 7
"""Reasons that have a row."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, ``stage.code``, and how often it was given in each column."""

    reason: str
    documents: int
    counts: tuple[int, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Reasons against sources or languages."""

    columns: tuple[str, ...] = ()
    came: tuple[int, ...] = ()
    """Documents of each column, removed or not."""
    rows: tuple[Row, ...] = ()


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two reasons that were given together."""

    reason: str
    other: str
    documents: int
    share: float
    """Of the documents with the rarer of the two."""


class Crossed(msgspec.Struct, frozen=True, kw_only=True):
    """What reasons have to do with sources, languages and each other."""

    sources: Table = Table()
    languages: Table = Table()
    alone: dict[str, int] = {}
    """``stage.code`` → documents that have no other reason: those that come back without the rule."""
    together: tuple[Pair, ...] = ()
    """Pairs of reasons, most documents first."""


def cross(judgments: Judgments) -> Crossed:
    """Count reasons; memory is bounded by the number of sources times that of reasons."""
    stages = [stage for stage in judgments.stages if judgments.has(f"{stage}.{REASONS}")]
    if not stages:
        return Crossed()
    every = judgments.tally.select(
        "documents",
        source=pl.col("source").fill_null(UNNAMED_SOURCE),
        language=pl.col(LABEL).fill_null(UNMEASURED),
        reason=pl.coalesce(*(_named(stage) for stage in stages)),
    )
    removed = every.filter(pl.col("reason").is_not_null())
    each = removed.explode("reason")
    other = pl.col("other")
    number = pl.col("documents").sum().alias("len")
    found = pl.collect_all(
        [
            every.group_by("source").agg(number),
            every.group_by("language").agg(number),
            each.group_by("reason", "source").agg(number),
            each.group_by("reason", "language").agg(number),
            removed.filter(pl.col("reason").list.len() == 1).explode("reason").group_by("reason").agg(number),
            removed.select("documents", "reason", other="reason").explode("reason").explode("other")
            .filter(pl.col("reason") < other).group_by("reason", "other").agg(number),
        ]
    )  # fmt: skip
    of_source, of_language, by_source, by_language, alone, pairs = found
    given = dict(by_source.group_by("reason").agg(pl.col("len").sum()).iter_rows())
    only = dict(alone.iter_rows())
    measured = judgments.has("language.label")
    return Crossed(
        sources=_table(of_source, by_source, given),
        languages=_table(of_language, by_language, given) if measured else Table(),
        alone={reason: only.get(reason, 0) for reason in sorted(given)},
        together=tuple(
            Pair(reason=one, other=two, documents=count, share=count / min(given[one], given[two]))
            for one, two, count in pairs.sort(["len", "reason", "other"], descending=[True, False, False])
            .head(ROWS)
            .iter_rows()
        ),
    )


def _named(stage: str) -> pl.Expr:
    """The reasons of a stage with its name in front; null where it gave none."""
    reasons = pl.col(f"{stage}.{REASONS}")
    return pl.when(reasons.list.len() > 0).then(reasons.list.eval(pl.lit(f"{stage}.") + pl.element()))


def _table(came: pl.DataFrame, counted: pl.DataFrame, given: dict[str, int]) -> Table:
    """Those columns and rows that hold most; the main reason of each column is among the rows, as far as they go."""
    name = came.columns[0]
    largest = came.sort(["len", name], descending=[True, False]).head(COLUMNS)
    columns: Sequence[str] = largest[name].to_list()
    counts = {(reason, column): count for reason, column, count in counted.iter_rows()}
    by_count = sorted(given, key=lambda reason: (-given[reason], reason))
    most = {column: max(by_count, key=lambda reason: counts.get((reason, column), 0), default="") for column in columns}
    main = [reason for column, reason in most.items() if counts.get((reason, column))]
    reasons = sorted(list(dict.fromkeys([*main, *by_count]))[:ROWS], key=by_count.index)
    return Table(
        columns=tuple(columns),
        came=tuple(largest["len"].to_list()),
        rows=tuple(
            Row(
                reason=reason,
                documents=given[reason],
                counts=tuple(counts.get((reason, column), 0) for column in columns),
            )
            for reason in reasons
        ),
    )
