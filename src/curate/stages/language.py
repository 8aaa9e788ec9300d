"""The ``language`` stage: keep documents in the wanted languages that are clearly so.

Why this exists: a model learns the languages it reads, and a document that no identifier can place is mostly
code, tables or noise.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import nearest
from curate.models.langid import (
    LANGDETECT_CODES,
    LID176_CODES,
    UNDETERMINED,
    Identifier,
    LangDetect,
    Lid176,
)
from curate.settings.base import Limit, Mentions, Reason, Settings, Unused
from curate.stages.contract import Stage, reasons_where
from curate.text.chats.spans import View
from curate.text.language.language_names import code_of

_CODES = {"lid176": LID176_CODES, "langdetect": LANGDETECT_CODES}
_IDENTIFIERS: dict[str, type[Lid176] | type[LangDetect]] = {"lid176": Lid176, "langdetect": LangDetect}
_SHORTEST_EXCERPT = 200

ALL = "*"
"""In ``keep``: every language, and documents in none."""


class LanguageSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[language]``."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"keep", "min_score"})

    keep: tuple[str, ...] = ("en",)
    """Languages to keep: BCP 47 primary subtags (``en``, ``zh``), ``und`` for documents without any word, or ``*``
    for all."""
    min_score: float = 0.3
    """Least probability of the label. 0.3 keeps 94 % and more of labelled English, short and technical texts too, and
    lets in fewer than 1 % of sentences in 74 other languages (``docs/language.md``); FineWeb has 0.65."""
    backend: Literal["lid176", "langdetect"] = "lid176"
    """Identifier: ``lid176`` (fastText, 176 languages) or ``langdetect`` (54 languages, far slower)."""
    fold: bool = True
    """Whether the text is identified as the model was trained to read it: words in lower case, no code (see
    `curate.text.language.fold`), and a label only where the text is written in a script of that language."""
    max_bytes: int = 4_000
    """Most bytes of a document looked at, spread over it in pieces; 0: all of it. ``lid176`` stops as soon as it is
    sure."""

    def __post_init__(self) -> None:
        """Check what types cannot say."""
        if not self.keep:
            raise ValueError("`language.keep` must name at least one language, but is empty")
        for code in self.keep:
            _check_code(code, self.backend)
        if not 0.0 <= self.min_score <= 1.0:
            raise ValueError(f"`language.min_score` must be between 0 and 1, but is `{self.min_score}`")
        if self.max_bytes != 0 and self.max_bytes < _SHORTEST_EXCERPT:
            raise ValueError(
                f"`language.max_bytes` must be 0 or at least {_SHORTEST_EXCERPT}, but is `{self.max_bytes}`"
            )

    @property
    def labels(self) -> frozenset[str]:
        """Every label that a document can get."""
        return _CODES[self.backend] | {UNDETERMINED}

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """Codes beside ``*``; an excerpt of a backend that reads all is its own matter."""
        others = [code for code in self.keep if code != ALL]
        if ALL in self.keep and others:
            yield Unused("keep", f"`*` keeps every language, so `{'`, `'.join(others)}` adds none")

    def mentions(self) -> Iterator[Mentions]:
        """The languages to keep."""
        yield Mentions("keep", languages=tuple(code for code in self.keep if code not in (ALL, UNDETERMINED)))

    def limits(self) -> tuple[Limit, ...]:
        """The least score, of documents whose language is not ``und``."""
        return (Limit("min_score", "score", "min", self.min_score, "low_score", decides=False),)


class Language(Stage):
    """Label each document with its most likely language; judge out the unwanted and the unclear.

    ``not_in_keep`` and ``low_score`` are independent: a document that is probably French, but not surely,
    gets both. A document without words (digits, punctuation, code) is ``und`` with score 0; it has no language whose
    score could be low, so its only possible reason is ``not_in_keep``.

    Example:
        >>> stage = Language(LanguageSettings())
        >>> texts = ["It was the best of times, it was the worst.", "C'était le meilleur des temps.", "42"]
        >>> measures = stage.measure(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
        >>> measures["label"].to_pylist()
        ['en', 'fr', 'und']
        >>> stage.judge(measures).to_pylist()
        [[], ['not_in_keep'], ['not_in_keep']]
    """

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("text",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {"label": pa.string(), "score": pa.float32()}
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("not_in_keep", "It is in a language that `language.keep` does not name."),
        Reason("low_score", "Its language could not be identified with enough confidence."),
    )
    about: ClassVar[str] = (
        "Detects the language of each document and keeps those that are confidently in a wanted language."
    )
    settings_type: ClassVar[type[Settings]] = LanguageSettings

    settings: LanguageSettings

    @property
    def reads(self) -> View:
        """Of a conversation what the assistant says."""
        return "answers"

    def __init__(self, settings: LanguageSettings) -> None:
        """Raises PlanError when the backend is not installed; loads nothing yet."""
        self.settings = settings
        self._identifier: Identifier = _IDENTIFIERS[settings.backend](folded=settings.fold)

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """``label`` (code, ``und`` if the part looked at has no word) and ``score`` (0 to 1).

        Row for row; only the part of a document that the settings name is looked at.
        """
        from curate.text.core.excerpt import excerpts  # compiles a kernel: not at import

        texts = excerpts(batch["text"], self.settings.max_bytes, whole_below=self._identifier.first_look)
        label, score = self._identifier.identify(texts)
        return pa.RecordBatch.from_arrays([label, score], schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Codes of `reasons` for each row, from its label and score; rows without measures get none."""
        label = measures["label"]
        kept = label if ALL in self.settings.keep else pa.array(self.settings.keep, pa.string())
        unwanted = pc.invert(pc.is_in(label, kept))
        determined = pc.not_equal(label, UNDETERMINED)
        below = pc.less(measures["score"], pa.scalar(self.settings.min_score, pa.float32()))
        rules = {
            "not_in_keep": _mask(pc.and_(pc.is_valid(label), unwanted)),
            "low_score": _mask(pc.and_(determined, below)),
        }
        return reasons_where(rules, len(measures))


def _mask(holds: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(holds, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _check_code(code: str, backend: str) -> None:
    known = _CODES[backend] | {UNDETERMINED, ALL}
    if code not in known:
        advice = advice_on(code, known)
        raise ValueError(f"`language.keep` must hold codes that `{backend}` knows, but has `{code}`; {advice}")


def advice_on(code: str, known: Collection[str]) -> str:
    """Which of the known codes somebody means who writes another.

    Example:
        >>> advice_on("English", {"en", "fr"})
        'did you mean `en`?'
    """
    meant = code_of(code)
    return f"did you mean `{meant}`?" if meant in known else nearest(code.lower(), known)
