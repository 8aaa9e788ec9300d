"""What a stage is: its settings, plus one pure function over a batch of documents.

A stage **measures** (numbers and labels computed from text: expensive, kept) and **judges** (reasons decided
from measures and thresholds: cheap, recomputed). It knows nothing of files, processes, engines or the terminal.

Three kinds, told apart by what they can do::

    Stage ── measure(batch) → measures            every stage
      │      judge(measures) → reasons
      ├─ Rewriter    rewrite(batch) → (text, measures)      normalize: before the text is written
      ├─ CorpusStage observe(batch) → partial               line_dup: must see the whole corpus
      │  │           resolve(corpus) → judgments per part
      │  └─ Deduplicating  choose(corpus) → the same        near_dup: later stages may remove what it keeps
      └─ Encoder     encode(batch) → token ids              tokenize: feeds the shards

Rewriters come first and form a chain: each gets the text that the one before it made. A document that one of them
removes is not rewritten by the next; its text is written as that rewriter left it.
A stage inherits its kind, and with it the defaults of what it may have besides (`Stage`).

A stage that should read only some turns of a conversation says which with ``reads`` (`curate.text.chats.spans.View`):
``answers`` for what the assistant says (language, quality), ``prompt`` for what comes before. Its ``text`` then holds
these turns with an empty line between; its edits are edits of what it read.

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
"""Why settings for single languages change nothing, and what to do."""


class Stage(ABC):
    """Measure every document of a batch, then say which to remove and why.

    The first block of names is what a stage must have; the second has defaults that it may replace.
    """

    name: ClassVar[str]
    """Config section, folder in the run directory, prefix of its reasons and columns."""
    version: ClassVar[int]
    """Bump when the same input can get another measure or verdict."""
    adds: ClassVar[Mapping[str, pa.DataType]]
    """Measures written, under bare names."""
    reasons: ClassVar[tuple[Reason, ...]]
    """Every reason this stage can give."""
    about: ClassVar[str]
    """One sentence for people: what the stage does."""
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
    """Columns that are read where an earlier stage gives them; the stage works without them, too."""
    hides: ClassVar[bool] = False
    """Its edits take out what nobody should see (redact): ``why`` and the report show texts with its edits only, of
    whichever document, and never what they replace."""
    changes: ClassVar[tuple[Any, ...]] = ()
    """What a rewriter may say that it did: entries with a ``code`` and a ``sentence``."""

    @property
    def may_give(self) -> tuple[Reason, ...]:
        """The reasons that it can give with its settings."""
        return self.reasons

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The measures that verdicts hang on."""
        return tuple(self.adds)

    @property
    def reads(self) -> View:
        """What of a conversation its ``text`` holds: all of it, the turns before the first answer, or the answers."""
        return "conversation"

    @property
    def fingerprint(self) -> str:
        """What measures depend on besides settings and ``version``: content of files, version of a library."""
        return ""

    def warnings(self) -> list[str]:
        """Load what the stage works with, before the run; sentences about what may be wrong with it.

        Raises:
            CurateError: it cannot work.
        """
        return []

    def describe(self) -> str:
        """A line for the plan about what follows from the settings; empty: nothing to say."""
        return ""

    def plan(self) -> dict[str, Any]:
        """The same as data, for ``run.json``."""
        return {}

    def edit_rules(self) -> Mapping[str, Settings]:
        """Rule by which it edits texts → its settings without that rule; empty where its edits have one cause."""
        return {}


class Rewriter(Stage):
    """A stage that changes the text before it is written."""

    turn_by_turn: ClassVar[bool] = True
    """Whether it rewrites conversations, each turn as a text of its own; else they stay as they are."""

    @abstractmethod
    def rewrite(self, batch: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
        """The new text (``large_string``, no nulls) and the measures, row for row."""


class Encoded(NamedTuple):
    """Texts as token ids, and what the ids do not say.

    Attributes:
        ids: ``large_list<uint32>`` for each text, end-of-document mark included.
        unknown: ``int64``: characters of each text that became the unknown token, or that no id stands for.
    """

    ids: pa.Array
    unknown: pa.Array


class Encoder(Stage):
    """A stage that turns text into token ids."""

    def expect(self, size: int) -> None:
        """Be told, before anything else, how many bytes of input there are, as they lie there."""

    @property
    def has_wide_ids(self) -> bool:
        """Whether ids, with what marks them, may be 2^24 or more."""
        return True

    @abstractmethod
    def encode(self, text: pa.Array) -> Encoded:
        """Ids for each text (``large_string``, no nulls)."""

    def encode_rows(self, batch: pa.RecordBatch) -> Encoded:
        """Ids of documents, of which a batch has what the stage needs; their texts alone decide unless it says so."""
        return self.encode(batch.column("text"))

    @abstractmethod
    def unknown_places(self, text: str) -> Sequence[int]:
        """Places (in characters) of what `encode` counts as unknown in a text."""


TO = "to"
"""Column of sent rows: the number of their receiver."""
Send = Callable[[int], Iterable[pa.RecordBatch]]
"""What sender number *i* sends: batches with a column `TO` before the columns delivered (see `addressed`)."""
Receive = Callable[[int, pa.Table], pa.Table]
"""What receiver number *i* makes of all rows sent to it, in whatever order they come."""


class Rows(Protocol):
    """What the receivers of an exchange made, one table for each, kept where the engine keeps it."""

    def __len__(self) -> int:
        """Number of tables."""

    def __getitem__(self, receiver: int) -> pa.Table:
        """The table of one receiver."""


class Corpus(Protocol):
    """What a corpus stage may ask for: the partials it observed, texts to check, and rows exchanged by key.

    Tasks that are given to `map` and `exchange` may run anywhere, in any order, more than once: they are functions of
    their arguments alone and can be pickled. A corpus that travels with them can be read there.
    """

    rows: Sequence[int]
    """Documents in each part, out or not. Parts of earlier runs come first."""

    earlier: Sequence[tuple[str, int]]
    """For the parts of earlier runs, whose documents count as already there: the run, and the part in it."""

    def partial(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Observed columns of one part, row for row (null where the document is already out).

        Documents of earlier runs are out where another stage of that run removed them, before this one or after.
        """

    failed: Sequence[npt.NDArray[np.int64]]
    """For each part of this run: rows that later stages are known to remove, ascending. Nothing is removed for them."""

    passed: Sequence[npt.NDArray[np.int64]]
    """For each part of this run: rows that are known to come through all later stages, ascending."""

    trying: bool
    """Whether several documents may be let through in place of one that has failed, so that more is known next time."""

    def judged(self, part: int, columns: Sequence[str]) -> pa.Table:
        """Columns of the stage's judgments of a part, row for row: of earlier runs, and of this one once resolved."""

    def texts(self, part: int, rows: npt.NDArray[np.int64]) -> Iterator[pa.Array]:
        """Texts (``large_string``) of the given rows of a part, in that order; ``rows`` ascend.

        They come in arrays that are no larger than the batches in which the corpus was read.
        """

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``task`` of every item on the engine's workers, results in the order of ``items``."""

    def exchange(self, send: Send, senders: int, receive: Receive, receivers: int, schema: pa.Schema) -> Rows:
        """Send rows by key: all rows for one receiver are brought together, wherever they were sent from.

        Args:
            send: called with 0 … ``senders - 1``.
            senders: how many there are.
            receive: called with 0 … ``receivers - 1`` and its rows, none included.
            receivers: how many there are; enough that the rows of one fit in memory many times.
            schema: columns delivered.
        """

    def scratch(self, dtype: npt.DTypeLike, size: int) -> npt.NDArray[Any]:
        """A zeroed array of ``size`` items kept in a file, for what must not stay in memory."""


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
        """A task that gives the measures of one part; the schema is ``adds``, all null where the document was out."""


class Audited(CorpusStage):
    """A corpus stage that can tell how good its judgments are."""

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
"""What every deduplicating stage says, whatever else it does.

Of documents that it removes: id and place of the one that is kept instead, the earlier run that holds it (null: this
one), their similarity, and whether the texts are the same. Of others: how many documents they stand for, themselves
included. ``standing`` of others that have partners (documents that are like them): `KEPT`; `PASSED_OVER` where a later
stage removes the document, so that nothing is removed for it; `TRIED`, only while the run goes on, where the stage lets
it through to find out whether it could stand in for one that failed.
"""


class Deduplicating(CorpusStage):
    """A corpus stage that removes documents because it keeps others, their survivors. ``adds`` has `SURVIVOR_COLUMNS`.

    A survivor must be kept by later stages too. So it is asked again when they have judged: `Corpus.failed` then tells
    whom they remove, and nothing may be removed for one of them. It is asked until all that it keeps and that has
    partners passes, or has failed.
    """

    @abstractmethod
    def choose(self, corpus: Corpus, *, everywhere: bool) -> Callable[[int], pa.RecordBatch]:
        """What `resolve` returns, from its own judgments (`Corpus.judged`) instead of texts.

        Args:
            corpus: resolved before.
            everywhere: its files may have been written by different choices, as a run that was killed leaves them.
        """


class Incomparable(NamedTuple):
    """Why what an earlier run observed is of no use to this one, and what to set so that it is."""

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
