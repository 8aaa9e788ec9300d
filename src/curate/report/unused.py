"""Settings of the user that changed nothing in this corpus, as only its documents tell."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import polars as pl

from curate.corpus.input import InputFile
from curate.report.judgments.judgments import Judgments
from curate.report.sources import Label
from curate.store.manifest_entries import Judged
from curate.store.row_file import scanned

_SHOWN = 4


class WithoutEffect(msgspec.Struct, frozen=True, kw_only=True):
    """A setting, and what no document has that would give it an effect."""

    setting: str
    why: str
    hint: str = ""


def without_effect(manifest: Judged, judgments: Judgments, labels: Sequence[Label]) -> tuple[WithoutEffect, ...]:
    """Settings that name what the corpus does not have.

    Args:
        manifest: ``run.json``; ``mentions`` and ``given`` say what the user named.
        judgments: what the stages wrote.
        labels: of the language stage, with their documents.
    """
    if not judgments.rows:
        return ()
    found = [*_unmentioned(manifest, judgments, labels), *_unread_fields(manifest, judgments)]
    return tuple(WithoutEffect(setting=setting, why=why, hint=hint) for setting, why, hint in found)


def _unmentioned(manifest: Judged, judgments: Judgments, labels: Sequence[Label]) -> Iterator[tuple[str, str, str]]:
    known = {label.language for label in labels}
    for one in manifest.mentions:
        missing: list[str] = []
        if labels:
            missing = [f"no document is labelled {_or(one.languages, known)}"] * bool(set(one.languages) - known)
        if one.sources and (strangers := set(one.sources) - _sources(judgments)):
            missing = [f"no document is of source {_or(one.sources, set(one.sources) - strangers)}"]
        if one.field and not _has_field(judgments, one.field):
            missing = [f"no document has `{one.field}` in its metadata"]
        if one.measure and not _measured(judgments, f"{one.stage}.{one.measure}"):
            missing = [f"no document has {one.lacking}"]
        yield from ((one.key, why, one.hint) for why in missing)


def _or(names: Sequence[str], known: set[str]) -> str:
    absent = [f"`{name}`" for name in names if name not in known]
    return " or ".join(absent[:_SHOWN]) + (f" (and {len(absent) - _SHOWN} more)" if len(absent) > _SHOWN else "")


def _sources(judgments: Judgments) -> set[str]:
    return set(judgments.tally.select("source").unique().collect()["source"].drop_nulls())


def _has_field(judgments: Judgments, field: str) -> bool:
    """Whether the metadata of any document, JSON objects, mentions a field; of a nested one, its first name."""
    mentioned = pl.col("metadata").str.contains(f'"{field.partition(".")[0]}"', literal=True)
    return any(answer.item() for answer in _of_each_part(judgments, mentioned.any()))


def _measured(judgments: Judgments, measure: str) -> bool:
    """Whether a measure is anything but null, false and 0 for any document."""
    if not judgments.has(measure):
        return True
    column = pl.col(measure)
    is_text = judgments.schema[measure] == pl.String
    some = (column.is_not_null() if is_text else column.cast(pl.Float64) != 0).any()
    return any(answer.item() for answer in [*judgments.answers(some)])


def _unread_fields(manifest: Judged, judgments: Judgments) -> Iterator[tuple[str, str, str]]:
    """``input.source`` and ``input.id`` where every document has what it would have without them."""
    settings, given = manifest.section("input"), manifest.given
    file, position = (pl.col("origin").struct.field(name) for name in ("file", "position"))
    if "input.source" in given and settings.get("source"):
        answers = _of_each_part(judgments, pl.struct(file.alias("file"), "source").unique())
        if all(one["source"] == _default_source(one["file"]) for pairs in answers for one in pairs.to_series()):
            yield "input.source", f"no record has a value in `{settings['source']}`", ""
    if "input.id" in given and settings.get("id"):
        by_default = pl.col("id") == pl.concat_str(file, pl.lit("#"), position)
        if all(answer.item() for answer in _of_each_part(judgments, by_default.all())):
            yield "input.id", f"no record has a value in `{settings['id']}`", ""


def _default_source(name: str) -> str:
    return InputFile(path="", name=name, format="jsonl").default_source


def _of_each_part(judgments: Judgments, question: pl.Expr) -> list[pl.DataFrame]:
    """What is said of the documents of each part."""
    return [*judgments.spread(partial(_said, question), judgments.files)]


def _said(question: pl.Expr, file: Path) -> pl.DataFrame:
    return scanned([file], ["id", "source", "origin", "metadata"]).select(question).collect()
