"""What differs between two finished runs: settings, inputs, counts, tokens, reasons, and whose outcome changed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from curate.errors import UserError, nearest
from curate.runs.outcomes import KEPT, Outcomes
from curate.settings.base import same_value
from curate.settings.file import said
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Manifest

EXAMPLES = 3
_NO_RESULT = ("run", "report")
"""Sections that change no result."""
_SEED = "run.seed"
"""But this one, where something is drawn by it."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Something with another value in each run; None where a run has none."""

    name: str
    a: Any
    b: Any

    @property
    def by(self) -> float | None:
        """Change of a number, as a share of the first; None where that says nothing."""
        return (self.b - self.a) / self.a if self.a else None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A document with another outcome: its reasons in each run, empty where it was kept, None where it is not there."""

    id: str
    source: str
    a: tuple[str, ...] | None
    b: tuple[str, ...] | None


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs compared.

    Attributes:
        a: path of the first.
        b: path of the second.
        same_run: whether their ids are equal: input and settings that affect results are.
        settings: settings that differ, ``section.key``.
        versions: of curate (``curate``), of stages that both have (their names), and what the tokenizer holds
            (``tokenizer``), where they differ.
        inputs: files that differ, by fingerprint.
        counts: all numbers, those that are equal too: ``read``, ``kept``, ``removed``, ``quarantined``, ``tokens``;
            ``stage`` (documents it removed), ``stage.reason``.
        to_removed: documents kept in the first and removed in the second.
        to_kept: the reverse.
        by_another_stage: documents removed in both, by different stages.
        only_a: documents that only the first read.
        only_b: documents that only the second read.
        examples: some of them.
    """

    a: str
    b: str
    same_run: bool
    settings: tuple[Changed, ...]
    versions: tuple[Changed, ...]
    inputs: tuple[Changed, ...]
    counts: tuple[Changed, ...]
    to_removed: int
    to_kept: int
    by_another_stage: int
    only_a: int
    only_b: int
    examples: tuple[Moved, ...]

    @property
    def differs(self) -> bool:
        """Whether a result differs; how fast it was made, and with which workers, is none."""
        moved = self.to_removed + self.to_kept + self.by_another_stage + self.only_a + self.only_b
        settings = [one for one in self.settings if one.name.partition(".")[0] not in _NO_RESULT]
        drawn = not self.same_run and any(one.name == _SEED for one in self.settings)
        return bool(moved or settings or drawn or self.inputs or any(one.a != one.b for one in self.counts))

    def number(self, name: str) -> Changed:
        """One of ``counts``.

        Raises:
            UserError: there is none of that name.
        """
        for one in self.counts:
            if one.name == name:
                return one
        raise _unknown(name, [one.name for one in self.counts])


class Condition(NamedTuple):
    """When a difference is a failure: ``kept<-1%`` means that the number of kept documents fell by more than 1 %."""

    text: str
    name: str
    operator: str
    value: float
    share: bool

    def holds(self, diff: Diff) -> bool:
        """Whether it does.

        Raises:
            UserError: the runs have no such number.
        """
        one = diff.number(self.name)
        change = float((one.b or 0) - (one.a or 0))
        if self.share:
            change = 100 * change / one.a if one.a else float("inf") * change if change else 0.0
        return {"<": change < self.value, "<=": change <= self.value, ">": change > self.value,
                ">=": change >= self.value}[self.operator]  # fmt: skip


def condition(text: str) -> Condition:
    """A condition as it is typed.

    Raises:
        UserError: it is none.

    Example:
        >>> condition("kept<-1%")[1:]
        ('kept', '<', -1.0, True)
    """
    number = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
    match = re.fullmatch(rf"\s*([\w.]+)\s*(<=|>=|<|>)\s*({number})\s*(%?)\s*", text)
    if not match:
        raise UserError(
            f"`--fail-on {text}` must be like `kept<-1%`: a number of the run, < or >, and by how much it changes",
            hint="--fail-on 'kept<-1%' --fail-on 'tokens<-1000000'",
        )
    return Condition(text, match[1], match[2], float(match[3]), bool(match[4]))


def diff(a: Path, b: Path, *, examples: int = EXAMPLES) -> Diff:
    """Compare two finished runs; documents are matched by id, and by order where an id repeats.

    Args:
        a: the first.
        b: the second.
        examples: documents to name of each kind.

    Raises:
        InputError: one is not a finished run.
        DamagedFile: a file of one is missing or damaged.
    """
    one, other = Outcomes(a), Outcomes(b)
    both = _matched(one, other)
    kinds = {
        "to_removed": (pl.col("a") == "") & (pl.col("b") != ""),
        "to_kept": (pl.col("a") != "") & (pl.col("b") == ""),
        "by_another_stage": (pl.col("a") != "") & (pl.col("b") != "") & (pl.col("a") != pl.col("b")),
        "only_a": pl.col("b").is_null(),
        "only_b": pl.col("a").is_null(),
    }
    found = {kind: both.filter(where) for kind, where in kinds.items()}
    moved = [
        _moved(row, one, other)
        for kind in found.values()
        for row in kind.sort("key").head(examples).to_dicts()  # by a hash: spread over the runs, the same every time
    ]
    return Diff(
        a=str(a),
        b=str(b),
        same_run=one.manifest.run_id == other.manifest.run_id,
        settings=_settings(one.manifest.config, other.manifest.config),
        versions=_versions(one.manifest, other.manifest),
        inputs=_differing(*(_inputs(each.manifest) for each in (one, other))),
        counts=_all(*(numbers(each.manifest) for each in (one, other))),
        examples=tuple(moved),
        **{kind: len(rows) for kind, rows in found.items()},
    )


def require_numbers(names: Iterable[str], *runs: Path) -> None:
    """The numbers in conditions occur in at least one of the runs: checked before anything is compared.

    Raises:
        UserError: it is not.
        InputError: a folder is not a finished run.
    """
    known = list(dict.fromkeys(name for run in runs for name in numbers(read_manifest(run))))
    for name in names:
        if name not in known:
            raise _unknown(name, known)


def _unknown(name: str, known: Sequence[str]) -> UserError:
    return UserError(f"there is no number `{name}` to compare", hint=nearest(name, known))


def numbers(manifest: Manifest) -> dict[str, int | None]:
    """What a run counted: see `Diff`."""
    counts = manifest.counts
    found: dict[str, int | None] = {
        "read": counts.read,
        "kept": counts.kept,
        "removed": sum(counts.removed_by.values()),
        "quarantined": counts.quarantined,
        "tokens": manifest.tokens.kept if manifest.tokens else None,
    }
    could = {stage.name: [reason.code for reason in stage.reasons] for stage in manifest.stages}
    for stage, entry in counts.removed.items():
        found[stage] = entry.documents
        given = dict.fromkeys(could.get(stage, ()), 0) | entry.reasons
        found |= {f"{stage}.{code}": count for code, count in given.items()}
    return found


def _matched(one: Outcomes, other: Outcomes) -> pl.DataFrame:
    """``key``, places, and who removed each in the runs ``a`` and ``b``: empty where nobody did, null: not there."""
    frames = [_named(each.table(), each.stages, side) for each, side in ((one, "a"), (other, "b"))]
    return frames[0].join(frames[1], on=["key", "again"], how="full", coalesce=True)


def _named(table: pl.DataFrame, stages: Sequence[str], side: str) -> pl.DataFrame:
    names = pl.Series(["", *stages], dtype=pl.String).cast(pl.Categorical)
    by = names.gather((table["removed_by"].cast(pl.Int64) - KEPT).cast(pl.UInt32)).cast(pl.String)
    return table.select(
        "key",
        "again",
        pl.col("part").alias(f"part_{side}"),
        pl.col("row").alias(f"row_{side}"),
        by.alias(side),
    )


def _moved(row: Mapping[str, Any], one: Outcomes, other: Outcomes) -> Moved:
    told = {
        side: outcomes.about(row[f"part_{side}"], row[f"row_{side}"]) if row[side] is not None else None
        for side, outcomes in (("a", one), ("b", other))
    }
    known = told["b"] or told["a"] or {}
    a, b = (None if each is None else tuple(each["reasons"]) for each in told.values())
    return Moved(id=known["id"] or "", source=known["source"] or "", a=a, b=b)


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Changed, ...]:
    return _differing(said(a), said(b))


def _versions(a: Manifest, b: Manifest) -> tuple[Changed, ...]:
    told = []
    for one in (a, b):
        tokenizer = {"tokenizer": one.tokens.fingerprint} if one.tokens else {}
        told.append({"curate": one.curate, **{stage.name: stage.version for stage in one.stages}, **tokenizer})
    return tuple(one for one in _differing(*told) if one.a is not None and one.b is not None)


def _inputs(manifest: Manifest) -> dict[str, str]:
    return {entry.name: entry.fingerprint for entry in manifest.inputs}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Changed, ...]:
    return tuple(one for one in _all(a, b) if not same_value(one.a, one.b))


def _all(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Changed, ...]:
    return tuple(Changed(name=name, a=a.get(name), b=b.get(name)) for name in {**a, **b})
