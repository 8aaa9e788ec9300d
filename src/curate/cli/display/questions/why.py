"""``curate why`` on the terminal: one document, stage by stage, with a word diff against the kept copy."""

import json as jsonlib
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from curate.cli.display.console import Color, console
from curate.cli.display.notes import printable
from curate.cli.display.questions.difference import shown_difference
from curate.errors import ExitCode
from curate.report.masking import Masks, masked_life
from curate.report.quantities import beside
from curate.runs.questions import find
from curate.stages.contract import PASSED_OVER
from curate.store.files import place
from curate.store.life import Life, Partner, Verdict, edited_text
from curate.store.manifest_entries import Rule
from curate.text.chats.spans import moved_spans, turn_at
from curate.text.core.difference import difference

SHOWN_CHARACTERS = 600
SHOWN_EDITS = 20
SHOWN_PARTNERS = 3
SHOWN_TURNS = 12
_SHOWN_APART = ("edits", "span", "survivor_at", "survivor_run", "standing", "partners", "more_partners")


def show_life(run: str, document: str, *, json: bool, color: Color = "auto") -> int:
    """Print what happened to a document.

    Raises:
        InputError: no document of the run has that id.
    """
    lives, bad, masks, manifest = find(place(run), document)
    if json:
        found = [_as_data(life, masks) for life in lives]
        typer.echo(jsonlib.dumps({"documents": found, "quarantined": bad}, ensure_ascii=False, default=_plain))
        return ExitCode.DONE
    out = console(color, stderr=False)
    sentences = {(s.name, r.code): r.sentence for s in manifest.stages for r in s.reasons}
    rules = {(s.name, r.reason): r for s in manifest.stages for r in s.rules}
    for life in lives:
        _show(out, life, sentences, rules, masks)
    for entry in bad:
        out.print(
            Text(f"{document} was quarantined: {entry['reason']}. {printable(entry['detail'])}"),
            soft_wrap=True,
        )
    if len(lives) > 1:
        out.print(Text(f"{len(lives)} documents share this id.", "dim"))
    return ExitCode.DONE


def _as_data(life: Life, masks: Masks) -> dict[str, Any]:
    """Text and edits apart; the difference is that of the texts that were compared."""
    life = masked_life(life, masks) if masks.names else life
    data = life._asdict() | {
        "verdicts": [verdict._asdict() for verdict in life.verdicts],
        "partners": [partner._asdict() for partner in life.partners],
    }
    del data["edited"]
    if life.survivor:
        data["difference"] = [piece._asdict() for piece in difference(life.survivor["text"], life.text)]
    return data


def _show(
    out: Console,
    life: Life,
    sentences: dict[tuple[str, str], str],
    rules: Mapping[tuple[str, str], Rule],
    masks: Masks,
) -> None:
    origin, gone = life.document["origin"], life.removed_by
    outcome = Text(f"removed by {gone.stage}", "bold red") if gone else Text("kept", "bold green")
    out.print(Text.assemble((printable(life.document["id"]), "bold"), "  ", outcome), soft_wrap=True)
    out.print(
        Text(
            printable(f"  from {origin['file']}, position {origin['position']}, source {life.document['source']}"),
            "dim",
        )
    )
    text: bytes = life.document["text"].encode()
    turns = life.document.get("turns")
    for verdict in life.verdicts:
        _show_verdict(out, verdict, sentences, rules)
        _show_span(out, verdict.measures.get("span"), text, masks, turns)
        edits = verdict.measures.get("edits") or []
        _show_edits(out, edits, text, None if verdict.stage in masks.names else masks, turns)
        text = edited_text(text.decode(), edits).encode()
        turns = turns and moved_spans(turns, edits)
    life = masked_life(life, masks)
    if life.survivor:
        show_twin(out, life)
    else:
        _show_copies(out, life)
        _show_stand_in(out, life)
        show_text(out, life)
    out.print()


def _show_copies(out: Console, life: Life) -> None:
    """Print how many documents this one stands for."""
    copies = max((verdict.measures.get("copies") or 1 for verdict in life.verdicts), default=1) - 1
    if copies:
        said = f"  near_dup kept it instead of {copies:,} {'other' if copies == 1 else 'others'}"
        out.print(Text(said, "cyan"), soft_wrap=True)


def _show_stand_in(out: Console, life: Life) -> None:
    """Print who stands in the place of whom, where a later stage removed what a deduplicating one had preferred."""
    chose = next((verdict for verdict in life.verdicts if verdict.measures.get("standing")), None)
    if chose is None:
        return
    if chose.measures["standing"] == PASSED_OVER and life.removed_by:
        kept = [partner for partner in life.partners if not partner.removed_by]
        instead = f"{_names(kept)} takes its place" if kept else "no document similar to it is known to be kept"
        said = f"  {chose.stage} chose it first, but {life.removed_by.stage} removes it; {instead}"
        out.print(Text(said, "cyan"), soft_wrap=True)
    failed = [partner for partner in life.partners if partner.removed_by not in ("", chose.stage)]
    if failed and not life.removed_by:
        stages = ", ".join(dict.fromkeys(partner.removed_by for partner in failed))
        said = f"  it takes the place of {_names(failed)}, which {chose.stage} chose first and {stages} removed"
        out.print(Text(said, "cyan"), soft_wrap=True)


def _names(partners: list[Partner]) -> str:
    shown = ", ".join(printable(partner.id) for partner in partners[:SHOWN_PARTNERS])
    return shown + (f" and {len(partners) - SHOWN_PARTNERS:,} more" if len(partners) > SHOWN_PARTNERS else "")


def _show_verdict(
    out: Console,
    verdict: Verdict,
    sentences: dict[tuple[str, str], str],
    rules: Mapping[tuple[str, str], Rule],
) -> None:
    if verdict.reasons is None:
        out.print(Text(f"  {verdict.stage:<13}  not run: removed before", "dim"))
        return
    out.print(Text.assemble(f"  {verdict.stage:<13}  ", ("removed", "red") if verdict.reasons else ("kept", "green")))
    for code in verdict.reasons:
        out.print(Text(f"      {verdict.stage}.{code}: {sentences.get((verdict.stage, code), '')}"), soft_wrap=True)
        rule = rules.get((verdict.stage, code))
        value = verdict.measures.get(rule.measure) if rule else None
        if rule and value is not None and rule.limit is not None:  # none where only single languages have one
            said = f"{rule.measure} {beside(value, rule.limit)}, {rule.setting}"
            out.print(Text(f"        {said}", "bold"), soft_wrap=True)
    shown = {
        name: _plain(value)
        for name, value in verdict.measures.items()
        if name not in _SHOWN_APART and value not in (None, [])
    }
    if shown:
        out.print(Text(printable("      " + "  ".join(f"{k}={v}" for k, v in shown.items())), "dim"), soft_wrap=True)


def _show_span(
    out: Console, span: dict[str, int] | None, text: bytes, masks: Masks, turns: Sequence[Mapping[str, Any]] | None
) -> None:
    """Print the piece of the text that a measure called ``span`` points to, and of a conversation in which turn."""
    if span:
        if where := turn_at(turns, span["start"]):
            out.print(Text(f"      {where}", "cyan"))
        piece = printable(_cut(masks.piece(text, span["start"], span["end"])).replace("\n", "⏎"))
        out.print(Text.assemble((f"      bytes {span['start']} to {span['end']}  ", "dim"), piece), soft_wrap=True)


def _show_edits(
    out: Console,
    edits: list[dict[str, Any]],
    text: bytes,
    masks: Masks | None,
    turns: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Print what was cut or replaced in the text, as it may be shown; nothing of it without ``masks``."""
    for number, edit in enumerate(edits):
        if number == SHOWN_EDITS:
            out.print(Text(f"      … and {len(edits) - number:,} more edits", "dim"))
            break
        start, end = edit["start"], edit["end"]
        if masks is None:
            shown = Text(f"      hidden  {end - start} bytes at {start}", "dim")
        else:
            shown = Text("      cut  ", "dim")
            shown.append(printable(_cut(masks.piece(text, start, end)).replace("\n", "⏎")), "red strike")
        if edit["replacement"].strip():
            shown.append(f" → {printable(edit['replacement'])}", "green")
        if where := turn_at(turns, start):
            shown.append(f"  {where}", "cyan")
        out.print(shown, soft_wrap=True)


def show_twin(out: Console, life: Life) -> None:
    """Print which document stands for this one, and how their texts differ."""
    assert life.survivor
    measures = next(verdict.measures for verdict in life.verdicts if verdict.measures.get("survivor_at"))
    origin = life.survivor["origin"]
    place = f"source {life.survivor['source']}, {origin['file']}, position {origin['position']}"
    if measures.get("survivor_run"):
        place += f", of the earlier run {measures['survivor_run']}"
    out.print(
        Text.assemble("  kept instead  ", (printable(life.survivor["id"]), "cyan"), (f"  {printable(place)}", "dim")),
        soft_wrap=True,
    )
    pieces = difference(life.survivor["text"], life.document["text"])
    if [piece.kind for piece in pieces] in (["same"], []):
        out.print(Text("  The texts are the same:", "dim"))
        show_text(out, life)
        return
    out.print(
        Text(f"  Jaccard {measures['jaccard']:.3f}; what only the kept one has, then what only this one has:", "dim")
    )
    out.print(indented(shown_difference(out, pieces)), soft_wrap=True)


def show_text(out: Console, life: Life) -> None:
    """Print the beginning of the text, of a conversation of each turn."""
    turns, text = life.document.get("turns"), life.document["text"].encode()
    for span in (turns or ())[:SHOWN_TURNS]:
        said = _cut(text[span["start"] : span["end"]].decode(errors="replace"))
        out.print(Text.assemble((f"  {span['role']:>9}  ", "cyan"), (printable(said), "dim")), soft_wrap=True)
    if turns:
        if len(turns) > SHOWN_TURNS:
            out.print(Text(f"             … and {len(turns) - SHOWN_TURNS:,} more", "dim"))
        return
    out.print(indented(Text(printable(_cut(life.document["text"])), "dim")), soft_wrap=True)


def indented(text: Text) -> Text:
    """A document's text, so that one sees where it ends.

    Example:
        >>> indented(Text("a\\n\\nb")).plain
        '    a\\n\\n    b'
    """
    lines = text.split("\n", allow_blank=True)
    return Text("\n").join(Text("    ").append_text(line) if line.plain.strip() else line for line in lines)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} … ({len(text):,} characters)"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return round(value, 4) if isinstance(value, float) else value
