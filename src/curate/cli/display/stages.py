"""``curate stages``: what each stage needs, adds and can give as a reason."""

import json as jsonlib

import typer
from rich.text import Text

from curate.cli.display.console import console
from curate.errors import ExitCode
from curate.stages import origin, stage_class, stage_names

_SHOWN = 12
"""Names that are listed where there are very many."""


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
        out.print(Text(f"  adds     {_listed(list(stage.adds), 'curate stages --json')}"), soft_wrap=True)
        codes = [reason.code for reason in stage.reasons]
        out.print(Text(f"  reasons  {_listed(codes, f'curate explain {name}')}"), soft_wrap=True)
        out.print()
    return ExitCode.DONE


def _listed(names: list[str], elsewhere: str) -> str:
    more = f" … and {len(names) - _SHOWN} more: {elsewhere}" if len(names) > 2 * _SHOWN else ""
    return (", ".join(names[: _SHOWN if more else None]) or "—") + more
