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
import pyarrow.compute as pc
import xxhash

from curate.engine.local import LocalEngine
from curate.report.judgments.decoding import decoded
from curate.report.judgments.looking import N_TOKENS, REASONS, Documents, Question, coded
from curate.stages.contract import Receive, Rows, Send
from curate.store.footers import footer_of
from curate.store.row_file import scanned
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory, Spread

Exchange = Callable[[Send, int, Receive | None, int, pa.Schema, Path], Rows]
"""`curate.engine.base.Engine.exchange`."""

ROW = "row"
LABEL = "language"
"""Column of `Judgments.tally`: the label of the language stage, null without one."""
_DOCUMENT = ["source", "raw_bytes"]
_SAMPLED = 4
"""Times as many documents as a sample has are read for it at least."""
_ALIKE = "alike"
"""Column of a number that documents with all of this in common share."""
_APART = 16
"""Tables of pieces that wait to be added up: each time all of them are gone through."""
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
        tabled: names of columns, of whatever stage, that are read by way of `frame` and are checked now; None: all.
            Questions check what they look at when they do.

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
        tabled: Collection[str] | None = None,
    ) -> None:
        self.spread, self._exchange, self._tabled = spread, exchange, tabled
        self._known = known or tabled is None
        self.directory = directory
        self.files = directory.parts(DOCUMENTS)
        self.stages = tuple(stages) if self.files else ()
        unknown = range(len(self.files)) if not known and (tabled is None or tabled) else ()
        for _ in spread(self._checked, unknown):
            pass

    @cached_property
    def offsets(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Row of the first document of each part, and at the end the number of documents."""
        rows = [sum(lengths) for lengths in self._lengths]
        return np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)

    @cached_property
    def _lengths(self) -> list[list[int]]:
        """Rows of each row group of each part."""
        return [*self.spread(self._lengths_of, range(len(self.files)))]

    @property
    def rows(self) -> int:
        """Documents in the run, quarantined ones not among them."""
        return int(self.offsets[-1])

    @cached_property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Column → type, without reading a row."""
        for folder in (DOCUMENTS, *self.stages) if self.files and not self._known else ():
            self.directory.footer(folder, 0, ())
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

    def tallied(self, found: list[pl.DataFrame] | None) -> pl.LazyFrame:
        """`tally`, where `Tally` was asked already."""
        question = Tally(self)
        whole = question.together(question.of(self.nothing) if found is None else found).drop(_ALIKE)
        reasons = [column for column in question.columns if column.endswith(f".{REASONS}")]
        self.tally = whole.sort("source", LABEL, *(pl.col(each).list.join(_BETWEEN) for each in reasons)).lazy()
        return self.tally

    def look(self, *questions: Question) -> tuple[Any, ...]:
        """What each question finds out about all documents, which are read once; None if there are none."""
        columns = list(dict.fromkeys(column for question in questions for column in question.columns))
        columns += [N_TOKENS] * (N_TOKENS not in columns and self.has(N_TOKENS))
        found: list[Any] = [None] * len(questions)
        for answers in self.spread(partial(self._look, questions, columns), self._pieces()):
            for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
                found[place] = answer if found[place] is None else question.joined(found[place], answer)
        return tuple(found)

    @property
    def nothing(self) -> Documents:
        """No documents: what a question finds in a run without any."""
        table = self.frame.head(0).collect().to_arrow(compat_level=pl.CompatLevel.oldest())
        columns = dict(zip(table.column_names, table.columns, strict=True))
        return Documents(0, 0, columns, self.stages[-1] if self.stages else "")

    def sample(self, columns: Sequence[str], many: int) -> pl.DataFrame:
        """Columns of about so many documents, the same ones every time: every k-th, of row groups all over the run."""
        apart = max(1, self.rows // (_SAMPLED * many))
        chosen = self._groups()[::apart] if apart > 1 else list(self._pieces())
        step = max(1, sum(piece.length for piece in chosen) // many)
        pieces = [piece.of(range(-(-piece.begin // step) * step, piece.end, step)) for piece in chosen]
        found = [table for table in self.spread(partial(self._taken, columns), pieces) if table.num_rows]
        return pl.DataFrame(pa.concat_tables(found)) if found else self.frame.select(columns).collect()

    def rows_of(self, rows: Iterable[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Columns of these documents, by row; only row groups that hold one are read."""
        chosen, pieces = sorted({*rows}), list[_Piece]()
        for group in self._groups():
            inside = chosen[bisect_left(chosen, group.begin) : bisect_left(chosen, group.end)]
            pieces += [group.of(inside)] * bool(inside)
        found = self.spread(partial(self._taken, columns), pieces)
        told = (row for table in found for row in table.to_pylist())
        return dict(zip(chosen, told, strict=True))

    def sent(self, send: Send, receive: Receive, schema: pa.Schema) -> Iterator[pa.Table]:
        """What each part makes of the rows sent to it, in order of part: see `curate.stages.contract.Corpus`."""
        exchange = self._exchange or LocalEngine(workers=1, lanes=1, ahead=2).exchange
        with TemporaryDirectory(prefix="curate-") as folder:
            made = exchange(send, len(self.files), receive, len(self.files), schema, Path(folder))
            yield from (made[part] for part in range(len(self.files)))

    def part(self, part: int, stages: Collection[str]) -> pl.LazyFrame:
        """The rows of `frame` in one part, counted from its first, with columns of these stages."""
        return self._frame([self.files[part]], 0, stages)

    def answers(self, *questions: pl.Expr) -> Iterable[pl.DataFrame]:
        """What is selected of each piece of `frame`, in order: a part or less."""
        return self.spread(partial(self._answer, questions), self._pieces())

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

    def place(self, row: int) -> tuple[int, int]:
        """Part (its place in `files`) and row inside it."""
        part = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return part, row - int(self.offsets[part])

    def id_of(self, row: int) -> str:
        """Id of the document in that row of the run."""
        return str(self.rows_of([row], ["id"])[row]["id"])

    def row_at(self, part: int, row: int) -> int | None:
        """Row in the run of row ``row`` of a part; None when there is no such part."""
        return int(self.offsets[part]) + row if 0 <= part < len(self.files) else None

    def _checked(self, part: int) -> None:
        """Look at all bytes of the part that are read here."""
        self.directory.checked(DOCUMENTS, part, ["id", *_DOCUMENT, *(self._tabled or ())])
        for stage in self.stages:
            self.directory.checked(stage, part, self._tabled)

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

    def _answer(self, questions: Sequence[pl.Expr], piece: "_Piece") -> pl.DataFrame:
        stages = {column.partition(".")[0] for question in questions for column in question.meta.root_names()}
        table = self._frame([self.files[piece.place]], piece.first, stages).slice(piece.start, piece.length)
        return table.select(*questions).collect()

    def _taken(self, columns: Sequence[str], piece: "_Piece") -> pa.Table:
        """Columns of those rows of a piece that are asked for."""
        read = self._decoded(columns, piece)
        places = pa.array([row - piece.begin for row in piece.rows], pa.int64())
        return pa.table({name: read.column(name).take(places) for name in columns})

    def _decoded(self, columns: Sequence[str], piece: "_Piece", last: str = "") -> Documents:
        rows = range(piece.start, piece.start + piece.length)
        return decoded(self.directory, last, columns, piece.place, rows, piece.first, known=self._known)

    def decoded_part(self, part: int, columns: Sequence[str]) -> Documents:
        """Columns of all documents of a part, of which it is not told whether they are kept."""
        return self._decoded(columns, _Piece(part, 0, 0, sum(self._lengths_of(part))))

    def _lengths_of(self, part: int) -> list[int]:
        """Rows of each row group of a part."""
        footer = None if self._known else self.directory.footer(DOCUMENTS, part, ())
        return [group.stop - group.start for group in groups_in(footer or footer_of(self.files[part]))]

    def _look(self, questions: Sequence[Question], columns: Sequence[str], piece: "_Piece") -> list[Any]:
        asked = self._decoded(columns, piece, self.stages[-1] if self.stages else "")
        return [question.of(asked) for question in questions]

    def _frame(self, files: list[Path], first: int, stages: Collection[str] | None = None) -> pl.LazyFrame:
        documents = scanned(files, _DOCUMENT).with_row_index(ROW, first)
        judged = [
            pl.scan_parquet(self._files_of(stage, files)).select(pl.all().name.prefix(f"{stage}."))
            for stage in self.stages
            if stages is None or stage in stages
        ]
        return pl.concat([documents.select(ROW, *_DOCUMENT), *judged], how="horizontal")

    def _files_of(self, stage: str, files: Sequence[Path]) -> list[Path]:
        return [self.directory.path / stage / file.name for file in files]


class Tally:
    """The question behind `Judgments.tally`."""

    def __init__(self, judgments: Judgments) -> None:
        reasons = [f"{stage}.{REASONS}" for stage in judgments.stages]
        label = ["language.label"] if judgments.has("language.label") else []
        reasons = [each for each in reasons if judgments.has(each)]
        self.columns = ["source", "raw_bytes", *label, *reasons]
        self._keys = {"source": "source"} | dict.fromkeys([LABEL] * len(label), "language.label")
        self._keys |= {each: each for each in reasons}
        """What tells documents apart, and the column that it is in."""

    def of(self, piece: Documents) -> list[pl.DataFrame]:
        """See `curate.report.judgments.looking.Question`; tables to be put `together`."""
        rows = {_ALIKE: self._alike(piece), "bytes": piece.raw_bytes, "tokens": piece.tokens}
        counted = (
            pl.DataFrame(rows)
            .with_row_index("first")
            .group_by(_ALIKE)
            .agg(pl.col("first").first(), pl.col("bytes", "tokens").sum(), documents=pl.len().cast(pl.Int64))
        )
        chosen = counted["first"].to_arrow()
        keys = {LABEL: pl.repeat(None, len(chosen), dtype=pl.String, eager=True)}
        for key, column in self._keys.items():
            kind = pa.list_(pa.string()) if key.endswith(f".{REASONS}") else pa.string()
            keys[key] = pl.Series(piece.column(column).take(chosen).cast(kind))
        return [pl.DataFrame(keys).hstack(counted.select(_ALIKE, "documents", "bytes", "tokens"))]

    def _alike(self, piece: Documents) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        """The same number for documents of the same source and label with the same reasons of every stage."""
        alike = np.zeros(piece.rows, np.uint64)
        for key, column in self._keys.items():
            if key.endswith(f".{REASONS}"):
                given = piece.given(column.removesuffix(f".{REASONS}"))
                np.add.at(alike, given.places, _worth(key, given.names)[given.codes])
                alike[given.number < 0] += _worth(key, [None])
                continue
            texts = coded(piece.column(column))
            worth = _worth(key, [None, *texts.dictionary.to_pylist()])
            alike += worth[pc.fill_null(texts.indices, -1).to_numpy().astype(np.int64) + 1]
        return alike

    def joined(self, found: list[pl.DataFrame], behind: list[pl.DataFrame]) -> list[pl.DataFrame]:
        """See `curate.report.judgments.looking.Question`."""
        found += behind
        return [self.together(found)] if len(found) >= _APART else found

    def together(self, found: list[pl.DataFrame]) -> pl.DataFrame:
        """A row for all documents that are alike, wherever they were found."""
        if len(found) == 1:
            return found[0]
        keys = [LABEL, *(key for key in self._keys if key != LABEL)]
        summed = pl.col("documents", "bytes", "tokens").sum()
        together = pl.concat(found).group_by(_ALIKE).agg(pl.col(keys).first(), summed)
        return together.select(found[0].columns)


def _worth(key: str, values: Iterable[str | None]) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """A number for each value of a key."""
    return np.array([xxhash.xxh3_64_intdigest(f"{key} {value!r}".encode()) for value in values], np.uint64)


class _Piece(NamedTuple):
    """Some rows of a part: its place, the row of the run that is its first, and which of its rows."""

    place: int
    first: int
    start: int
    length: int
    rows: Sequence[int] = ()
    """Rows of the run that alone are asked for, where not all are."""

    @property
    def begin(self) -> int:
        """Row of the run that is the first of these."""
        return self.first + self.start

    @property
    def end(self) -> int:
        """Row of the run behind the last of these."""
        return self.begin + self.length

    def of(self, rows: Sequence[int]) -> "_Piece":
        """The same, asked for these rows of it."""
        return self._replace(rows=rows)


def ask(queries: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Answers of all queries, one after another: each holds what polars reads ahead, and a thread for every file."""
    return [query.collect(engine="streaming") for query in queries]


_READ_AGAIN = ("offsets", "_lengths", "schema", "frame", "tally")
_PIECE_ROWS = 70_000
"""Documents whose answers to some sixty questions take 35 MB."""
