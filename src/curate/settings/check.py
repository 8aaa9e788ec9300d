"""Settings made from plain tables, and what is wrong with those in the user's words: which setting, value and place."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from curate.errors import ConfigError, nearest
from curate.settings.base import Settings
from curate.settings.file import leaves

Origins = Mapping[str, str]
"""``section.key`` → where it was given."""


def checked(
    section: str, kind: type[Settings], given: Mapping[str, Any], origins: Origins
) -> tuple[Settings | None, list[ConfigError]]:
    """One section, and its problems; None in its place where its values cannot be had.

    Args:
        section: its name.
        kind: the struct to make.
        given: setting → value, with tables of settings in it.
        origins: of the values, for the messages.

    Example:
        >>> from curate.settings.report import ReportSettings
        >>> _, (problem,) = checked("report", ReportSettings, {"sample": 3}, {"report.sample": "curate.toml:2"})
        >>> problem.message, problem.where, problem.hint
        ('`report` has no setting `sample`', 'curate.toml:2', 'did you mean `samples`?')
    """
    unknown = dict(_unknown_keys(section, kind, given, origins))
    usable = _without(given, [key.removeprefix(f"{section}.").split(".") for key in unknown])
    endless = [
        ConfigError(
            f"`{key}` must be a finite number, but is {number}",
            where=origin_of(key, origins),
            hint=f"curate config {section}",
        )
        for key, value in leaves({section: usable})
        for number in (value if isinstance(value, list | tuple) else (value,))
        if isinstance(number, float) and not math.isfinite(number)
    ]
    if endless:
        return None, [*unknown.values(), *endless]
    try:
        return msgspec.convert(usable, kind), list(unknown.values())
    except msgspec.ValidationError as error:
        return None, [*unknown.values(), _explained(section, kind, error, usable, origins)]


def origin_of(key: str, origins: Origins) -> str:
    """Where a setting, or the first value of such a table, was given; empty where it was not.

    Example:
        >>> origin_of("quality.lines", {"quality.lines.min_words": "curate.toml:7"})
        'curate.toml:7'
    """
    return next((origin for name, origin in origins.items() if f"{name}.".startswith(f"{key}.")), "")


def together(problems: Sequence[ConfigError]) -> ConfigError:
    """All problems in one error; a single one as it is."""
    if len(problems) == 1:
        return problems[0]
    lines = [f"{p.message}\n  {p.where}" + (f"\n  hint: {p.hint}" if p.hint else "") for p in problems]
    return ConfigError(f"{len(problems)} settings are wrong\n\n" + "\n\n".join(lines), problems=problems)


def _unknown_keys(
    place: str, kind: type[Settings], given: Mapping[str, Any], origins: Origins
) -> Iterator[tuple[str, ConfigError]]:
    """Keys that no setting has, in tables of settings too, each with what is to be said of it."""
    known = {one.name: one.type for one in msgspec.structs.fields(kind)}
    for key, value in given.items():
        full = f"{place}.{key}"
        if key not in known:
            hint = nearest(key, known)
            yield full, ConfigError(f"`{place}` has no setting `{key}`", where=origin_of(full, origins), hint=hint)
        for name, inner, table in _tables(full, known.get(key), value):
            yield from _unknown_keys(name, inner, table, origins)


def _tables(place: str, kind: Any, value: object) -> Iterator[tuple[str, type[Settings], Mapping[str, Any]]]:
    """The tables of settings in a value, by their names: the value itself, or each value of it."""
    if not isinstance(value, Mapping):
        return
    if _is_settings(kind):
        yield place, kind, value
    for inner in get_args(kind)[1:]:
        if _is_settings(inner):
            for name, table in value.items():
                yield from _tables(f"{place}.{name}", inner, table)


def _is_settings(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def _without(tree: Mapping[str, Any], paths: Iterable[Sequence[str]]) -> dict[str, Any]:
    """The tree without the values at some paths."""
    result = dict(tree)
    for key, *rest in paths:
        if rest:
            result[key] = _without(result[key], [rest])
        else:
            del result[key]
    return result


def _explained(
    section: str, kind: type[Settings], error: msgspec.ValidationError, given: Mapping[str, Any], origins: Origins
) -> ConfigError:
    """The message of msgspec in the user's words."""
    message, _, path = str(error).partition(" - at `$")
    hint = f"curate config {section}"
    typed = re.match(r"\.([\w.]*\w)", path)
    if typed:
        named = f"{section}.{typed[1]}"
        value: Any = given
        for key in typed[1].split("."):
            value = value[key]
        if message.startswith("Invalid enum value"):
            hint = nearest(str(value), map(str, _choices(kind, typed[1].split(".")))) or hint
            message = "no such name"
        elif message.startswith("Expected `array`") and isinstance(value, str | int | float):
            listed = f"[{json.dumps(value, ensure_ascii=False)}]"
            typed_so = origin_of(named, origins).startswith("--")
            hint = f"--set '{named}={listed}'" if typed_so else f"{typed[1].rpartition('.')[2]} = {listed}"
        message = f"`{named}` is {value!r}: {_in_words(message)}"
    else:  # a check of the section itself, which names the setting
        named = next((name for name, _ in leaves({section: given}) if f"`{name}`" in message), "")
    where = origin_of(named, origins) if named else ""
    return ConfigError(message, where=where, hint=hint)


_WORDS = {"bool": "true or false", "int": "a whole number", "str": "text", "array": "a list", "object": "a table"}


def _in_words(message: str) -> str:
    """What msgspec says of types, in words of TOML.

    Example:
        >>> _in_words("Expected `bool | int | float`, got `str`")
        'expected true or false or a number'
    """
    expected = re.fullmatch(r"Expected `([a-z |]+)`, got `.*`", message)
    if expected is None:
        return message[0].lower() + message[1:]
    kinds = expected[1].split(" | ")
    kinds = [kind for kind in kinds if not (kind == "int" and "float" in kinds)]
    return f"expected {' or '.join(_WORDS.get(kind, 'a number') for kind in kinds)}"


def _choices(kind: type[Settings], path: Sequence[str]) -> Iterator[object]:
    """Values of a setting that takes one of several, below tables too."""
    kinds: list[Any] = [kind]
    for key in path:
        kinds = [one for each in kinds for one in _inside(each, key)]
    for each in kinds:
        yield from get_args(each) if get_origin(each) is Literal else ()


def _inside(kind: Any, key: str) -> Iterator[Any]:
    """The types that may stand below a key, unions taken apart."""
    found = (
        [one.type for one in msgspec.structs.fields(kind) if one.name == key] if _is_settings(kind) else get_args(kind)
    )
    for one in found:
        yield from get_args(one) if get_origin(one) in {Union, UnionType} else (one,)
