"""The stage ``toxicity``: documents with too many words of a list, such as the one that C4 was filtered by.

A word list knows no context: it meets medicine, literature and the speech of the people it names. That is why the share
of such words decides by default, and not, as in C4, a single one (Dodge et al. 2021, arXiv 2104.08758, section 5).
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError
from curate.settings.base import Limit, Mentions, Reason, Settings, Unused
from curate.stages.contract import LABELS_FIRST, NO_LABELS, Stage, reasons_where
from curate.stages.named_files import content_digest, entries_of, named_files

if TYPE_CHECKING:
    from curate.text.search.grams import Grams

LANGUAGE = "language.label"
SHOWN_ENTRIES = 10
_EVERY = ""
"""Stands for every language."""


class ToxicitySettings(Settings, frozen=True):
    """Which words count, and how many are too many."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"max_words", "max_share"})

    words: tuple[str, ...] = ()
    """Lists of words and phrases, one on a line, for documents of every language."""
    words_by_language: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """More lists, each for documents of one language, by the labels of the language stage."""
    max_words: int | bool = False
    """Most words of a document that may be on a list; ``false``: any number. C4 allowed none."""
    max_share: float | bool = 0.01
    """Largest share of a document's words that may be on a list; ``false``: any share."""

    def __post_init__(self) -> None:
        for key in ("max_words", "max_share"):
            limit = getattr(self, key)
            if limit is True or limit < 0:
                raise ValueError(f"`toxicity.{key}` must be a number of 0 or more, or `false`")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """Lists of languages where no document has one."""
        if self.words_by_language and "language" not in runs[: runs.index("toxicity")]:
            yield Unused("words_by_language", NO_LABELS, LABELS_FIRST.format("toxicity"))

    def mentions(self) -> Iterator[Mentions]:
        """Words of the lists, and the languages that have one."""
        yield Mentions("words", measure="words", lacking="a word of the lists")
        for language in self.words_by_language:
            yield Mentions(f"words_by_language.{language}", languages=(language,))

    def limits(self) -> tuple[Limit, ...]:
        """The limits that are set."""
        found = (
            Limit("max_words", "words", "max", self.max_words, "too_many_words"),
            Limit("max_share", "share", "max", self.max_share, "too_large_share"),
        )
        return tuple(limit for limit in found if limit.value is not False)


class _List(NamedTuple):
    grams: "Grams"
    entries: tuple[str, ...]
    """For each gram the place of its entry: file and line."""


class Toxicity(Stage):
    """Count words and phrases of lists, whatever their case, as whole words; in scripts without spaces anywhere.

    ``matched`` names entries by file and line, as in ``en.txt:17``: whoever has the list can look them up, and the
    judgments do not spread its words.

    Example:
        >>> stage = Toxicity(ToxicitySettings())
        >>> stage.measure(pa.record_batch({"text": pa.array(["Good day."], pa.large_string())})).to_pylist()
        [{'words': 0, 'share': 0.0, 'matched': []}]
    """

    name: ClassVar[str] = "toxicity"
    version: ClassVar[int] = 1
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "words": pa.int32(),
        "share": pa.float64(),
        "matched": pa.list_(pa.string()),
    }
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("too_many_words", "It holds too many words of a word list."),
        Reason("too_large_share", "Too large a share of its words is on a word list."),
    )
    about: ClassVar[str] = "Counts words of given word lists and removes documents with too many of them."
    settings_type: ClassVar[type[Settings]] = ToxicitySettings
    settings: ToxicitySettings

    def __init__(self, settings: ToxicitySettings) -> None:
        self.settings = settings

    @property
    def needs(self) -> tuple[str, ...]:
        """The text, and its language where a list is for one language."""
        return ("text", LANGUAGE) if self.settings.words_by_language else ("text",)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The content of the lists."""
        return " ".join(
            f"{language} {content_digest(named_files(setting, paths))}" for language, setting, paths in self._named()
        )

    def warnings(self) -> list[str]:
        """Nothing to warn of.

        Raises:
            PlanError: no list is named, or one cannot be used.
        """
        if not any(paths for _, _, paths in self._named()):
            raise PlanError("`toxicity` has no word list", hint='toxicity.words = ["words/en.txt"]')
        assert self._lists
        return []

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Words on a list, their share of all words, and up to ten entries of the lists that were met, in order."""
        from curate.text.search.grams import covered_words, find_grams, hits_by_row

        counts, shares = np.zeros(len(batch), np.int32), np.zeros(len(batch))
        matched: list[list[str]] = [[] for _ in range(len(batch))]
        for language, rows in self._rows(batch).items():
            grams, entries = self._lists[language]
            words, hits = find_grams(batch["text"].take(pa.array(rows)), grams)
            for place, of_row in hits_by_row(hits):
                row = rows[place]
                counts[row] = covered_words(of_row)
                shares[row] = counts[row] / words[place]
                matched[row] = sorted({entries[gram] for gram in np.unique(of_row.places)})[:SHOWN_ENTRIES]
        columns = [pa.array(counts), pa.array(shares), pa.array(matched, self.adds["matched"])]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """A reason for each limit that is passed."""
        limits = {
            "too_many_words": ("words", self.settings.max_words),
            "too_large_share": ("share", self.settings.max_share),
        }
        rules = {
            code: measures[name].to_numpy(zero_copy_only=False) > limit
            for code, (name, limit) in limits.items()
            if limit is not False
        }
        return reasons_where(rules, len(measures))

    def _named(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Language, setting and paths of each group of lists."""
        yield _EVERY, "toxicity.words", self.settings.words
        for language, paths in sorted(self.settings.words_by_language.items()):
            yield language, "toxicity.words_by_language", paths

    @functools.cached_property
    def _lists(self) -> dict[str, _List]:
        """For each language with lists of its own, and for every other, all entries that hold there."""
        read = {language: self._entries(setting, paths) for language, setting, paths in self._named()}
        return {language: _laid_out(read[_EVERY] | entries) for language, entries in read.items()}

    def _entries(self, setting: str, paths: tuple[str, ...]) -> dict[str, str]:
        return {
            entry: f"{path.name}:{number}"
            for path in named_files(setting, paths)
            for number, entry in entries_of(setting, path)
        }

    def _rows(self, batch: pa.RecordBatch) -> dict[str, npt.NDArray[np.int64]]:
        """The rows that each list is for."""
        if not self.settings.words_by_language:
            return {_EVERY: np.arange(len(batch))}
        label = batch[LANGUAGE].cast(pa.string())
        own = pc.if_else(pc.is_in(label, pa.array(self.settings.words_by_language, pa.string())), label, _EVERY)
        languages = np.array(pc.fill_null(own, _EVERY).to_pylist(), object)
        return {language: np.flatnonzero(languages == language) for language in self._lists}


def _laid_out(entries: Mapping[str, str]) -> _List:
    """Entries as grams; those without a letter or digit match nothing."""
    from curate.text.search.grams import LONGEST, collection, text_grams

    found = text_grams(pa.array(entries, pa.large_string()), LONGEST, 1)
    of_gram: dict[int, str] = {}
    for (_, grams), place in zip(found, entries.values(), strict=True):
        of_gram.update((gram, of_gram.get(gram, place)) for gram in grams.tolist())
    known = collection([words for words, grams in found if len(grams)], np.array(list(of_gram), np.uint64))
    return _List(known, tuple(of_gram[gram] for gram in known.hashes.tolist()))
