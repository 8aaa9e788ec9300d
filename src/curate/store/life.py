"""What happened to one document, read from judgments: where it came from, what each stage measured and decided."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.store.files import place as place_of_run
from curate.store.manifest import find_manifest
from curate.store.manifest_entries import Manifest
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import scanned
from curate.store.row_groups import group_of
from curate.store.run_directory import DOCUMENTS, QUARANTINE, RunDirectory

Place = tuple[int, int]


class Verdict(NamedTuple):
    """What one stage measured and decided; ``reasons`` is None if the document was already removed."""

    stage: str
    reasons: list[str] | None
    measures: dict[str, Any]


class Partner(NamedTuple):
    """A document that is similar to another one."""

    id: str
    jaccard: float
    removed_by: str
    """The stage that removed it; empty: it is kept."""


class Life(NamedTuple):
    """One document: its row in the documents file, the stages' verdicts, and its survivor if it is a duplicate."""

    place: Place
    document: dict[str, Any]
    verdicts: list[Verdict]
    survivor: dict[str, Any] | None
    partners: list[Partner]
    """Similar documents of this run that a deduplicating stage found, if it was not removed in favour of one."""
    edited: bool = False
    """Whether the text of ``document`` has all edits already."""

    @property
    def text(self) -> str:
        """The text with all edits."""
        text: str = self.document["text"]
        if self.edited:
            return text
        for verdict in self.verdicts:
            text = edited_text(text, verdict.measures.get("edits"))
        return text

    @property
    def removed_by(self) -> Verdict | None:
        """The verdict that removed the document, if one did."""
        return next((verdict for verdict in self.verdicts if verdict.reasons), None)


def lives_of(run: Path, manifest: Manifest, document: str) -> Iterator[Life]:
    """Every document with that id (users' ids may repeat), in corpus order."""
    directory = RunDirectory.finished(run, manifest)
    for number in range(len(directory.names)):
        ids = directory.columns(DOCUMENTS, number, ["id"]).column("id")
        for row in pc.indices_nonzero(pc.equal(ids, document)).to_pylist():
            yield life_at(directory, manifest, (number, row))


def edited_text(text: str, edits: Sequence[Mapping[str, Any]] | None) -> str:
    """A text with edits applied; of the beginning of a text, the beginning of what they make of it.

    Example:
        >>> edited_text("call 555-0100 now", [{"start": 5, "end": 13, "replacement": "<PHONE>"}])
        'call <PHONE> now'
        >>> edited_text("call 555-01", [{"start": 5, "end": 13, "replacement": "<PHONE>"}])
        'call '
    """
    data, pieces, at = text.encode(), list[bytes](), 0
    for edit in edits or ():
        if edit["end"] > len(data):  # edits of the next stage count from what is left by all of these
            data = data[: edit["start"]]
            break
        pieces += [data[at : edit["start"]], edit["replacement"].encode()]
        at = edit["end"]
    return b"".join([*pieces, data[at:]]).decode()


def quarantined(run: Path, manifest: Manifest, document: str) -> list[dict[str, Any]]:
    """Quarantine entries at ``file#position``."""
    file, _, position = document.rpartition("#")
    directory = RunDirectory.finished(run, manifest)
    if not directory.names or not position.isdigit():
        return []
    paths = [directory.checked(QUARANTINE, part) for part in range(len(directory.names))]
    entries = pl.scan_parquet(paths).filter((pl.col("file") == file) & (pl.col("position") == int(position)))
    found: list[dict[str, Any]] = entries.collect().to_dicts()
    return found


def similar_ids(run: Path, manifest: Manifest, document: str, n: int = 5) -> list[str]:
    """Some ids that contain what was typed."""
    paths = RunDirectory.finished(run, manifest).parts(DOCUMENTS)
    if not paths:
        return []
    hits = scanned(paths, ["id"]).filter(pl.col("id").str.contains(document, literal=True)).head(n)
    return hits.collect().get_column("id").to_list()


def life_at(directory: RunDirectory, manifest: Manifest, place: Place) -> Life:
    """The life of the document at a place: number of the part, row in it."""
    verdicts = []
    for stage in manifest.stages:
        row = _row(directory, stage.name, place)
        verdicts.append(Verdict(stage.name, row.pop("reasons"), row))
    survivors = [_survivor(directory, manifest, verdict) for verdict in verdicts]
    partners = [one for verdict in verdicts if verdict.measures.get("standing") for one in
                _partners(directory, manifest, verdict.measures.get("partners") or [])]  # fmt: skip
    return Life(place, _row(directory, DOCUMENTS, place), verdicts, next(filter(None, survivors), None), partners)


def _partners(directory: RunDirectory, manifest: Manifest, listed: Sequence[Mapping[str, Any]]) -> Iterator[Partner]:
    for partner in listed:
        if partner["run"] is None:
            part, row = partner["part"], partner["row"]
            ids = directory.columns(DOCUMENTS, part, ["id"]).column("id")
            removed = (
                stage.name
                for stage in manifest.stages
                if directory.columns(stage.name, part, ["reasons"]).column("reasons")[row].as_py()
            )
            yield Partner(ids[row].as_py(), partner["jaccard"], next(removed, ""))


def _survivor(directory: RunDirectory, manifest: Manifest, verdict: Verdict) -> dict[str, Any] | None:
    """The document that stands for this one, its text as the stage saw it; None where its run is no longer there."""
    where, run = verdict.measures.get("survivor_at"), verdict.measures.get("survivor_run")
    if where is None:
        return None
    if run is not None:
        paths = {entry.run_id: place_of_run(entry.path) for entry in manifest.against}
        other = find_manifest(paths[run]).manifest
        if not other or other.run_id != run:
            return None
        directory, manifest = RunDirectory.finished(paths[run], other), other
    place = (where["part"], where["row"])
    found = _row(directory, DOCUMENTS, place)
    for stage in takewhile(lambda name: name != verdict.stage, manifest.stage_names):
        found["text"] = edited_text(found["text"], _row(directory, stage, place).get("edits"))
    return found


def _row(directory: RunDirectory, folder: str, place: Place) -> dict[str, Any]:
    part, row = place
    with pq.ParquetFile(parquet_source(directory.checked(folder, part, ()))) as file:
        group = group_of(file.metadata, row)
        directory.checked(folder, part, group=group.number)
        found: dict[str, Any] = file.read_row_group(group.number).slice(row - group.start, 1).to_pylist()[0]
        return found
