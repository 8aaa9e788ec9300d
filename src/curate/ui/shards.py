"""Shards on the terminal: is all of it whole, and what does it say."""

import json as jsonlib
from pathlib import Path

import msgspec
import typer
from rich.text import Text

from curate.errors import ExitCode
from curate.shards.index import INDEX_FILE
from curate.shards.peek import peek
from curate.shards.verify import VerifyReport, verify
from curate.store.run_directory import SHARDS
from curate.ui.console import console
from curate.ui.format import counted
from curate.ui.notes import note, printable

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
            f"{counted(report.shards, 'whole shard')}: {report.documents:,} documents, {report.tokens:,} tokens; "
            f"{report.traced:,} traced to the run's record; {_compared(report)}"
        ),
        soft_wrap=True,
    )
    return ExitCode.DONE


def _compared(report: VerifyReport) -> str:
    """What became of the documents that were decoded, and how many were not."""
    decoded = f"{report.decoded:,} of {report.documents:,} decoded"
    if not report.compared:
        return f"{decoded}, compared with no text: the run is not here"
    same = report.compared - report.rewritten - report.lacking
    found = [f"{same:,} equal their text"]
    found += [f"{report.rewritten:,} as the tokenizer writes it, nothing lost"] if report.rewritten else []
    found += [f"{report.lacking:,} lack characters"] if report.lacking else []
    more = " (--all decodes every one)" if report.decoded < report.documents else ""
    return f"{decoded}{more}: {', '.join(found)}"


def show_documents(folder: str, *, n: int, shard: int, document: str | None, json: bool) -> int:
    """Print documents decoded from their tokens."""
    found = peek(_shards_in(folder), n, shard=None if document else shard, id=document)
    if json:
        typer.echo(jsonlib.dumps([one._asdict() for one in found], ensure_ascii=False))
        return ExitCode.DONE
    out = console(stderr=False)
    for one in found:
        heading = f"{one.id}  shard {one.shard}, offset {one.offset:,}, {one.n_tokens:,} tokens"
        out.print(Text(printable(heading), "bold"), soft_wrap=True)
        short = one.text[:SHOWN_CHARACTERS]
        out.print(Text(printable(short) + (" …" if len(one.text) > len(short) else "")), soft_wrap=True)
        out.print()
    return ExitCode.DONE


def _shards_in(folder: str) -> Path:
    path = Path(folder)
    return path / SHARDS if not (path / INDEX_FILE).exists() and (path / SHARDS).is_dir() else path
