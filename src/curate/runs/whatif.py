"""What a finished run would have kept under other settings, from its judgments; no text is read.

Exact where stored measures and verified pairs suffice. A setting that lets documents through to a stage that never
measured them gives a range: of those documents, none or all are kept. With a deduplicating stage such a range is no
proof, and the answer says so: one document that comes back can be like several kept ones that are not like each other.
"""

import math
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from curate.errors import ConfigError, UserError
from curate.pipeline.planning.config import FIXED, Config, reconfigured
from curate.runs.outlook import Change, Side, Span, WhatIf
from curate.runs.rejudged import STAYS, UNTOLD, Judged, PartOutcome, Rejudged, Totals
from curate.runs.verdicts import Was
from curate.settings.base import same_value
from curate.settings.file import said
from curate.stages import stage_class
from curate.stages.contract import Comparing, CorpusStage, Deduplicating, Encoder, Stage
from curate.stages.reconsidering import Reconsidering
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Manifest
from curate.store.recorded_command import command_here
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory

_FEW = 0.1
"""Fewer pairs are reported as less than this."""
EXAMPLES = 3
"""Documents named for each way to change sides."""
_DECIDING = {"pipeline": "which stages judge documents", "input": "what is read, and as which documents"}
"""Sections of no stage, and what they decide."""
_ANY = 1 << 62
"""More documents than there are."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def whatif(
    run: Path,
    assignments: Sequence[str] = (),
    arguments: Mapping[str, Any] | None = None,
    *,
    examples: int = EXAMPLES,
    judge: Callable[[RunDirectory, Sequence[Was]], Judged] = Rejudged,
) -> WhatIf:
    """What a finished run would have kept under other settings.

    Args:
        run: a finished run; nothing is written to it.
        assignments: ``section.key=value`` texts.
        arguments: section → table of settings.
        examples: documents to name for each way to change sides.
        judge: judges the run by the stages of now; by default every document.

    Raises:
        InputError: there is no finished run.
        ConfigError: a setting is wrong.
        UserError: a setting decides what is measured, so that only a rerun can tell.
        DamagedFile: a file of the run is missing or damaged.
    """
    manifest = read_manifest(run)
    then, now = reconfigured(manifest.config), reconfigured(manifest.config, assignments, arguments)
    changes = _changes(then, now)
    stages = [_was(name, then, now) for name in manifest.stage_names]
    _refuse(manifest, command_here(manifest.command, run), changes, stages)
    directory = RunDirectory.finished(run, manifest)
    _require_measured(directory, stages)
    return _Answer(judge(directory, stages), directory, manifest, changes, stages, examples).whatif()


def _changes(then: Config, now: Config) -> tuple[Change, ...]:
    before, after = (said(_values(config)) for config in (then, now))
    keys = [key for key in {**before, **after} if not same_value(before.get(key, ...), after.get(key, ...))]
    return tuple(Change(setting=key, was=before.get(key), now=after.get(key)) for key in keys)


def _values(config: Config) -> dict[str, Any]:
    return {name: msgspec.to_builtins(section) for name, section in config.sections.items()}


def _was(name: str, then: Config, now: Config) -> Was:
    kind = stage_class(name)
    before, after = kind(then.stage(name)), kind(now.stage(name))  # type: ignore[call-arg]
    return Was(before, after, then.stage(name) != now.stage(name), bool(after.reasons))


def _refuse(manifest: Manifest, command: str, changes: Sequence[Change], stages: Sequence[Was]) -> None:
    """A change that cannot be answered from judgments is a mistake, found before anything is read."""
    ran = {one.now.name: one for one in stages}

    def only_a_rerun(why: str) -> UserError:
        seconds = max(1.0, manifest.timings.wall_seconds)
        assignments = [shlex.quote(f"{change.setting}={_shown(change.now)}") for change in changes]
        return UserError(
            f"{why}, so only a rerun can tell, in about {seconds:.0f} s", hint=" --set ".join([command, *assignments])
        )

    for change in changes:
        section, _, key = change.setting.partition(".")
        if section in _DECIDING:
            raise only_a_rerun(f"`{change.setting}` decides {_DECIDING[section]}")
        if section in FIXED:
            continue
        if section not in ran:
            raise UserError(
                f"`{section}` did not run in this run, so `{change.setting}` changes nothing",
                hint=f"name a setting of a stage that did: {', '.join(ran)}",
            )
        one = ran[section]
        if isinstance(one.now, Reconsidering):
            if why := one.now.undecidable(one.then.settings):
                raise only_a_rerun(why)
            _require_comparable(manifest, one)
        elif key.partition(".")[0] not in one.now.settings.thresholds or _own(one.then) != _own(one.now):
            raise only_a_rerun(f"`{change.setting}` decides what `{section}` measures")


def _require_comparable(manifest: Manifest, one: Was) -> None:
    """A rerun would refuse settings under which it cannot be compared with the earlier runs of the run."""
    then = {"version": one.then.version, **msgspec.to_builtins(one.then.settings)}
    if manifest.against and isinstance(one.now, Comparing) and (why := one.now.incomparable(then)):
        raise UserError(
            f"a rerun could not be compared with `{manifest.against[0].path}`: {why.message}", hint=why.hint
        )


def _own(stage: Stage) -> Any:
    """What a stage measures by besides its plain settings."""
    stop_words = getattr(stage.settings, "stop_words", None)
    return stop_words() if callable(stop_words) else None


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode() if not isinstance(value, str) else value


def _require_measured(directory: RunDirectory, stages: Sequence[Was]) -> None:
    """A rule on a signal that the run did not measure can decide nothing."""
    for one in stages:
        if not one.changed or not directory.names or isinstance(one.now, Reconsidering):
            continue
        new = [name for name in one.now.judged_by if name not in one.then.judged_by]
        for name in new:
            columns = [directory.columns(one.now.name, part, [name]).column(0)
                       for part in range(len(directory.names))]  # fmt: skip
            if all(column.null_count == len(column) for column in columns):
                raise ConfigError(
                    f"the run did not measure `{one.now.name}.{name}`, which now has a rule",
                    hint=f"run it again with --set {one.now.name}.signals=all to try any rule",
                )


class _Answer:
    def __init__(
        self,
        judged: Judged,
        directory: RunDirectory,
        manifest: Manifest,
        changes: tuple[Change, ...],
        stages: Sequence[Was],
        examples: int,
    ) -> None:
        self.directory, self.manifest, self.changes, self.stages = directory, manifest, changes, stages
        self.judged, self.outcomes, self.examples = judged, judged.outcomes, examples

    def whatif(self) -> WhatIf:
        stays = self.judged.rest.stays + sum(int((outcome.now == STAYS).sum()) for outcome in self.outcomes)
        untold = self._untold()
        unsure = sum(int(outcome.unsure.sum()) for outcome in self.outcomes)
        more, fewer = self.judged.expected
        low = stays - unsure - _most(fewer)
        kept = Span(max(0, low), stays + sum(untold.values()) + _most(more))
        why_not = self._why_not(untold, unsure)
        tokens, counted = self._tokens(kept, stays)
        names = [one.now.name for one in self.stages]
        reasons, before = self._reasons()
        return WhatIf(
            changes=self.changes,
            exact=not why_not,
            why_not=why_not,
            read=self.manifest.counts.read,
            kept_before=self.manifest.counts.kept,
            kept=kept,
            tokens_before=self.manifest.tokens.kept if self.manifest.tokens else None,
            tokens=tokens,
            tokens_exact=counted and not why_not,
            removed={name: self._number(at) for at, name in enumerate(names)},
            removed_before=self.manifest.counts.removed_by,
            reasons={code: reasons[code] for code in sorted({*reasons, *before}) if reasons[code] != before[code]},
            reasons_before={
                code: before[code] for code in sorted({*reasons, *before}) if reasons[code] != before[code]
            },
            untold=untold,
            to_removed=sum(int(((f.before == STAYS) & (f.now >= 0)).sum()) for f in self.outcomes),
            to_kept=sum(int(((f.before != STAYS) & (f.now == STAYS)).sum()) for f in self.outcomes),
            examples=self._sides(),
            rerun_seconds=self._rerun(untold),
        )

    def _number(self, stage: int) -> int:
        found: int = sum(int((outcome.now == stage).sum()) for outcome in self.outcomes)
        return found + self.judged.rest.removed.get(stage, 0)

    def _untold(self) -> dict[str, int]:
        found = Counter[str]()
        for outcome in self.outcomes:
            for at, count in zip(*np.unique(outcome.waits[outcome.waits >= 0], return_counts=True), strict=True):
                found[self.stages[at].now.name] += int(count)
        return {one.now.name: found[one.now.name] for one in self.stages if found[one.now.name]}

    def _why_not(self, untold: Mapping[str, int], unsure: int) -> tuple[str, ...]:
        found = [f"{count:,} documents would reach `{stage}`, which never saw them" for stage, count in untold.items()]
        if unsure:
            found.append(
                f"{unsure:,} documents would be kept unless they are similar to others they were never compared with"
            )
        more, fewer = self.judged.expected
        if math.isinf(fewer):
            found.append(
                "pairs of a lower similarity are not stored; a rerun would find some and keep fewer, except where a"
                " removed survivor leaves several documents that are not similar to each other"
            )
        elif more or fewer:
            told = [f"about {pairs:.1f}" if pairs >= _FEW else f"less than {_FEW}" for pairs in (more, fewer)]
            found.append(
                f"other bands would be compared: a rerun would find {told[0]} pairs fewer and {told[1]} others"
            )
        if (untold or unsure) and any(isinstance(one.now, Deduplicating) for one in self.stages):
            found.append("the range assumes that each of them takes the place of at most one kept document")
        if loose := sum(outcome.loose for outcome in self.outcomes):
            found.append(f"{loose:,} documents would be removed by one stage or by a later one")
        if self.judged.preferences_lost:
            found.append("`.cache` was deleted, so the survivors of the run are preferred")
        for at, one in enumerate(self.stages):
            if isinstance(one.now, CorpusStage) and not isinstance(one.now, Reconsidering) and self._others_come(at):
                found.append(f"`{one.now.name}` depends on which documents reach it, and these would change")
        return tuple(found)

    def _others_come(self, stage: int) -> bool:
        """Whether an earlier stage removes others than it did."""
        return any(
            (((outcome.before >= 0) & (outcome.before < stage)) != ((outcome.now >= 0) & (outcome.now < stage))).any()
            for outcome in self.outcomes
        )

    def _reasons(self) -> tuple[Counter[str], Counter[str]]:
        now = Counter[str](self.judged.rest.reasons)
        for outcome in self.outcomes:
            for stage, counts in outcome.reasons.items():
                for code, count in counts.items():
                    now[f"{stage}.{code}"] += count
        return now, Counter(self.manifest.counts.reasons)

    def _tokens(self, kept: Span, stays: int) -> tuple[Span | None, bool]:
        """Tokens, and whether all of them were counted."""
        encoder = next((one.now.name for one in self.stages if isinstance(one.now, Encoder)), "")
        if not encoder:
            return None, False
        sums = [self._sums(encoder, part, outcome) for part, outcome in enumerate(self.outcomes)]
        total = Totals(*map(sum, zip(self.judged.rest.totals, *sums, strict=True)))
        flow = self.manifest.flow
        size = flow[-1].text_bytes_kept if flow else 0
        tokens = self.manifest.tokens
        a_byte = tokens.kept / size if tokens and size else 0.0
        certain = total.kept + a_byte * total.uncounted_bytes
        a_document = certain / stays if stays else 0.0
        more, fewer = self.judged.expected
        low = certain - a_byte * total.unsure_bytes - a_document * _most(fewer)
        high = certain + a_byte * total.untold_bytes + a_document * _most(more)
        return Span(max(0, round(low)), round(high)), not total.uncounted_bytes and kept.exact

    def _sums(self, encoder: str, part: int, outcome: PartOutcome) -> Totals:
        tokens, stays = self.judged.tokens(encoder, part), outcome.now == STAYS
        counted = stays & ~np.isnan(tokens)
        if counted.sum() == len(tokens) or not (
            (stays & ~counted).any() or (outcome.now == UNTOLD).any() or outcome.unsure.any()
        ):
            return Totals(float(tokens[counted].sum()))
        sizes = self.judged.sizes(part)
        return Totals(
            float(tokens[counted].sum()),
            float(sizes[outcome.unsure].sum()),
            float(sizes[stays & ~counted].sum()),
            float(sizes[outcome.now == UNTOLD].sum()),
        )

    def _rerun(self, untold: Mapping[str, int]) -> float:
        """Seconds: stages that measure documents anew, steps that are done again, and the start."""
        timings, seconds = self.manifest.timings, 2.0
        for stage, entry in timings.stages.items():
            again = untold.get(stage, 0) / max(1, entry.documents)
            if any(self.judged.expected) and isinstance(self._stage(stage), Reconsidering):
                again = 1.0
            seconds += entry.seconds * again
        moved = any((outcome.before != outcome.now).any() for outcome in self.outcomes)
        steps = {one.now.name for one in self.stages if isinstance(one.now, CorpusStage)} | {"shards"}
        return round(float(seconds + moved * sum(timings.steps.get(step, 0.0) for step in steps)), 1)

    def _stage(self, name: str) -> Stage | None:
        return next((one.now for one in self.stages if one.now.name == name), None)

    def _sides(self) -> tuple[Side, ...]:
        """A few documents of each kind, spread over the run; the same ones every time."""
        kinds: list[list[tuple[int, int]]] = [[], [], []]
        for part, outcome in enumerate(self.outcomes):
            masks = (
                (outcome.before == STAYS) & (outcome.now >= 0),
                (outcome.before != STAYS) & (outcome.now == STAYS),
                outcome.now == UNTOLD,
            )
            for kind, mask in zip(kinds, masks, strict=True):
                rows = np.flatnonzero(mask) if outcome.rows is None else outcome.rows[mask]
                kind += [(part, row) for row in _spread(rows, self.examples)]
        return tuple(self._side(*place) for kind in kinds for place in _some(kind, self.examples))

    def _side(self, part: int, row: int) -> Side:
        file = self.directory.checked(DOCUMENTS, part, ["id", "source"])
        told = read_columns(file, ["id", "source"]).slice(row, 1).to_pylist()[0]
        before, now = self.judged.reasons_at(part, row)
        outcome = self.outcomes[part]
        waits = int(outcome.waits[row if outcome.rows is None else int(np.searchsorted(outcome.rows, row))])
        return Side(
            id=told["id"] or "",
            source=told["source"] or "",
            part=part,
            row=row,
            before=tuple(before),
            now=tuple(now),
            untold=self.stages[waits].now.name if waits >= 0 else "",
        )


def _most(expected: float) -> int:
    """So many and no more, almost always, of what is expected so often (Poisson)."""
    if math.isinf(expected):
        return _ANY
    return math.ceil(expected + 3 * math.sqrt(expected)) if expected > 1e-6 else 0


def _spread(rows: npt.NDArray[np.int64], number: int) -> list[int]:
    if len(rows) <= number:
        return [int(row) for row in rows]
    order = np.argsort(rows.astype(np.uint64) * _GOLDEN, kind="stable")[:number]
    return [int(row) for row in rows[np.sort(order)]]


def _some(places: Sequence[tuple[int, int]], number: int) -> Sequence[tuple[int, int]]:
    step = max(1, len(places) // number) if number else 1
    return places[::step][:number]
