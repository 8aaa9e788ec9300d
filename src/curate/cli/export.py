"""``curate export``: the text itself."""

from typing import Annotated

import typer

from curate.cli.options import JsonOption, RunArgument


def export(
    run: RunArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .jsonl, .jsonl.gz, .jsonl.zst or .parquet file, a folder, or - (JSON lines).",
        ),
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="id, text, source, file, position, metadata, raw_bytes, turns, record, reasons, language, score,"
            " copies, tokens, or any STAGE.MEASURE; commas between them.",
        ),
    ] = None,
    removed: Annotated[
        bool, typer.Option("--removed", help="Write the removed documents, with their reasons, not the kept ones.")
    ] = False,
    order: Annotated[str, typer.Option("--order", metavar="ORDER", help="input, or shuffle (by --seed).")] = "input",
    seed: Annotated[int, typer.Option("--seed", envvar="CURATE_SEED", min=0, help="Seed of the shuffle.")] = 42,
    to: Annotated[
        str, typer.Option("--to", metavar="TRAINER", help="nanochat: a folder of its text shards, shuffled.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: JsonOption = False,
) -> int:
    """Write the kept documents as text, with all edits applied; conversations in their original shape.

    \b
    Examples:
      curate export curated -o kept.jsonl.zst
      curate export curated -o kept.parquet --columns id,text --order shuffle
      curate export curated -o removed.jsonl --removed
      curate export curated -o - | head -3
      curate export curated -o base_data/ --to nanochat
    """
    import json as jsonlib

    from curate.cli.display.console import console
    from curate.errors import ExitCode, UserError
    from curate.pipeline.exporting.exporting import Wanted, columns_from
    from curate.pipeline.exporting.exporting import export as write
    from curate.pipeline.exporting.nanochat_shards import export_nanochat
    from curate.report.quantities import counted
    from curate.store.files import place

    if order not in {"input", "shuffle"}:
        raise UserError(f"`--order` must be `input` or `shuffle`, but is `{order}`", hint="--order shuffle")
    wanted = Wanted(removed=removed, columns=columns_from(columns or []), order=order, seed=seed)
    if to not in {"", "nanochat"}:
        raise UserError(f"`--to` must be `nanochat`, but is `{to}`", hint="--to nanochat")
    if to and (removed or columns):
        raise UserError("nanochat's shards hold only the text of kept documents", hint="omit --removed and --columns")
    to_stdout = output == "-"
    if to_stdout and (to or json):
        raise UserError(f"`-o -` writes lines of JSON, and nothing else; `{'--to' if to else '--json'}` needs a file")
    made = (
        export_nanochat(place(run), place(output), seed)
        if to
        else write(place(run), place(output), wanted, force=force)
    )
    if json:
        typer.echo(jsonlib.dumps(made._asdict(), ensure_ascii=False))
        return ExitCode.DONE
    if not to_stdout:
        typer.echo(output)
    size = "" if to_stdout else f", {made.bytes:,} bytes"
    console().print(f"{counted(made.documents, 'document')}{size}", highlight=False)
    return ExitCode.DONE
