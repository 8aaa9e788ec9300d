"""What the judgments of a finished run say of a part: which documents each arm may draw from it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.store.digest import digest
from curate.store.manifest_entries import Manifest
from curate.store.objects.ranges import parquet_source
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.hashes import mixed

DUPLICATES = "near_dup"
"""The stage whose clusters are sampled whole."""

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


class Looked(NamedTuple):
    """What the judgments say of one part, row for row."""

    part: int
    keys: Keys
    """Which duplicate cluster; unequal for unrelated documents."""
    raw: Mask
    kept: Mask
    unseen: Mask
    """Not compared with others by the run."""
    first: Numbers
    """Number of the stage that removed it; -1: none."""
    rules: Numbers
    """The reason, as a place in `curate.evidence.pool.rules_of`, where that stage gave only one; else -1."""
    sizes: Numbers
    """Bytes of the text as it was read."""


def rules_of(manifest: Manifest) -> list[str]:
    """Every reason that the stages of a run can give, as ``stage.reason``."""
    return [f"{stage.name}.{reason.code}" for stage in manifest.stages for reason in stage.reasons]


def look(directory: RunDirectory, stages: Sequence[str], part: int, rules: Sequence[str] = ()) -> Looked:
    """What the judgments say of a part; ``rules`` are those of `rules_of`."""
    sizes = directory.columns(DOCUMENTS, part, ["raw_bytes"])
    rows, place_of = len(sizes), {name: number for number, name in enumerate(rules)}
    own = (np.uint64(part) << np.uint64(40)) | np.arange(rows, dtype=np.uint64)
    keys, first, kept = own, np.full(rows, -1, np.int64), np.ones(rows, np.bool_)
    copy, unseen = np.zeros(rows, np.bool_), np.ones(rows, np.bool_)
    single = np.full(rows, -1, np.int64)
    for number, stage in enumerate(stages):
        columns = ["reasons", *(["survivor_at", "survivor_run"] if stage == DUPLICATES else [])]
        judged = directory.columns(stage, part, columns)
        given = pc.list_value_length(judged.column("reasons"))
        known = given.is_valid().to_numpy()
        some = known & (pc.fill_null(given, 0).to_numpy() > 0)
        newly = some & (first < 0)
        first[newly] = number
        alone = np.flatnonzero(newly & (pc.fill_null(given, 0).to_numpy() == 1))
        codes = pc.list_flatten(judged.column("reasons").take(pa.array(alone))).to_pylist()
        single[alone] = [place_of.get(f"{stage}.{code}", -1) for code in codes]
        kept &= known & ~some
        if stage == DUPLICATES:
            copy, unseen = some, ~known
            keys = _clusters(own, judged)
    return Looked(part, mixed(keys), ~copy, kept, unseen, first, single, sizes.column("raw_bytes").to_numpy())


def editors(directory: RunDirectory, stages: Sequence[str]) -> list[int]:
    """Numbers of the stages that may edit texts."""
    if not directory.names:
        return []
    schemas = [pq.read_schema(parquet_source(directory.part(stage, 0))) for stage in stages]
    return [number for number, schema in enumerate(schemas) if "edits" in schema.names]


def place(keys: Keys, salt: str) -> Keys:
    """Where documents stand in a random order that depends on their cluster and the salt alone."""
    return np.asarray(mixed(keys ^ np.uint64(int(digest(salt)[:16], 16))))


def _clusters(own: Keys, judged: pa.Table) -> Keys:
    """The row of the survivor, for copies of one in this run; else the row itself."""
    survivor = judged.column("survivor_at").combine_chunks()
    inside = survivor.is_valid().to_numpy(zero_copy_only=False)
    inside &= judged.column("survivor_run").is_null().to_numpy()
    part, row = (pc.fill_null(pc.struct_field(survivor, name), 0).to_numpy() for name in ("part", "row"))
    theirs = (part.astype(np.uint64) << np.uint64(40)) | row.astype(np.uint64)
    return np.where(inside, theirs, own)
