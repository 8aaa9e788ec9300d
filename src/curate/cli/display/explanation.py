"""What there is: stages, their reasons and settings, explained."""

import inspect
import json as jsonlib

import typer
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.settings import toml
from curate.corpus.quarantine import PASSED_OVER
from curate.corpus.quarantine import REASONS as QUARANTINE_REASONS
from curate.errors import ExitCode, UserError, nearest
from curate.pipeline.config import FIXED
from curate.settings.base import Reason, Settings
from curate.stages import origin, stage_class, stage_names

_SHOWN = 12
"""Reasons that are listed of a stage that can give very many."""


def show_stages(*, json: bool) -> int:
    """List all stages."""
    kinds = {name: stage_class(name) for name in stage_names()}
    stages = {name: kind(kind.settings_type()) for name, kind in kinds.items()}  # type: ignore[call-arg]
    if json:
        listed = [
            {
                "name": name,
                "version": stage.version,
                "origin": origin(name),
                "about": stage.about,
                "needs": list(stage.needs),
                "adds": {column: str(kind) for column, kind in stage.adds.items()},
                "reasons": {reason.code: reason.sentence for reason in stage.reasons},
            }
            for name, stage in stages.items()
        ]
        typer.echo(jsonlib.dumps(listed, ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    for name, stage in stages.items():
        out.print(Text.assemble((f"{name}", "bold"), (f"  v{stage.version}, {origin(name)}", "dim")))
        out.print(Text(f"  {stage.about}"), soft_wrap=True)
        out.print(Text(f"  needs    {', '.join(stage.needs)}"), soft_wrap=True)
        out.print(Text(f"  adds     {', '.join(stage.adds)}"), soft_wrap=True)
        codes = [reason.code for reason in stage.reasons]
        more = f" … and {len(codes) - _SHOWN} more: curate explain {name}" if len(codes) > 2 * _SHOWN else ""
        out.print(Text(f"  reasons  {', '.join(codes[: _SHOWN if more else None]) or '—'}{more}"), soft_wrap=True)
        out.print()
    return ExitCode.DONE


def show_explanation(code: str) -> int:
    """Explain a reason, a stage or a section of the settings.

    Raises:
        UserError: nothing has that name.
    """
    out = console(stderr=False)
    reasons = all_reasons()
    if code in reasons:
        giver = code.partition(".")[0]
        out.print(Text.assemble((code, "bold"), f"  {reasons[code].sentence}"), soft_wrap=True)
        if giver in stage_names():
            out.print(Text(f"\n{stage_class(giver).about}\nSettings: curate config {giver}"), soft_wrap=True)
        return ExitCode.DONE
    for name in stage_names():
        if sentence := changes_of(name).get(code.removeprefix(f"{name}.")):
            out.print(Text.assemble((code, "bold"), f"  {sentence}"), soft_wrap=True)
            out.print(Text(f"\nA change, no reason to remove a document: column `changes` of {name}"), soft_wrap=True)
            return ExitCode.DONE
    section = code.removeprefix("config.")
    if section in stage_names() and not code.startswith("config."):
        stage = stage_class(section)
        out.print(Text.assemble((section, "bold"), f"  {stage.about}\n"), soft_wrap=True)
        for reason in stage.reasons:
            out.print(Text.assemble((f"  {section}.{reason.code}", "cyan"), f"  {reason.sentence}"), soft_wrap=True)
        changes = changes_of(section)
        if changes:
            out.print("\nWhat it did to a text is in its column `changes`:\n", soft_wrap=True)
        for change, sentence in changes.items():
            out.print(Text.assemble((f"  {change}", "cyan"), f"  {sentence}"), soft_wrap=True)
        return ExitCode.DONE
    if section in FIXED or section in stage_names():
        kind = FIXED.get(section) or stage_class(section).settings_type
        _show_settings(section, kind)
        return ExitCode.DONE
    explained = [f"{name}.{change}" for name in stage_names() for change in changes_of(name)]
    known = [*reasons, *explained, *stage_names(), *(f"config.{name}" for name in FIXED)]
    raise UserError(f"nothing is called `{code}`", hint=nearest(code, known) if len(code) > 2 else "curate stages")


def all_reasons() -> dict[str, Reason]:
    """Every reason code there is, with its stage (or ``quarantine``) in front."""
    found = {f"quarantine.{reason.code}": reason for reason in (*QUARANTINE_REASONS, *PASSED_OVER)}
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


def _show_settings(section: str, kind: type[Settings]) -> None:
    out, defaults = console(stderr=False), kind()
    about, *_ = inspect.cleandoc(kind.__doc__ or "").split("\n")
    out.print(Text.assemble((f"[{section}]", "bold"), f"  {about}"))
    off = {name for name, value in kind.blank.items() if getattr(defaults, name) is value}
    for name in (name for name in kind.__struct_fields__ if name not in off):
        effect = "verdicts only" if name in kind.thresholds else ""
        value = toml(getattr(defaults, name)) if not hasattr(getattr(defaults, name), "__struct_fields__") else "…"
        out.print(Text.assemble(f"  {name} = {value}", (f"   {effect}", "dim")), soft_wrap=True)
    if off:
        out.print(Text(f"  and {len(off)} that are off: {', '.join(sorted(off))}"), soft_wrap=True)
