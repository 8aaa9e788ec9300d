"""Resolved settings as people and programs read them."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.text import Text

from curate.config import DEFAULT, load
from curate.errors import ConfigError, ExitCode, nearest
from curate.ui.console import console


def show_settings(section: str | None, file: str | None, assignments: Sequence[str], *, json: bool) -> int:
    """Print settings as TOML with their origin, or as one JSON object."""
    config = load(Path(file) if file else None, assignments=assignments)
    resolved = config.resolved()
    if section is not None and section not in resolved:
        raise ConfigError(f"there is no section `{section}`", hint=nearest(section, resolved))
    chosen = {name: values for name, values in resolved.items() if section in (None, name)}
    if json:
        typer.echo(jsonlib.dumps(chosen, ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    for name, values in chosen.items():
        out.print(Text(f"[{name}]", "bold"))
        width = max((len(key) for key in values), default=0)
        for key, value in values.items():
            origin = config.origin(f"{name}.{key}")
            line = Text(f"{key:<{width}} = {toml(value)}")
            out.print(line if origin == DEFAULT else line.append(f"   # {origin}", "cyan"), soft_wrap=True)
        out.print()
    return ExitCode.DONE


def toml(value: object) -> str:
    """A value as TOML writes it.

    Example:
        >>> toml(True), toml(["en", "fr"]), toml(1e9), toml(None)
        ('true', '["en", "fr"]', '1000000000.0', '""')
    """
    if value is None:
        return '""'
    return jsonlib.dumps(value, ensure_ascii=False)
