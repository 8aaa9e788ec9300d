"""The stage ``quality``: measures the signals of a document, judges them by the rules of a recipe."""

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.settings.base import Reason, Settings
from curate.stages.contract import Stage, reasons_where
from curate.stages.quality.rules import Languages, failures, rule
from curate.stages.quality.score import SCORED_BY, score
from curate.stages.quality.settings import SIGNAL_OF, QualitySettings
from curate.stages.quality.signals import SIGNALS, Group
from curate.text.chats.spans import View
from curate.text.core.arrow import EDITS, edit_lists, utf8_view

if TYPE_CHECKING:
    from curate.text.quality.words.stop_words import StopWords

LANGUAGE = "language.label"
LABEL = "language"
"""The measure that repeats it."""


class Quality(Stage):
    """Leave out documents that break a rule of the recipe; every broken rule is a reason.

    The stop-word rule applies where the language stage ran and there is a list for the document's language;
    elsewhere ``stop_words`` is null and the rule does not apply. Signals of a group that no rule asks for are null
    too, unless ``signals = "all"``.

    Example:
        >>> batch = pa.record_batch({"text": pa.array(["Buy now!"], pa.large_string())})
        >>> stage = Quality(QualitySettings())
        >>> measures = stage.measure(batch)
        >>> measures["words"].to_pylist(), measures["mean_word_length"].to_pylist()
        ([2], [3.5])
        >>> stage.judge(measures).to_pylist()
        [['too_few_words']]
    """

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 6
    needs: ClassVar[tuple[str, ...]] = ("text",)
    wants: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    """Columns used when an earlier stage provides them."""
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        **{signal.name: signal.dtype for signal in SIGNALS},
        "score": pa.float64(),
        LABEL: pa.string(),
        "edits": EDITS,
    }
    reasons: ClassVar[tuple[Reason, ...]] = tuple(
        Reason(one.reason, one.sentence) for one in (rule(signal.name, side, 0) for signal, side in SIGNAL_OF.values())
    )
    about: ClassVar[str] = "Scores documents by the rules of a recipe: length, words, symbols, lines and repetition."
    settings_type: ClassVar[type[Settings]] = QualitySettings
    settings: QualitySettings

    @property
    def reads(self) -> View:
        """Of a conversation what the assistant says."""
        return "answers"

    def __init__(self, settings: QualitySettings) -> None:
        self.settings = settings
        self._rules = settings.rules()

    @property
    def fingerprint(self) -> str:
        """What measures depend on besides the settings: which groups of signals are measured."""
        own = self.settings.stop_words()
        lists = [f"{language}: {' '.join(words)}" for language, words in sorted(own)]
        return " ".join([*sorted(self.groups), *lists])

    @property
    def groups(self) -> frozenset[Group]:
        """The groups of signals that are measured: those that a rule asks for, or all."""
        asked = {one.signal for one in (*self._rules, *SCORED_BY)}
        everything = self.settings.signals == "all"
        found = {signal.group for signal in SIGNALS if everything or signal.name in asked}
        return frozenset(found | ({"lines"} if self.settings.line_rules() else set()))

    @property
    def may_give(self) -> tuple[Reason, ...]:
        """Those of the rules that hold."""
        held = {one.reason for one in self._rules}
        return tuple(reason for reason in self.reasons if reason.code in held)

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The measures that verdicts hang on."""
        languages = (LABEL,) if self.settings.languages else ()
        return (*dict.fromkeys(one.signal for one in self._rules), *languages)

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Signals of each document, its ``score`` (`curate.stages.quality.score`), its language."""
        # numba takes 0.2 s to import: only a process that measures pays for it.
        from curate.text.quality.character_signals import character_signals
        from curate.text.quality.document_signals import DETAILS, GOPHER, document_signals
        from curate.text.quality.lines.line_rules import line_signals
        from curate.text.quality.words.word_cuts import word_cuts

        data, offsets = utf8_view(batch["text"])
        stop_words = _stop_words(self.settings.stop_words())
        cuts = word_cuts(self.settings.words, data, offsets, _languages(batch).to_pylist())
        values = document_signals(
            data,
            offsets,
            _language_numbers(batch, stop_words.languages),
            stop_words,
            DETAILS if "details" in self.groups else GOPHER,
            cuts.splits,
            cuts.tables,
        )
        values["mean_word_length"][cuts.by_letters] = np.nan
        if self.settings.ngram_words == "segments":
            values |= self._ngrams_of_segments(data, offsets)
        if "characters" in self.groups:
            values |= character_signals(data, offsets)
        edits = pa.array([[]] * batch.num_rows, EDITS)
        if "lines" in self.groups:
            rules = self.settings.line_rules()
            by_words = cuts.splits if self.settings.words == "spacy" else cuts.splits[:0]
            found, removed = line_signals(data, offsets, rules if self.settings.cut_lines else None, by_words)
            values |= found
            edits = edit_lists(removed.starts, removed.stops, _line_feeds(removed.newlines), removed.ends)
        columns = [
            _column(values[signal.name], signal.dtype)
            if signal.name in values
            else pa.nulls(batch.num_rows, signal.dtype)
            for signal in SIGNALS
        ]
        columns += [_column(score(values), pa.float64()), _languages(batch), edits]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def _ngrams_of_segments(
        self, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Signals of n-grams of words by Unicode's rules."""
        from curate.text.quality.bitmaps import splits_for
        from curate.text.quality.document_signals import DETAILS, GOPHER, NGRAMS, document_signals
        from curate.text.quality.words.segments import segment_rules, word_segments

        splits = splits_for(len(data))
        word_segments(data, offsets, segment_rules(), splits)
        found = document_signals(
            data,
            offsets,
            np.full(len(offsets) - 1, -1),
            _stop_words(()),
            DETAILS if "details" in self.groups else GOPHER,
            splits,
            apart=True,
        )
        return {name: found[name] for name in NGRAMS if name in found}

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Reasons of each document, in the order of the signals."""
        return reasons_where(self.failures(measures), measures.num_rows)

    def failures(self, measures: pa.RecordBatch) -> dict[str, npt.NDArray[np.bool_]]:
        """Reason → mask of the documents that get it; of ``measures`` the columns ``judged_by`` are read."""
        values = {one.signal: numbers(measures[one.signal]) for one in self._rules}
        return failures(self._rules, values, self._languages(measures))

    def edit_rules(self) -> Mapping[str, Settings]:
        """The rules on lines."""
        return self.settings.without_line_rules()

    def _languages(self, measures: pa.RecordBatch) -> Languages | None:
        """The language of each document, where one has limits of its own."""
        codes = tuple(self.settings.languages)
        return Languages(codes, _places(measures[LABEL], codes)) if codes else None


@functools.cache
def _stop_words(own: tuple[tuple[str, tuple[str, ...]], ...]) -> "StopWords":
    from curate.text.quality.words.stop_words import StopWords

    lists = tomllib.loads(files(__package__).joinpath("stop_words.toml").read_text("utf-8"))
    return StopWords({language: tuple(entry["words"]) for language, entry in lists.items()} | dict(own))


def _language_numbers(batch: pa.RecordBatch, languages: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """For each document the place of its language in ``languages``; -1 where it is another, or not known."""
    if LANGUAGE not in batch.schema.names:
        return np.full(batch.num_rows, -1, np.int64)
    return _places(_languages(batch), languages)


def _places(labels: pa.Array, codes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """For each label its place in ``codes``, -1 where it is not there."""
    found = pc.index_in(labels.cast(pa.string()), value_set=pa.array(codes, pa.string())).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _languages(batch: pa.RecordBatch) -> pa.Array:
    """The label of each document's language; null where the language stage did not run."""
    if LANGUAGE not in batch.schema.names:
        return pa.nulls(batch.num_rows, pa.string())
    return batch[LANGUAGE].cast(pa.string())


def _line_feeds(counts: npt.NDArray[np.int64]) -> pa.Array:
    """As many line feeds as each count says."""
    most = int(counts.max(initial=0))
    return pa.array(["\n" * count for count in range(most + 1)]).take(pa.array(counts))


def _column(values: npt.NDArray[np.float64], dtype: pa.DataType) -> pa.Array:
    """An Arrow column with null for NaN."""
    column = pa.array(values, pa.float64(), from_pandas=True)
    return column if dtype == column.type else column.cast(dtype)


def numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    """A measure as float64, NaN for null.

    Example:
        >>> numbers(pa.array([3, None]))
        array([ 3., nan])
    """
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
