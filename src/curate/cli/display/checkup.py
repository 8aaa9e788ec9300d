"""What ``curate check`` tells, as people read it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from curate.cli.display.console import Color, console
from curate.cli.display.format import about, count, duration, share, size
from curate.cli.display.notes import note, printable
from curate.errors import ExitCode
from curate.pipeline.planning.config import FILE_NAME
from curate.pipeline.planning.extrapolation import Guess
from curate.pipeline.planning.trial import Trial
from curate.report.quantities import counted
from curate.runs.checkup import Checkup, checkup
from curate.runs.job import Job
from curate.store.files import write_whole
from curate.store.ownership.outputs import require_absent

_SHOWN = 6
"""Languages, reasons and the like that are named; ``--json`` has all."""


def show_checkup(
    paths: Sequence[str],
    recipe: str | None,
    config: str | None,
    assignments: Sequence[str],
    *,
    write: bool,
    json: bool,
    color: Color,
) -> int:
    """Look, and say what was found.

    Raises:
        UserError: ``write``, and the file is there already.
    """
    target = Path(FILE_NAME)
    if write:
        shown = "curate check without --write shows the lines to add"
        require_absent(target, force=False, hint=shown, elsewhere=shown)
    job = Job(paths, config_file=config, assignments=assignments, flags={"pipeline.recipe": recipe})
    found, notes = checkup(job)
    err = console(color)
    if json:
        sys.stdout.write(msgspec.json.encode({**msgspec.to_builtins(found), "toml": found.toml}).decode() + "\n")
    else:
        for label, text in _lines(found):
            err.print(Text.assemble((f"{label:<13}", "bold"), printable(text)), soft_wrap=True)
        err.print()
    for warned in notes:
        note(err, "warning", warned.message, warned.hint)
    if write:
        write_whole(target, found.toml.encode())
        sys.stdout.write(f"{FILE_NAME}\n" * (not json))
    elif not json and found.toml:
        err.print(f"Settings to start from, for {FILE_NAME} (--write):\n", highlight=False)
        sys.stdout.write(found.toml)
    return ExitCode.DONE


def _lines(found: Checkup) -> Iterator[tuple[str, str]]:
    trial = found.trial
    yield "Input", f"{counted(found.files, 'file')}, {size(found.bytes)}"
    for one in found.formats[:_SHOWN]:
        yield "", f"{one.format}: {counted(one.files, 'file')}, {size(one.bytes)}"
    for role, names in found.fields.items():
        fields = ", ".join(f"`{name}` ({counted(files, 'file')})" for name, files in list(names.items())[:_SHOWN])
        yield "Field", f"{role} = {fields}{'   guessed' * (role in found.guessed)}"
    if found.skipped:
        yield "Not read", _listed(found.skipped)
    if found.unreadable:
        yield "Quarantine", _listed(found.unreadable)
    where = "all of it" if trial.whole else f"{counted(trial.pieces, 'piece')} of it"
    yield "Tried on", f"{where}: {counted(trial.documents, 'document')}, {size(trial.text_bytes)} of text"
    yield from _of_text(trial)
    yield "Expect", f"documents: {about(trial.all_documents, count)}; text: {about(trial.all_text_bytes, size)}"
    if trial.all_tokens:
        yield "", f"{about(trial.all_tokens, count)} tokens, before near-duplicates are removed"
    if found.travel_bytes:
        yield "", f"{size(found.travel_bytes)} from object stores, each object once"
    yield (
        "",
        (
            f"{about(found.seconds, duration)} on {counted(found.workers, 'worker')},"
            f" {about(found.disk_bytes, size)} of disk, about {size(found.memory_bytes)} of memory"
        ),
    )


def _of_text(trial: Trial) -> Iterator[tuple[str, str]]:
    if len(trial.encodings) > 1:
        yield "Encodings", _shares(trial.encodings, trial.documents)
    if trial.languages:
        yield "Languages", _shares(trial.languages, sum(trial.languages.values()))
    if trial.lengths:
        yield "Characters", ", ".join(f"{name} {length:,}" for name, length in trial.lengths.items())
    copies = f"{_percent(trial.exact_copies)} are exact copies of another"
    if trial.near_copies:
        copies += f"; of those that the rules keep, {_percent(trial.near_copies)} are near-copies"
    yield "Copies", copies + ("" if trial.whole else " among the documents tried; the whole corpus has more")
    yield "Kept", f"{_percent(trial.kept)} of the documents, before near-duplicates are removed"
    if trial.reasons:
        yield "Removed", _shares(trial.reasons, trial.documents)
    if trial.quarantined:
        yield "Unreadable", ", ".join(f"{number:,} {code}" for code, number in trial.quarantined.items())
    if trial.passed_over:
        yield "No pages", ", ".join(f"{number:,} {code}" for code, number in trial.passed_over.items())


def _shares(counts: Mapping[str, int], whole: int) -> str:
    shown = [f"{name} {share(number, whole)}" for name, number in list(counts.items())[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else "")


def _percent(guess: Guess) -> str:
    error = "" if not guess.error else f" ± {100 * guess.error:.1f}"
    return f"{100 * guess.value:.1f}{error} %"


def _listed(entries: Sequence[Mapping[str, str]]) -> str:
    first, more = entries[0], len(entries) - 1
    return f"`{first['path']}`{f' and {more:,} more' if more else ''}: {first['why']}"
