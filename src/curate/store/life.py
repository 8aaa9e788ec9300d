"""The life of one document, read from judgments: where it came from, what each stage measured and said."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.store.run_directory import DOCUMENTS, QUARANTINE, RunDirectory

Place = tuple[int, int]


class Verdict(NamedTuple):
    """What one stage measured and decided; ``reasons`` is None when the document was out already."""

    stage: str
    reasons: list[str] | None
    measures: dict[str, Any]


class Life(NamedTuple):
    """One document: its row in the documents file, what the stages said, and its twin if it is a duplicate."""

    place: Place
    document: dict[str, Any]
    verdicts: list[Verdict]
    survivor: dict[str, Any] | None

    @property
    def removed_by(self) -> Verdict | None:
        """The verdict that left the document out, if one did."""
        return next((verdict for verdict in self.verdicts if verdict.reasons), None)


def lives_of(run: Path, manifest: Mapping[str, Any], document: str) -> Iterator[Life]:
    """Every document with that id (users' ids may repeat), in corpus order."""
    directory = RunDirectory(run)
    for number, file in enumerate(directory.parts(DOCUMENTS)):
        ids = pq.read_table(file, columns=["id"]).column("id")
        for row in pc.indices_nonzero(pc.equal(ids, document)).to_pylist():
            yield _life(directory, manifest, (number, row))


def quarantined(run: Path, document: str) -> list[dict[str, Any]]:
    """Quarantine entries at ``file#position``."""
    file, _, position = document.rpartition("#")
    paths = RunDirectory(run).parts(QUARANTINE)
    if not paths or not position.isdigit():
        return []
    entries = pl.scan_parquet(paths).filter((pl.col("file") == file) & (pl.col("position") == int(position)))
    found: list[dict[str, Any]] = entries.collect().to_dicts()
    return found


def similar_ids(run: Path, document: str, n: int = 5) -> list[str]:
    """Some ids that contain what was typed."""
    paths = RunDirectory(run).parts(DOCUMENTS)
    if not paths:
        return []
    hits = pl.scan_parquet(paths).select("id").filter(pl.col("id").str.contains(document, literal=True)).head(n)
    return hits.collect().get_column("id").to_list()


def _life(directory: RunDirectory, manifest: Mapping[str, Any], place: Place) -> Life:
    verdicts = []
    for stage in manifest["stages"]:
        row = _row(directory, stage["name"], place)
        verdicts.append(Verdict(stage["name"], row.pop("reasons"), row))
    survivors = [_survivor(directory, manifest, verdict.measures) for verdict in verdicts]
    return Life(place, _row(directory, DOCUMENTS, place), verdicts, next(filter(None, survivors), None))


def _survivor(
    directory: RunDirectory, manifest: Mapping[str, Any], measures: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The document that stands for this one, in this run or an earlier one; None where that is no longer there."""
    where, run = measures.get("survivor_at"), measures.get("survivor_run")
    if where is None:
        return None
    if run is not None:
        paths = {entry["run_id"]: Path(entry["path"]) for entry in manifest["against"]}
        directory = RunDirectory(paths[run])
    place = (where["part"], where["row"])
    return _row(directory, DOCUMENTS, place) if directory.part(DOCUMENTS, place[0]).exists() else None


def _row(directory: RunDirectory, folder: str, place: Place) -> dict[str, Any]:
    part, row = place
    file = pq.ParquetFile(directory.part(folder, part))
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if row < size:
            found: dict[str, Any] = file.read_row_group(group).slice(row, 1).to_pylist()[0]
            return found
        row -= size
    raise IndexError(place)
