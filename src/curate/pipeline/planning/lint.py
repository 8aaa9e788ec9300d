"""What is wrong with a recipe, or idle in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.errors import ConfigError
from curate.pipeline.planning.config import Config, load, settings_class
from curate.pipeline.planning.unused_settings import unused
from curate.recipes import Recipe
from curate.settings.file import leaves, merged
from curate.stages import stage_names
from curate.stages.near_dup import NearDupSettings
from curate.stages.quality import QualitySettings
from curate.stages.quality.idle import Idle, idle_rules
from curate.store.manifest import read_manifest

LEAST_RECALL = 0.9
"""Share of the pairs exactly at `near_dup.similarity` below which bands and rows are reported."""


@dataclass(frozen=True)
class Finding:
    """One thing to look at."""

    code: str
    """``invalid``, ``stranger``, ``unused``, ``idle``, ``misses`` or ``never_fired``."""
    key: str
    """The setting, as ``section.key``; empty where none is meant."""
    message: str
    where: str = ""
    hint: str = ""
    accepted: str = ""
    """What the recipe says of it: why it is right as it is."""


def lint(recipe: Recipe) -> tuple[Finding, ...]:
    """Findings on a recipe, those that it accepts marked so.

    Example:
        >>> from curate.recipes import recipe
        >>> lint(recipe("gopher"))
        ()
    """
    try:
        config = load_recipe(recipe.name)
    except ConfigError as error:
        problems = error.problems or (error,)
        return tuple(Finding("invalid", "", one.message, one.where, one.hint) for one in problems)
    found = (*_strangers(recipe), *_unused(recipe, config), *_idle(config), *_misses(config))
    return tuple(accepted(one, recipe, config) for one in found)


def load_recipe(name: str) -> Config:
    """The settings of a recipe alone, whatever files and variables say.

    Raises:
        ConfigError: there is none of that name, or its settings are wrong.
    """
    return load(flags={"pipeline.recipe": name}, in_folder=False)


def run_settings(run: Path) -> Config:
    """The settings that a finished run had.

    Raises:
        InputError: the folder holds no finished run.
    """
    config = read_manifest(run).config
    off = {name: settings_class(name).blank for name in config if name in stage_names()}  # it names only what holds
    return load(flags=merged(off, config), in_folder=False)


def accepted(finding: Finding, recipe: Recipe, config: Config) -> Finding:
    """The finding with its place, and with what the recipe says of it."""
    reason = next((text for key, text in recipe.accepted.items() if f"{finding.key}.".startswith(f"{key}.")), "")
    where = finding.where or config.origin(finding.key)
    return Finding(finding.code, finding.key, finding.message, where, finding.hint, reason)


def _strangers(recipe: Recipe) -> Iterator[Finding]:
    for name in recipe.strangers:
        yield Finding(
            "stranger", name, "a source or an acceptance is written for a setting that the recipe does not have"
        )


def _unused(recipe: Recipe, config: Config) -> Iterator[Finding]:
    """Settings that nothing looks at."""
    told = {f"quality.{idle.key}" for idle in _idle_rules(config)}
    keys = [key for key, _ in leaves(recipe.own.tree)]
    for one in unused(config, config.pipeline.stages):
        if one.key not in told and any(f"{key}.".startswith(f"{one.key}.") for key in keys):
            yield Finding("unused", one.key, f"it changes nothing: {one.why}", hint=one.hint)


def _idle(config: Config) -> Iterator[Finding]:
    for idle in _idle_rules(config):
        yield Finding("idle", f"quality.{idle.key}", f"the rule never decides: {idle.why}")


def _idle_rules(config: Config) -> tuple[Idle, ...]:
    settings = config.stage("quality")
    if "quality" in config.pipeline.stages and isinstance(settings, QualitySettings):
        return idle_rules(settings)
    return ()


def _misses(config: Config) -> Iterator[Finding]:
    """Bands and rows that do not find what `near_dup` is to find."""
    settings = config.stage("near_dup")
    if "near_dup" not in config.pipeline.stages or not isinstance(settings, NearDupSettings):
        return
    banding = settings.banding
    found = banding.catch_probability(settings.similarity)
    share = f"{found:.1%}" if found >= 0.001 else "fewer than 0.1%"
    if found < LEAST_RECALL:
        yield Finding(
            "misses",
            "near_dup.bands",
            f"{banding.bands} bands of {banding.rows} rows find {share} of the pairs at {settings.similarity:g}",
            hint="omit bands and rows, so that they follow from near_dup.recall",
        )
