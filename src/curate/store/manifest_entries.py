"""What ``run.json`` says, as structs: `Judged` is known when every document is judged, `Manifest` at the end of a run.

Entries that this version added have defaults, so a run of an earlier version of the same layout is read; entries that a
later version adds are not looked at. Names are those of the file, which `docs/files.md` explains.
"""

from typing import Any, Literal

import msgspec

from curate.store.cost_entries import Breakdown, Entry, Machine, Piece, Sparse, Timings


class Recipe(Entry, frozen=True, kw_only=True):
    """The recipe of the run."""

    name: str
    version: int
    title: str
    source: str


class Input(Entry, frozen=True, kw_only=True):
    """A file of the input, and what it held."""

    name: str
    format: str
    bytes: int
    fingerprint: str
    documents: int
    quarantined: int
    lost_bytes: int = 0
    text_field: str | None = None
    conversation: str = ""
    guessed: tuple[str, ...] = ()
    empty: bool = False


class Against(Entry, frozen=True, kw_only=True):
    """An earlier run whose documents were not taken again."""

    path: str
    run_id: str


class Skipped(Entry, frozen=True, kw_only=True):
    """A file that was found and not read."""

    path: str
    why: str
    kind: str = "format"


class PassedOver(Entry, frozen=True, kw_only=True):
    """Records of archives that are no documents by their nature."""

    reason: str
    records: int
    details: dict[str, int]


class Mention(Entry, frozen=True, kw_only=True):
    """What a setting of the user names that may not be in the corpus: `curate.settings.base.Mentions` of a stage."""

    key: str
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    field: str = ""
    measure: str = ""
    lacking: str = ""
    hint: str = ""
    stage: str = ""


class Sentence(Entry, frozen=True, kw_only=True):
    """A reason that a stage can give, and what it means."""

    code: str
    sentence: str


class Rule(Entry, frozen=True, kw_only=True):
    """A limit of a stage."""

    reason: str
    measure: str
    side: Literal["min", "max"]
    at: bool = False
    """Whether a document at the limit is removed."""
    limit: int | float | None = None
    """None where only single languages have one."""
    languages: dict[str, int | float | None] = msgspec.field(default_factory=dict)
    setting: str = ""


class StageEntry(Entry, frozen=True, kw_only=True):
    """A stage of the run."""

    name: str
    version: int
    about: str = ""
    hides: bool = False
    """Whether people are shown texts with its edits only."""
    deduplicates: bool = False
    reasons: tuple[Sentence, ...] = ()
    rules: tuple[Rule, ...] = ()


class Removed(Entry, frozen=True, kw_only=True):
    """What one stage removed."""

    documents: int
    reasons: dict[str, int]


class Counts(Entry, frozen=True, kw_only=True):
    """Documents of a run."""

    read: int
    quarantined: int
    lost_bytes: int = 0
    kept: int
    removed: dict[str, Removed]

    @property
    def removed_by(self) -> dict[str, int]:
        """Documents that each stage removed."""
        return {stage: removed.documents for stage, removed in self.removed.items()}

    @property
    def reasons(self) -> dict[str, int]:
        """``stage.reason`` → documents."""
        each = self.removed.items()
        return {f"{stage}.{code}": number for stage, removed in each for code, number in removed.reasons.items()}

    def reasons_of(self, stage: str) -> dict[str, int]:
        """The reasons that a stage gave, with how many documents; none of a stage that did not run."""
        return self.removed[stage].reasons if stage in self.removed else {}


class Flow(Entry, frozen=True, kw_only=True):
    """What one stage did to the stream of documents."""

    stage: str
    came: int = msgspec.field(name="in")
    kept: int
    removed: int
    text_bytes_in: int
    text_bytes_kept: int


class Loss(Entry, frozen=True, kw_only=True):
    """A piece of the input that could not be read."""

    file: str
    position: int | None
    reason: str
    detail: str
    lost_documents: int | None
    lost_bytes: int | None


class PartName(Entry, frozen=True, kw_only=True):
    """A part, as far as it is known while the run goes on."""

    name: str


class Part(PartName, frozen=True, kw_only=True):
    """A part, and what it holds."""

    fingerprint: str
    documents: int
    raw_bytes: int
    quarantined: int = 0
    lost_bytes: int = 0
    files: int


class RawTokens(Entry, frozen=True, kw_only=True):
    """Tokens of the raw corpus, counted or estimated; ``low`` and ``high`` bound them with the stated confidence."""

    value: int
    low: int
    high: int
    method: str = "counted"
    sampled_documents: int = 0
    confidence: float = 0.95

    @property
    def counted(self) -> bool:
        """Whether the bound is a point."""
        return self.low == self.high


class UnknownExample(Entry, frozen=True, kw_only=True):
    """A document with characters that the tokenizer does not know."""

    document: str
    characters: str
    code_points: tuple[str, ...]


class Unknown(Sparse, frozen=True, kw_only=True):
    """What the tokenizer did not know of the kept text."""

    characters: int
    share: float
    documents: int
    example: UnknownExample | None = None


class Tokens(Entry, frozen=True, kw_only=True):
    """Tokens of the run."""

    kept: int
    raw: RawTokens
    characters: int = 0
    unknown: Unknown = Unknown(characters=0, share=0.0, documents=0)
    tokenizer: str
    fingerprint: str = ""


class MixShare(Entry, frozen=True, kw_only=True):
    """A group of the mixture: see `curate.shards.mixture.Share`."""

    group: str
    documents: int
    tokens: int
    epochs: float
    mixed_documents: int
    mixed_tokens: int
    share: float


class Shards(Sparse, frozen=True, kw_only=True):
    """The shards of the run."""

    format: str
    files: int
    tokens: int
    packing: str | None = None
    """This and the next four only where documents are packed."""
    sequence_length: int | None = None
    padding: int | None = None
    divided: int | None = None
    trained: float | None = None
    loss_tokens: int | None = None
    """Only of conversations."""
    mix: tuple[MixShare, ...] | None = None
    documents: int
    bytes: int


class Gate(Sparse, frozen=True, kw_only=True):
    """A limit that the run had to meet.

    Attributes:
        name: ``max_…`` or ``min_…``, as in the section ``gates``.
        unit: of limit and value.
        limit: the most, or the least.
        value: of the run.
        passed: whether it met the limit.
        source: the source that the value is of, for a limit on single sources.
    """

    name: str
    unit: Literal["share", "documents"] = "share"
    limit: int | float
    value: int | float
    passed: bool
    source: str | None = None

    @property
    def can_fail(self) -> bool:
        """Whether any run could break it: no share is below 0 or above 1."""
        return self.limit < 1 if self.name.startswith("max_") else self.limit > 0


class Judged(Entry, frozen=True, kw_only=True):
    """What is known of a run as soon as every document is judged: settings, stages, counts and order of parts."""

    run_id: str
    config: dict[str, Any]
    given: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    stages: tuple[StageEntry, ...]
    passes: tuple[tuple[str, ...], ...] = ()
    plan: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    audit: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    parts: tuple[PartName, ...]
    counts: Counts
    flow: tuple[Flow, ...]

    @property
    def stage_names(self) -> list[str]:
        """Stages of the run, in their order."""
        return [stage.name for stage in self.stages]

    def section(self, name: str) -> dict[str, Any]:
        """Settings of a section; empty where the run had none of that name."""
        found: dict[str, Any] = self.config.get(name) or {}
        return found

    @property
    def part_names(self) -> list[str]:
        """What the files of each part are called, in the order of the input."""
        return [part.name for part in self.parts]


class Manifest(Judged, frozen=True, kw_only=True):
    """All that ``run.json`` says."""

    schema_version: int
    curate: str
    command: str
    recipe: Recipe | None = None
    inputs: tuple[Input, ...]
    against: tuple[Against, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    parts: tuple[Part, ...]
    losses: tuple[Loss, ...] = ()
    keys: dict[str, str] = msgspec.field(default_factory=dict)
    """Of each folder: one digest of what its files were made from."""
    tokens: Tokens | None
    """None where nothing was tokenized."""
    shards: Shards | None
    timings: Timings
    work: tuple[Piece, ...] = ()
    machine: Machine
    versions: dict[str, str]
    warnings: tuple[str, ...] = ()
    gates: tuple[Gate, ...]
    profile: Breakdown | None = None

    def written(self) -> dict[str, Any]:
        """Plain data, in the order in which ``run.json`` has it: first what people look for."""
        found: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return {name: found[name] for name in (*_FIRST, *found)}


_FIRST = (
    "schema_version", "run_id", "curate", "command", "recipe", "inputs", "against", "skipped", "passed_over", "config",
    "given", "mentions", "stages", "passes", "plan", "audit", "parts", "counts", "flow",
)  # fmt: skip
