"""The ``line_dup`` stage itself: what it declares, what it observes, how it judges."""

import functools
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.settings.base import Reason, Settings
from curate.stages.contract import Corpus, CorpusStage, reasons_where
from curate.stages.line_dup.cuts import MEASURES, cut_part
from curate.stages.line_dup.repeated import PARTIAL, find_repeated
from curate.stages.line_dup.settings import LineDupSettings
from curate.text.dedup.content_hash import content_hashes
from curate.text.dedup.passages import passage_hashes


class LineDup(CorpusStage):
    """Cut lines or paragraphs that many documents share, and remove documents of which too little is left."""

    name: ClassVar[str] = "line_dup"
    version: ClassVar[int] = 1
    about: ClassVar[str] = "Cuts lines or paragraphs that many documents of a source share; one document keeps each."
    settings_type: ClassVar[type[Settings]] = LineDupSettings
    settings: LineDupSettings
    partial_schema: ClassVar[pa.Schema] = PARTIAL
    adds: ClassVar[Mapping[str, pa.DataType]] = MEASURES
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("too_short_after_cutting", "Too few words are left of it without the lines that many documents share."),
    )

    def __init__(self, settings: LineDupSettings | None = None) -> None:
        """Take the settings; nothing is loaded yet."""
        self.settings = settings or LineDupSettings()

    @property
    def needs(self) -> tuple[str, ...]:
        """Text and id, and the source where documents are counted within it."""
        return ("text", "id", "source") if self.settings.scope == "source" else ("text", "id")

    def describe(self) -> str:
        """The plan's line.

        Example:
            >>> LineDup().describe()
            'lines of 20 or more characters in 10 or more documents of a source are cut; one document keeps each'
        """
        of = " of a source" if self.settings.scope == "source" else ""
        return (
            f"{self.settings.unit}s of {self.settings.min_characters} or more characters in "
            f"{self.settings.min_documents} or more documents{of} are cut; one document keeps each"
        )

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:  # noqa: ARG002
        """Not defined: one batch does not tell which passages are repeated elsewhere."""
        raise TypeError("line_dup must see the whole corpus: call `observe` on every batch, then `resolve`")

    def observe(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Id, scope and the distinct passages of every document.

        Scopes are hashes of 64 bits: two of n sources collide with probability n² / 2⁶⁵, and then count as one.
        """
        hashes, offsets = passage_hashes(
            batch.column("text"), paragraphs=self.settings.paragraphs, min_characters=self.settings.min_characters
        )
        scopes = np.zeros(batch.num_rows, np.uint64)
        if self.settings.scope == "source" and batch.num_rows:
            sources = content_hashes(pc.fill_null(batch.column("source").cast(pa.large_string()), ""))
            scopes = np.frombuffer(sources.buffers()[1], np.uint64).reshape(-1, 2)[:, 0]
        columns = [
            batch.column("id").cast(pa.string()),
            pa.array(scopes),
            pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(hashes)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PARTIAL)

    def resolve(self, corpus: Corpus) -> Callable[[int], pa.RecordBatch]:
        """Find the repeated passages; what is returned cuts them out of the documents of one part."""
        repeated = find_repeated(corpus, self.settings.min_documents)
        return functools.partial(cut_part, corpus, repeated, self.settings)

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """``too_short_after_cutting`` where cutting took a document below ``min_words_left``; it was not before."""
        enough = self.settings.min_words_left
        before, left = (
            pc.fill_null(measures.column(name), enough).to_numpy(zero_copy_only=False)
            for name in ("words_before", "words_left")
        )
        return reasons_where({"too_short_after_cutting": (before >= enough) & (left < enough)}, measures.num_rows)
