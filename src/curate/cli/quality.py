"""``curate quality``: make a quality model of examples."""

from typing import Annotated

import typer

from curate.cli.grouped_help import CommandGroup
from curate.cli.options import ConfigOption, JsonOption, SetOption

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def quality() -> None:
    """Train a quality model on examples.

    \b
    Example:
      curate quality train --good books/ --bad crawl.jsonl.gz -o good.curate-model
    """


@app.command()
def train(
    good: Annotated[
        list[str],
        typer.Option("--good", metavar="PATH", help="Examples of good text; repeatable.", show_default=False),
    ],
    bad: Annotated[
        list[str],
        typer.Option("--bad", metavar="PATH", help="Examples of bad text; repeatable.", show_default=False),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Model file; its card is written beside it as .html.")
    ] = "good.curate-model",
    prior: Annotated[
        float, typer.Option("--prior", help="Share of good documents in the text that the model will be used on.")
    ] = 0.5,
    limit: Annotated[int, typer.Option("--limit", min=100, help="Use at most this many documents per side.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", envvar="CURATE_SEED", min=0, help="Seed of every random draw.")] = 42,
    group: Annotated[
        str,
        typer.Option("--group", metavar="FIELD", help="Field that groups documents, such as versions of one text."),
    ] = "",
    config: ConfigOption = None,
    assignments: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing model.")] = False,
    json: JsonOption = False,
) -> int:
    """Train a small classifier that separates good text from bad, and measure it on documents that it never saw.

    Reads whatever `curate run` reads. Needs at least 50 different documents per side; a few thousand are better.

    \b
    Examples:
      curate quality train --good books/ --bad crawl.jsonl.gz -o good.curate-model
      curate run corpus/ -c curate.toml --set classify.model=good.curate-model
    """
    from curate.cli.display.training import show_training

    return show_training(
        good, bad, output, prior=prior, limit=limit, seed=seed, group=group, config_file=config,
        assignments=assignments or [], force=force, json=json,
    )  # fmt: skip
