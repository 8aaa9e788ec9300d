"""Stages of other packages: loaded, and held to what a stage must declare before anything is asked of them."""

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pyarrow as pa

from curate.errors import PlanError, refused_plugin
from curate.settings.base import Reason, Settings
from curate.stages.contract import Stage

GROUP = "curate.stages"
_SECTIONS = ("evidence", "gates", "input", "mix", "pipeline", "report", "run", "shards", "storage")
TAKEN = frozenset([*_SECTIONS, "documents", "quarantine"])
"""A stage's name is a section of the settings and a folder of the run: those that are something else."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def loaded(entry: EntryPoint) -> type[Stage]:
    """The class that an entry point names.

    Raises:
        PlanError: it does not load, or is no stage.
    """
    rivals = sorted({each.value for each in entry_points(group=GROUP, name=entry.name)})
    if len(rivals) > 1:
        raise _refused(
            entry, f"is also `{'`, `'.join(one for one in rivals if one != entry.value)}` of another package"
        )
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        raise _refused(entry, f"does not load: {error or type(error).__name__}") from error
    if wrong := next(_wrong(entry.name, found), None):
        raise _refused(entry, wrong)
    kind: type[Stage] = found
    return kind


def refused_as_built_in(entry: EntryPoint) -> PlanError:
    """For one that has the name of a stage of curate."""
    return _refused(entry, "has the name of a stage that is built in")


def _wrong(name: str, found: Any) -> Iterator[str]:
    """What keeps it from being a stage; properties are left for later, as they may depend on settings."""
    if not _NAME.fullmatch(name) or name in TAKEN:
        what = "is a section or a folder of curate's" if name in TAKEN else "is no name in lower case: a-z, 0-9 and _"
        yield f"has a name that {what}"
    if not (isinstance(found, type) and issubclass(found, Stage)):
        yield "is no class that inherits from curate.stages.contract.Stage"
        return
    if inspect.isabstract(found):
        yield f"does not define {', '.join(f'`{one}`' for one in sorted(found.__abstractmethods__))}"
    for attribute, sound, wanted in (
        ("name", lambda one: one == name, f'"{name}", as its entry point is called'),
        ("version", lambda one: isinstance(one, int), "a whole number"),
        ("about", lambda one: isinstance(one, str), "a sentence"),
        ("adds", _are_columns, "column → type of Arrow, without `reasons`"),
        ("reasons", _are_reasons, "a tuple of Reason, each with another code"),
        ("needs", lambda one: isinstance(one, tuple | list), "a tuple of columns"),
        ("settings_type", _has_defaults, "a subclass of Settings with a default for each setting"),
    ):
        value = getattr(found, attribute, None)
        if not isinstance(value, property | functools.cached_property) and not sound(value):
            yield f"has `{attribute}` = {value!r}, and was to have {wanted}"


def _are_columns(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and all(isinstance(name, str) and isinstance(kind, pa.DataType) for name, kind in value.items())
        and "reasons" not in value
    )


def _are_reasons(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and all(isinstance(reason, Reason) for reason in value)
        and len({reason.code for reason in value}) == len(value)
    )


def _has_defaults(value: Any) -> bool:
    if not (isinstance(value, type) and issubclass(value, Settings)):
        return False
    try:
        value()
    except (TypeError, ValueError):
        return False
    return True


def _refused(entry: EntryPoint, what: str) -> PlanError:
    return refused_plugin(entry, "stage", what, "docs/write_a_stage.md has the contract")
