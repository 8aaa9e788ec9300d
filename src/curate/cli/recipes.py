"""``curate recipes``: published pipelines as data."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.grouped_help import CommandGroup
from curate.cli.options import JsonOption

app = typer.Typer(cls=CommandGroup, rich_markup_mode=None)

Recipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="Name of a recipe, or the path of a recipe file.", autocompletion=completion.recipes
    ),
]


@app.callback(invoke_without_command=True)
def recipes(context: typer.Context, json: JsonOption = False) -> int | None:
    """List, show, compare and check recipes: whole pipelines with the source of each number.

    \b
    Examples:
      curate recipes
      curate recipes show fineweb-paper
      curate recipes show fineweb-paper > mine.toml     a start for your own
      curate recipes diff fineweb-code fineweb-paper
      curate recipes lint mine.toml --run curated
    """
    return None if context.invoked_subcommand else list_recipes(json=json)


@app.command("list")
def list_recipes(json: JsonOption = False) -> int:
    """List the recipes that come with curate.

    \b
    Example:
      curate recipes list --json
    """
    from curate.cli.display.recipes import show_recipes

    return show_recipes(json=json)


@app.command()
def show(recipe: Recipe, json: JsonOption = False) -> int:
    """Show a recipe as a TOML file: every number, its source, and what of the original is missing.

    \b
    Example:
      curate recipes show fineweb-paper > mine.toml
    """
    from curate.cli.display.recipes import show_recipe

    return show_recipe(recipe, json=json)


@app.command()
def diff(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A recipe; `default` is what runs without one.", autocompletion=completion.recipes
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.", autocompletion=completion.recipes)],
    json: JsonOption = False,
) -> int:
    """Show every setting in which two recipes differ; exit code 1 if there is one.

    \b
    Example:
      curate recipes diff fineweb-code fineweb-paper
    """
    from curate.cli.display.recipes import show_difference

    return show_difference(a, b, json=json)


@app.command()
def lint(
    recipe: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE...",
            help="Names or files; default: all that come with curate.",
            autocompletion=completion.recipes,
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Also judge the documents of this finished run.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Find rules of a recipe that are wrong or without effect; exit code 1 if `[accepted]` does not name one.

    With --run, the documents of a finished run are judged again by the recipe (without one: by the run's own settings),
    from the signals it stored, and rules that removed no document are named.

    \b
    Examples:
      curate recipes lint mine.toml
      curate recipes lint gopher --run curated
    """
    from curate.cli.display.lint import show_findings

    return show_findings(recipe or [], run, json=json)
