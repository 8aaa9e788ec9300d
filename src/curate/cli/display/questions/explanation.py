"""``curate explain``: a page for each reason, stage, setting and section: what, why, default, source, examples."""

import functools
import inspect
import json as jsonlib
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.text import Text

from curate.cache.tables import shipped
from curate.cli.display.console import console
from curate.cli.display.setting_comments import setting_comments
from curate.corpus.quarantine import PASSED_OVER
from curate.corpus.quarantine import REASONS as QUARANTINE_REASONS
from curate.errors import ExitCode, UserError, nearest
from curate.pipeline.planning.config import FIXED, settings_class
from curate.recipes import recipe, recipe_names
from curate.report.glossary import glossary, term
from curate.settings.base import Limit, Reason
from curate.settings.file import as_toml, leaves
from curate.stages import stage_class, stage_names

Page = dict[str, Any]
"""Label → text or lines; what ``--json`` prints."""

QUARANTINE = "quarantine"


def show_explanation(code: str, *, json: bool = False, every: bool = False) -> int:
    """Explain a reason, a stage, a setting or a section of the settings.

    Args:
        code: with or without what stands in front of the first dot.
        json: print one JSON object.
        every: of a stage with very many reasons, show also those that are off by default.

    Raises:
        UserError: nothing has that name.
    """
    page = _page(code, every=every)
    if json:
        typer.echo(jsonlib.dumps(page, ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    out.print(Text.assemble((page["name"], "bold"), f"  {page['what']}"), soft_wrap=True)
    for label, said in page.items():
        if label in ("name", "what", "kind") or not said:
            continue
        wide = max(map(len, said)) if label == "recipes" else 0
        rows = [said] if isinstance(said, str) else [f"{key:<{wide}}  {one}".rstrip() for key, one in said.items()]
        out.print()
        for number, row in enumerate(rows):
            line = Text.assemble((f"  {label if not number else '':<10}", "dim"), row)
            out.print(line, soft_wrap=True, no_wrap=label == "look" or None)
    return ExitCode.DONE


def _page(code: str, *, every: bool) -> Page:
    """The page of whatever has that name."""
    reasons, changes = all_reasons(), {f"{name}.{one}": name for name in stage_names() for one in changes_of(name)}
    name = _full(code, [*reasons, *changes])
    if name in reasons:
        return _of_reason(name, reasons[name])
    if name in changes:
        stage = changes[name]
        sentence = changes_of(stage)[name.partition(".")[2]]
        told = f"A change made to a document, not a reason to remove it: see the column `changes` of {stage}."
        return {"name": name, "kind": "change", "what": sentence, "why": told}
    section, _, key = code.removeprefix("config.").partition(".")
    if section in stage_names() and not key and not code.startswith("config."):
        return _of_stage(section, every=every)
    if section in (*FIXED, *stage_names()):
        keys = settings_class(section).__struct_fields__
        if not key:
            return _of_section(section)
        if key in keys:
            return _of_setting(section, key)
    if word := term(code):
        return {"name": word.name, "kind": "term", "what": word.text}
    raise _unknown(code, [*reasons, *changes])


def _full(code: str, known: list[str]) -> str:
    """A reason's name with its stage, where only one stage has it."""
    found = [name for name in known if name.partition(".")[2] == code]
    if len(found) > 1:
        raise UserError(f"{len(found)} things are called `{code}`", hint=f"name one: {', '.join(found)}")
    return found[0] if found else code


def _unknown(code: str, known: list[str]) -> UserError:
    """What somebody means who writes another name: of the same kind if it says which."""
    sections = [*FIXED, *stage_names()]
    settings = [f"{section}.{key}" for section in sections for key in settings_class(section).__struct_fields__]
    if code.startswith("config."):
        names = [f"config.{name}" for name in sections]
    elif "." in code:
        names = [*known, *settings]
    else:
        words = [word for one in glossary() for word in one.name.lower().split(", ")]
        names = [*stage_names(), *FIXED, *(name.partition(".")[2] for name in known), *words]
    hint = nearest(code, names)
    return UserError(f"nothing is called `{code}`", hint=hint if hint.startswith("did") else "curate stages")


def _of_reason(name: str, reason: Reason) -> Page:
    stage = name.partition(".")[0]
    page: Page = {"name": name, "kind": "reason", "what": reason.sentence}
    if stage == QUARANTINE:
        return page | {
            "why": "What cannot be read is never dropped: it is counted, and kept with its position.",
            "default": f"gates.max_quarantined = {as_toml(FIXED['gates']().max_quarantined)}",  # type: ignore[attr-defined]
            "look": {"files of the run": "RUN/quarantine/*.parquet"},
        }
    about = stage_class(stage).about
    limit = _limit_of(stage, reason.code)
    page["why"] = _definition(stage, limit) or about
    if limit:
        setting, off = f"{stage}.{limit.key}", limit.value != limit.value
        page["default"] = f"{setting} = {'false' if off else f'{limit.value:g}'}"
        if comment := setting_comments().get(setting):
            page["setting"] = comment
        page |= {"source": _source(stage, limit), "recipes": _in_recipes(stage, limit.key)}
        page["example"] = _around(limit)
    else:
        page["default"] = f"curate config {stage}"
        page["example"] = _examples().get(name, {})
    return page | {"look": {f"curate sample RUN --reason {name}": "", f"curate why RUN ID   # what {stage} said": ""}}


def _of_stage(name: str, *, every: bool) -> Page:
    stage = stage_class(name)
    by_default = {limit.reason for limit in stage.settings_type().limits()}
    held = [one for one in stage.reasons if every or not _has_rules(name) or one.code in by_default]
    more = len(stage.reasons) - len(held)
    page: Page = {
        "name": name,
        "kind": "stage",
        "what": stage.about,
        "reasons": {f"{name}.{reason.code}": reason.sentence for reason in held},
        "off": f"{more} more are off by default: curate explain {name} --all" if more else "",
        "changes": changes_of(name),
        "settings": {f"curate explain config.{name}": ""},
    }
    return page


def _of_section(section: str) -> Page:
    kind = settings_class(section)
    defaults = kind()
    about, *_ = inspect.cleandoc(kind.__doc__ or "").split("\n")
    off = {name for name, value in kind.blank.items() if getattr(defaults, name) is value}
    settings = {}
    for name in (name for name in kind.__struct_fields__ if name not in off):
        value = getattr(defaults, name)
        shown = as_toml(value) if not hasattr(value, "__struct_fields__") else "…"
        comment = setting_comments().get(f"{section}.{name}", "")
        settings[f"{name} = {shown}"] = f"# {comment}" if comment else ""
    listed = ", ".join(sorted(off)[:3])
    more = f"{len(off)} more are off by default: {listed} and so on" if off else ""
    if section in stage_names():
        about = stage_class(section).about
    return {
        "name": f"[{section}]",
        "kind": "section",
        "what": about.replace("``", "`"),
        "why": setting_comments().get(section, ""),
        "settings": settings,
        "off": more,
        "look": {f"curate config {section}": ""},
    }


def _of_setting(section: str, key: str) -> Page:
    kind = settings_class(section)
    value = getattr(kind(), key)
    shown = as_toml(value) if not hasattr(value, "__struct_fields__") else "a table"
    limit = next((one for one in _limits(section) if one.key == key), None)
    comment = setting_comments().get(f"{section}.{key}")
    page: Page = {
        "name": f"{section}.{key}",
        "kind": "setting",
        "what": comment or _definition(section, limit) or f"A setting of [{section}].",
        "default": f"{section}.{key} = {shown}",
        "recipes": _in_recipes(section, key),
        "change": "Only the keep/remove decisions are recomputed." if key in kind.thresholds else "",
    }
    if limit:
        page |= {"source": _source(section, limit), "reason": f"{section}.{limit.reason}", "example": _around(limit)}
    assignment = shlex.quote(f"{section}.{key}={value if isinstance(value, str) else as_toml(value)}")
    return page | ({} if hasattr(value, "__struct_fields__") else {"look": {f"curate run … --set {assignment}": ""}})


def _has_rules(stage: str) -> bool:
    return bool(stage_class(stage).settings_type.blank)


@functools.cache
def _limits(section: str) -> tuple[Limit, ...]:
    """The limits of a stage, those that are off by default too: with no value."""
    if section not in stage_names():
        return ()
    found = {limit.key: limit for limit in settings_class(section)().limits()}
    if section == "quality":
        from curate.stages.quality.rules import rule
        from curate.stages.quality.settings import SIGNAL_OF

        for key, (signal, side) in SIGNAL_OF.items():
            reason = rule(signal.name, side, 0).reason
            found.setdefault(key, Limit(key, signal.name, side, float("nan"), reason))
    return tuple(found.values())


def _limit_of(stage: str, code: str) -> Limit | None:
    return next((limit for limit in _limits(stage) if limit.reason == code), None)


def _definition(stage: str, limit: Limit | None) -> str:
    """What the measure of a limit is."""
    signal = _signal(stage, limit)
    return f"{signal.name}: {signal.definition} ({signal.unit})" if signal else ""


def _source(stage: str, limit: Limit) -> str:
    signal = _signal(stage, limit)
    return signal.source if signal else ""


def _signal(stage: str, limit: Limit | None) -> Any:
    """Other stages have measures of the same names that are something else."""
    return _signals().get(limit.measure) if limit and stage == "quality" else None


@functools.cache
def _signals() -> dict[str, Any]:
    from curate.stages.quality.signals import SIGNALS

    return {signal.name: signal for signal in SIGNALS}


def _in_recipes(section: str, key: str) -> dict[str, str]:
    """Recipes that set something, with its value and source."""
    return dict(_recipes_with(f"{section}.{key}"))


def _recipes_with(setting: str) -> Iterator[tuple[str, str]]:
    for name in recipe_names():
        found = recipe(name)
        values: Mapping[str, Any] = dict(leaves(found.tree))
        if setting in values:
            yield name, f"{as_toml(values[setting])}   {found.sources.get(setting, found.source)}"


def _around(limit: Limit) -> dict[str, str]:
    """A value that is removed and one that stays."""
    if limit.value != limit.value:
        return {}
    step = 1 if limit.value == int(limit.value) and limit.value >= 2 else 0.01
    beyond = limit.value - step if limit.side == "min" else limit.value + step
    inside = limit.value if not limit.at else limit.value + (step if limit.side == "min" else -step)
    removed = limit.value if limit.at else beyond
    return {"removed:": f"{limit.measure} {removed:g}", "kept:": f"   {limit.measure} {inside:g}"}


@functools.cache
def _examples() -> dict[str, dict[str, str]]:
    written = tomllib.loads(shipped("curate.cli.display", "examples.toml"))
    return {name: {"removed:": one["removed"], "kept:": f"   {one['kept']}"} for name, one in written.items()}


def all_reasons() -> dict[str, Reason]:
    """Every reason code there is, with its stage (or ``quarantine``) in front."""
    found = {f"{QUARANTINE}.{reason.code}": reason for reason in (*QUARANTINE_REASONS, *PASSED_OVER)}
    for name in stage_names():
        found |= {f"{name}.{reason.code}": reason for reason in stage_class(name).reasons}
    return found


def changes_of(name: str) -> dict[str, str]:
    """What a stage that rewrites text may do to it: code → sentence.

    Example:
        >>> changes_of("normalize")["line_ends"]
        'Line ends of other systems (CR LF, CR, U+2028, U+2029) became line feeds.'
    """
    return {change.code: change.sentence for change in stage_class(name).changes}
