"""``curate tokenizer``: tokenizers made and compared, shown."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import size
from curate.cli.display.notes import note, printable
from curate.errors import ExitCode, UserError
from curate.models.tokenizers import load_tokenizer
from curate.store.files import place, write_whole
from curate.store.ownership.outputs import require_absent
from curate.training.token_costs import Costs, token_costs
from curate.training.tokenizer_training import TokenizerSettings, train_tokenizer

SHOWN = 12
"""Languages, and sources, that are shown; ``--json`` has all."""


def train_and_show(
    run: str,
    output: str,
    *,
    vocabulary: int,
    digits: int,
    control: Sequence[str],
    sample: float,
    seed: int,
    force: bool,
    json: bool,
) -> int:
    """Train, write the file, print where it is and what text costs with it.

    Raises:
        UserError: the file is there already, or a setting is out of range.
    """
    target = Path(output)
    if target.suffix != ".json":
        raise UserError(f"`{output}` must end in `.json`", hint=f"-o {target.with_suffix('.json')}")
    require_absent(target, force=force)
    marks = tuple(control) or TokenizerSettings().control_tokens
    settings = TokenizerSettings(
        vocabulary=vocabulary, digits=digits, control_tokens=marks, sample_bytes=int(sample * 1e6), seed=seed
    )
    content, learned = train_tokenizer(place(run), settings)
    write_whole(target, content)
    tokenizer = load_tokenizer(output, end_of_document=marks[0])
    costs = token_costs(place(run), [tokenizer], seed=seed)
    if json:
        found = {"file": output, "learned_bytes": learned, "backend": tokenizer.backend, **msgspec.to_builtins(costs)}
        typer.echo(jsonlib.dumps(found, ensure_ascii=False))
        return ExitCode.DONE
    typer.echo(output)
    err = console()
    err.print(
        Text(f"{tokenizer.vocabulary_size:,} ids learned from {learned / 1e6:,.1f} MB; {tokenizer.backend} encodes")
    )
    if tokenizer.vocabulary_size < vocabulary:
        note(err, "warning", f"the text has no more words to merge: {vocabulary:,} ids were requested")
    err.print(_table(costs))
    return ExitCode.DONE


def compare_and_show(first: str, second: str, run: str, *, sample: float, seed: int, json: bool) -> int:
    """Print what the kept text costs with each."""
    costs = token_costs(place(run), [load_tokenizer(first), load_tokenizer(second)], int(sample * 1e6), seed)
    if json:
        typer.echo(msgspec.json.encode(costs).decode())
        return ExitCode.DONE
    out = console(stderr=False)
    rows = zip("AB", costs.tokenizers, costs.vocabulary, costs.unknown, strict=True)
    for letter, name, ids, lacking in rows:
        unknown = f", does not know {lacking:,} of {costs.characters:,} characters" if lacking else ""
        out.print(Text(f"{letter}  {printable(name)}  {ids:,} ids{unknown}"), soft_wrap=True)
    out.print(_table(costs))
    if not costs.exact:
        out.print(Text("Tokens are estimated from a sample of the documents (--sample 0 encodes all)."), soft_wrap=True)
    return ExitCode.DONE


def _table(costs: Costs) -> Table:
    """A row for each group; tokenizers are A and B, as the lines above say."""
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    letters = "AB"[: len(costs.tokenizers)] if len(costs.tokenizers) > 1 else [""]
    headings = ["bytes", *(f"{letter} tokens".strip() for letter in letters)]
    headings += [f"{letter} b/tok".strip() for letter in letters]
    for heading in [*headings, *(["B needs"] if len(letters) > 1 else [])]:
        table.add_column(heading, justify="right", no_wrap=True)
    shown = dict.fromkeys((cost.by for cost in costs.costs), 0)
    for cost in costs.costs:
        shown[cost.by] += 1
        if shown[cost.by] > SHOWN:
            continue
        row = [f"{cost.by} {printable(cost.group)}".strip(), size(cost.bytes)]
        row += [f"{each:,}" if each else "—" for each in cost.tokens]
        row += [f"{each:.2f}" if each else "—" for each in cost.bytes_per_token]
        if len(letters) > 1:
            row.append(_change(*cost.tokens))
        table.add_row(*map(Text, row))
    return table


def _change(one: int, other: int) -> str:
    return f"{100 * (other / one - 1):+.1f} %" if one else "—"
