"""Which stage removed each document of a finished run, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.compute as pc

from curate.store.manifest import read_manifest
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory

KEPT = -1


class Outcomes:
    """The documents of a run in the order of the input.

    Args:
        run: a finished run.

    Attributes:
        manifest: its ``run.json``.
        stages: names of its stages, in order.

    Raises:
        InputError: there is no finished run.
        DamagedFile: a file of it is missing or damaged; also later.
    """

    def __init__(self, run: Path) -> None:
        self.path, self.manifest = run, read_manifest(run)
        self.stages = self.manifest.stage_names
        self._directory = RunDirectory.finished(run, self.manifest)

    def table(self) -> pl.DataFrame:
        """``key`` (hash of the id), ``again`` (how often that id came before), ``part``, ``row``, ``removed_by``."""
        parts = [self._part(part) for part in range(len(self._directory.names))]
        table = pl.concat([pl.DataFrame(schema=_SCHEMA), *parts])
        return table.with_columns(again=pl.int_range(pl.len(), dtype=pl.UInt32).over("key")) if len(
            table
        ) != table["key"].n_unique() else table.with_columns(again=pl.lit(0, pl.UInt32))  # fmt: skip

    def _part(self, part: int) -> pl.DataFrame:
        file = self._directory.checked(DOCUMENTS, part, ["id"])
        ids = pl.Series("key", read_columns(file, ["id"]).column("id"), dtype=pl.String)
        removed = np.full(len(ids), KEPT, np.int8)
        for number, stage in enumerate(self.stages):
            removed[(removed == KEPT) & (self._given(stage, part) > 0)] = number
        rows = pl.int_range(len(ids), eager=True, dtype=pl.Int64)
        columns = {"key": ids.fill_null("").hash(), "part": pl.repeat(part, len(ids), dtype=pl.Int32, eager=True),
                   "row": rows, "removed_by": pl.Series(removed)}  # fmt: skip
        return pl.DataFrame(columns, schema=_SCHEMA)

    def _given(self, stage: str, part: int) -> npt.NDArray[np.int64]:
        """Reasons that each document was given."""
        reasons = self._directory.columns(stage, part, ["reasons"]).column("reasons")
        return np.asarray(pc.fill_null(pc.list_value_length(reasons), 0).to_numpy(), np.int64)

    def about(self, part: int, row: int) -> Mapping[str, Any]:
        """``id``, ``source`` and ``reasons`` (``stage.reason``) of one document."""
        file = self._directory.checked(DOCUMENTS, part, ["id", "source"])
        told: dict[str, Any] = read_columns(file, ["id", "source"]).slice(row, 1).to_pylist()[0]
        reasons = []
        for stage in self.stages:
            given = self._directory.columns(stage, part, ["reasons"]).column("reasons")
            reasons += [f"{stage}.{code}" for code in given[row].as_py() or ()]
        return {**told, "reasons": reasons}


_SCHEMA = {"key": pl.UInt64, "part": pl.Int32, "row": pl.Int64, "removed_by": pl.Int8}
