"""``curate check``: a look at a corpus before the run."""

from typing import Annotated

import typer

from curate.cli.options import ColorOption, ConfigOption, JsonOption, RecipeOption, SetOption


def check(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Folders, files or globs.", show_default=False)],
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the suggested settings to curate.toml, which must not exist.")
    ] = False,
    json: JsonOption = False,
    color: ColorOption = "auto",
) -> int:
    """Look at a corpus: its formats, fields and languages, and what a run over it would take.

    Every file is inspected, and the stages are tried on some pieces of them. Nothing is written.

    \b
    Examples:
      curate check corpus/
      curate check crawl.warc.gz --recipe fineweb-code
      curate check corpus/ --write
    """
    from curate.cli.display.checkup import show_checkup

    return show_checkup(paths, recipe, config, assignments or [], write=write, json=json, color=color)
