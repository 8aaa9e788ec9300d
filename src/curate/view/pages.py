"""What the pages of the browser show, made ready for their templates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import jinja2

from curate.report import quantities
from curate.report.html.page import visible
from curate.report.html.templates import environment
from curate.report.masking import masked_life
from curate.report.samples import read_beginnings
from curate.runs.outlook import WhatIf
from curate.store.life import Life, edited_text, life_at
from curate.text.core.difference import Piece, difference, elided
from curate.view.index import Index, Query
from curate.view.marks import Marks

ON_A_PAGE = 25
"""Documents of a list; those nearest to a value lie in as many row groups, each of which is read."""
BEGINNING = 280
"""Characters of each text in a list."""
MOST_TEXT = 60_000
MOST_COMPARED = 1_000_000
"""Characters of two long texts that are compared."""
MOST_MEMBERS = 50
MOST_EDITS = 100
_APART = (
    "edits",
    "span",
    "survivor",
    "survivor_at",
    "survivor_run",
    "standing",
    "partners",
    "more_partners",
    "content_hash",
)


class Listed(NamedTuple):
    """A document in a list."""

    row: int
    id: str
    source: str
    beginning: str
    outcome: str
    reasons: list[str]
    value: str
    mark: str


class Measured(NamedTuple):
    """A measure of a document, and the limits on it."""

    name: str
    value: str
    limits: list[str]
    beyond: bool


class Link:
    """Addresses of pages, with a query in them."""

    def __init__(self, base: str, query: Query, text: str = "") -> None:
        self.base, self.query, self.text = base, query, text

    def __call__(self, path: str = "", **changes: Any) -> str:
        """The address of a path, with changes to the query; empty values take a part of it away."""
        known = self.query._asdict() | {"q": self.text} | changes
        told = {name: value for name, value in known.items() if value not in ("", None)}
        return f"{self.base}/{path}" + (f"?{urlencode(told)}" if told else "")


def listed(index: Index, marks: Marks, rows: Sequence[int], measure: str) -> list[Listed]:
    """Documents as a list shows them."""
    found = read_beginnings(index.judgments, set(rows))
    shown = []
    for row in rows:
        document, by = found[row], index.removed_by(row)
        beginning = index.masks.shown(document["text"])[:BEGINNING]
        part, inside = index.judgments.place(row)
        shown.append(
            Listed(
                row=row,
                id=document["id"] or "",
                source=document["source"] or "",
                beginning=" ".join(beginning.split()),
                outcome=f"removed by {index.stages[by]}" if by >= 0 else "kept",
                reasons=index.reasons_of(row),
                value=_number(index.value(measure, row)) if measure in index.measures else "",
                mark=marks.of(index.directory.names[part], inside),
            )
        )
    return shown


class Document(NamedTuple):
    """One document with all that is known of it."""

    row: int
    life: Life
    text: str
    whole: bool
    origin: Mapping[str, Any]
    verdicts: list[tuple[str, list[tuple[str, str]] | None, list[Measured], list[tuple[str, str]]]]
    """Stage, its reasons with their sentences (None: not asked), measures, edits: what was there, what stands there."""
    pieces: list[tuple[str, str]]
    """Kind and text of the difference to the survivor."""
    survivor_row: int | None
    members: list[int]
    of_members: int
    mark: str


def document(index: Index, marks: Marks, row: int) -> Document:
    """A document by its row in the run."""
    place = index.judgments.place(row)
    raw = life_at(index.directory, index.manifest, place)
    life = masked_life(raw, index.masks)
    pieces: list[tuple[str, str]] = []
    if life.survivor:
        pieces = _pieces(life.survivor["text"], life.document["text"])
    survivor = next((int(rows[row]) for rows in index.survivors.values() if rows[row] >= 0), None)
    members = [int(one) for rows in index.survivors.values() for one in (rows == row).nonzero()[0]]
    return Document(
        row=row,
        life=life,
        text=life.text[:MOST_TEXT],
        whole=len(life.text) <= MOST_TEXT,
        origin=life.document["origin"],
        verdicts=list(_verdicts(index, raw)),
        pieces=pieces,
        survivor_row=survivor,
        members=members[:MOST_MEMBERS],
        of_members=len(members),
        mark=marks.of(index.directory.names[place[0]], place[1]),
    )


def _pieces(kept: str, text: str) -> list[tuple[str, str]]:
    """Kind and text of what differs; of long texts, where in their beginnings, and how much was not compared."""
    longest = max(len(kept), len(text))
    if longest <= MOST_TEXT:
        found = difference(kept, text)
    else:
        found = elided(difference(kept[:MOST_COMPARED], text[:MOST_COMPARED]))
    if longest > MOST_COMPARED:
        found.append(Piece("unread", f"{longest - MOST_COMPARED:,} more characters, which were not compared"))
    return [(str(piece.kind), piece.text) for piece in found]


def _verdicts(
    index: Index, life: Life
) -> Iterator[tuple[str, list[tuple[str, str]] | None, list[Measured], list[tuple[str, str]]]]:
    sentences = {(s.name, r.code): r.sentence for s in index.manifest.stages for r in s.reasons}
    text: str = life.document["text"]
    for verdict in life.verdicts:
        stage = verdict.stage
        reasons = None
        if verdict.reasons is not None:
            reasons = [(f"{stage}.{code}", sentences.get((stage, code), "")) for code in verdict.reasons]
        measures = [
            _measured(index, stage, name, value)
            for name, value in verdict.measures.items()
            if name not in _APART and value not in (None, [])
        ]
        edits = verdict.measures.get("edits") or []
        data = text.encode()
        told = [
            (f"{edit['end'] - edit['start']} bytes, hidden" if stage in index.masks.names
             else index.masks.piece(data, edit["start"], edit["end"]), edit["replacement"])
            for edit in edits[:MOST_EDITS]
        ]  # fmt: skip
        text = edited_text(text, edits)
        yield stage, reasons, measures, told


def _measured(index: Index, stage: str, name: str, value: Any) -> Measured:
    limits, beyond = [], False
    for rule in index.limits.get(f"{stage}.{name}", ()):
        limit = rule.limit
        if limit is None:
            continue
        limits.append(f"{'at least' if rule.side == 'min' else 'below' if rule.at else 'at most'} {limit:,g}")
        if isinstance(value, int | float):
            over = value < limit if rule.side == "min" else value > limit
            beyond = bool(beyond or over or (rule.at and value == limit))
    return Measured(name, _number(value), limits, beyond)


def _number(value: Any) -> str:
    """A measure as people read it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return "not measured" if math.isnan(value) else f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def settings_of(index: Index) -> list[tuple[str, float]]:
    """Every threshold of the run that holds, with its setting."""
    found = {
        rule.setting: float(rule.limit)
        for rules in index.limits.values()
        for rule in rules
        if rule.limit is not None and rule.setting
    }
    return sorted(found.items())


def rows_of(index: Index, found: WhatIf) -> list[int]:
    """Rows in the run of the documents that a what-if names."""
    return [int(index.judgments.offsets[side.part]) + side.row for side in found.examples]


@cache
def templates() -> jinja2.Environment:
    """The templates, which escape whatever they are given."""
    made = environment(Path(__file__).parent)
    made.filters |= {"visible": visible, "share": quantities.share}
    return made
