"""``curate run``: the whole job."""

from typing import Annotated, Literal

import typer

from curate.cli.options import ColorOption, ConfigOption, JsonOption, SetOption

_INPUT, _STAGES, _MACHINE, _OUTPUT = "Input", "Stages", "Machine", "Output"


def run(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Folders, files or globs.", show_default=False)],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            envvar="CURATE_OUTPUT",
            metavar="DIR",
            help="Run directory.",
            rich_help_panel=_OUTPUT,
        ),
    ] = "curated",
    config: ConfigOption = None,
    assignments: SetOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            envvar="CURATE_LIMIT",
            min=1,
            help="Read no more documents than this.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            envvar="CURATE_ONLY",
            metavar="STAGE",
            help="Run only this stage; may be given often.",
            rich_help_panel=_STAGES,
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip",
            envvar="CURATE_SKIP",
            metavar="STAGE",
            help="Leave this stage out; may be given often.",
            rich_help_panel=_STAGES,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="CURATE_WORKERS",
            min=0,
            help="Cores to use; 0 means all.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            envvar="CURATE_MEMORY",
            metavar="SIZE",
            help="Memory budget: 4GB, 75%.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            envvar="CURATE_ENGINE",
            metavar="local",
            help="Where to run.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", envvar="CURATE_SEED", help="Seed of every random draw.", rich_help_panel=_MACHINE),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            envvar="CURATE_DRY_RUN",
            help="Show the plan and an estimate; write nothing.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            envvar="CURATE_FRESH",
            help="Forget what the run directory holds.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    json: JsonOption = False,
    quiet: Annotated[int, typer.Option("--quiet", "-q", count=True, help="No progress; -qq: no warnings either.")] = 0,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Plain lines; -vv: tracebacks.")] = 0,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", envvar="CURATE_NO_PROGRESS", help="No progress display.")
    ] = False,
    color: ColorOption = "auto",
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the report in a browser.", rich_help_panel=_OUTPUT)
    ] = False,
) -> int:
    """Turn a folder of raw text into token shards and a report.

    \b
    Examples:
      curate run corpus/ -o curated
      curate run 'corpus/**/*.jsonl.zst' extra.parquet -o curated --set 'language.keep=["en","fr"]'
      curate run corpus/ -o curated --dry-run

    Run the same command again to continue after a crash, or with other settings to redo only what they touch.
    """
    from curate.session import Session

    session = Session(
        paths=paths,
        output=output,
        config_file=config,
        assignments=assignments or [],
        flags={"run.workers": workers, "run.memory": memory, "run.engine": engine, "run.seed": seed},
        limit=limit,
        only=only or [],
        skip=skip or [],
    )
    if dry_run:
        return session.show_plan(json=json, color=color)
    face: Literal["auto", "plain", "quiet"] = "quiet" if quiet or no_progress else ("plain" if verbose else "auto")
    return session.work(face=face, fresh=fresh, json=json, color=color, quiet=quiet, open_page=open_page)
