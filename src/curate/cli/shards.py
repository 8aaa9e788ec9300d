"""``curate shards``: look at token shards and prove that they are whole."""

from typing import Annotated

import typer

from curate.cli.options import JsonOption

app = typer.Typer(
    no_args_is_help=True, help="Look at token shards and prove that they are whole.", rich_markup_mode=None
)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="Folder of shards, or the run directory it lies in.")]


@app.command()
def verify(
    folder: Folder,
    every: Annotated[bool, typer.Option("--all", help="Decode and compare every document, not a sample.")] = False,
    json: JsonOption = False,
) -> int:
    """Read every shard again: hashes, counts and ids of all, and of 100 documents the text, decoded and compared.

    Says how many texts come back as they were, as the tokenizer writes them, or without characters that it does not
    know. Exit code 1 when anything is wrong.
    """
    from curate.ui.shards import show_verification

    return show_verification(folder, every=every, json=json)


@app.command()
def peek(
    folder: Folder,
    n: Annotated[int, typer.Option("-n", min=1, help="Documents to show.")] = 3,
    shard: Annotated[int, typer.Option("--shard", min=0, help="Which shard.")] = 0,
    document: Annotated[str | None, typer.Option("--id", help="Only this document.")] = None,
    json: JsonOption = False,
) -> int:
    """Show documents decoded from their tokens."""
    from curate.ui.shards import show_documents

    return show_documents(folder, n=n, shard=shard, document=document, json=json)
