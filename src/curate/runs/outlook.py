"""What other settings would do to a finished run: the answer of `curate.runs.whatif`."""

from typing import Any

import msgspec


class Span(msgspec.Struct, frozen=True):
    """Between which two a number is expected; equal: it is one number. `WhatIf.why_not` says what that rests on."""

    low: int
    high: int

    @property
    def exact(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A document that changes sides.

    Attributes:
        id: of the document.
        source: of the document.
        part: its part in the run.
        row: its row in the part.
        before: its reasons in the run, as ``stage.reason``; empty: it was kept.
        now: the same under the new settings; for ``untold`` empty.
        untold: the stage that never measured it, so that nobody can tell; empty where it can be told.
    """

    id: str
    source: str
    part: int
    row: int
    before: tuple[str, ...]
    now: tuple[str, ...]
    untold: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that is not what it was."""

    setting: str
    was: Any
    now: Any


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What other settings would do to a finished run.

    Attributes:
        changes: settings that differ.
        exact: whether a rerun would give just these numbers of documents and reasons.
        why_not: where it would not, why.
        read: documents of the run.
        kept_before: documents that the run kept.
        kept: documents that would be kept. The low end takes every document that cannot be told for removed, the high
            end for kept; where ``exact`` is false it is no proof (``why_not``).
        tokens_before: tokens that the run kept; None where nothing was tokenized.
        tokens: tokens that would be kept, estimated by bytes for documents that were never tokenized.
        tokens_exact: whether they are counted.
        removed: stage → documents it would remove; documents that cannot be told are not among them.
        removed_before: the same of the run.
        reasons: ``stage.reason`` → how often it would be given, where that changes.
        reasons_before: the same of the run.
        untold: stage → documents that would come to it, and that it never measured.
        to_removed: documents kept in the run that would be removed.
        to_kept: documents removed in the run that would be kept.
        examples: some that change sides.
        rerun_seconds: what a rerun of the command with these settings would take, about.
    """

    changes: tuple[Change, ...]
    exact: bool
    why_not: tuple[str, ...]
    read: int
    kept_before: int
    kept: Span
    tokens_before: int | None
    tokens: Span | None
    tokens_exact: bool
    removed: dict[str, int]
    removed_before: dict[str, int]
    reasons: dict[str, int]
    reasons_before: dict[str, int]
    untold: dict[str, int]
    to_removed: int
    to_kept: int
    examples: tuple[Side, ...]
    rerun_seconds: float
