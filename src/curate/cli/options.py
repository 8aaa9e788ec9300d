"""Flags that several verbs share."""

import sys
from typing import Annotated

import typer

from curate import __version__
from curate.cli import completion
from curate.cli.display.console import Color

ColorOption = Annotated[
    Color,
    typer.Option("--color", envvar="CURATE_COLOR", help="Colour: auto, always or never (NO_COLOR is honoured)."),
]
JsonOption = Annotated[bool, typer.Option("--json", envvar="CURATE_JSON", help="Print one JSON object on stdout.")]
ConfigOption = Annotated[
    str | None,
    typer.Option("--config", "-c", envvar="CURATE_CONFIG", metavar="FILE", help="Settings file; see `curate init`."),
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        envvar="CURATE_RECIPE",
        metavar="NAME",
        help="Published recipe or file; see `curate recipes`.",
        autocompletion=completion.recipes,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        envvar="CURATE_SET",
        metavar="SECTION.KEY=VALUE",
        help="One setting; repeatable.",
        autocompletion=completion.settings,
    ),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished run.")]


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"curate {__version__}\n")
        raise typer.Exit


def version_option(
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_show_version, help="Show the version and exit."),
    ] = False,
) -> None:
    """Flags before the verb."""


def share(given: str) -> float:
    """A share as people type it.

    Example:
        >>> share("1%"), share("0.25")
        (0.01, 0.25)
    """
    try:
        return float(given.removesuffix("%").strip()) / (100 if given.endswith("%") else 1)
    except ValueError:
        raise typer.BadParameter(f"`{given}` is not a share such as 1% or 0.01", param_hint="'--sample'") from None
