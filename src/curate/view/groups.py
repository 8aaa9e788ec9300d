"""Documents that have outcome, reasons, source and language in common: one number a document stands for all four.

So a question about them is a question about a few thousand groups, whatever the number of documents.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.report.judgments.judgments import Judgments
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS

Ints = npt.NDArray[Any]
Spread = Callable[[Callable[[int], "_Part"], Iterable[int]], Iterator["_Part"]]

NONE = -1


class Table(msgspec.Struct, frozen=True):
    """What each group is; the lists have an entry for each, but `sources` and `languages`, which are names."""

    removed_by: list[int]
    """Place of the stage in the run, or -1: kept."""
    given: list[int]
    """A bit for each reason, in the order of `Index.reasons`."""
    source: list[int]
    """Place in `sources`, or -1."""
    language: list[int]
    documents: list[int]
    sources: list[str]
    languages: list[str]


class _Part(msgspec.Struct, frozen=True):
    """The groups of one part, with names of its own."""

    group: Ints
    keys: list[tuple[int, int, str | None, str | None]]


class Groups:
    """The groups of a run.

    Args:
        of: for each document the number of its group.
        table: what the groups are.
    """

    def __init__(self, of: Ints, table: Table) -> None:
        self.of, self.table = of, table
        self.sources, self.languages = table.sources, table.languages
        self.removed_by = np.array(table.removed_by, np.int8)
        self.given = np.array(table.given, np.uint64)
        self.source, self.language = (np.array(each, np.int32) for each in (table.source, table.language))
        self.documents = np.array(table.documents, np.int64)


def group(judgments: Judgments, stages: Sequence[str], reasons: Sequence[str], label: str, spread: Spread) -> Groups:
    """Read the verdicts, sources and languages of all documents.

    Args:
        judgments: of the run.
        stages: that ran, in order.
        reasons: ``stage.code`` of those that are distinguished, at most 64.
        label: the measure that is the language, ``stage.column``; empty: there is none.
        spread: reads several parts at a time, in order.
    """
    bits = {code: 1 << at for at, code in enumerate(reasons)}
    of = np.empty(judgments.rows, np.int32)
    known: dict[tuple[int, int, str | None, str | None], int] = {}
    documents: list[int] = []
    parts = spread(lambda part: _grouped(judgments, part, stages, bits, label), range(len(judgments.files)))
    for first, part in zip(judgments.offsets[:-1].tolist(), parts, strict=True):
        numbers = np.array([known.setdefault(key, len(known)) for key in part.keys], np.int32)
        documents += [0] * (len(known) - len(documents))
        for number, count in zip(numbers.tolist(), np.bincount(part.group, minlength=len(numbers)), strict=True):
            documents[number] += int(count)
        of[first : first + len(part.group)] = numbers[part.group]
    sources, source = _named([key[2] for key in known], documents)
    languages, language = _named([key[3] for key in known], documents)
    table = Table([key[0] for key in known], [key[1] for key in known], source, language, documents, sources, languages)
    return Groups(of, table)


def _grouped(judgments: Judgments, part: int, stages: Sequence[str], bits: dict[str, int], label: str) -> _Part:
    directory = judgments.directory
    source = read_columns(directory.part(DOCUMENTS, part), ["source"]).column("source")
    rows = len(source)
    removed_by, given = np.full(rows, NONE, np.int64), np.zeros(rows, np.uint64)
    language: Any = pa.chunked_array([pa.nulls(rows, pa.string())])
    for number, stage in enumerate(stages):
        column = label.partition(".")[2] if label.partition(".")[0] == stage else ""
        table = read_columns(directory.part(stage, part), ["reasons", *([column] if column else [])])
        language = table.column(column) if column else language
        lists = table.column("reasons").combine_chunks()
        some = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False) > 0
        removed_by[some & (removed_by < 0)] = number
        given |= bits_of(lists, stage, bits)
    codes, masks = np.zeros(rows, np.int64), np.unique(given, return_inverse=True)
    names = [_coded(column) for column in (source, language)]
    for place, count in ((removed_by + 1, len(stages) + 1), *((each, len(held) + 1) for held, each in names)):
        codes = codes * count + place
    codes = codes * len(masks[0]) + masks[1]
    _, first, groups = np.unique(codes, return_index=True, return_inverse=True)
    keys = [
        (
            int(removed_by[row]),
            int(given[row]),
            *(held[each[row]] if each[row] < len(held) else None for held, each in names),
        )
        for row in first.tolist()
    ]
    return _Part(groups.astype(np.int32), keys)  # type: ignore[arg-type]


def bits_of(lists: pa.Array, stage: str, bits: Mapping[str, int]) -> Ints:
    """For each list of a stage's reasons the bits of them together; a reason without a bit adds nothing."""
    found = np.zeros(len(lists), np.uint64)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    flat = pc.dictionary_encode(lists.flatten())
    known = np.array([bits.get(f"{stage}.{code}", 0) for code in flat.dictionary.to_pylist()], np.uint64)
    np.bitwise_or.at(found, np.repeat(np.arange(len(lists)), lengths), known[flat.indices.to_numpy()])
    return found


def _coded(column: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """Distinct values, and for each row the place of its value; after the last one: none."""
    encoded = pc.dictionary_encode(column.combine_chunks().cast(pa.string()))
    values = encoded.dictionary.to_pylist()
    return values, pc.fill_null(encoded.indices, len(values)).to_numpy(zero_copy_only=False).astype(np.int64)


def _named(values: Sequence[str | None], documents: Sequence[int]) -> tuple[list[str], list[int]]:
    """Distinct values, those of most documents first, and for each group the place of its value."""
    counts: dict[str, int] = {}
    for value, count in zip(values, documents, strict=True):
        if value is not None:
            counts[value] = counts.get(value, 0) + count
    names = sorted(counts, key=lambda name: (-counts[name], name))
    places = {name: place for place, name in enumerate(names)}
    return names, [NONE if value is None else places[value] for value in values]
