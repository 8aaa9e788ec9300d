"""The rewriter ``extract``: of HTML pages their text, of everything else what came."""

import functools
from collections.abc import Mapping
from typing import ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import require
from curate.html.children import Answer, Job, read_pages
from curate.html.extractors import LIBRARIES, library
from curate.html.pages import are_pages
from curate.settings.base import Reason, Settings
from curate.stages.contract import Rewriter, reasons_where
from curate.stages.extract.settings import ExtractSettings
from curate.text.core.replaced import replaced

REASONS: Mapping[str, Reason] = {
    "no_main_text": Reason("no_main_text", "The HTML page has no main text."),
    "failed": Reason("extractor_failed", "The extractor failed on the HTML page, or took too much memory."),
    "took_too_long": Reason(
        "extractor_took_too_long", "The extractor did not finish with the HTML page within the time limit."
    ),
}
"""Outcome of a page that is removed → why."""


class Extract(Rewriter):
    """Take the text out of HTML pages.

    A page that is removed keeps its HTML as text, so that it can be looked at and read again with other settings.

    Example:
        >>> pages = ["<!doctype html><title>Ferry</title><p>The ferry left at six.</p>", "no page"]
        >>> stage = Extract(ExtractSettings(extractor="none"))
        >>> text, measures = stage.rewrite(pa.record_batch({"text": pa.array(pages, pa.large_string())}))
        >>> text.to_pylist(), measures["title"].to_pylist(), measures["html_bytes"].to_pylist()
        (['The ferry left at six.', 'no page'], ['Ferry', None], [64, None])
    """

    name: ClassVar[str] = "extract"
    version: ClassVar[int] = 1
    turn_by_turn: ClassVar[bool] = False  # a page that somebody sends or is given is what is meant
    about: ClassVar[str] = "Replaces HTML pages by their main text; passes other documents on unchanged."
    needs: ClassVar[tuple[str, ...]] = ("text",)
    wants: ClassVar[tuple[str, ...]] = ("metadata",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "outcome": pa.string(),
        "html_bytes": pa.int64(),
        "text_bytes": pa.int64(),
        "extractor": pa.string(),
        "title": pa.string(),
    }
    reasons: ClassVar[tuple[Reason, ...]] = tuple(REASONS.values())
    settings_type: ClassVar[type[Settings]] = ExtractSettings
    settings: ExtractSettings

    def __init__(self, settings: ExtractSettings) -> None:
        self.settings = settings

    @functools.cached_property
    def fingerprint(self) -> str:
        """The library that reads pages: another version may find another text."""
        return library(self.settings.extractor)

    def warnings(self) -> list[str]:
        """Nothing to say where the extractor is there.

        Raises:
            MissingExtra: its library is not installed.
        """
        chosen = self.settings.extractor
        require(LIBRARIES[chosen], chosen, f"`extract.extractor` is `{chosen}`")
        return []

    def rewrite(self, batch: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
        """Pages as their text, and what became of each; measures are null for what is no page."""
        texts = batch["text"]
        rows = self._pages(batch)
        if not len(rows):
            return texts, pa.record_batch([pa.nulls(len(texts), kind) for kind in self.adds.values()], self._schema)
        pages = texts.take(pa.array(rows))
        answers = read_pages([page.as_buffer().to_pybytes() for page in pages], self._job)
        outcomes = np.array([_outcome(answer) for answer in answers])
        read = outcomes == "extracted"
        found = pa.array([answer.text.decode() for answer in answers], pa.large_string())
        text = replaced(texts, rows[read], found.filter(pa.array(read)))
        sizes = [pc.binary_length(pages).cast(pa.int64()), pa.array([len(answer.text) for answer in answers])]
        titles = [" ".join(answer.title.decode().split()) or None for answer in answers]
        names = pa.array([self.fingerprint] * len(rows))
        measures = [pa.array(outcomes.tolist()), *sizes, names, pa.array(titles, pa.string())]
        places = np.full(len(texts), -1, np.int64)
        places[rows] = np.arange(len(rows))
        at = pa.array(places, mask=places < 0)
        return text, pa.record_batch([values.take(at) for values in measures], self._schema)

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The measures of `rewrite`."""
        return self.rewrite(batch)[1]

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Removes pages of which there is no text."""
        outcomes = pc.fill_null(measures["outcome"], "")
        rules = {
            reason.code: pc.equal(outcomes, outcome).to_numpy(zero_copy_only=False)
            for outcome, reason in REASONS.items()
        }
        return reasons_where(rules, len(outcomes))

    def _pages(self, batch: pa.RecordBatch) -> np.ndarray:
        """Rows that are HTML."""
        if self.settings.html == "all":
            return np.arange(len(batch))
        metadata = batch["metadata"] if "metadata" in batch.schema.names else None
        return np.flatnonzero(are_pages(batch["text"], metadata).to_numpy(zero_copy_only=False))

    @property
    def _job(self) -> Job:
        settings = self.settings
        return Job(msgspec.json.encode([settings.extractor, settings.options, settings.max_seconds]).decode())

    @property
    def _schema(self) -> pa.Schema:
        return pa.schema(list(self.adds.items()))


def _outcome(answer: Answer) -> str:
    """What became of a page; one whose text is white space alone has none."""
    return "no_main_text" if answer.outcome == "extracted" and not answer.text.strip() else answer.outcome
