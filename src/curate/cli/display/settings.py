"""Resolved settings as people and programs read them."""

import json as jsonlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from curate.cli.display.console import console
from curate.errors import ConfigError, ExitCode, nearest
from curate.pipeline.planning.config import DEFAULT, Config, load
from curate.settings.file import as_toml, toml_key


def show_settings(
    section: str | None, file: str | None, assignments: Sequence[str], *, recipe: str | None, json: bool
) -> int:
    """Print settings as TOML with their origin, or as one JSON object."""
    config = load(Path(file) if file else None, {"pipeline.recipe": recipe}, assignments)
    resolved = config.resolved()
    chosen = resolved if section is None else _of(resolved, section)
    if json:
        typer.echo(jsonlib.dumps(chosen, ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    for name, values in chosen.items():
        _show_table(out, (name,), values, config)
    return ExitCode.DONE


def _of(resolved: Mapping[str, Mapping[str, Any]], named: str) -> dict[str, Mapping[str, Any]]:
    """One section, or one setting or table of it."""
    section, _, key = named.partition(".")
    if section not in resolved:
        raise ConfigError(f"there is no section `{section}`", hint=nearest(section, resolved))
    if key and key not in resolved[section]:
        raise ConfigError(f"`{section}` has no setting `{key}`", hint=nearest(key, resolved[section]))
    return {section: {key: resolved[section][key]} if key else resolved[section]}


def _show_table(out: Console, path: tuple[str, ...], values: Mapping[str, Any], config: Config) -> None:
    """A table of settings, then the tables in it."""
    plain = {key: value for key, value in values.items() if not (isinstance(value, dict) and value)}
    out.print(Text(f"[{'.'.join(map(toml_key, path))}]", "bold"))
    width = max((len(toml_key(key)) for key in plain), default=0)
    for key, value in plain.items():
        origin = config.origin(".".join([*path, key]))
        line = Text(f"{toml_key(key):<{width}} = {as_toml(value)}")
        out.print(line if origin == DEFAULT else line.append(f"   # {origin}", "cyan"), soft_wrap=True, no_wrap=True)
    out.print()
    for key, value in values.items():
        if key not in plain:
            _show_table(out, (*path, key), value, config)
