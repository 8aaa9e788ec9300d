"""``curate explain``: what a reason, a stage or a setting means."""

from typing import Annotated

import typer


def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A reason, a stage, or config.SECTION.")],
) -> int:
    """Say what a reason, a stage or a section of the settings means.

    \b
    Examples:
      curate explain quality.too_few_words
      curate explain near_dup
      curate explain config.language
    """
    from curate.cli.display.explanation import show_explanation

    return show_explanation(code)
