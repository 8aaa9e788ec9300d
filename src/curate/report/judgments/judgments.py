"""All judgments of a run as one lazy table, row for row, without the texts.

Columns: ``row`` (number of the document in the run), ``source``, ``raw_bytes``, and ``<stage>.<column>`` for
every column of every stage. Questions are asked of one piece after another, where the engine has a core, and answers
are reduced there: memory does not depend on the number of documents, neither there nor here.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from curate.engine.local import LocalEngine
from curate.report.judgments.looking import KEPT, REASONS, TOKENS, Documents, Question
from curate.stages.contract import Receive, Rows, Send
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import scanned
from curate.store.run_directory import DOCUMENTS, RunDirectory, Spread

Exchange = Callable[[Send, int, Receive | None, int, pa.Schema, Path], Rows]
"""`curate.engine.base.Engine.exchange`."""

ROW = "row"
LABEL = "language"
"""Column of `Judgments.tally`: the label of the language stage, null without one."""
_DOCUMENT = ["source", "raw_bytes"]
_SAMPLED = 16
"""Times as many documents as a sample has are read for it at least."""
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
        read: names of the columns that are going to be read, of whatever stage; None: all are checked.

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
        read: Collection[str] | None = None,
    ) -> None:
        self.spread, self._exchange, self._read = spread, exchange, read
        self.directory = directory
        self.files = directory.parts(DOCUMENTS)
        self.stages = tuple(stages) if self.files else ()
        for _ in spread(self._checked, () if known else range(len(self.files))):
            pass

    @cached_property
    def offsets(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Row of the first document of each part, and at the end the number of documents."""
        rows = [sum(lengths) for lengths in self._lengths]
        return np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)

    @cached_property
    def _lengths(self) -> list[list[int]]:
        """Rows of each row group of each part."""
        footers = (pq.read_metadata(parquet_source(file)) for file in self.files)
        return [[footer.row_group(at).num_rows for at in range(footer.num_row_groups)] for footer in footers]

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
        (found,) = self.look(Tally(self))
        return self.tallied(found)

    def tallied(self, found: pl.DataFrame | None) -> pl.LazyFrame:
        """`tally`, where `Tally` was asked already."""
        question = Tally(self)
        found = question.of(self.nothing) if found is None else found
        reasons = [column for column in question.columns if column.endswith(f".{REASONS}")]
        self.tally = found.sort("source", LABEL, *(pl.col(each).list.join(_BETWEEN) for each in reasons)).lazy()
        return self.tally

    def look(self, *questions: Question) -> tuple[Any, ...]:
        """What each question finds out about all documents, which are read once; None where there are none."""
        columns = list(dict.fromkeys(column for question in questions for column in question.columns))
        found: list[Any] = [None] * len(questions)
        for answers in self.spread(partial(self._look, questions, columns), self._pieces()):
            for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
                found[place] = answer if found[place] is None else question.joined(found[place], answer)
        return tuple(found)

    @property
    def nothing(self) -> Documents:
        """No documents: what a question finds in a run without any."""
        return Documents(0, self.frame.head(0).with_columns(*self._always).collect())

    def sample(self, columns: Sequence[str], many: int) -> pl.DataFrame:
        """Columns of about so many documents, the same ones every time: every k-th, of row groups all over the run."""
        apart = max(1, self.rows // (_SAMPLED * many))
        chosen = self._groups()[::apart] if apart > 1 else list(self._pieces())
        step = max(1, sum(piece.length for piece in chosen) // many)
        found = list(self.spread(partial(self._answer, [pl.col(*columns)], pl.col(ROW) % step == 0), chosen))
        return pl.concat(found) if found else self.frame.select(columns).collect()

    def rows_of(self, rows: Iterable[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Columns of these documents, by row; only row groups that hold one are read."""
        chosen, pieces = sorted(rows), list[_Piece]()
        for group in self._groups():
            begin = group.first + group.start
            inside = chosen[bisect_left(chosen, begin) : bisect_left(chosen, begin + group.length)]
            pieces += [group._replace(rows=tuple(inside))] * bool(inside)
        found = self.spread(partial(self._answer, [pl.col(ROW, *columns)], None), pieces)
        return {row[ROW]: row for answers in found for row in answers.to_dicts()}

    def grouped(
        self, by: Sequence[str], *questions: pl.Expr, where: pl.Expr | None = None, **sums: pl.Expr
    ) -> pl.DataFrame:
        """Sums over the documents with the same answers, in order of these.

        Args:
            by: names of the questions that tell documents apart.
            questions: what is selected of them.
            where: the documents that count; None: all.
            sums: name → what is added up.

        Memory holds a row for each group, or some thousands.
        """
        asked, found, most = (*questions, *(each.alias(name) for name, each in sums.items())), [], _MERGED_ROWS
        for one in self.spread(partial(self._summed, tuple(by), asked, where), self._pieces()):
            found.append(one)
            if sum(map(len, found)) > most:
                found = [_summed(by, pl.concat(found))]
                most = max(_MERGED_ROWS, 2 * len(found[0]))
        if not found:
            found = [self.frame.filter(*([] if where is None else [where])).select(*asked).collect()]
        return _summed(by, pl.concat(found)).sort(*by)

    def sent(self, send: Send, receive: Receive, schema: pa.Schema) -> Iterator[pa.Table]:
        """What each part makes of the rows sent to it, in order of part: see `curate.stages.contract.Corpus`."""
        exchange = self._exchange or LocalEngine(workers=1, lanes=1, ahead=2).exchange
        with TemporaryDirectory(prefix="curate-") as folder:
            made = exchange(send, len(self.files), receive, len(self.files), schema, Path(folder))
            yield from (made[part] for part in range(len(self.files)))

    def part(self, part: int) -> pl.LazyFrame:
        """The rows of `frame` in one part."""
        return self._frame([self.files[part]], int(self.offsets[part]))

    def answers(self, *questions: pl.Expr) -> Iterable[pl.DataFrame]:
        """What is selected of each piece of `frame`, in order: a part or less."""
        return self.spread(partial(self._answer, questions, None), self._pieces())

    def __getstate__(self) -> dict[str, Any]:
        """Where a question travels to, there are no others to ask, and what was read is read again."""
        kept = {name: value for name, value in self.__dict__.items() if name not in _READ_AGAIN}
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
        self.directory.checked(DOCUMENTS, part, ["id", *_DOCUMENT, *(self._read or ())])
        for stage in self.stages:
            self.directory.checked(stage, part, self._read)

    def _groups(self) -> "list[_Piece]":
        """A piece for each row group of the documents."""
        return [
            _Piece(place, first, int(start), int(length))
            for place, (first, lengths) in enumerate(zip(self.offsets.tolist(), self._lengths, strict=False))
            for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False)
        ]

    def _pieces(self) -> Iterator["_Piece"]:
        for place, (first, end) in enumerate(pairwise(self.offsets.tolist())):
            for start in range(first, end, _PIECE_ROWS):
                yield _Piece(place, first, start - first, min(end - start, _PIECE_ROWS))

    def _answer(self, questions: Sequence[pl.Expr], where: pl.Expr | None, piece: "_Piece") -> pl.DataFrame:
        table = self._frame([self.files[piece.place]], piece.first).slice(piece.start, piece.length)
        if piece.rows is not None:
            table = table.filter(pl.col(ROW).is_in(piece.rows))
        if where is not None:
            table = table.filter(where)
        return table.select(*questions).collect()

    def _summed(
        self, by: Sequence[str], questions: Sequence[pl.Expr], where: pl.Expr | None, piece: "_Piece"
    ) -> pl.DataFrame:
        return _summed(by, self._answer(questions, where, piece))

    def _look(self, questions: Sequence[Question], columns: Sequence[str], piece: "_Piece") -> list[Any]:
        asked = Documents(piece.first + piece.start, self._answer([pl.col(columns), *self._always], None, piece))
        return [question.of(asked) for question in questions]

    @property
    def _always(self) -> tuple[pl.Expr, pl.Expr]:
        return self.kept().alias(KEPT), self.kept_tokens().alias(TOKENS)

    def _frame(self, files: list[Path], first: int) -> pl.LazyFrame:
        documents = scanned(files, _DOCUMENT).with_row_index(ROW, first)
        judged = [
            pl.scan_parquet(self._files_of(stage, files)).select(pl.all().name.prefix(f"{stage}."))
            for stage in self.stages
        ]
        return pl.concat([documents.select(ROW, *_DOCUMENT), *judged], how="horizontal")

    def _files_of(self, stage: str, files: Sequence[Path]) -> list[Path]:
        return [self.directory.path / stage / file.name for file in files]


class Tally:
    """The question behind `Judgments.tally`."""

    def __init__(self, judgments: Judgments) -> None:
        reasons = [f"{stage}.{REASONS}" for stage in judgments.stages]
        label = ["language.label"] if judgments.has("language.label") else []
        self.columns = ["source", "raw_bytes", *label, *(each for each in reasons if judgments.has(each))]

    @property
    def _keys(self) -> list[str]:
        return ["source", LABEL, *(column for column in self.columns if column.endswith(f".{REASONS}"))]

    def of(self, piece: Documents) -> pl.DataFrame:
        """See `curate.report.judgments.looking.Question`."""
        label = "language.label" if "language.label" in self.columns else pl.lit(None, pl.String)
        rows = piece.frame.select("source", "raw_bytes", TOKENS, **{LABEL: label}, alike=pl.Series(self._alike(piece)))
        rows = rows.with_row_index("at")
        counted = rows.group_by("source", LABEL, "alike").agg(
            documents=pl.len().cast(pl.Int64),
            bytes=pl.col("raw_bytes").cast(pl.Int64).sum(),
            tokens=pl.col(TOKENS).sum(),
            first=pl.col("at").first(),
        )
        given = piece.frame.select(self._keys[2:])[counted["first"]]
        return counted.drop("alike", "first").hstack(given)

    def _alike(self, piece: Documents) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        """The same number for documents with the same reasons of every stage."""
        alike = np.zeros(piece.frame.height, np.uint64)
        for column in self._keys[2:]:
            given = piece.given(column.removesuffix(f".{REASONS}"))
            worth = np.array([xxhash.xxh3_64_intdigest(f"{column} {name}".encode()) for name in given.names], np.uint64)
            np.add.at(alike, given.places, worth[given.codes])
            if piece.frame[column].null_count():
                alike[piece.frame[column].is_null().to_numpy()] += np.uint64(xxhash.xxh3_64_intdigest(column.encode()))
        return alike

    def joined(self, found: pl.DataFrame, behind: pl.DataFrame) -> pl.DataFrame:
        """See `curate.report.judgments.looking.Question`."""
        return (
            pl.concat([found, behind.select(found.columns)])
            .group_by(self._keys)
            .agg(pl.col("documents", "bytes", "tokens").sum())
        )


class _Piece(NamedTuple):
    """Some rows of a part: its place, the row of the run that is its first, and which of its rows."""

    place: int
    first: int
    start: int
    length: int
    rows: tuple[int, ...] | None = None
    """Rows of the run that alone are asked for; None: all."""


def ask(queries: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Answers of all queries, one after another: each holds what polars reads ahead, and a thread for every file."""
    return [query.collect(engine="streaming") for query in queries]


def _summed(by: Sequence[str], rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(*by).agg(pl.all().exclude(*by).cast(pl.Int64).sum())


_MERGED_ROWS = 50_000
"""Groups of pieces that wait to be brought together."""
_READ_AGAIN = ("offsets", "_lengths", "schema", "frame", "tally")
_PIECE_ROWS = 70_000
"""Documents whose answers to some sixty questions take 35 MB."""
