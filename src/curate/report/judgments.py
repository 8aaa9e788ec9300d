"""All judgments of a run as one lazy table, row for row, without the texts.

Columns: ``row`` (number of the document in the run), ``source``, ``raw_bytes``, and ``<stage>.<column>`` for
every column of every stage. Questions are asked of one piece after another, where the engine has a core, and answers
are reduced there: memory does not depend on the number of documents, neither there nor here.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.engine.local import LocalEngine
from curate.stages.contract import Receive, Rows, Send
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import scanned
from curate.store.run_directory import DOCUMENTS, RunDirectory, Spread

Made = TypeVar("Made")
Exchange = Callable[[Send, int, Receive | None, int, pa.Schema, Path], Rows]
"""`curate.engine.base.Engine.exchange`."""

REASONS = "reasons"
ROW = "row"
LABEL = "language"
"""Column of `Judgments.tally`: the label of the language stage, null without one."""
_BETWEEN = "\x1f"
"""Between the reasons of a stage while they are counted; no code has it."""


class Judgments:
    """What the stages of a run wrote.

    Args:
        directory: the run.
        stages: names of the stages that ran, in order. Without a part there are none.
        spread: how parts are asked: one after another, or several at a time.
        known: the files were checked before and have not changed since.
        exchange: how parts send each other rows; None: in this process.

    Raises:
        DamagedFile: the run is finished, and a file is missing or is not what was written.
    """

    def __init__(
        self,
        directory: RunDirectory,
        stages: Sequence[str],
        spread: Spread = map,
        *,
        known: bool = False,
        exchange: Exchange | None = None,
    ) -> None:
        self.spread, self._exchange = spread, exchange
        self.directory = directory
        self.files = directory.parts(DOCUMENTS)
        self.stages = tuple(stages) if self.files else ()
        for _ in spread(self._checked, () if known else range(len(self.files))):
            pass

    @cached_property
    def offsets(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Row of the first document of each part, and at the end the number of documents."""
        rows = [pq.read_metadata(parquet_source(file)).num_rows for file in self.files]
        return np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)

    @property
    def rows(self) -> int:
        """Documents in the run, quarantined ones not among them."""
        return int(self.offsets[-1])

    @cached_property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Column → type, without reading a row."""
        return dict(self.frame.collect_schema())

    @cached_property
    def frame(self) -> pl.LazyFrame:
        """The table described above."""
        if not self.files:
            return pl.LazyFrame(schema={ROW: pl.UInt32, "source": pl.String, "raw_bytes": pl.Int64})
        return self._frame(self.files, first=0)

    @cached_property
    def tally(self) -> pl.LazyFrame:
        """Documents by what they have in common: source, label of the language stage, reasons of each stage.

        Columns as in `frame`, and of the documents together: ``documents``, ``bytes`` (raw ones), ``tokens`` (of kept
        ones). Made once and in memory, which holds a row for each combination: who asks what came of which reasons
        looks at thousands of rows in place of millions.
        """
        label = pl.col("language.label") if self.has("language.label") else pl.lit(None, pl.String)
        reasons = [f"{stage}.{REASONS}" for stage in self.stages if self.has(f"{stage}.{REASONS}")]
        found = self.grouped(
            ("source", LABEL, *reasons),
            pl.col("source"),
            label.alias(LABEL),
            *(pl.col(each).list.join(_BETWEEN) for each in reasons),
            documents=pl.lit(1, pl.Int64),
            bytes=pl.col("raw_bytes"),
            tokens=self.kept_tokens(),
        )
        given = (
            pl.when(pl.col(each) == "").then(pl.lit([], pl.List(pl.String))).otherwise(pl.col(each).str.split(_BETWEEN))
            .alias(each)
            for each in reasons
        )  # fmt: skip
        return found.with_columns(*given).lazy()

    def grouped(
        self, by: Sequence[str], *questions: pl.Expr, where: pl.Expr | None = None, **sums: pl.Expr
    ) -> pl.DataFrame:
        """Sums over the documents with the same answers, in order of these; without ``by``, over all.

        Args:
            by: names of the questions that tell documents apart.
            questions: what is selected of them.
            where: the documents that count; None: all.
            sums: name → what is added up.

        Memory holds a row for each group, or some thousands.
        """
        asked, found, most = (*questions, *(each.alias(name) for name, each in sums.items())), [], _MERGED_ROWS
        for one in self.reduced(partial(_summed, tuple(by)), *asked, where=where):
            found.append(one)
            if sum(map(len, found)) > most:
                found = [_summed(by, pl.concat(found))]
                most = max(_MERGED_ROWS, 2 * len(found[0]))
        if not found:
            found = [self.frame.filter(*([] if where is None else [where])).select(*asked).collect()]
        made = _summed(by, pl.concat(found))
        return made.sort(*by) if by else made

    def sent(self, send: Send, receive: Receive, schema: pa.Schema) -> Iterator[pa.Table]:
        """What each part makes of the rows sent to it, in order of part: see `curate.stages.contract.Corpus`."""
        exchange = self._exchange or LocalEngine(workers=1, lanes=1, ahead=2).exchange
        with TemporaryDirectory(prefix="curate-") as folder:
            made = exchange(send, len(self.files), receive, len(self.files), schema, Path(folder))
            yield from (made[part] for part in range(len(self.files)))

    def part(self, part: int) -> pl.LazyFrame:
        """The rows of `frame` in one part."""
        return self._frame([self.files[part]], int(self.offsets[part]))

    def answers(self, *questions: pl.Expr, where: pl.Expr | None = None) -> Iterable[pl.DataFrame]:
        """What is selected of each piece of `frame`, in order: a part or less, so that dozens of answers are small."""
        return self.spread(partial(self._answer, questions, where), self._pieces())

    def reduced(
        self, reduce: Callable[[pl.DataFrame], Made], *questions: pl.Expr, where: pl.Expr | None = None
    ) -> Iterable[Made]:
        """What ``reduce`` makes of each of these answers, where they are: little travels, however many rows there are.

        Args:
            reduce: of one answer; it can be pickled.
            questions: what is selected.
            where: of which documents; None: of all.
        """
        return self.spread(partial(self._reduced, reduce, questions, where), self._pieces())

    def answers_of(self, rows: Iterable[int], *questions: pl.Expr) -> Iterable[pl.DataFrame]:
        """The same of these rows alone, in order of row."""
        chosen = sorted(rows)
        return self.spread(partial(self._answer, questions, None), self._pieces(chosen))

    def __getstate__(self) -> dict[str, Any]:
        """Where a question travels to, there are no others to ask, and what was read is read again."""
        kept = {name: value for name, value in self.__dict__.items() if name not in ("offsets", "schema", "frame")}
        return kept | {"spread": map, "_exchange": None}

    def has(self, *columns: str) -> bool:
        """Whether the run has all of these columns."""
        return all(column in self.schema for column in columns)

    def kept(self) -> pl.Expr:
        """True for documents that came through every stage."""
        if not self.stages:
            return pl.lit(value=True)
        return pl.col(f"{self.stages[-1]}.{REASONS}").list.len().eq(0).fill_null(value=False)

    def kept_tokens(self) -> pl.Expr:
        """Tokens of kept documents, 0 for others and where nothing counted them."""
        if not self.has("tokenize.n_tokens"):
            return pl.lit(0, pl.Int64)
        return pl.when(self.kept()).then(pl.col("tokenize.n_tokens").cast(pl.Int64)).otherwise(0).fill_null(0)

    def place(self, row: int) -> tuple[int, int]:
        """Part (its place in `files`) and row inside it."""
        part = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return part, row - int(self.offsets[part])

    def id_of(self, row: int) -> str:
        """Id of the document in that row of the run."""
        part, inside = self.place(row)
        return str(scanned([self.files[part]], ["id"]).slice(inside, 1).collect().item())

    def row_at(self, part: int, row: int) -> int | None:
        """Row in the run of row ``row`` of a part; None when there is no such part."""
        return int(self.offsets[part]) + row if 0 <= part < len(self.files) else None

    def _checked(self, part: int) -> None:
        """Look at all bytes of the part that are read here."""
        self.directory.checked(DOCUMENTS, part, ["id", "source", "raw_bytes"])
        for stage in self.stages:
            self.directory.checked(stage, part)

    def _pieces(self, rows: Sequence[int] | None = None) -> Iterator["_Piece"]:
        """All pieces, or those that hold one of the given rows, which ascend."""
        for place, (first, end) in enumerate(pairwise(self.offsets.tolist())):
            for start in range(first, end, _PIECE_ROWS):
                stop = min(start + _PIECE_ROWS, end)
                wanted = None if rows is None else tuple(rows[bisect_left(rows, start) : bisect_left(rows, stop)])
                if wanted is None or wanted:
                    yield _Piece(place, first, start - first, stop - start, wanted)

    def _answer(self, questions: Sequence[pl.Expr], where: pl.Expr | None, piece: "_Piece") -> pl.DataFrame:
        table = self._frame([self.files[piece.place]], piece.first).slice(piece.start, piece.length)
        if piece.rows is not None:
            table = table.filter(pl.col(ROW).is_in(piece.rows))
        if where is not None:
            table = table.filter(where)
        return table.select(*questions).collect()

    def _reduced(
        self,
        reduce: Callable[[pl.DataFrame], Made],
        questions: Sequence[pl.Expr],
        where: pl.Expr | None,
        piece: "_Piece",
    ) -> Made:
        return reduce(self._answer(questions, where, piece))

    def _frame(self, files: list[Path], first: int) -> pl.LazyFrame:
        documents = scanned(files, ["source", "raw_bytes"]).with_row_index(ROW, first)
        judged = [
            pl.scan_parquet(self._files_of(stage, files)).select(pl.all().name.prefix(f"{stage}."))
            for stage in self.stages
        ]
        return pl.concat([documents.select(ROW, "source", "raw_bytes"), *judged], how="horizontal")

    def _files_of(self, stage: str, files: Sequence[Path]) -> list[Path]:
        return [self.directory.path / stage / file.name for file in files]


class _Piece(NamedTuple):
    """Some rows of a part: its place, the row of the run that is its first, and which of its rows."""

    place: int
    first: int
    start: int
    length: int
    rows: tuple[int, ...] | None
    """Rows of the run that alone are asked for; None: all."""


def ask(queries: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Answers of all queries, one after another: each holds what polars reads ahead, and a thread for every file."""
    return [query.collect(engine="streaming") for query in queries]


def _summed(by: Sequence[str], rows: pl.DataFrame) -> pl.DataFrame:
    sums = pl.all().exclude(*by).cast(pl.Int64).sum() if by else pl.all().cast(pl.Int64).sum()
    return rows.group_by(*by).agg(sums) if by else rows.select(sums)


_MERGED_ROWS = 50_000
"""Groups of pieces that wait to be brought together."""
_PIECE_ROWS = 70_000
"""Documents whose answers to some sixty questions take 35 MB."""
