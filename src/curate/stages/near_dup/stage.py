"""The ``near_dup`` stage itself: what it declares, what it observes, how it judges."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.settings.base import Reason, Settings
from curate.stages.contract import Audited, Comparing, Corpus, Incomparable, reasons_where
from curate.stages.near_dup.audit import audit, draw
from curate.stages.near_dup.candidates import find_candidates
from curate.stages.near_dup.choice import Judge, Where, choose_again, chosen_anew, judged_before
from curate.stages.near_dup.exact import find_copies
from curate.stages.near_dup.judgments import JUDGMENTS, find_outcomes, judgments
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partial import observation, partial_schema
from curate.stages.near_dup.partners import Compared, Stored, copies_known
from curate.stages.near_dup.preference import columns_read
from curate.stages.near_dup.reconsidering import EXACT, JUDGED, NEAR, PREFERRED, gathered, reconsidered
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.near_dup.survivors import find_survivors
from curate.stages.partitioning import column
from curate.stages.reconsidering import Reconsidered, Reconsidering
from curate.text.chats.spans import View
from curate.text.dedup.minhash import Permutations, Sketches, extremes_of, permutations, shingle_hashes32, signatures
from curate.text.dedup.shingles import shingle_sets


class NearDup(Audited, Reconsidering, Comparing):
    """Leave out documents of which another copy, or nearly the same text, is kept."""

    name: ClassVar[str] = "near_dup"
    version: ClassVar[int] = 5
    about: ClassVar[str] = "Keeps one copy of each document; every removal names a kept one that is nearly the same."
    settings_type: ClassVar[type[Settings]] = NearDupSettings
    settings: NearDupSettings
    adds: ClassVar[Mapping[str, pa.DataType]] = JUDGMENTS
    judged_columns: ClassVar[tuple[str, ...]] = JUDGED
    observed_columns: ClassVar[tuple[str, ...]] = PREFERRED
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason(EXACT, "Another document with exactly the same text is kept."),
        Reason(NEAR, "A kept document shares nearly all of its wording."),
    )

    def __init__(self, settings: NearDupSettings | None = None) -> None:
        """Derive bands × rows from the settings; nothing is loaded yet."""
        self.settings = settings or NearDupSettings()
        self.banding = self.settings.banding
        self._permutations = permutations(self.banding.bands * self.banding.rows, self.settings.seed)

    @property
    def needs(self) -> tuple[str, ...]:
        """Text and id, and what the settings compare or prefer documents by."""
        return ("text", "id", *columns_read(self.settings))

    @functools.cached_property
    def partial_schema(self) -> pa.Schema:
        """Id, hashes, and what the settings compare or prefer documents by."""
        return partial_schema(self.banding.bands)

    @property
    def reads(self) -> View:
        """What of conversations is compared."""
        return "prompt" if self.settings.conversation == "prompt" else "conversation"

    def catch_probability(self, similarity: float) -> float:
        """Probability that a pair of this Jaccard similarity is compared at all."""
        return self.banding.catch_probability(similarity)

    def describe(self) -> str:
        """The plan's line.

        Example:
            >>> NearDup().describe()
            '16 bands × 6 rows find 99.2 % of pairs at 0.80, 86.5 % at 0.70, 53.4 % at 0.60; removals verified'
        """
        points = [self.settings.similarity - step for step in (0.0, 0.1, 0.2) if self.settings.similarity > step]
        caught = [f"{100 * self.catch_probability(point):.1f} %" for point in points]
        curve = ", ".join(
            f"{share} {'of pairs ' if at == 0 else ''}at {point:.2f}"
            for at, (share, point) in enumerate(zip(caught, points, strict=True))
        )
        return f"{self.banding.bands} bands × {self.banding.rows} rows find {curve}; removals verified"

    def plan(self) -> dict[str, Any]:
        """Derived settings for the manifest: bands, rows, and the probability of comparing a pair by similarity."""
        points = [step / 50 for step in range(51)]
        curve = [[point, round(self.catch_probability(point), 6)] for point in points]
        settings = self.settings
        return {
            "bands": self.banding.bands,
            "rows": self.banding.rows,
            "similarity": settings.similarity,
            "curve": curve,
        }

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:  # noqa: ARG002
        """Not defined: one batch does not tell whether a document has a copy elsewhere."""
        raise TypeError("near_dup must see the whole corpus: call `observe` on every batch, then `resolve`")

    def observe(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Content hash, priority, scope, number of shingles and band keys of every document."""
        texts = batch.column("text")
        sketch = _BACKENDS[self.settings.backend]
        sketches = sketch(texts, self.settings.shingle_words, self._permutations)
        return observation(self.partial_schema, batch, self.settings, sketches)

    def resolve(self, corpus: Corpus) -> Judge:
        """Find a kept survivor for every copy; what is returned judges one part."""
        judge, _ = self.resolve_audited(corpus)
        return judge

    def resolve_audited(self, corpus: Corpus) -> tuple[Judge, Mapping[str, Any]]:
        """And what a random sample says of near-duplicates that were missed: `curate.stages.near_dup.audit.Audit`.

        The sample is of what comparing found, whichever documents later stages remove.
        """
        numbering = Numbering(corpus.rows, len(corpus.earlier))
        copies = find_copies(corpus, numbering, by_id=self.settings.by_id)
        sample = draw(corpus, numbering, copies)
        components = find_candidates(corpus, numbering, copies, self.banding.bands, sample)
        alike = find_survivors(corpus, numbering, components, sample, self.settings)
        outcomes = find_outcomes(corpus, numbering, copies, alike)
        pairs = column(alike[numbering.parts], "jaccard")
        found = audit(corpus, numbering, sample, outcomes.removed, pairs, self.settings.similarity)
        partners = Compared(alike, copies_known(corpus, numbering, copies))
        judge: Judge = functools.partial(judgments, corpus, numbering, outcomes, partners)
        if any(map(len, corpus.failed)):
            choice = choose_again(corpus, numbering, partners, self.settings, "failed")
            judge = functools.partial(chosen_anew, judge, corpus, numbering, choice)
        return judge, found._asdict()

    def choose(self, corpus: Corpus, *, everywhere: bool) -> Judge:
        """Choose survivors again from partners that were verified before."""
        numbering = Numbering(corpus.rows, len(corpus.earlier))
        where: Where = "everywhere" if everywhere else "changed"
        choice = choose_again(corpus, numbering, Stored(corpus, numbering), self.settings, where)
        return functools.partial(chosen_anew, functools.partial(judged_before, corpus), corpus, numbering, choice)

    def undecidable(self, then: Settings) -> str:
        """Pairs are stored as they were found: other shingles or preferences need the texts.

        Example:
            >>> NearDup(NearDupSettings(scope="source")).undecidable(NearDupSettings())
            '`near_dup.scope` decides which pairs are found or which copy is preferred'
        """
        assert isinstance(then, NearDupSettings)
        for name in self.settings.__struct_fields__:
            if name not in _COMPARED_AGAIN and getattr(self.settings, name) != getattr(then, name):
                return f"`near_dup.{name}` decides which pairs are found or which copy is preferred"
        return ""

    def gathered(self, judged: Iterable[pa.Table]) -> dict[str, npt.NDArray[Any]]:
        """See `curate.stages.reconsidering.Reconsidering`."""
        return gathered(judged)

    def reconsider(
        self,
        written: Mapping[str, npt.NDArray[Any]],
        observed: Callable[[npt.NDArray[np.int64]], pa.Table | None],
        came: npt.NDArray[np.bool_],
        comes: npt.NDArray[np.bool_],
        then: Settings,
    ) -> Reconsidered:
        """See `curate.stages.reconsidering.Reconsidering`."""
        assert isinstance(then, NearDupSettings)
        return reconsidered(written, observed, came, comes, self.settings, then)

    def incomparable(self, then: Mapping[str, Any]) -> Incomparable | None:
        """Keys of an earlier run mean the same only under the same shingles, bands, rows, seed and scope.

        Example:
            >>> NearDup().incomparable({"version": NearDup.version, "shingle_words": 3}).message
            '`near_dup.shingle_words` was 3 there and is 5 here'
        """
        if then["version"] != self.version:
            return Incomparable(f"its index is of version {then['version']}, not {self.version}", "make that run again")
        try:
            before = msgspec.convert(
                {name: value for name, value in then.items() if name != "version"}, NearDupSettings
            )
        except msgspec.ValidationError as error:
            return Incomparable(f"its near_dup settings are no longer valid ({error})", "make that run again")
        for name in ("shingle_words", "seed", "scope", "conversation"):
            there, here = getattr(before, name), getattr(self.settings, name)
            if there != here:
                return Incomparable(
                    f"`near_dup.{name}` was {there} there and is {here} here", f"--set near_dup.{name}={there}"
                )
        if before.banding != self.banding:
            there, here = before.banding, self.banding
            return Incomparable(
                f"it has {there.bands} bands × {there.rows} rows, and here it would be {here.bands} × {here.rows}",
                f"--set near_dup.bands={there.bands} --set near_dup.rows={there.rows}",
            )
        return None

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """``exact_duplicate`` or ``near_duplicate`` where a survivor is named, else nothing."""
        named: npt.NDArray[np.bool_] = pc.is_valid(measures.column("survivor_at")).to_numpy(zero_copy_only=False)
        exact = pc.fill_null(measures.column("exact"), False).to_numpy(zero_copy_only=False)
        rules = {EXACT: named & exact, NEAR: named & ~exact}
        return reasons_where(rules, measures.num_rows)


_COMPARED_AGAIN = frozenset({"similarity", "recall", "permutations", "bands", "rows", "backend"})
"""Settings that change at most which pairs are compared."""


def _reference_signatures(texts: pa.Array, size: int, permuted: Permutations) -> Sketches:
    """`signatures` by ``datasketch.MinHash``, from the same shingle hashes."""
    from datasketch import MinHash

    hashes, offsets = shingle_sets(texts, size)
    counts = signatures(texts, size, Permutations(permuted.factors[:0], permuted.shifts[:0])).shingles
    sketches = np.empty((len(texts), len(permuted.factors)), np.uint32)
    for text in range(len(texts)):
        sketch = MinHash(len(permuted.factors), hashfunc=int, permutations=permuted, scheme="affine32")
        if offsets[text] < offsets[text + 1]:
            sketch.update_batch(shingle_hashes32(hashes[offsets[text] : offsets[text + 1]]))
        sketches[text] = sketch.hashvalues
    return Sketches(sketches, counts, extremes_of(hashes, offsets))


_BACKENDS: Mapping[str, Callable[[pa.Array, int, Permutations], Sketches]] = {
    "fast": signatures,
    "datasketch": _reference_signatures,
}
