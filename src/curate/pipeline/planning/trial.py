"""A look before the run: the plan tried on some pieces of its input. Nothing is written.

What is told of the whole follows from the pieces (`curate.pipeline.planning.extrapolation`).
"""

import time
from collections import Counter, deque
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
from curate.corpus.input import InputFile
from curate.corpus.parts import Part, Strand
from curate.corpus.quarantine import PASSED_OVER
from curate.corpus.reader import Chunk, chunks
from curate.pipeline.planning import extrapolation
from curate.pipeline.planning.extrapolation import Copies, Guess, Stratum, with_pairs
from curate.pipeline.planning.plan import Plan
from curate.pipeline.rewriting import rewritten, rows_of
from curate.pipeline.sharding.mixing import groups_of
from curate.pipeline.step import Step, reason_counts, settle
from curate.process.child import spent
from curate.stages.contract import Deduplicating, Encoder
from curate.stages.near_dup.partial import band_column

PLACES = 24
PLACE_BYTES = 250_000
_REACH = 200_000_000
"""Stored bytes that are read on the way to pieces in the middle of large stretches: about a second."""


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
    file: InputFile
    stored: int
    parsed: Parsed


class _Found:
    """What is added up over the pieces."""

    def __init__(self) -> None:
        self.stored, self.documents, self.text_bytes = list[int](), list[int](), list[int]()
        self.groups = list[dict[str, int]]()
        self.tokens, self.kept, self.seconds = list[int](), list[int](), list[float]()
        self.exact, self.near = list[int](), list[int]()
        self.files = list[InputFile]()
        self.lengths = list[npt.NDArray[np.int64]]()
        self.languages, self.encodings, self.reasons = Counter[str](), Counter[str](), Counter[str]()
        self.quarantined, self.passed_over = Counter[str](), Counter[str]()
        self.texts, self.bands = Copies(), Copies()


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
    """Pieces of the input that lie evenly in it: all of it, where that is little."""
    spans = [span for strand in strands for span in _spans(strand)]
    ends = np.cumsum([span.bytes for span in spans])
    if not len(ends):
        return
    if ends[-1] <= PLACES * PLACE_BYTES:
        yield from (_first(spans[at : at + 1], None) for at in range(len(spans)))
        return
    places = [(place + 0.5) / PLACES * float(ends[-1]) for place in range(PLACES)]
    within = dict[int, list[float]]()
    for at, place in zip(np.searchsorted(ends, places, side="right").tolist(), places, strict=True):
        within.setdefault(at, []).append(place - float(ends[at]) + spans[at].bytes)
    beyond = -1
    for first, offsets in within.items():
        if first <= beyond:
            continue
        beyond, taken, kind = first, 0, _kind(spans[first].file)
        while (
            beyond + 1 < len(spans)
            and _kind(spans[beyond + 1].file) == kind
            and (taken := taken + spans[beyond].bytes) < PLACE_BYTES
        ):
            beyond += 1
        if beyond > first or spans[first].bytes <= PLACE_BYTES:
            yield _first(spans[first : beyond + 1], PLACE_BYTES)
        else:
            yield from _within(spans[first], offsets, _REACH // len(within))


def _spans(strand: Strand) -> tuple[Span, ...]:
    """The stretches of a strand; parts that must be read one after another are one."""
    if len(strand.parts) == 1:
        return strand.parts[0].spans
    spans = [span for part in strand.parts for span in part.spans]
    return (msgspec.structs.replace(spans[0], stop=spans[-1].stop, bytes=sum(span.bytes for span in spans)),)


def _first(spans: Sequence[Span], most: int | None) -> _Piece:
    """What some stretches of files hold, or the first of it."""
    stored, parsed = 0, list[Parsed]()
    for chunk in _chunks(spans, most or PLACES * PLACE_BYTES):
        stored += chunk.input_bytes
        parsed.append(chunk.parse())
        if most and (stored >= most or sum(one.documents["text"].nbytes for one in parsed) >= 2 * most):
            break
    return _piece(spans[0].file, stored, parsed)


def _within(span: Span, offsets: list[float], reach: int) -> Iterator[_Piece]:
    """What a large stretch holds at some places. What lies between them is read and not parsed.

    Args:
        span: of a file, or of a part of it.
        offsets: stored bytes behind its beginning, ascending.
        reach: how many of them are read at most; places beyond are drawn together to what is read.
    """
    shrunk = min(1.0, reach / span.bytes)
    waiting, read, held = deque(offset * shrunk for offset in offsets), 0, 0
    found = list[tuple[int, Parsed]]()
    for chunk in _chunks([span], PLACE_BYTES):
        size = sum(piece.nbytes for piece in chunk.pieces)
        read, held = read + chunk.input_bytes, held + size
        if size and read >= waiting[0]:
            found.append((size, chunk.parse()))
            while waiting and waiting[0] <= read:
                waiting.popleft()
            if not waiting:
                break
    for size, parsed in found:  # a block counts as read with the first of its lines: what one chunk took is too rough
        yield _piece(span.file, round(size * read / held), [parsed])


def _chunks(spans: Sequence[Span], size: int) -> Iterator[Chunk]:
    part = Part(0, "", tuple(spans), sum(span.bytes for span in spans), "")
    return chunks(Strand((part,)), frozenset([0]), size)


def _kind(file: InputFile) -> str:
    """Files of which a stored byte holds about as much text."""
    return f"{file.format} {file.compression}"


def _piece(file: InputFile, stored: int, parsed: Sequence[Parsed]) -> _Piece:
    documents = pa.Table.from_batches([one.documents for one in parsed]).combine_chunks().to_batches()
    quarantined = pa.concat_batches([one.quarantined for one in parsed])
    return _Piece(file, max(1, stored), Parsed(documents[0] if documents else parsed[0].documents, quarantined))


def _add(plan: Plan, piece: _Piece, found: _Found) -> None:
    documents, quarantined = piece.parsed
    found.files.append(piece.file)
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
    found.exact.append(_copies(documents["text"], found))
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
                near += _alike(rows, found)
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


def _copies(texts: pa.Array, found: _Found) -> int:
    """Documents whose text another one before had."""
    piece = len(found.files)
    return sum(found.texts.add([xxhash.xxh3_64_intdigest(text.as_buffer())], piece) for text in texts)


def _alike(rows: pa.RecordBatch, found: _Found) -> int:
    """Documents that share a band with one before."""
    bands = [name for name in rows.schema.names if name.startswith(band_column(0)[:-2])]
    keys = zip(*(rows[name].to_pylist() for name in bands), strict=True)
    piece = len(found.files)
    return sum(found.bands.add(list(enumerate(each)), piece) for each in keys if each and each[0] is not None)


def _encodings(metadata: pa.Array) -> Iterator[str]:
    """The encodings that documents were read in, as far as formats tell."""
    noted = pc.extract_regex(metadata, r'"encoding":\s*"(?P<name>[^"]{1,40})"')
    for one in noted.to_pylist():
        yield one["name"] if one else "utf-8"


def _trial(plan: Plan, found: _Found) -> Trial:
    whole = sum(found.stored) >= plan.input_bytes
    closing = any(isinstance(one.closing, Deduplicating) for one in plan.passes)
    lengths = np.concatenate([np.zeros(0, np.int64), *found.lengths])

    strata = _strata(plan, found)

    def total(values: Sequence[float]) -> Guess:
        return extrapolation.total(values, found.stored, strata, plan.config.input.sample, whole=whole)

    def share(values: Sequence[float]) -> Guess:
        return extrapolation.share(values, found.documents, found.stored, strata, whole=whole)

    def copies(values: Sequence[float], pairs: int) -> Guess:
        tried = sum(found.documents) / max(1.0, total(found.documents).value)
        return share(values) if whole else with_pairs(share(values), pairs, sum(found.documents), tried)

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
        exact_copies=copies(found.exact, found.texts.pairs),
        near_copies=copies(found.near, found.bands.pairs) if closing else None,
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


def _strata(plan: Plan, found: _Found) -> list[Stratum]:
    """Every file with two pieces or more, what is left by kind; kinds without a piece are spread over the others."""
    counts = Counter(file.name for file in found.files)

    def key(file: InputFile) -> str:
        return f"file {file.name}" if counts[file.name] > 1 else _kind(file)

    sizes, members = Counter[str](), dict[str, list[int]]()
    for span in (span for part in plan.parts for span in part.spans):
        sizes[key(span.file)] += span.bytes
    for number, file in enumerate(found.files):
        members.setdefault(key(file), []).append(number)
    more = plan.input_bytes / max(1, sum(sizes[name] for name in members))
    return [Stratum(sizes[name] * more, np.array(pieces)) for name, pieces in members.items()]
