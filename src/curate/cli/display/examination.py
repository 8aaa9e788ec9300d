"""``curate doctor RUN`` on the terminal: what is wrong with a run, and what to do about each problem."""

import json as jsonlib

import typer
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import size
from curate.errors import ExitCode
from curate.pipeline.record.examination import examined
from curate.report.quantities import counted
from curate.store.files import place


def show_examination(run: str, *, json: bool) -> int:
    """Print what an examination found; exit code 1 when there is a problem.

    Raises:
        InputError: the folder is not a finished run.
    """
    found = examined(place(run))
    if json:
        data = found._asdict() | {"run": run, "problems": [problem._asdict() for problem in found.problems]}
        typer.echo(jsonlib.dumps(data, ensure_ascii=False))
        return ExitCode.GATE_FAILED if found.problems else ExitCode.DONE
    out = console(stderr=False)
    remedies = dict.fromkeys(problem.remedy for problem in found.problems)
    for remedy in remedies:
        for problem in found.problems:
            if problem.remedy == remedy:
                out.print(Text.assemble(("fix ", "bold red"), f"`{problem.file}` {problem.sentence}"), soft_wrap=True)
        out.print(Text(f"     hint: {remedy}", "cyan"), soft_wrap=True)
    if not found.problems:
        whole = f"{counted(found.files, 'file')}, {size(found.bytes)}: all present and unchanged; the counts add up"
        out.print(Text.assemble(("ok  ", "green"), whole), soft_wrap=True)
    return ExitCode.GATE_FAILED if found.problems else ExitCode.DONE
