"""What other settings would do to a finished run: the answer of `curate.runs.whatif`."""

from typing import Any

import msgspec


class Span(msgspec.Struct, frozen=True):
    """The range in which a number is expected; if both ends are equal, the number itself. See `WhatIf.why_not`."""

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
        untold: the stage that never measured it, so that the verdict is unknown; empty: it is known.
    """

    id: str
    source: str
    part: int
    row: int
    before: tuple[str, ...]
    now: tuple[str, ...]
    untold: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that differs from that of the run."""

    setting: str
    was: Any
    now: Any


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What other settings would do to a finished run.

    Attributes:
        changes: settings that differ.
        exact: whether a rerun would give exactly these numbers of documents and reasons.
        why_not: why not, if it is not exact.
        read: documents of the run.
        kept_before: documents that the run kept.
        kept: documents that would be kept. The low end counts every document with an unknown verdict as removed, the
            high end counts it as kept; if ``exact`` is false, the range is not a proof (``why_not``).
        tokens_before: tokens that the run kept; None if nothing was tokenized.
        tokens: tokens that would be kept, estimated from bytes for documents that were never tokenized.
        tokens_exact: whether all of them were counted.
        removed: stage → documents it would remove; documents with an unknown verdict are not among them.
        removed_before: the same for the run.
        reasons: ``stage.reason`` → how often it would be given, if that changes.
        reasons_before: the same for the run.
        untold: stage → documents that would reach it but that it never measured.
        to_removed: documents kept in the run that would be removed.
        to_kept: documents removed in the run that would be kept.
        examples: some documents that change sides.
        rerun_seconds: approximate time for a rerun of the command with these settings.
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
