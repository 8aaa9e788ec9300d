"""What a search tries, and which documents of a sample each candidate keeps, from measures alone."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import UserError, nearest
from curate.evidence.looked import Mask
from curate.evidence.measuring import Listener
from curate.evidence.pool import Pool
from curate.pipeline.planning.config import Config
from curate.pipeline.planning.lint import load_recipe
from curate.recipes import recipe_names
from curate.settings.base import Limit, Settings
from curate.stages import stage_class
from curate.stages.contract import CorpusStage, Encoder, Rewriter, Stage
from curate.store.digest import digest
from curate.store.manifest_entries import Manifest

_SCORES = (0.0, 0.2, 0.4, 0.65, 0.8)
"""Tried of limits that are probabilities."""
_BATCH = 2000

Changes = tuple[tuple[str, Any], ...]
"""``section.key`` and its value."""


class Candidate(NamedTuple):
    """Settings to try."""

    name: str
    changes: Changes
    """Against the run."""
    recipe: str = ""


class Judge:
    """Verdicts of candidates on the documents of a pool."""

    def __init__(self, config: Config, manifest: Manifest, pool: Pool, listener: Listener) -> None:
        self.config, self.pool, self.listener = config, pool, listener
        self.names = manifest.stage_names
        self.tunable = [name for name in self.names if self._is_tunable(name)]
        others = [number for number, name in enumerate(self.names) if name not in self.tunable]
        self.fixed_out = np.isin(pool.removed_by, others)
        self.anew = list[str]()
        self._measured = dict[str, pa.RecordBatch]()

    def candidates(self, tries: Sequence[tuple[str, tuple[Any, ...]]]) -> Iterator[Candidate]:
        """What to try: what was asked for, else recipes, and each threshold off, looser and tighter."""
        if tries:
            for key, values in tries:
                self._check(key)
                for value in values:
                    yield Candidate(f"{key} = {shown(value)}", ((key, value),))
            return
        if "quality" in self.tunable:
            for name in recipe_names():
                settings = load_recipe(name).stage("quality")
                if settings.limits():
                    yield Candidate(f"recipe {name}", (), name)
        for stage in self.tunable:
            for limit in self.config.stage(stage).limits():
                for value in self._values(stage, limit):
                    yield Candidate(f"{stage}.{limit.key} = {shown(value)}", ((f"{stage}.{limit.key}", value),))

    def kept(self, candidate: Candidate) -> Mask:
        """Documents that the candidate keeps.

        Raises:
            ValueError: its settings contradict each other.
        """
        kept = ~self.fixed_out
        for name in self.tunable:
            stage = stage_class(name)(self.settings(name, candidate))  # type: ignore[call-arg]
            reasons = stage.judge(self._measures(stage))
            kept &= pc.equal(pc.list_value_length(reasons), 0).to_numpy(zero_copy_only=False)
        return kept

    def settings(self, stage: str, candidate: Candidate) -> Settings:
        """The section of a stage, with the candidate's changes."""
        own = load_recipe(candidate.recipe) if candidate.recipe and stage == "quality" else self.config
        section = own.stage(stage)
        changes = {key.partition(".")[2]: value for key, value in candidate.changes if key.startswith(f"{stage}.")}
        return msgspec.convert({**msgspec.to_builtins(section), **changes}, type(section)) if changes else section

    def _measures(self, stage: Stage) -> pa.RecordBatch:
        """Measures of all documents of the pool, made once for each way of measuring."""
        settings = stage.settings
        if stage.name == "quality":
            settings = msgspec.structs.replace(settings, signals="all", cut_lines=False)
        way = {
            key: value
            for key, value in msgspec.to_builtins(settings).items()
            if key not in settings.thresholds and key != "lines"
        }
        lists = str(settings.stop_words()) if hasattr(settings, "stop_words") else ""
        key = digest(stage.name, way, lists)
        if key not in self._measured:
            said = ", ".join(f"{name} {value}" for name, value in way.items() if isinstance(value, str))
            self.anew.append(f"{stage.name} ({said})" if said else stage.name)
            self.listener.say(f"measuring {len(self.pool.texts):,} documents again: {self.anew[-1]}")
            kind = stage_class(stage.name)
            self._measured[key] = self._measure(kind(settings))  # type: ignore[call-arg]
        return self._measured[key]

    def _measure(self, stage: Stage) -> pa.RecordBatch:
        found = []
        for start in range(0, len(self.pool.texts), _BATCH):
            columns = {"text": pa.array(self.pool.texts[start : start + _BATCH], pa.large_string())}
            if "language" in self.tunable and stage.name != "language":
                labels = self._measures(stage_class("language")(self.config.stage("language")))["label"]  # type: ignore[call-arg]
                columns["language.label"] = labels.slice(start, _BATCH)
            found.append(stage.measure(pa.RecordBatch.from_pydict(columns)))
        return pa.Table.from_batches(found).combine_chunks().to_batches()[0]

    def _is_tunable(self, name: str) -> bool:
        """Whether its thresholds can be tried on texts alone."""
        settings = self.config.stage(name)
        stage = stage_class(name)(settings)  # type: ignore[call-arg]
        if not settings.limits() or isinstance(stage, CorpusStage | Encoder | Rewriter):
            return False
        return set(stage.needs) <= {"text", "language.label"}

    def _values(self, stage: str, limit: Limit) -> list[Any]:
        """Values to try of a limit: none, one that removes half as many documents, one that removes more."""
        kind = stage_class(stage)
        if limit.measure == "score" and stage == "language":
            return [value for value in _SCORES if value != limit.value]
        if math.isnan(limit.value):
            return []
        values = self._measures(kind(self.config.stage(stage)))[limit.measure].cast(pa.float64())  # type: ignore[call-arg]
        known = np.sort(values.drop_null().to_numpy())
        if not len(known):
            return []
        beyond = float(np.mean(known < limit.value if limit.side == "min" else known > limit.value))
        found: list[Any] = [False] if stage == "quality" and beyond else []
        for share in (beyond / 2, min(0.5, 2 * beyond + 0.01)):
            at = known[min(len(known) - 1, int(len(known) * (share if limit.side == "min" else 1 - share)))]
            value = float(f"{at:.3g}")
            if value != limit.value and value not in found:
                found.append(value)
        return found

    def _check(self, key: str) -> None:
        """Whether a setting can be tried."""
        stage, _, name = key.partition(".")
        if stage in self.names and stage not in self.tunable:
            raise UserError(f"`{key}` cannot be tried: {self._why_not(stage)}", hint=f"curate whatif RUN --set {key}=…")
        if stage not in self.tunable:
            raise UserError(
                f"`{key}` cannot be tried: the run has no stage `{stage}`",
                hint=nearest(
                    key, [f"{one}.{each}" for one in self.tunable for each in self.config.stage(one).thresholds]
                ),
            )
        settings = self.config.stage(stage)
        if name not in settings.thresholds:
            raise UserError(f"`{key}` is not a threshold", hint=nearest(name, settings.thresholds))

    def _why_not(self, name: str) -> str:
        """What stands against trying the thresholds of a stage of the run."""
        stage = stage_class(name)(self.config.stage(name))  # type: ignore[call-arg]
        if isinstance(stage, CorpusStage):
            return (
                "the sample holds one text of each duplicate cluster, as small models cannot tell what copies are worth"
            )
        if isinstance(stage, Encoder | Rewriter):
            return f"`{name}` makes the text or its tokens and has no verdict to search"
        lacking = sorted(set(stage.needs) - {"text", "language.label"})
        if lacking:
            return f"`{name}` looks at {', '.join(lacking)}, and the sample holds only texts"
        return f"`{name}` has no threshold"


def shown(value: Any) -> str:
    """A value as people write it."""
    return "off" if value is False else f"{value:g}" if isinstance(value, int | float) else str(value)
