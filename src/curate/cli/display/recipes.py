"""Recipes as people and programs read them."""

import json as jsonlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import share
from curate.errors import ExitCode
from curate.pipeline.planning.config import Config
from curate.pipeline.planning.lint import load_recipe
from curate.recipes import Recipe, recipe, recipe_names
from curate.report.quantities import counted
from curate.settings.base import same_value
from curate.settings.file import as_toml, leaves
from curate.stages.near_dup import NearDupSettings
from curate.stages.quality import QualitySettings

SIMILARITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
"""At which the share of pairs found is printed."""


def show_recipes(*, json: bool) -> int:
    """List the recipes that come with curate."""
    found = [recipe(name) for name in recipe_names()]
    if json:
        keys = ("name", "version", "title", "source", "extends")
        typer.echo(jsonlib.dumps([{key: getattr(one, key) for key in keys} for one in found], ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    width = max(len(one.name) for one in found)
    for one in found:
        out.print(Text.assemble((f"{one.name:<{width}}", "bold"), f"  v{one.version}  {one.title}"), soft_wrap=True)
    return ExitCode.DONE


def show_recipe(name: str, *, json: bool) -> int:
    """Print one recipe as a TOML file that is a recipe itself, what it extends included."""
    found, config = recipe(name), load_recipe(name)
    if json:
        typer.echo(jsonlib.dumps(_as_data(found, config), ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    _show_header(out, found)
    for section, settings in _settings(found, config).items():
        _show_section(out, section, settings, found, config)
    return ExitCode.DONE


def show_difference(a: str, b: str, *, json: bool) -> int:
    """Print every setting in which two recipes differ."""
    one, other = (_effective(load_recipe(name)) for name in (a, b))
    keys = [key for key in dict.fromkeys((*one, *other)) if not same_value(one.get(key), other.get(key))]
    keys = [key for key in keys if key != "pipeline.recipe"]
    if json:
        typer.echo(jsonlib.dumps({key: [one.get(key), other.get(key)] for key in keys}, ensure_ascii=False))
    else:
        out = console(stderr=False)
        width = max((len(key) for key in keys), default=0)
        for key in keys:
            before, after = (as_toml(side[key]) if key in side else "—" for side in (one, other))
            out.print(Text.assemble((f"{key:<{width}}", "bold"), f"  {before} → {after}"), soft_wrap=True)
    return ExitCode.GATE_FAILED if keys else ExitCode.DONE


def _effective(config: Config) -> dict[str, Any]:
    """``section.key`` → value that holds; the limits of one language are one value."""
    values: dict[str, Any] = {}
    for section, settings in config.resolved().items():
        languages = settings.pop("languages", {})
        values |= dict(leaves({section: settings}))
        values |= {f"{section}.languages.{language}": limits for language, limits in languages.items()}
    return values


def _settings(found: Recipe, config: Config) -> dict[str, dict[str, Any]]:
    """Section → what the recipe sets in it, in the order of the settings; a table in a section is a section."""
    tree: dict[str, dict[str, Any]] = {}
    resolved = config.resolved()
    for section in sorted(found.tree, key=list(resolved).index):
        tables = {key: isinstance(value, dict) and bool(value) for key, value in resolved[section].items()}
        given = found.tree[section]
        for key in sorted((key for key in given if key in tables), key=tables.__getitem__):
            value = resolved[section][key]
            if tables[key]:
                tree[f"{section}.{key}"] = {name: inner for name, inner in value.items() if name in given[key]}
            else:
                tree.setdefault(section, {})[key] = value
    return tree


def _show_header(out: Console, found: Recipe) -> None:
    if found.extends:
        out.print(
            Text(f"# all of {', '.join(found.extends)}, and what this recipe changes"),
            style="dim",
            soft_wrap=True,
            no_wrap=True,
        )
    for key in ("title", "version", "source"):
        out.print(Text(f"{key} = {as_toml(getattr(found, key))}"), soft_wrap=True, no_wrap=True)
    for key in ("notes", "left_out"):
        if texts := getattr(found, key):
            out.print(Text(f"{key} = ["))
            for text in texts:
                out.print(Text(f"  {as_toml(text)},"), soft_wrap=True, no_wrap=True)
            out.print(Text("]"))
    if found.accepted:
        out.print(Text("\n[accepted]", "bold"))
        for key, text in found.accepted.items():
            out.print(Text(f"{as_toml(key)} = {as_toml(text)}"), soft_wrap=True, no_wrap=True)


def _show_section(out: Console, section: str, settings: Mapping[str, Any], found: Recipe, config: Config) -> None:
    out.print(Text(f"\n[{section}]", "bold"))
    near_dup = config.stage("near_dup")
    if section == "near_dup" and isinstance(near_dup, NearDupSettings):
        out.print(Text(f"# {_curve(near_dup)}"), style="dim", soft_wrap=True, no_wrap=True)
    reasons = _reasons(config) if section == "quality" else {}
    width = max(len(key) for key in settings)
    said = ""
    for key, value in settings.items():
        source = _source_of(found, f"{section}.{key}")
        if source != said:
            out.print(Text(f"# {source}"), style="dim", soft_wrap=True, no_wrap=True)
            said = source
        line = Text(f"{key:<{width}} = {as_toml(value)}")
        out.print(line.append(f"   # {reasons[key]}", "cyan") if key in reasons else line, soft_wrap=True, no_wrap=True)


def _source_of(found: Recipe, key: str) -> str:
    return next((text for name, text in found.sources.items() if f"{name}.".startswith(f"{key}.")), "the default")


def _reasons(config: Config) -> dict[str, str]:
    quality = config.stage("quality")
    return {rule.key: rule.reason for rule in quality.rules()} if isinstance(quality, QualitySettings) else {}


def _curve(settings: NearDupSettings) -> str:
    """What bands and rows find."""
    banding = settings.banding
    found = ", ".join(f"{share(banding.catch_probability(at), 1)} at {at:g}" for at in SIMILARITIES)
    bands, rows = counted(banding.bands, "band"), counted(banding.rows, "row")
    return f"{bands} of {rows}: of the pairs {found} are found"


def _as_data(found: Recipe, config: Config) -> dict[str, Any]:
    return {
        **{key: getattr(found, key) for key in ("name", "version", "title", "source", "extends", "notes", "left_out")},
        "accepted": dict(found.accepted),
        "settings": [
            {"key": key, "value": value, "source": _source_of(found, key), **reason}
            for key, value, reason in _flat(found, config)
        ],
    }


def _flat(found: Recipe, config: Config) -> Iterator[tuple[str, Any, dict[str, str]]]:
    reasons = _reasons(config)
    for section, settings in _settings(found, config).items():
        for key, value in settings.items():
            given = section == "quality" and key in reasons
            yield f"{section}.{key}", value, {"reason": reasons[key]} if given else {}
