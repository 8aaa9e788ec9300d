"""``curate quality train``: the model and its card written, what was found shown."""

import datetime as dt
import json as jsonlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.notes import note
from curate.errors import ExitCode
from curate.pipeline.planning.config import load
from curate.store.files import write_whole
from curate.store.ownership.outputs import require_absent
from curate.training.card import card
from curate.training.training import LIMIT, PRIOR, Training, train


def show_training(
    good: Sequence[str],
    bad: Sequence[str],
    output: str,
    *,
    prior: float,
    limit: int,
    seed: int,
    group: str,
    config_file: str | None,
    assignments: Sequence[str],
    force: bool,
    json: bool,
) -> int:
    """Train, write ``output`` and its card, print where they are and how good the model is.

    Raises:
        UserError: the model or its card is there already, or the examples make none.
    """
    target = Path(output)
    page = target.with_suffix(".html") if target.suffix != ".html" else target.with_suffix(".card.html")
    for file in (target, page):
        require_absent(file, force=force)
    config = load(Path(config_file) if config_file else None, {}, assignments)
    model, training = train(good, bad, config, prior=prior, seed=seed, limit=limit, group=group)
    command = _command(good, bad, output, prior, limit, seed, group, config_file, assignments)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    write_whole(target, model.to_bytes())
    write_whole(page, card(model, training, name=target.name, command=command, date=today).encode())
    for warning in training.warnings:
        note(console(), "warning", warning)
    if json:
        typer.echo(
            jsonlib.dumps({"model": output, "card": str(page), **msgspec.to_builtins(training)}, ensure_ascii=False)
        )
    else:
        _show(training, str(page))
        typer.echo(output)
    return ExitCode.DONE


def _show(training: Training, page: str) -> None:
    found = training.figures
    err = console()
    lines = (
        f"AUC {found.auc:.3f} ({found.auc_least:.3f} to {found.auc_most:.3f}); length alone {found.length_auc:.3f}",
        f"Measured on {found.good:,} good and {found.bad:,} bad documents that the model never saw",
        f"Calibration error {found.calibration_error:.3f} where {training.prior:.3g} of all documents are good",
        f"Fitted on {training.good.fit:,} good and {training.bad.fit:,} bad documents",
        f"Card {page}",
    )
    for line in lines:
        err.print(Text(line), soft_wrap=True)


def _command(
    good: Sequence[str],
    bad: Sequence[str],
    output: str,
    prior: float,
    limit: int,
    seed: int,
    group: str,
    config_file: str | None,
    assignments: Sequence[str],
) -> str:
    words = ["curate", "quality", "train"]
    for flag, paths in (("--good", good), ("--bad", bad), ("--set", assignments)):
        for path in paths:
            words += [flag, path]
    words += ["-o", output]
    words += ["--prior", f"{prior:g}"] if prior != PRIOR else []
    words += ["--limit", str(limit)] if limit != LIMIT else []
    words += ["--seed", str(seed)]
    words += ["--group", group] if group else []
    words += ["-c", config_file] if config_file else []
    return shlex.join(words)
