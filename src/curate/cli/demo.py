"""``curate demo``: the whole job on text that the package carries."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

import curate
from curate.cli.options import ColorOption


def demo(
    output: Annotated[
        str, typer.Option("--output", "-o", envvar="CURATE_OUTPUT", metavar="DIR", help="Run directory.")
    ] = "curate-demo",
    color: ColorOption = "auto",
    open_page: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> int:
    """Run on a little real text that comes with curate, to see what a run and its report look like.

    \b
    Examples:
      curate demo
      curate demo -o /tmp/demo --open
    """
    from curate.cli.display.console import console
    from curate.cli.session import Session

    corpus = Path(curate.__file__).parent / "runs" / "demo" / "corpus"
    session = Session([str(corpus)], output, assignments=["report.samples=3", "shards.shard_tokens=50000"])
    code = session.work(face="auto", color=color, open_page=open_page)
    run, err = shlex.quote(output), console(color)
    err.print(
        f"\n  Open {Path(output, 'report.html')} in a browser, or type: curate report {run} --open", soft_wrap=True
    )
    for what, line in (
        ("Near-duplicates", f"curate sample {run} --reason near_dup.near_duplicate"),
        ("One document", f"curate why {run} pep-0006.txt"),
        ("Another limit", f"curate whatif {run} --set quality.min_words=80"),
    ):
        err.print(f"  {what:<15}  {line}", highlight=False, soft_wrap=True)
    return code
