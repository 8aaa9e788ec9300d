"""``curate sample`` on the terminal: documents with what decided about them, pairs with their difference."""

import json as jsonlib
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from curate.cli.display.console import Color, console
from curate.cli.display.notes import printable
from curate.cli.display.questions.why import show_text, show_twin
from curate.errors import ExitCode
from curate.report.choice import Chosen, Limit, Question
from curate.runs.questions import sampled
from curate.store.files import place
from curate.store.life import Life
from curate.text.core.difference import difference


def show_sample(run: str, question: Question, *, json: bool, color: Color) -> int:
    """Print documents that answer the question.

    Raises:
        UserError: contradictory flags.
        InputError: the run has no such stage, reason or source.
    """
    lives, chosen = sampled(place(run), question)
    if json:
        found = [_as_data(life, chosen.limit) for life in lives]
        typer.echo(jsonlib.dumps({"of": chosen.of, "documents": found}, ensure_ascii=False))
        return ExitCode.DONE
    out = console(color, stderr=False)
    for life in lives:
        _show(out, life, chosen.limit)
    out.print(Text(_closing(chosen, question), "dim"), soft_wrap=True)
    return ExitCode.DONE


def _show(out: Console, life: Life, limit: Limit | None) -> None:
    origin = life.document["origin"]
    where = f"{life.document['source']}  {origin['file']}, position {origin['position']}"
    out.print(Text.assemble((printable(life.document["id"]), "bold"), (f"  {printable(where)}", "dim")), soft_wrap=True)
    reasons = [f"{verdict.stage}.{code}" for verdict in life.verdicts for code in verdict.reasons or ()]
    said = Text("  " + (", ".join(reasons) or "kept"), "red" if reasons else "green")
    if limit:
        said.append(f"   {limit.measure} = {_value(life, limit):.4g}, {limit.setting} = {limit.value:g}", "dim")
    out.print(said, soft_wrap=True)
    if life.survivor:
        show_twin(out, life)
    else:
        show_text(out, life)
    out.print()


def _value(life: Life, limit: Limit) -> float:
    stage, _, measure = limit.measure.partition(".")
    measures = next(verdict.measures for verdict in life.verdicts if verdict.stage == stage)
    return float(measures.get(measure) or 0)


def _closing(chosen: Chosen, question: Question) -> str:
    what = chosen.reason or (f"documents removed by {question.stage}" if question.stage else "")
    what = what or ("documents kept" if question.kept else "documents removed")
    what += f" of source {printable(question.source)}" * bool(question.source)
    order = f"nearest to {chosen.limit.setting} first" if chosen.limit else f"at random, seed {question.seed}"
    return f"{len(chosen.rows):,} of {chosen.of:,}: {what}; {order}"


def _as_data(life: Life, limit: Limit | None) -> dict[str, Any]:
    document = life.document
    data: dict[str, Any] = {
        "id": document["id"],
        "source": document["source"],
        "file": document["origin"]["file"],
        "position": document["origin"]["position"],
        "reasons": [f"{verdict.stage}.{code}" for verdict in life.verdicts for code in verdict.reasons or ()],
        "text": document["text"],
        **({"turns": document["turns"]} if document.get("turns") else {}),
    }
    if limit:
        data |= {"measure": limit.measure, "value": _value(life, limit), "limit": limit.value, "setting": limit.setting}
    if life.survivor:
        pieces = difference(life.survivor["text"], document["text"])
        proof = next(verdict.measures for verdict in life.verdicts if verdict.measures.get("survivor_at"))
        data |= {
            "survivor": life.survivor["id"],
            "survivor_source": life.survivor["source"],
            "survivor_run": proof.get("survivor_run"),
            "jaccard": proof["jaccard"],
            "difference": [piece._asdict() for piece in pieces],
        }
    return data
