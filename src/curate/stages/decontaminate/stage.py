"""The stage ``decontaminate``: n-gram overlap with the test sets that a model will be measured by."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from curate.errors import PlanError
from curate.settings.base import Reason, Settings
from curate.stages.contract import Stage, reasons_where
from curate.stages.decontaminate.benchmarks import SETTING, benchmark_files, benchmark_texts
from curate.stages.decontaminate.settings import DecontaminateSettings
from curate.stages.named_files import content_digest

if TYPE_CHECKING:
    from curate.stages.decontaminate.matches import Index

SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64())])
"""Byte offsets in the text."""


class Decontaminate(Stage):
    """Leave out documents that hold a noticeable part of an item of a benchmark.

    Both sides are taken as sequences of words without case, punctuation and white space; what is common to them is
    found exactly, whatever the layout.

    Example:
        >>> stage = Decontaminate(DecontaminateSettings())
        >>> stage.measure(pa.record_batch({"text": pa.array(["Nothing to look for."], pa.large_string())})).to_pylist()
        [{'overlap': 0.0, 'item_overlap': 0.0, 'benchmark': None, 'item': None, 'span': None}]
    """

    name: ClassVar[str] = "decontaminate"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("text",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "overlap": pa.float64(),
        "item_overlap": pa.float64(),
        "benchmark": pa.string(),
        "item": pa.string(),
        "span": SPAN,
    }
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("benchmark_overlap", "It holds a part of an item of a benchmark."),)
    about: ClassVar[str] = "Removes documents that share long word sequences with benchmark test sets."
    settings_type: ClassVar[type[Settings]] = DecontaminateSettings
    settings: DecontaminateSettings

    def __init__(self, settings: DecontaminateSettings) -> None:
        self.settings = settings

    @functools.cached_property
    def fingerprint(self) -> str:
        """The content of the test sets."""
        return content_digest(benchmark_files(self.settings.benchmarks))

    def warnings(self) -> list[str]:
        """How many items are too short to be looked for.

        Raises:
            PlanError: no test set is named, or one cannot be used.
        """
        if not self.settings.benchmarks:
            raise PlanError(
                "`decontaminate` has no test set to look for",
                hint='decontaminate.benchmarks = ["gsm8k/test.jsonl"]',
            )
        unsearched, items = self._index.unsearched, len(set(self._index.names))
        if unsearched == items:
            raise PlanError(
                f"no item of `{SETTING}` has {self.settings.min_words} words or more",
                hint="lower decontaminate.min_words",
            )
        least = self.settings.min_words
        return [f"{unsearched:,} of {items:,} items have fewer than {least} words and are not looked for"] * bool(
            unsearched
        )

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Shares of the document and of the item it holds most of, that item, and where its longest part is."""
        from curate.stages.decontaminate.matches import matches
        from curate.text.search.grams import find_grams

        index, rows = self._index, range(len(batch))
        found = matches(index, *find_grams(batch["text"], index.grams))
        at = [found.get(row) for row in rows]
        columns = [
            pa.array([match.overlap if match else 0.0 for match in at], pa.float64()),
            pa.array([match.item_overlap if match else 0.0 for match in at], pa.float64()),
            pa.array([match and index.names[match.text][0] for match in at], pa.string()),
            pa.array([match and index.names[match.text][1] for match in at], pa.string()),
            pa.array([match and {"start": match.start, "end": match.stop} for match in at], SPAN),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """``benchmark_overlap`` where either share is above its limit."""
        overlap, item_overlap = (measures[name].to_numpy(zero_copy_only=False) for name in ("overlap", "item_overlap"))
        over = (overlap > self.settings.max_overlap) | (item_overlap > self.settings.max_item_overlap)
        return reasons_where({"benchmark_overlap": over}, len(measures))

    @functools.cached_property
    def _index(self) -> "Index":
        from curate.stages.decontaminate.matches import build_index

        given = self.settings
        items = benchmark_texts(given.benchmarks, given.fields) if given.benchmarks else []
        return build_index(items, given.ngram_words, given.min_words, given.max_items)
