"""The stages of a run, one file each; third parties add theirs by an entry point in the group ``curate.stages``.

Built-in stages are listed here by name and loaded on first use, so that listing them costs nothing.
"""

import functools
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from curate.errors import ConfigError, nearest
from curate.stages.contract import Stage
from curate.stages.installed import GROUP, loaded, refused_as_built_in
from curate.stages.serialization import made_again

BUILTIN: tuple[tuple[str, str], ...] = (
    ("extract", "curate.stages.extract:Extract"),
    ("normalize", "curate.stages.normalize:Normalize"),
    ("url_filter", "curate.stages.url_filter:UrlFilter"),
    ("language", "curate.stages.language:Language"),
    ("near_dup", "curate.stages.near_dup:NearDup"),
    ("line_dup", "curate.stages.line_dup:LineDup"),
    ("quality", "curate.stages.quality:Quality"),
    ("classify", "curate.stages.classify:Classify"),
    ("toxicity", "curate.stages.toxicity:Toxicity"),
    ("decontaminate", "curate.stages.decontaminate:Decontaminate"),
    ("redact", "curate.stages.redact:Redact"),
    ("chat", "curate.stages.chat:Chat"),
    ("tokenize", "curate.stages.tokenize:Tokenize"),
)
"""Name and class of each stage, in an order that works."""

DEFAULT: tuple[str, ...] = ("extract", "normalize", "language", "quality", "near_dup", "tokenize")
"""The pipeline where nothing else is asked for; the other stages run when ``pipeline.stages`` names them."""


def stage_names() -> tuple[str, ...]:
    """Names of all stages: built in first, then installed ones."""
    return (*(name for name, _ in BUILTIN), *sorted(_installed().keys() - dict(BUILTIN)))


@functools.cache
def stage_class(name: str) -> type[Stage]:
    """The class of the stage called ``name``.

    Raises:
        ConfigError: there is no stage of that name.
        PlanError: an installed stage does not load, is no stage, or has a name that is taken.
    """
    known = dict(BUILTIN)
    if name in known:
        if name in _installed():
            raise refused_as_built_in(_installed()[name])
        module, _, attribute = known[name].partition(":")
        found: type[Stage] = getattr(import_module(module), attribute)
        made_again(found)
        return found
    if name not in _installed():
        raise ConfigError(f"there is no stage `{name}`", hint=nearest(name, stage_names()))
    found = loaded(_installed()[name])
    made_again(found)
    return found


def origin(name: str) -> str:
    """Where a stage comes from: ``built in``, or its package."""
    if name in dict(BUILTIN):
        return "built in"
    distribution = _installed()[name].dist
    return distribution.name if distribution else _installed()[name].value


@functools.cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
