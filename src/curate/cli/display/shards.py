"""Shards on the terminal: is all of it whole, and what does it say."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import share
from curate.cli.display.notes import note, printable
from curate.errors import ExitCode, UserError, nearest
from curate.report.quantities import counted
from curate.settings.file import toml_value
from curate.shards.convert import convert
from curate.shards.format import INDEX_FILES
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex, read_index
from curate.shards.peek import Peek, peek
from curate.shards.provenance.locate import locate, shard_named
from curate.shards.settings import ShardSettings
from curate.shards.verify import VerifyReport, verify
from curate.store.files import place
from curate.store.run_directory import SHARDS

SHOWN_CHARACTERS = 800


def show_verification(folder: str, *, every: bool, json: bool) -> int:
    """Read everything again and print what is wrong; exit code 1 when something is."""
    report = verify(_shards_in(folder), every=every)
    if json:
        typer.echo(msgspec.json.encode(report).decode())
        return ExitCode.DONE if report.ok else ExitCode.GATE_FAILED
    err = console()
    for problem in report.problems:
        place = f" ({problem.file}{', ' + problem.document if problem.document else ''})"
        note(err, "error", problem.sentence.rstrip(".") + place)
    if report.lacking and report.ok:
        lacking = f"{report.lacking:,} of {report.compared:,} compared documents"
        note(err, "warning", f"{lacking} have characters that are only unknown tokens: {report.first_lacking}")
    if not report.ok:
        return ExitCode.GATE_FAILED
    console(stderr=False).print(
        Text(
            f"{counted(report.shards, 'whole shard')}: {counted(report.documents, 'document')}, "
            f"{report.tokens:,} tokens; {report.traced:,} traced to the run's record; {_compared(report)}"
        ),
        soft_wrap=True,
    )
    return ExitCode.DONE


def _compared(report: VerifyReport) -> str:
    """What became of the documents that were decoded, and how many were not."""
    decoded = f"{report.decoded:,} of {report.documents:,} decoded"
    if not report.compared:
        return f"{decoded}, not compared with any text: the run is not here"
    same = report.compared - report.rewritten - report.lacking
    found = [f"{same:,} equal their text"]
    found += [f"{report.rewritten:,} as the tokenizer writes it, nothing lost"] if report.rewritten else []
    found += [f"{report.lacking:,} lack characters"] if report.lacking else []
    more = " (--all decodes every one)" if report.decoded < report.documents else ""
    return f"{decoded}{more}: {', '.join(found)}"


def show_documents(folder: str, *, n: int, shard: int, document: str | None, mask: bool, json: bool) -> int:
    """Print documents decoded from their tokens; with ``mask`` what the model is to learn stands out."""
    found = peek(_shards_in(folder), n, shard=None if document else shard, id=document)
    if json:
        typer.echo(jsonlib.dumps([one._asdict() for one in found], ensure_ascii=False))
        return ExitCode.DONE
    if mask and found and not found[0].runs:
        raise UserError(f"the shards of `{folder}` have no loss mask", hint="only those of format sft have one")
    out = console(stderr=False)
    for one in found:
        heading = f"{one.id}  shard {one.shard}, offset {one.offset:,}, {one.n_tokens:,} tokens"
        out.print(Text(printable(heading), "bold"), soft_wrap=True)
        if mask:
            out.print(_masked(one), soft_wrap=True)
            out.print()
            continue
        short = one.text[:SHOWN_CHARACTERS]
        out.print(Text(printable(short) + (" …" if len(one.text) > len(short) else "")), soft_wrap=True)
        out.print()
    return ExitCode.DONE


def _masked(one: Peek) -> Text:
    """A conversation as the model reads it: what it learns in colour and between double brackets."""
    shown = Text()
    for text, learnt in one.runs:
        shown.append(printable(f"⟦{text}⟧" if learnt else text), "bold green" if learnt else "dim")
    return shown


def convert_shards(folder: str, to: str, out: str, assignments: Sequence[str], *, split: str = "", json: bool) -> int:
    """Write the shards in another format; print the folder and the trainer's lines."""
    source, target = _shards_in(folder), place(out)
    if to not in FORMATS:
        raise UserError(f"`--to` is `{to}`, which is not a shard format", hint=nearest(to, FORMATS))
    index = read_index(source)
    given = {
        "format": to,
        "shard_tokens": index.shard_tokens,
        **{key: value for key, _, value in (each.partition("=") for each in assignments)},
    }
    section = "shards."
    settings = {
        key.removeprefix(section): toml_value(value) if isinstance(value, str) and key != "format" else value
        for key, value in given.items()
    }
    _check_packing(index, settings)
    try:
        made = convert(source, target, msgspec.convert(settings, ShardSettings), split)
    except msgspec.ValidationError as error:
        raise UserError(str(error), hint="curate shards convert --help") from error
    if json:
        typer.echo(jsonlib.dumps({"folder": out, **_figures(target, made)}, ensure_ascii=False))
        return ExitCode.DONE
    typer.echo(out)
    err = console()
    documents, shards = counted(made.documents, "document"), counted(len(made.shards), "shard")
    err.print(Text(f"{documents}, {made.tokens:,} tokens in {shards}"))
    for window, lost in made.lost.items():
        err.print(
            Text(f"with sequences of {int(window):,} tokens the reader drops {lost:,} ({share(lost, made.tokens)})")
        )
    err.print(Text(_figures(target, made)["usage"]), soft_wrap=True)
    return ExitCode.DONE


def _check_packing(index: ShardIndex, settings: dict[str, Any]) -> None:
    """Sequences stay as they are where nothing is said of them.

    Raises:
        UserError: what is said has no effect.
    """
    if settings.get("packing", index.packing) != "none":
        settings.setdefault("packing", index.packing)
        settings.setdefault("sequence_length", index.sequence_length or ShardSettings().sequence_length)
    elif index.sequence_length:
        raise UserError(
            f"packed shards keep their sequences (`{index.packing}`), but `shards.packing` is `none`",
            hint="curate run … --set shards.packing=none, then convert",
        )
    elif "sequence_length" in settings:
        raise UserError(
            f"`shards.sequence_length` is {settings['sequence_length']}, but these shards are not packed",
            hint="--set shards.packing=concatenate",
        )


def _figures(folder: Path, index: ShardIndex) -> dict[str, Any]:
    return {
        "format": index.format,
        "dtype": index.dtype,
        "shards": len(index.shards),
        "documents": index.documents,
        "tokens": index.tokens,
        "lost": index.lost,
        "usage": FORMATS[index.format].usage(folder, index.shards, index.layout),
    }


def show_place(shard: str, offset: int, *, json: bool) -> int:
    """Print the document that a token is of."""
    found = locate(*shard_named(shard), offset)
    if json:
        typer.echo(msgspec.json.encode(found).decode())
        return ExitCode.DONE
    where = f"{found.file}:{found.position}" if found.file else "the run that has its file is not around the shards"
    lines = [f"id        {found.id}", f"source    {found.source or ''}", f"file      {where}"]
    lines += [f"token     {found.token:,} of {found.n_tokens:,}"]
    for line in lines:
        console(stderr=False).print(Text(printable(line)), soft_wrap=True)
    return ExitCode.DONE


def _shards_in(folder: str) -> Path:
    path = place(folder)
    return (
        path / SHARDS if not any((path / name).exists() for name in INDEX_FILES) and (path / SHARDS).is_dir() else path
    )
