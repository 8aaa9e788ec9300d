"""What a stage is: its settings, plus one pure function over a batch of documents.

A stage **measures** (numbers and labels computed from text: expensive, stored) and **judges** (reasons decided
from measures and thresholds: cheap, recomputed). It knows nothing about files, processes, engines or the terminal.

Three kinds, distinguished by what they can do::

    Stage ── measure(batch) → measures            every stage
      │      judge(measures) → reasons
      ├─ Rewriter    rewrite(batch) → (text, measures)      normalize: before the text is written
      ├─ CorpusStage observe(batch) → partial               line_dup: must see the whole corpus
      │  │           resolve(corpus) → judgments per part
      │  └─ Deduplicating  choose(corpus) → the same        near_dup: later stages may remove what it keeps
      └─ Encoder     encode(batch) → token ids              tokenize: feeds the shards

Rewriters come first and form a chain: each gets the text that the previous one made. A document that one of them
removes is not rewritten by the next; its text is written as that rewriter left it.
A stage inherits from its kind, which has defaults for everything optional (`Stage`).

A stage that should read only some turns of a conversation says which with ``reads`` (`curate.text.chats.spans.View`):
``answers`` for what the assistant says (language, quality), ``prompt`` for what comes before. Its ``text`` then holds
these turns with an empty line between them; its edits refer to that text.

A *batch* is a ``pyarrow.RecordBatch`` holding the columns that the stage ``needs``; the column ``text`` is a
``large_string`` without nulls. Measures are a ``RecordBatch`` whose schema is exactly ``adds``, row for row.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.settings.base import Reason, Settings
from curate.text.chats.spans import View

Item = TypeVar("Item")
Result = TypeVar("Result")

NO_LABELS = "without the stage `language` before it no document has a language"
LABELS_FIRST = 'put "language" before "{}" in pipeline.stages'
"""Why settings for single languages have no effect, and what to do."""


class Stage(ABC):
    """Measure every document of a batch, then say which to remove and why.

    A stage must define the first block of names; the second has defaults that it may override.
    """

    name: ClassVar[str]
    """Config section, folder in the run directory, prefix of its reasons and columns."""
    version: ClassVar[int]
    """Increase it if the same input can get another measure or verdict."""
    adds: ClassVar[Mapping[str, pa.DataType]]
    """Measures written, under bare names."""
    reasons: ClassVar[tuple[Reason, ...]]
    """Every reason this stage can give."""
    about: ClassVar[str]
    """One sentence that says what the stage does."""
    settings_type: ClassVar[type[Settings]]
    """Its section of ``curate.toml``; the class is called with an instance of it."""
    settings: Settings

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """Columns read: ``text``, or ``<earlier stage>.<column>``; may depend on the settings."""

    @abstractmethod
    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measures of every row; the schema is ``adds``."""

    @abstractmethod
    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """``list<string>`` of reason codes, row for row; an empty list keeps the document."""

    wants: ClassVar[tuple[str, ...]] = ()
    """Columns that are read if an earlier stage gives them; the stage also works without them."""
    hides: ClassVar[bool] = False
    """Its edits replace what nobody should see (redact): ``why`` and the report show the texts of all documents with
    its edits applied, and never what they replace."""
    changes: ClassVar[tuple[Any, ...]] = ()
    """Changes that a rewriter may report: entries with a ``code`` and a ``sentence``."""

    @property
    def may_give(self) -> tuple[Reason, ...]:
        """The reasons that it can give with its settings."""
        return self.reasons

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The measures that verdicts depend on."""
        return tuple(self.adds)

    @property
    def reads(self) -> View:
        """The part of a conversation that ``text`` holds: all, the turns before the first answer, or the answers."""
        return "conversation"

    @property
    def fingerprint(self) -> str:
        """What else measures depend on, except settings and ``version``: content of files, version of a library."""
        return ""

    def warnings(self) -> list[str]:
        """Load what the stage needs, before the run; returns sentences about possible problems.

        Raises:
            CurateError: it cannot work.
        """
        return []

    def describe(self) -> str:
        """A line for the plan about what follows from the settings; may be empty."""
        return ""

    def plan(self) -> dict[str, Any]:
        """The same as data, for ``run.json``."""
        return {}

    def edit_rules(self) -> Mapping[str, Settings]:
        """Rule by which it edits texts → its settings without that rule; empty if it edits by one rule only."""
        return {}


class Rewriter(Stage):
    """A stage that changes the text before it is written."""

    turn_by_turn: ClassVar[bool] = True
    """Whether it rewrites conversations, one turn at a time; else they are left unchanged."""

    @abstractmethod
    def rewrite(self, batch: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
        """The new text (``large_string``, no nulls) and the measures, row for row."""


class Encoded(NamedTuple):
    """Texts as token ids, and what the ids do not say.

    Attributes:
        ids: ``large_list<uint32>`` for each text, end-of-document mark included.
        unknown: ``int64``: characters of each text that became the unknown token, or for which there is no id.
    """

    ids: pa.Array
    unknown: pa.Array


class Encoder(Stage):
    """A stage that turns text into token ids."""

    def expect(self, size: int) -> None:
        """Called before anything else with the number of bytes of input, as they are stored."""

    @property
    def has_wide_ids(self) -> bool:
        """Whether ids, including their loss mask, may be 2^24 or more."""
        return True

    @abstractmethod
    def encode(self, text: pa.Array) -> Encoded:
        """Ids for each text (``large_string``, no nulls)."""

    def encode_rows(self, batch: pa.RecordBatch) -> Encoded:
        """Ids of documents in a batch with the columns that the stage needs; by default only their texts matter."""
        return self.encode(batch.column("text"))

    @abstractmethod
    def unknown_places(self, text: str) -> Sequence[int]:
        """Positions (in characters) of what `encode` counts as unknown in a text."""


TO = "to"
"""Column of sent rows: the number of their receiver."""
Send = Callable[[int], Iterable[pa.RecordBatch]]
"""What sender number *i* sends: batches with a column `TO` before the columns delivered (see `addressed`)."""
Receive = Callable[[int, pa.Table], pa.Table]
"""What receiver number *i* makes from all rows sent to it, in whatever order they arrive."""


class Rows(Protocol):
    """The results of the receivers of an exchange, one table each, stored wherever the engine stores them."""

    def __len__(self) -> int:
        """Number of tables."""

    def __getitem__(self, receiver: int) -> pa.Table:
        """The table of one receiver."""


class Corpus(Protocol):
    """What a corpus stage can use: the partials it observed, texts to check, and rows exchanged by key.

    Tasks that are given to `map` and `exchange` may run anywhere, in any order, more than once: they depend only on
    their arguments and can be pickled. A corpus that is sent with them can be read there.
    """

    rows: Sequence[int]
    """Documents in each part, removed or not. Parts of earlier runs come first."""

    earlier: Sequence[tuple[str, int]]
    """For the parts of earlier runs, whose documents count as already there: the run, and the part in it."""

    def partial(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Observed columns of one part, row for row (null if the document is already removed).

        Documents of earlier runs are removed if another stage of that run removed them, before or after this one.
        """

    failed: Sequence[npt.NDArray[np.int64]]
    """For each part of this run: rows that later stages are known to remove, ascending. They cannot be survivors."""

    passed: Sequence[npt.NDArray[np.int64]]
    """For each part of this run: rows that are known to pass all later stages, ascending."""

    trying: bool
    """Whether several documents may be let through in place of one that has failed, so that more is known next time."""

    def judged(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of the stage's judgments of a part, row for row: of earlier runs, and of this one once resolved."""

    def texts(self, part: int, rows: npt.NDArray[np.int64]) -> Iterator[pa.Array]:
        """Texts (``large_string``) of the given rows of a part, in that order; ``rows`` are ascending.

        They come in arrays that are no larger than the batches in which the corpus was read.
        """

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run ``task`` on every item on the engine's workers; results are in the order of ``items``."""

    def exchange(self, send: Send, senders: int, receive: Receive, receivers: int, schema: pa.Schema) -> Rows:
        """Send rows by key: all rows for one receiver are brought together, wherever they were sent from.

        Args:
            send: called with 0 … ``senders - 1``.
            senders: how many there are.
            receive: called with 0 … ``receivers - 1`` and its rows, even if there are none.
            receivers: how many there are; enough that the rows of one fit in memory many times over.
            schema: columns delivered.
        """

    def scratch(self, dtype: npt.DTypeLike, size: int) -> npt.NDArray[Any]:
        """A zeroed array of ``size`` items kept in a file, for data that must not be held in memory."""


class CorpusStage(Stage):
    """A stage that must see the whole corpus before it can judge one document."""

    @property
    @abstractmethod
    def partial_schema(self) -> pa.Schema:
        """Columns that ``observe`` returns; may depend on the settings."""

    @abstractmethod
    def observe(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What one batch contributes, row for row."""

    @abstractmethod
    def resolve(self, corpus: Corpus) -> Callable[[int], pa.RecordBatch]:
        """A task that returns the measures of one part; the schema is ``adds``, null if already removed."""


class Audited(CorpusStage):
    """A corpus stage that can estimate how good its judgments are."""

    @abstractmethod
    def resolve_audited(self, corpus: Corpus) -> tuple[Callable[[int], pa.RecordBatch], Mapping[str, Any]]:
        """What `resolve` returns, and figures for the manifest and the report, by name."""


KEPT, PASSED_OVER, TRIED = "kept", "passed_over", "tried"
"""Values of the column ``standing`` of a deduplicating stage."""

SURVIVOR_COLUMNS: Mapping[str, pa.DataType] = {
    "survivor": pa.string(),
    "survivor_at": pa.struct([("part", pa.int32()), ("row", pa.int64())]),
    "survivor_run": pa.string(),
    "jaccard": pa.float64(),
    "exact": pa.bool_(),
    "copies": pa.int64(),
    "standing": pa.string(),
}
"""The columns that every deduplicating stage has, in addition to its own.

For documents that it removes: id and position of the survivor, the earlier run that holds it (null: this run), their
similarity, and whether the texts are equal. For others: how many documents they stand for, themselves included.
``standing``, for others that have partners (similar documents): `KEPT`; `PASSED_OVER` if a later stage removes the
document, so that it cannot be a survivor; `TRIED`, only during the run, if the stage lets it through to find out
whether it can replace one that failed.
"""


class Deduplicating(CorpusStage):
    """A corpus stage that removes documents because it keeps others, their survivors. ``adds`` has `SURVIVOR_COLUMNS`.

    A survivor must be kept by later stages, too. So when they have judged, the stage chooses again: `Corpus.failed`
    then has the documents that they remove, which cannot be survivors. This repeats until every document that it keeps
    and that has partners has passed or failed.
    """

    @abstractmethod
    def choose(self, corpus: Corpus, *, everywhere: bool) -> Callable[[int], pa.RecordBatch]:
        """What `resolve` returns, from its own judgments (`Corpus.judged`) instead of texts.

        Args:
            corpus: resolved before.
            everywhere: its files may be from different choices, as after a run that was killed.
        """


class Incomparable(NamedTuple):
    """Why this run cannot use what an earlier run observed, and what to set so that it can."""

    message: str
    hint: str


class Comparing(CorpusStage):
    """A corpus stage whose documents may be compared with those of earlier runs (`Corpus.earlier`)."""

    @abstractmethod
    def incomparable(self, then: Mapping[str, Any]) -> Incomparable | None:
        """Why partials observed under other settings cannot be used; None when they can.

        Args:
            then: the stage's section in the earlier run, and its ``version``.
        """


def addressed(to: npt.NDArray[np.integer[Any]], **columns: pa.Array | npt.NDArray[Any]) -> pa.RecordBatch:
    """Rows ready to be sent.

    Args:
        to: number of the receiver of each row.
        columns: what is delivered, row for row.

    Example:
        >>> addressed(np.array([1, 0]), word=pa.array(["a", "b"])).to_pydict()
        {'to': [1, 0], 'word': ['a', 'b']}
    """
    arrays = {name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()}
    return pa.RecordBatch.from_pydict({TO: pa.array(to, pa.int64()), **arrays})


def reasons_where(rules: Mapping[str, npt.NDArray[np.bool_]], rows: int) -> pa.Array:
    """Verdicts as ``list<string>``: for each row the codes whose mask is true, in the order of ``rules``.

    Args:
        rules: reason code → mask of ``rows`` booleans, true where the rule says *remove*.
        rows: number of documents.

    Example:
        >>> reasons_where({"too_short": np.array([True, False]), "dull": np.array([True, False])}, 2).to_pylist()
        [['too_short', 'dull'], []]
    """
    codes = pa.array(list(rules), pa.string())
    if not rules or not rows:
        return pa.ListArray.from_arrays(pa.array([0] * (rows + 1), pa.int32()), pa.array([], pa.string()))
    failed = np.stack(list(rules.values()), axis=1)
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(failed.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), codes.take(pa.array(np.nonzero(failed)[1])))
