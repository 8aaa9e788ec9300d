"""A look before the run: the plan tried on some pieces of its input. Nothing is written.

What is told of the whole follows from the pieces by ratios to their stored bytes; how far off that may be, from how
much the pieces differ (Cochran, Sampling Techniques, 3rd ed., section 6.3).
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curate.corpus.documents import Parsed
from curate.corpus.formats.format import Span
from curate.corpus.parts import Part, Strand
from curate.corpus.quarantine import PASSED_OVER
from curate.corpus.reader import chunks
from curate.pipeline.planning.plan import Plan
from curate.pipeline.rewriting import rewritten, rows_of
from curate.pipeline.sharding.mixing import groups_of
from curate.pipeline.step import Step, reason_counts, settle
from curate.process.child import spent
from curate.stages.contract import Deduplicating, Encoder
from curate.stages.near_dup.partial import band_column

PLACES = 24
PLACE_BYTES = 250_000
_STUDENT = {2: 12.7, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 8: 2.36, 12: 2.20, 24: 2.07}
"""Two-sided 95 % points of Student's t by the number of pieces; of the next smaller number where one is not here."""


class Guess(msgspec.Struct, frozen=True):
    """A number for the whole input, and by how much it may be off (95 %); None: nobody can tell from one piece."""

    value: float
    error: float | None


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What some pieces of the input told; shares are of their documents."""

    pieces: int
    documents: int
    text_bytes: int
    whole: bool
    """Whether the pieces are all of the input."""
    all_documents: Guess
    all_text_bytes: Guess
    all_tokens: Guess | None
    """Of documents that are kept, before near-duplicates are removed; None without a tokenizer."""
    mixed_tokens: dict[str, Guess]
    """The same by group of the mixture; empty where there is none."""
    cpu_seconds: Guess
    kept: Guess
    """Share that the stages keep, before near-duplicates are removed."""
    exact_copies: Guess
    near_copies: Guess | None
    """Share with a likely near-duplicate among the documents before it, exact copies included; None: nobody looks."""
    lengths: dict[str, int]
    """Characters at some shares of the documents: ``min``, ``10%`` … ``max``."""
    languages: dict[str, int]
    encodings: dict[str, int]
    reasons: dict[str, int]
    quarantined: dict[str, int]
    passed_over: dict[str, int]


class _Piece(NamedTuple):
    stored: int
    parsed: Parsed


class _Found:
    """What is added up over the pieces."""

    def __init__(self) -> None:
        self.stored, self.documents, self.text_bytes = list[int](), list[int](), list[int]()
        self.groups = list[dict[str, int]]()
        self.tokens, self.kept, self.seconds = list[int](), list[int](), list[float]()
        self.exact, self.near = list[int](), list[int]()
        self.lengths = list[npt.NDArray[np.int64]]()
        self.languages, self.encodings, self.reasons = Counter[str](), Counter[str](), Counter[str]()
        self.quarantined, self.passed_over = Counter[str](), Counter[str]()
        self.seen, self.bands = set[int](), set[tuple[int, int]]()


def tried(plan: Plan) -> Trial:
    """Try a plan on up to `PLACES` pieces of its input.

    Args:
        plan: checked.
    """
    found = _Found()
    for number, piece in enumerate(_pieces(plan.strands)):
        if not number and len(piece.parsed.documents):
            _try(plan, piece.parsed.documents.slice(0, 20), _Found())  # kernels compile and models load before
        _add(plan, piece, found)
    return _trial(plan, found)


def _pieces(strands: Sequence[Strand]) -> Iterator[_Piece]:
    """Pieces of the input that lie evenly in it: all of it, where that is little.

    What follows the first part of a strand cannot be entered without reading what comes before, and is not tried.
    """
    spans = [span for strand in strands for span in strand.parts[0].spans]
    ends = np.cumsum([span.bytes for span in spans])
    if not len(ends):
        return
    entire = ends[-1] <= PLACES * PLACE_BYTES
    wanted = range(len(spans)) if entire else _places(ends)
    beyond = -1
    for first in wanted:
        if first > beyond:
            beyond, taken = first, 0
            while not entire and beyond + 1 < len(spans) and (taken := taken + spans[beyond].bytes) < PLACE_BYTES:
                beyond += 1
            yield _piece(spans[first : beyond + 1], None if entire else PLACE_BYTES)


def _places(ends: npt.NDArray[np.int64]) -> Iterator[int]:
    """Spans that hold bytes evenly spaced over all of them."""
    for place in range(PLACES):
        yield int(np.searchsorted(ends, (place + 0.5) / PLACES * ends[-1], side="right"))


def _piece(spans: Sequence[Span], most: int | None) -> _Piece:
    """What some stretches of files hold, or the first of it."""
    stored, parsed = 0, list[Parsed]()
    part = Part(0, "", tuple(spans), sum(span.bytes for span in spans), "")
    for chunk in chunks(Strand((part,)), frozenset([0]), most or PLACES * PLACE_BYTES):
        stored += chunk.input_bytes
        parsed.append(chunk.parse())
        if most and (stored >= most or sum(one.documents["text"].nbytes for one in parsed) >= 2 * most):
            break
    documents = pa.Table.from_batches([one.documents for one in parsed]).combine_chunks().to_batches()
    quarantined = pa.concat_batches([one.quarantined for one in parsed])
    return _Piece(max(1, stored), Parsed(documents[0] if documents else parsed[0].documents, quarantined))


def _add(plan: Plan, piece: _Piece, found: _Found) -> None:
    documents, quarantined = piece.parsed
    over = {reason.code for reason in PASSED_OVER}
    for code in quarantined["reason"].to_pylist():
        (found.passed_over if code in over else found.quarantined)[code] += 1
    started = time.process_time() + spent.seconds
    _try(plan, documents, found)
    found.seconds.append(time.process_time() + spent.seconds - started)
    found.stored.append(piece.stored)
    found.documents.append(len(documents))
    found.text_bytes.append(int(pc.sum(documents["raw_bytes"]).as_py() or 0))
    found.encodings.update(_encodings(documents["metadata"]))


def _try(plan: Plan, documents: pa.RecordBatch, found: _Found) -> None:
    documents, _ = rewritten(documents, plan.rewriters)
    said = {rewriter.name: rows_of(documents, rewriter) for rewriter in plan.rewriters}
    entering, tokens, near = np.ones(len(documents), np.bool_), 0, 0
    found.lengths.append(pc.utf8_length(documents["text"]).to_numpy().astype(np.int64))
    found.exact.append(_copies(documents["text"], found.seen))
    columns = {name: documents[name] for name in documents.schema.names}
    for one in plan.passes:
        steps = [Step(stage, "encode" if isinstance(stage, Encoder) else "judge") for stage in one.stages]
        steps += [Step(one.closing, "observe")] if one.closing else []
        for step, settled in zip(steps, settle(tuple(steps), columns.__getitem__, entering, said), strict=True):
            rows, name = settled.rows, step.stage.name
            entering = settled.staying
            columns |= {f"{name}.{column}": rows[column] for column in rows.schema.names}
            if step.role == "judge":
                found.reasons.update({f"{name}.{code}": n for code, n in reason_counts(rows["reasons"]).items()})
            if step.role == "encode":
                tokens += int(pc.sum(rows["n_tokens"]).as_py() or 0)
            if step.role == "observe" and isinstance(step.stage, Deduplicating):
                near += _alike(rows, found.bands)
    if "language.label" in columns:
        found.languages.update(label for label in columns["language.label"].to_pylist() if label)
    if plan.config.mix.active and plan.encoder:
        counts = columns[f"{plan.encoder.name}.n_tokens"]
        found.groups.append(_by_group(groups_of(plan.config.mix, columns.__getitem__), counts, entering))
    found.tokens.append(tokens)
    found.kept.append(int(entering.sum()))
    found.near.append(near)


def _by_group(groups: pa.Array, n_tokens: pa.Array, kept: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Tokens of kept documents by the name of their group."""
    table = pa.table({"group": groups, "n_tokens": n_tokens}).filter(pa.array(kept)).group_by("group")
    sums = table.aggregate([("n_tokens", "sum")])
    return dict(zip(sums["group"].to_pylist(), sums["n_tokens_sum"].to_pylist(), strict=True))


def _copies(texts: pa.Array, seen: set[int]) -> int:
    """Documents whose text another one before had."""
    copies = 0
    for text in texts:
        digest = xxhash.xxh3_64_intdigest(text.as_buffer())
        copies += digest in seen
        seen.add(digest)
    return copies


def _alike(rows: pa.RecordBatch, seen: set[tuple[int, int]]) -> int:
    """Documents that share a band with one before."""
    bands = [name for name in rows.schema.names if name.startswith(band_column(0)[:-2])]
    alike = 0
    for keys in zip(*(rows[name].to_pylist() for name in bands), strict=True):
        if keys and keys[0] is not None:
            mine = set(enumerate(keys))
            alike += not mine.isdisjoint(seen)
            seen |= mine
    return alike


def _encodings(metadata: pa.Array) -> Iterator[str]:
    """The encodings that documents were read in, as far as formats tell."""
    noted = pc.extract_regex(metadata, r'"encoding":\s*"(?P<name>[^"]{1,40})"')
    for one in noted.to_pylist():
        yield one["name"] if one else "utf-8"


def _trial(plan: Plan, found: _Found) -> Trial:
    whole = sum(found.stored) >= plan.input_bytes
    closing = any(isinstance(one.closing, Deduplicating) for one in plan.passes)
    lengths = np.concatenate([np.zeros(0, np.int64), *found.lengths])

    def total(values: Sequence[float]) -> Guess:
        return _guess(values, found.stored, plan.input_bytes * plan.config.input.sample, whole=whole)

    def share(values: Sequence[float]) -> Guess:
        return _guess(values, found.documents, 1.0, whole=whole)

    return Trial(
        pieces=len(found.stored),
        documents=sum(found.documents),
        text_bytes=sum(found.text_bytes),
        whole=whole,
        all_documents=total(found.documents),
        all_text_bytes=total(found.text_bytes),
        all_tokens=total(found.tokens) if plan.encoder else None,
        mixed_tokens={
            name: total([piece.get(name, 0) for piece in found.groups])
            for name in sorted({name for piece in found.groups for name in piece})
        },
        cpu_seconds=total(found.seconds),
        kept=share(found.kept),
        exact_copies=share(found.exact),
        near_copies=share(found.near) if closing else None,
        lengths=_quantiles(lengths),
        languages=dict(found.languages.most_common()),
        encodings=dict(found.encodings.most_common()),
        reasons=dict(found.reasons.most_common()),
        quarantined=dict(found.quarantined.most_common()),
        passed_over=dict(found.passed_over.most_common()),
    )


def _quantiles(lengths: npt.NDArray[np.int64]) -> dict[str, int]:
    if not len(lengths):
        return {}
    names = {"min": 0.0, "10%": 0.1, "median": 0.5, "90%": 0.9, "99%": 0.99, "max": 1.0}
    return {name: int(np.quantile(lengths, at)) for name, at in names.items()}


def _guess(values: Sequence[float], sizes: Sequence[float], size: float, *, whole: bool) -> Guess:
    """What ``values`` come to for ``size``, by their ratio to ``sizes``."""
    x, y = np.array(sizes, float), np.array(values, float)
    if not x.sum():
        return Guess(0.0, 0.0 if whole else None)
    ratio = y.sum() / x.sum()
    if whole:
        return Guess(float(ratio * size), 0.0)
    if len(x) < 2:
        return Guess(float(ratio * size), None)
    spread = math.sqrt(float(((y - ratio * x) ** 2).sum()) / (len(x) - 1) / len(x)) / x.mean()
    student = _STUDENT[max(number for number in _STUDENT if number <= len(x))]
    return Guess(float(ratio * size), float(student * spread * size))
