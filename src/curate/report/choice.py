"""Which documents of a run to show for a question: nearest to a limit first, or at random."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from curate.errors import InputError, nearest
from curate.report.judgments.judgments import ROW, Judgments, ask
from curate.report.judgments.looking import REASONS
from curate.report.samples import draw_key
from curate.store.manifest_entries import Manifest


class Question(NamedTuple):
    """What is asked for."""

    reason: str = ""
    """``stage.reason`` or the bare reason; empty: any."""
    stage: str = ""
    """The stage that removed them; empty: any."""
    kept: bool = False
    """Documents that were kept."""
    source: str = ""
    """Only of this source; empty: any."""
    number: int = 5
    seed: int = 0
    random: bool = False
    """At random also where a limit is known."""


class Limit(NamedTuple):
    """A limit that a reason comes from."""

    measure: str
    """``stage.measure``."""
    value: float
    setting: str


class Chosen(NamedTuple):
    """The answer."""

    rows: list[int]
    """Rows in the run, in the order to show them."""
    of: int
    """How many documents there are to choose from."""
    limit: Limit | None
    """What they are nearest to; None where the choice is random."""
    reason: str
    """The reason with its stage; empty where none was asked for."""


def choose_rows(judgments: Judgments, manifest: Manifest, question: Question) -> Chosen:
    """Rows that answer a question.

    Args:
        judgments: what the stages wrote.
        manifest: ``run.json``.
        question: what is asked.

    Raises:
        InputError: the run has no such stage, reason or source.
    """
    reason = _reason(manifest, question) if question.reason else ""
    limit = None if question.random or not reason else _limit(manifest, reason)
    frame = judgments.frame.filter(_wanted(judgments, question, reason))
    if question.source:
        frame = frame.filter(pl.col("source") == question.source)
    if limit and judgments.has(limit.measure):
        distance = (pl.col(limit.measure).cast(pl.Float64) - limit.value).abs()
        order = [distance.fill_null(float("inf")), pl.col(ROW).cast(pl.Int64)]
    else:
        limit, order = None, [draw_key(question.seed)]
    rows, counted = ask([frame.select(ROW, *_named(order)).sort(_names(order)).head(question.number).select(ROW),
                         frame.select(pl.len())])  # fmt: skip
    if question.source and not counted.item():
        _refuse_unknown_source(judgments, question.source)
    return Chosen(rows[ROW].to_list(), counted.item(), limit, reason)


def _named(order: list[pl.Expr]) -> Iterator[pl.Expr]:
    for number, expression in enumerate(order):
        yield expression.alias(f"order{number}")


def _names(order: list[pl.Expr]) -> list[str]:
    return [f"order{number}" for number in range(len(order))]


def _wanted(judgments: Judgments, question: Question, reason: str) -> pl.Expr:
    if reason:
        stage, _, code = reason.partition(".")
        return pl.col(f"{stage}.{REASONS}").list.contains(code)
    if question.stage:
        if question.stage not in judgments.stages:
            raise InputError(f"the run has no stage `{question.stage}`", hint=nearest(question.stage, judgments.stages))
        return pl.col(f"{question.stage}.{REASONS}").list.len() > 0
    if question.kept:
        return judgments.kept()
    return ~judgments.kept()


def _reason(manifest: Manifest, question: Question) -> str:
    """The full code of a reason given with or without its stage."""
    name, stages = question.reason, manifest.stage_names
    if question.stage and question.stage not in stages:
        raise InputError(f"the run has no stage `{question.stage}`", hint=nearest(question.stage, stages))
    known = [
        f"{stage.name}.{reason.code}"
        for stage in manifest.stages
        if question.stage in ("", stage.name)
        for reason in stage.reasons
    ]
    found = [code for code in known if name in (code, code.partition(".")[2])]
    if not found:
        asked = f"the stage `{question.stage}`" if question.stage else "no stage of the run"
        gives = f"{asked} does not give" if question.stage else f"{asked} gives"
        hint = nearest(name, known if "." in name else {code.partition(".")[2] for code in known})
        raise InputError(f"{gives} the reason `{name}`", hint=hint)
    if len(found) > 1:
        raise InputError(f"{len(found)} stages give the reason `{name}`", hint=f"name one: {', '.join(found)}")
    return found[0]


def _limit(manifest: Manifest, reason: str) -> Limit | None:
    stage, _, code = reason.partition(".")
    for rule in next(one.rules for one in manifest.stages if one.name == stage):
        if rule.reason == code and rule.limit is not None:  # None where only single languages have one
            return Limit(f"{stage}.{rule.measure}", float(rule.limit), rule.setting)
    return None


def _refuse_unknown_source(judgments: Judgments, source: str) -> None:
    (known,) = ask([judgments.frame.select(pl.col("source").unique())])
    names = known["source"].drop_nulls().to_list()
    if source not in names:
        raise InputError(f"the run has no source `{source}`", hint=nearest(source, names[:1000]))
