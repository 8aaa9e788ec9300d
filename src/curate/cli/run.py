"""``curate run``: the whole job."""

import sys
import time
from typing import Annotated, Literal

import typer

from curate.cli import completion
from curate.cli.display.notes import printable
from curate.cli.options import ColorOption, ConfigOption, JsonOption, RecipeOption, SetOption, share
from curate.errors import UserError


def run(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Folders, files, globs, addresses, or - for standard input.", show_default=False
        ),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", envvar="CURATE_OUTPUT", metavar="DIR", help="Run directory."),
    ] = "curated",
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", envvar="CURATE_LIMIT", min=1, help="Read at most this many documents."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            envvar="CURATE_ONLY",
            metavar="STAGE",
            help="Run only this stage; repeatable.",
            autocompletion=completion.stages,
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip",
            envvar="CURATE_SKIP",
            metavar="STAGE",
            help="Do not run this stage; repeatable.",
            autocompletion=completion.stages,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            envvar="CURATE_AGAINST",
            metavar="RUN",
            help="Also remove what this finished run already holds; repeatable.",
        ),
    ] = None,
    sample: Annotated[
        float | None,
        typer.Option(
            "--sample",
            envvar="CURATE_SAMPLE",
            metavar="SHARE",
            parser=share,
            help="Read this share of the documents, such as 1%, for a preview.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", envvar="CURATE_WORKERS", min=0, help="Cores to use; 0 means all."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", envvar="CURATE_MEMORY", metavar="SIZE", help="Memory budget: 4GB, 75%."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            envvar="CURATE_ENGINE",
            metavar="ENGINE",
            help="Where to run: local, ray.",
            autocompletion=completion.engines,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", envvar="CURATE_SEED", help="Seed of every random draw."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", envvar="CURATE_DRY_RUN", help="Show the plan and an estimate; write nothing."),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", envvar="CURATE_FRESH", help="Start over: discard what the run directory holds."),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over", envvar="CURATE_TAKE_OVER", help="Take over a run in a bucket that another process holds."
        ),
    ] = False,
    form: Annotated[
        Literal["text", "markdown"],
        typer.Option("--format", envvar="CURATE_FORMAT", help="text, or markdown for the page of a CI job."),
    ] = "text",
    json: JsonOption = False,
    quiet: Annotated[
        int,
        typer.Option("--quiet", "-q", envvar="CURATE_QUIET", count=True, help="No progress; -qq: no warnings either."),
    ] = 0,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", envvar="CURATE_VERBOSE", count=True, help="Plain lines; -vv: tracebacks.")
    ] = 0,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", envvar="CURATE_NO_PROGRESS", help="No progress display.")
    ] = False,
    profile: Annotated[
        bool,
        typer.Option("--profile", envvar="CURATE_PROFILE", help="Show what every step cost."),
    ] = False,
    log_file: Annotated[
        str | None,
        typer.Option(
            "--log-file",
            envvar="CURATE_LOG_FILE",
            metavar="FILE",
            help="Also append all messages, with the time, to this file.",
        ),
    ] = None,
    color: ColorOption = "auto",
    open_page: Annotated[
        bool,
        typer.Option("--open", envvar="CURATE_OPEN", help="Open the report in a browser."),
    ] = False,
) -> int:
    """Turn a folder of raw text into token shards and a report.

    \b
    Examples:
      curate run corpus/ -o curated
      curate run 'corpus/**/*.zst' more.parquet --set 'language.keep=["en","fr"]'
      curate run corpus/ -o curated --recipe fineweb-paper
      curate run corpus/ -o curated --dry-run
      curate run corpus/ -o preview --sample 1%
      curate run corpus/ --log-file run.log --format markdown > job.md
      curate run june/ -o june-curated --against may-curated

    Run the same command again to continue after a crash, or with other settings to redo only what they affect.
    """
    began = context.obj if isinstance(context.obj, float) else time.monotonic()
    if not quiet and sys.stderr.isatty():  # before anything heavy is loaded, which takes a second and more
        sys.stderr.write(f"Reading {', '.join(map(printable, paths[:3]))}{' …' * (len(paths) > 3)}\n")
        sys.stderr.flush()
    from curate.cli.session import Session

    session = Session(
        paths=paths,
        output=output,
        take_over=take_over,
        config_file=config,
        assignments=assignments or [],
        flags={
            "pipeline.recipe": recipe,
            "run.workers": workers,
            "run.memory": memory,
            "run.engine": engine,
            "run.seed": seed,
            "input.against": against or None,
            "input.sample": sample,
        },
        limit=limit,
        only=only or [],
        skip=skip or [],
    )
    if dry_run and (form == "markdown" or log_file):
        given = f"--log-file {log_file}" if log_file else "--format markdown"
        raise UserError(f"`{given}` describes a finished run, and `--dry-run` makes none", hint="remove one of them")
    if dry_run:
        return session.show_plan(json=json, color=color, warnings=quiet < 2)
    face: Literal["auto", "plain", "quiet"] = "quiet" if quiet or no_progress else ("plain" if verbose else "auto")
    return session.work(
        face=face, fresh=fresh, json=json, color=color, quiet=quiet, open_page=open_page, profile=profile,
        began=began, form=form, log_file=log_file,
    )  # fmt: skip
