"""``curate config``: every setting, its value and where it came from."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.options import ConfigOption, JsonOption, RecipeOption, SetOption


def config(
    section: Annotated[
        str | None,
        typer.Argument(
            metavar="SECTION",
            help="Only this section, or this setting: SECTION.KEY.",
            autocompletion=completion.sections,
        ),
    ] = None,
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    json: JsonOption = False,
) -> int:
    """Show resolved settings and where each came from.

    \b
    Examples:
      curate config
      curate config near_dup --recipe fineweb-paper
      curate config quality.min_words
      curate config quality --set quality.min_words=20
    """
    from curate.cli.display.settings import show_settings

    return show_settings(section, config, assignments or [], recipe=recipe, json=json)
