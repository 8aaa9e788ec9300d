"""Reads the sampled documents of a finished run: each text that an arm, or the run without one of its rules, has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.evidence.looked import Looked, Mask, Numbers
from curate.evidence.looked import place as placed
from curate.evidence.scratch import EditAblation, Later, Looking, cut_out
from curate.store.objects.ranges import parquet_source
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.edits import edited

_TO_ONE = 2.0**-64


class Entry(NamedTuple):
    """A text of a document; a document has as many as it has versions."""

    text: str
    key: int
    raw: bool
    curated: bool
    spared: bool
    without: int
    """Bit n: the run without the n-th of `Reader.ablations` keeps this text; there may be more than 64."""
    unseen: bool
    first: int
    rule: int


class Reader:
    """Reads the sampled documents of a part.

    Args:
        directory: of the run.
        names: of its stages.
        editors: numbers of the stages that may edit texts.
        shares: of the clusters of each arm, how many are sampled.
        later: where given, stages look at documents that they did not see, or saw with other text.
        seed: of the sample.
    """

    def __init__(
        self,
        directory: RunDirectory,
        names: Sequence[str],
        editors: Sequence[int],
        shares: Mapping[str, float],
        later: Later | None,
        seed: int,
    ) -> None:
        self.directory, self.names, self.editors = directory, names, editors
        self.shares, self.later, self.seed = shares, later, seed
        self.ablations = list[EditAblation]()

    def entries(self, looked: Looked) -> Iterator[Entry]:
        """The texts of a part."""
        at = placed(looked.keys, f"pool {self.seed}") * _TO_ONE
        raw, curated = looked.raw & (at < self.shares["raw"]), looked.kept & (at < self.shares["curated"])
        wanted, part = raw | curated, looked.part
        if not wanted.any():
            return
        edits = {number: self.edits(part, number) for number in self.editors}
        with pq.ParquetFile(parquet_source(self.directory.checked(DOCUMENTS, part, ["text"]))) as file:
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                rows = start + np.flatnonzero(wanted[start:end])
                if len(rows):
                    column = file.read_row_group(group, columns=["text"], use_threads=False).column("text")
                    texts = column.combine_chunks().take(pa.array(rows - start))
                    changes = {number: each.take(pa.array(rows)).combine_chunks() for number, each in edits.items()}
                    looking = Looking(self.directory, part, group, start, rows, {})
                    yield from _Group(self, looked, looking, texts, changes).entries(raw[rows], curated[rows])
                start = end

    def edits(self, part: int, number: int) -> pa.ChunkedArray:
        """Edits of a stage, row for row of a part."""
        return self.directory.columns(self.names[number], part, ["edits"]).column(0)

    def edited(self, looked: Sequence[Looked]) -> list[int]:
        """Numbers of the stages that edited some text."""
        return [
            number
            for number in self.editors
            if any(pc.sum(pc.list_value_length(self.edits(part.part, number))).as_py() for part in looked)
        ]


class _Group:
    """The sampled documents of a row group."""

    def __init__(
        self, reader: Reader, looked: Looked, looking: Looking, texts: pa.Array, changes: Mapping[int, pa.Array]
    ) -> None:
        self.reader, self.looked = reader, looked
        self.first = looked.first[looking.rows]
        self.seen, after, cuts = dict[int, tuple[pa.Array, pa.Array]](), texts, dict[int, list[list[str]]]()
        whole = set(reader.later.whole_corpus()) if reader.ablations and reader.later else set()
        for number, change in changes.items():
            if number in whole:
                cuts[number] = list(map(cut_out, after.to_pylist(), change.to_pylist()))
            self.seen[number] = after, edited(after, change)
            after = self.seen[number][1]
        self.texts, self.after, self.whole, self.looking = texts, after, whole, looking._replace(cuts=cuts)

    def entries(self, raw: Mask, curated: Mask) -> Iterator[Entry]:
        now, spared = self.after.to_pylist(), np.zeros(len(raw), np.bool_)
        without: list[dict[str, int]] = [{} for _ in now]
        if self.reader.later:
            self._spare(self.reader.later, raw, now, spared)
            for number, each in enumerate(self.reader.ablations):
                self._without(self.reader.later, each, number, now, without)
        rows = self.looking.rows.tolist()
        for at, (row, before) in enumerate(zip(rows, self.texts.to_pylist(), strict=True)):
            used = now[at] if curated[at] or spared[at] else before
            for text in dict.fromkeys([before, used, *without[at]]):
                own = text == now[at]
                found = Entry(
                    text,
                    int(self.looked.keys[row]),
                    bool(raw[at]) and text == before,
                    bool(curated[at]) and own,
                    bool(spared[at]) and own,
                    without[at].get(text, 0),
                    bool(self.looked.unseen[row]),
                    int(self.looked.first[row]),
                    int(self.looked.rules[row]),
                )
                if found.raw or found.curated or found.spared or found.without:
                    yield found

    def _spare(self, later: Later, raw: Mask, now: list[str], spared: Mask) -> None:
        """Note of removed documents whether the stages behind would keep them, and with which edits."""
        for stage in np.unique(self.first[(self.first >= 0) & raw]).tolist():
            inside = np.flatnonzero((self.first == stage) & raw)
            found = later.settle(self.looking.only(inside), self.after.take(pa.array(inside)), stage + 1)
            spared[inside] = found.kept
            for at, text in zip(inside.tolist(), found.texts.to_pylist(), strict=True):
                now[at] = text

    def _without(
        self, later: Later, each: EditAblation, number: int, now: Sequence[str], without: list[dict[str, int]]
    ) -> None:
        """Note which texts the run without a stage or rule would keep."""
        others = np.isin(self.first, [stage for stage in self.whole if stage != each.stage])
        inside: Numbers = np.flatnonzero(((self.first < 0) | (self.first >= each.stage)) & ~others)
        seen, had = (texts.take(pa.array(inside)) for texts in self.seen[each.stage])
        first = self.first[inside]
        found = later.settle_without(each, self.looking.only(inside), seen, had, first == each.stage)
        texts = found.texts.to_pylist()
        for at, place in enumerate(inside.tolist()):
            if found.kept[at] or (found.same[at] and first[at] < 0):
                text = now[place] if found.same[at] else texts[at]
                without[place][text] = without[place].get(text, 0) | 1 << number
