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

from curate.stages.contract import Reason, Settings, reasons_where
from curate.stages.quality.rules import failures, rule, score
from curate.stages.quality.settings import SIGNAL_OF, QualitySettings
from curate.stages.quality.signals import SIGNALS
from curate.text.arrow import EDITS, edit_lists, utf8_view

if TYPE_CHECKING:
    from curate.text.signals import StopWords

SCORED_BY = QualitySettings().rules()
"""The rules behind ``score``: Gopher's. Fixed, so that the scores of two runs compare and no setting moves them."""

LANGUAGE = "language.label"


class Quality:
    """Leave out documents that break a rule of the recipe; every broken rule is a reason.

    The stop-word rule applies where the language stage ran and there is a list for the document's language
    (English so far); elsewhere ``stop_words`` is null and the rule does not apply.

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
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("text",)
    wants: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    """Columns used when an earlier stage provides them."""
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        **{signal.name: signal.dtype for signal in SIGNALS},
        "score": pa.float64(),
        "edits": EDITS,
    }
    reasons: ClassVar[tuple[Reason, ...]] = tuple(
        Reason(one.reason, one.sentence) for one in (rule(signal.name, side, 0) for signal, side in SIGNAL_OF.values())
    )
    about: ClassVar[str] = "Scores documents by the rules of a recipe: length, words, symbols, lines and repetition."
    settings_type: ClassVar[type[Settings]] = QualitySettings
    settings: QualitySettings

    def __init__(self, settings: QualitySettings) -> None:
        self.settings = settings
        self._rules = settings.rules()

    @property
    def fingerprint(self) -> str:
        """What measures depend on besides the settings: the rules for lines, which decide the edits."""
        return str(self.settings.line_rules() or "")

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The measures that verdicts hang on."""
        return tuple(dict.fromkeys(one.signal for one in self._rules))

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Signals of each document, and ``score``: how far inside Gopher's limits it lies (`rules.score`)."""
        # numba takes 0.2 s to import: only a process that measures pays for it.
        from curate.text import lines
        from curate.text.signals import COLUMNS, document_signals

        data, offsets = utf8_view(batch["text"])
        stop_words = _stop_words()
        found = document_signals(data, offsets, _language_numbers(batch, stop_words.languages), stop_words)
        values = dict(zip(COLUMNS, found.T, strict=True))
        rules = self.settings.line_rules()
        if rules is None:
            values |= dict.fromkeys(lines.COLUMNS, np.full(batch.num_rows, np.nan))
            edits = pa.array([[]] * batch.num_rows, EDITS)
        else:
            found, cuts = lines.line_signals(data, offsets, rules if self.settings.cut_lines else None)
            values |= dict(zip(lines.COLUMNS, found.T, strict=True))
            replacements = pa.array(["", "\n"]).take(pa.array(cuts.newlines.astype(np.int8)))
            edits = edit_lists(cuts.starts, cuts.stops, replacements, cuts.ends)
        columns = [_column(values[signal.name], signal.dtype) for signal in SIGNALS]
        columns.append(_column(score(SCORED_BY, values), pa.float64()))
        return pa.RecordBatch.from_arrays([*columns, edits], schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Reasons of each document, in the order of the signals."""
        return reasons_where(self.failures(measures), measures.num_rows)

    def failures(self, measures: pa.RecordBatch) -> dict[str, npt.NDArray[np.bool_]]:
        """Reason → mask of the documents that get it; of ``measures`` the columns ``judged_by`` are read."""
        values = {name: numbers(measures[name]) for name in self.judged_by}
        return failures(self._rules, values)


@functools.cache
def _stop_words() -> "StopWords":
    from curate.text.signals import StopWords

    lists = tomllib.loads(files(__package__).joinpath("stop_words.toml").read_text("utf-8"))
    return StopWords({language: tuple(entry["words"]) for language, entry in lists.items()})


def _language_numbers(batch: pa.RecordBatch, languages: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """For each document the place of its language in ``languages``; -1 where it is another, or not known."""
    if LANGUAGE not in batch.schema.names:
        return np.full(batch.num_rows, -1, np.int64)
    labels = batch[LANGUAGE].cast(pa.string())
    numbers = pc.index_in(labels, value_set=pa.array(languages, pa.string())).fill_null(-1)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.int64)


def _column(values: npt.NDArray[np.float64], dtype: pa.DataType) -> pa.Array:
    """An Arrow column with null for NaN."""
    return pa.array(values, pa.float64(), from_pandas=True).cast(dtype)


def numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    """A measure as float64, NaN for null.

    Example:
        >>> numbers(pa.array([3, None]))
        array([ 3., nan])
    """
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
