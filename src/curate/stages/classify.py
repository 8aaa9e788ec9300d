"""The ``classify`` stage: keep documents that a model takes for good ones.

Why this exists: a classifier trained on examples of good text selects better than any single rule (DCLM, Li et al.
2024, arXiv:2406.11794, section 4.4), and a language model of good text tells the garbled from the fluent (CCNet, Wenzek
et al. 2020, arXiv:1911.00359).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError
from curate.models.classifiers import file_fingerprint, label_index, load_classifier, load_language_model
from curate.settings.base import Limit, Mentions, Reason, Settings, Unused
from curate.stages.contract import Stage, reasons_where
from curate.text.chats.spans import View

if TYPE_CHECKING:
    from curate.models.classifiers import Classifier


class ClassifySettings(Settings, frozen=True):
    """Section ``[classify]``: a classifier and its least score, a language model and its highest perplexity."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"min_score", "max_perplexity"})

    model: str = ""
    """Path of a fastText classifier (``.bin``, ``.ftz``) or of a model that ``curate quality train`` made."""
    label: str = ""
    """Class whose probability is the score, with or without ``__label__``; empty: ``good``."""
    min_score: float = 0.5
    """Least score of a document that is kept."""
    language_model: str = ""
    """Path of a KenLM model (``.arpa`` or binary)."""
    max_perplexity: float | bool = False
    """Highest perplexity of a document that is kept; ``false``: no limit."""

    def __post_init__(self) -> None:
        """Check what types cannot say."""
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"`classify.min_score` must be between 0 and 1, but is {self.min_score:g}")
        if self.max_perplexity is True:
            raise ValueError("`classify.max_perplexity` must be a number, or `false` for any, but is `true`")
        if self.max_perplexity is not False and not self.max_perplexity >= 1:
            raise ValueError(f"`classify.max_perplexity` must be at least 1, but is {self.max_perplexity:g}")
        if self.max_perplexity and not self.language_model:
            raise ValueError("`classify.max_perplexity` needs `classify.language_model`, the path of a KenLM model")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """Settings of the classifier if there is none."""
        for key in () if self.model else ("label", "min_score"):
            yield Unused(key, "`classify.model` is empty", 'classify.model = "PATH"')

    def mentions(self) -> Iterator[Mentions]:
        """Words that the models know."""
        if self.model:
            yield Mentions("model", measure="score", lacking="a word that the model knows")
        if self.language_model:
            yield Mentions("language_model", measure="perplexity", lacking="a word that the model knows")

    def limits(self) -> tuple[Limit, ...]:
        """The least score, and the highest perplexity if there is one."""
        score = Limit("min_score", "score", "min", self.min_score, "low_score")
        highest = Limit("max_perplexity", "perplexity", "max", self.max_perplexity, "high_perplexity")
        return (score,) if self.max_perplexity is False else (score, highest)


class Classify(Stage):
    """Score documents by a model; remove those below ``min_score``, or above ``max_perplexity``.

    ``score`` is calibrated for models of ``curate quality train``; for a fastText model it is what that model says.
    A document of which a model knows nothing (no word, no n-gram) has no score and stays. Without a model nothing is
    measured, and a run refuses to start.

    Example:
        >>> stage = Classify(ClassifySettings())
        >>> stage.measure(pa.record_batch({"text": pa.array(["Any text."], pa.large_string())})).to_pylist()
        [{'label': None, 'score': None, 'perplexity': None}]
    """

    name: ClassVar[str] = "classify"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("text",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "label": pa.string(),
        "score": pa.float32(),
        "perplexity": pa.float64(),
    }
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("low_score", "The model gives it too low a probability of being what is wanted."),
        Reason("high_perplexity", "Its text is too unlikely under the language model."),
    )
    about: ClassVar[str] = (
        "Scores documents by a model that you name: a trained one, a fastText classifier, a KenLM model."
    )
    settings_type: ClassVar[type[Settings]] = ClassifySettings
    settings: ClassifySettings

    @property
    def reads(self) -> View:
        """Of a conversation what the assistant says."""
        return "answers"

    def __init__(self, settings: ClassifySettings) -> None:
        self.settings = settings

    @property
    def fingerprint(self) -> str:
        """What measures depend on besides the settings: the content of the model files.

        Raises:
            PlanError: one of them is not there.
        """
        files = (self.settings.model, self.settings.language_model)
        return " ".join(file_fingerprint(path) if path else "-" for path in files)

    def warnings(self) -> list[str]:
        """Load the models; nothing to say when they do.

        Raises:
            PlanError: there is none, one does not load, or it has no class ``label``.
        """
        if not (self.settings.model or self.settings.language_model):
            hint = "--set classify.model=PATH; `curate quality train` makes one"
            raise PlanError("`classify` has no model: `classify.model` is empty", hint=hint)
        if self.settings.model:
            self._classifier()
        if self.settings.language_model:
            load_language_model(self.settings.language_model)
        return []

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """``label`` (likeliest class), ``score`` (probability of the wanted one, 0 to 1) and ``perplexity`` (from 1).

        Null where there is no such model, or where it has nothing to judge by.
        """
        texts, rows = batch["text"], batch.num_rows
        labels, scores = pa.nulls(rows, pa.string()), pa.nulls(rows, pa.float32())
        perplexities = pa.nulls(rows, pa.float64())
        if self.settings.model:
            classifier, wanted = self._classifier()
            best, found = classifier.classify(texts, wanted)
            labels = pa.array(classifier.labels, pa.string()).take(pa.array(best, mask=best < 0))
            scores = pa.array(found, pa.float32(), from_pandas=True)
        if self.settings.language_model:
            model = load_language_model(self.settings.language_model)
            perplexities = pa.array(model.perplexities(texts), pa.float64(), from_pandas=True)
        return pa.RecordBatch.from_arrays([labels, scores, perplexities], schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Codes of `reasons` for each row; rows without measures get none."""
        low = pc.less(measures["score"].cast(pa.float64()), self.settings.min_score)
        highest = float("inf") if self.settings.max_perplexity is False else self.settings.max_perplexity
        high = pc.greater(measures["perplexity"], float(highest))
        return reasons_where({"low_score": _mask(low), "high_perplexity": _mask(high)}, measures.num_rows)

    def _classifier(self) -> "tuple[Classifier, int]":
        classifier = load_classifier(self.settings.model)
        return classifier, label_index(classifier, self.settings.label, self.settings.model)


def _mask(holds: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(holds, False).to_numpy(zero_copy_only=False), np.bool_)
