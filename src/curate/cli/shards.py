"""``curate shards``: look at token shards and prove that they are whole."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.grouped_help import CommandGroup
from curate.cli.options import JsonOption

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    help="""Verify, inspect and convert token shards.

\b
Examples:
  curate shards verify curated
  curate shards peek curated -n 5
  curate shards convert curated --to megatron -o megatron/
""",
    rich_markup_mode=None,
)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="Folder of shards, or the run directory that holds it.")]


@app.command()
def verify(
    folder: Folder,
    every: Annotated[bool, typer.Option("--all", help="Decode and compare every document, not only a sample.")] = False,
    json: JsonOption = False,
) -> int:
    """Check every shard: hashes, counts and ids of all documents, and the decoded text of 100 of them.

    Says how many texts come back as they were, as the tokenizer writes them, or without characters that it does not
    know. Exit code 1 when anything is wrong.

    \b
    Examples:
      curate shards verify curated
      curate shards verify curated --all --json
    """
    from curate.cli.display.shards import show_verification

    return show_verification(folder, every=every, json=json)


@app.command()
def peek(
    folder: Folder,
    n: Annotated[int, typer.Option("-n", min=1, help="Documents to show.")] = 3,
    shard: Annotated[int, typer.Option("--shard", min=0, help="Which shard.")] = 0,
    document: Annotated[str | None, typer.Option("--id", help="Only this document.")] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Show rows as the model reads them, and which tokens have loss.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Show documents decoded from their tokens.

    \b
    Examples:
      curate shards peek curated -n 5
      curate shards peek curated --id doc-17
    """
    from curate.cli.display.shards import show_documents

    return show_documents(folder, n=n, shard=shard, document=document, mask=mask, json=json)


@app.command()
def convert(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="parquet, sft, bin, megatron, olmo, datatrove, litdata, mds or arrayrecord.",
            autocompletion=completion.shard_formats,
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Folder for the new shards.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of [shards], such as shards.shard_tokens=1000000."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            "--split", metavar="NAME", help="validation: convert the validation shards, not those for training."
        ),
    ] = "",
    json: JsonOption = False,
) -> int:
    """Write shards in another trainer's format, without tokenising again.

    \b
    Examples:
      curate shards convert curated --to megatron -o megatron/
      curate shards convert curated --to bin -o llmc/ --set shards.header=llm.c

    Says how many tokens the trainer's reader drops at common sequence lengths, and prints code to read the folder.
    """
    from curate.cli.display.shards import convert_shards

    return convert_shards(folder, to, output, assignments or [], split=split, json=json)


@app.command()
def locate(
    shard: Annotated[
        str, typer.Argument(metavar="SHARD", help="A shard's file, such as curated/shards/shard-00000.bin.")
    ],
    offset: Annotated[int, typer.Argument(metavar="OFFSET", min=0, help="Position of a token in the shard, from 0.")],
    json: JsonOption = False,
) -> int:
    """Say which document a token belongs to: its id, source, file and position.

    \b
    Example:
      curate shards locate curated/shards/shard-00000.parquet 5000
    """
    from curate.cli.display.shards import show_place

    return show_place(shard, offset, json=json)
