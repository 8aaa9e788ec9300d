"""``curate tokenizer``: make a tokenizer of kept text, and say what another one would cost."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.grouped_help import CommandGroup
from curate.cli.options import JsonOption, RunArgument

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    help="""Train a tokenizer on kept text, and compare what tokenizers cost.

\b
Examples:
  curate tokenizer train curated -o tokenizer.json
  curate tokenizer compare cl100k_base tokenizer.json curated
""",
    rich_markup_mode=None,
)
Tokenizer = Annotated[
    str,
    typer.Argument(
        help="cl100k_base, o200k_base, bytes, or the path of a tokenizer; see docs/tokenizers.md.",
        autocompletion=completion.tokenizers,
    ),
]
SampleOption = Annotated[
    float, typer.Option("--sample", min=0, metavar="MB", help="Most text to encode, in megabytes; 0: all.")
]


@app.command()
def train(
    run: RunArgument,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The tokenizer.json to write.")],
    vocabulary: Annotated[int, typer.Option("--vocabulary", metavar="IDS", help="Size of the vocabulary.")] = 32_768,
    digits: Annotated[int, typer.Option("--digits", help="Most digits per token.")] = 3,
    control: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            metavar="TOKEN",
            help="A control token; repeatable. The first ends documents.  [default: <|endoftext|>]",
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        float, typer.Option("--sample", min=0.001, metavar="MB", help="Most text to learn from, in megabytes.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", envvar="CURATE_SEED", min=0, help="Seed of every random draw.")] = 42,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: JsonOption = False,
) -> int:
    """Learn a byte-level BPE vocabulary from the kept text of a run, and show bytes per token by language and source.

    \b
    Examples:
      curate tokenizer train curated -o tokenizer.json --vocabulary 65536
      curate run corpus/ -o curated --set tokenize.tokenizer=tokenizer.json
    """
    from curate.cli.display.tokenizers import train_and_show

    return train_and_show(
        run, output, vocabulary=vocabulary, digits=digits, control=control or [], sample=sample, seed=seed,
        force=force, json=json,
    )  # fmt: skip


@app.command()
def compare(
    first: Tokenizer,
    second: Tokenizer,
    run: RunArgument,
    sample: SampleOption = 50,
    seed: Annotated[int, typer.Option("--seed", envvar="CURATE_SEED", min=0, help="Seed of every random draw.")] = 42,
    json: JsonOption = False,
) -> int:
    """Compare how many tokens the kept text of a run takes with two tokenizers, by language and source.

    \b
    Example:
      curate tokenizer compare cl100k_base tokenizer.json curated
    """
    from curate.cli.display.tokenizers import compare_and_show

    return compare_and_show(first, second, run, sample=sample, seed=seed, json=json)
