"""``curate why`` on the terminal: one document, stage by stage, with a word diff against its twin."""

import difflib
import json as jsonlib
import re
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from curate.errors import ExitCode, InputError
from curate.masking import Masks
from curate.store.life import Life, Verdict, lives_of, quarantined, similar_ids
from curate.store.manifest import read_manifest
from curate.ui.console import console
from curate.ui.notes import printable

SHOWN_CHARACTERS = 600
DIFF_WORDS = 4000
SHOWN_EDITS = 20
_CONTEXT = 6
_SHOWN_APART = ("edits", "span")


def show_life(run: str, document: str, *, json: bool) -> int:
    """Print what happened to a document.

    Raises:
        InputError: no document of the run has that id.
    """
    folder = Path(run)
    manifest = read_manifest(folder)
    lives = list(islice(lives_of(folder, manifest, document), 20))
    bad = quarantined(folder, document)
    masks = Masks(manifest)
    if not lives and not bad:
        near = similar_ids(folder, document)
        hint = f"ids like it: {', '.join(near)}" if near else "ids are in the column `id` of documents/*.parquet"
        raise InputError(f"no document of `{run}` has the id `{document}`", hint=hint)
    if json:
        found = [_masked(life, masks)._asdict() | {"verdicts": [v._asdict() for v in life.verdicts]} for life in lives]
        typer.echo(jsonlib.dumps({"documents": found, "quarantined": bad}, ensure_ascii=False, default=_plain))
        return ExitCode.DONE
    out = console(stderr=False)
    sentences = {(s["name"], r["code"]): r["sentence"] for s in manifest["stages"] for r in s["reasons"]}
    for life in lives:
        _show(out, life, sentences, masks)
    for entry in bad:
        out.print(
            Text(f"{document} was quarantined: {entry['reason']}. {printable(entry['detail'])}"),
            soft_wrap=True,
        )
    if len(lives) > 1:
        out.print(Text(f"{len(lives)} documents share this id.", "dim"))
    return ExitCode.DONE


def _masked(life: Life, masks: Masks) -> Life:
    """With texts and metadata as they may be shown."""
    if not masks.names:
        return life

    def masked(row: dict[str, Any]) -> dict[str, Any]:
        return row | {name: row[name] and masks.shown(row[name]) for name in ("text", "metadata")}

    return life._replace(document=masked(life.document), survivor=life.survivor and masked(life.survivor))


def _show(out: Console, life: Life, sentences: dict[tuple[str, str], str], masks: Masks) -> None:
    origin, gone = life.document["origin"], life.removed_by
    fate = Text(f"removed by {gone.stage}", "bold red") if gone else Text("kept", "bold green")
    out.print(Text.assemble((printable(life.document["id"]), "bold"), "  ", fate), soft_wrap=True)
    out.print(
        Text(
            printable(f"  from {origin['file']}, position {origin['position']}, source {life.document['source']}"),
            "dim",
        )
    )
    text: bytes = life.document["text"].encode()
    for verdict in life.verdicts:
        _show_verdict(out, verdict, sentences)
        _show_span(out, verdict.measures.get("span"), text, masks)
        edits = verdict.measures.get("edits") or []
        _show_edits(out, edits, text, None if verdict.stage in masks.names else masks)
        text = _edited(text, edits)
    life = _masked(life, masks)
    if life.survivor:
        _show_twin(out, life)
    else:
        out.print(Text(printable(_cut(life.document["text"])), "dim"))
    out.print()


def _show_verdict(out: Console, verdict: Verdict, sentences: dict[tuple[str, str], str]) -> None:
    if verdict.reasons is None:
        out.print(Text(f"  {verdict.stage:<13}  not asked, already out", "dim"))
        return
    out.print(Text.assemble(f"  {verdict.stage:<13}  ", ("removed", "red") if verdict.reasons else ("kept", "green")))
    for code in verdict.reasons:
        out.print(Text(f"      {verdict.stage}.{code}: {sentences.get((verdict.stage, code), '')}"), soft_wrap=True)
    shown = {
        name: _plain(value)
        for name, value in verdict.measures.items()
        if name not in _SHOWN_APART and value not in (None, [])
    }
    if shown:
        out.print(Text(printable("      " + "  ".join(f"{k}={v}" for k, v in shown.items())), "dim"), soft_wrap=True)


def _show_span(out: Console, span: dict[str, int] | None, text: bytes, masks: Masks) -> None:
    """Print the piece of the text that a measure called ``span`` points to."""
    if span:
        piece = printable(_cut(masks.piece(text, span["start"], span["end"])).replace("\n", "⏎"))
        out.print(Text.assemble((f"      bytes {span['start']} to {span['end']}  ", "dim"), piece), soft_wrap=True)


def _show_edits(out: Console, edits: list[dict[str, Any]], text: bytes, masks: Masks | None) -> None:
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
        out.print(shown, soft_wrap=True)


def _edited(text: bytes, edits: list[dict[str, Any]]) -> bytes:
    pieces, at = [], 0
    for edit in edits:
        pieces += [text[at : edit["start"]], edit["replacement"].encode()]
        at = edit["end"]
    return b"".join([*pieces, text[at:]])


def _show_twin(out: Console, life: Life) -> None:
    assert life.survivor
    out.print(Text.assemble("  its twin that was kept: ", (printable(life.survivor["id"]), "cyan")), soft_wrap=True)
    out.print(_difference(life.survivor["text"], life.document["text"]))


def _difference(kept: str, removed: str) -> Text:
    """Words that the removed document lacks (red, struck) or has besides (green), with a little of what they share."""
    a, b = (re.findall(r"\s+|\S+", text)[:DIFF_WORDS] for text in (kept, removed))
    shown = Text("  ")
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            same = a[a0:a1]
            short = same if len(same) <= 2 * _CONTEXT else [*same[:_CONTEXT], " … ", *same[-_CONTEXT:]]
            shown.append(printable("".join(short)), "dim")
        else:
            shown.append(printable("".join(a[a0:a1])), "red strike")
            shown.append(printable("".join(b[b0:b1])), "green")
    return shown


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} … ({len(text):,} characters)"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return round(value, 4) if isinstance(value, float) else value
