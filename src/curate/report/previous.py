"""What changed against the run that the same folder held before, from its history."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from curate.store.history import History, entry_of, made_at
from curate.store.manifest_entries import Manifest

TREND = 12
"""Runs whose figures are drawn in the tiles."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A number of both runs; None where one has none."""

    name: str
    before: int | None
    now: int | None

    @property
    def change(self) -> str:
        """The difference with its sign; empty if there is none.

        Example:
            >>> Change(name="kept", before=1000, now=1200).change, Change(name="kept", before=8, now=8).change
            ('+200', '')
        """
        found = (self.now or 0) - (self.before or 0)
        return f"{found:+,}".replace("-", "\N{MINUS SIGN}") if found else ""

    @property
    def share(self) -> str:
        """The difference as a share of what was before."""
        if not self.before or self.now is None or self.now == self.before:
            return ""
        return f"{100 * (self.now - self.before) / self.before:+.1f} %".replace("-", "\N{MINUS SIGN}")


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """The run before.

    Attributes:
        run_id: of it.
        started: when its last piece was begun.
        same_input_and_settings: whether both runs have the same run id.
        changes: numbers of both, equal ones too.
        trend: name of a figure → its values in the last `TREND` runs, this one last; figures that some of them
            lack are not there.
    """

    run_id: str
    started: str
    same_input_and_settings: bool
    changes: tuple[Change, ...]
    trend: dict[str, tuple[float, ...]]

    def share_of(self, name: str) -> str:
        """The change of a number as a share of what was before; empty if there is none."""
        return next((one.share for one in self.changes if one.name == name), "")


def previous_run(run: Path, manifest: Manifest) -> Previous | None:
    """The run before the one that a manifest tells of; None where there was none."""
    now = entry_of(manifest)
    others = [one for one in History(run).runs if (one["run_id"], one["started"]) != (now["run_id"], now["started"])]
    if not others:
        return None
    before = others[-1]
    names = ("read", "kept", "removed", "quarantined", "tokens")
    changes = [Change(name=name, before=before[name], now=now[name]) for name in names]
    stages = {**before["removed_by"], **now["removed_by"]}
    changes += [
        Change(name=f"removed by {stage}", before=before["removed_by"].get(stage), now=now["removed_by"].get(stage))
        for stage in stages
    ]
    return Previous(
        run_id=before["run_id"],
        started=made_at(before),
        same_input_and_settings=before["run_id"] == now["run_id"],
        changes=tuple(changes),
        trend=_trend([*others, now][-TREND:]),
    )


def _trend(runs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    figures = {
        "kept": [one["kept"] for one in runs],
        "tokens": [one["tokens"] for one in runs],
        "yield": [one["kept"] / one["read"] if one["read"] else 0.0 for one in runs],
        "seconds": [one["wall_seconds"] for one in runs],
    }
    return {name: tuple(values) for name, values in figures.items() if None not in values}
