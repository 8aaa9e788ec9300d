"""A look before the run: the plan tried on some pieces of its input. Nothing is written.

Estimates for the whole input follow from the pieces (`curate.pipeline.planning.extrapolation`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curate.corpus.input import InputFile
from curate.corpus.quarantine import PASSED_OVER
from curate.pipeline.planning import extrapolation
from curate.pipeline.planning.extrapolation import Copies, Guess, Stratum, with_pairs
from curate.pipeline.planning.pieces import Piece, cpu_seconds, kind_of, pieces
from curate.pipeline.planning.plan import Plan
from curate.pipeline.rewriting import rewritten, rows_of
from curate.pipeline.sharding.mixing import groups_of
from curate.pipeline.step import Step, reason_counts, settle
from curate.process.child import spent
from curate.stages.contract import Deduplicating, Encoder
from curate.stages.near_dup.partial import band_column
from curate.store.row_file import size_of_rows

_SMALL = 1000
"""Characters of a text that take hardly anything."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What some pieces of the input showed; shares are of their documents."""

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
    """Of reading, of all stages, and of writing their rows; without starting and what needs all of the corpus."""
    child_seconds: float
    """CPU seconds that child processes had for the pieces: extractors, which take a while to start."""
    row_bytes: Guess
    """Of documents, judgments and ids of tokens, written as a run writes them."""
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


class _Found:
    """What is added up over the pieces."""

    def __init__(self) -> None:
        self.stored, self.counted = list[int](), list[int]()
        self.documents, self.text_bytes, self.row_bytes = list[int](), list[int](), list[int]()
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
    found, fixed, before = _Found(), -1.0, spent.seconds
    for piece in pieces(plan.strands):
        if fixed < 0 and len(piece.parsed.documents):
            _try(plan, piece.parsed.documents.slice(0, 20), _Found())  # kernels compile and models load before
            started = cpu_seconds()
            _try(plan, _small(piece.parsed.documents), _Found())
            fixed = cpu_seconds() - started
        _add(plan, piece, found, max(0.0, fixed))
    return _trial(plan, found, spent.seconds - before)


def _small(documents: pa.RecordBatch) -> pa.RecordBatch:
    """The first document, its text cut where it may be: what a book takes is not what a call takes."""
    one = documents.slice(0, 1)
    if one["turns"].is_valid()[0].as_py():
        return one  # the turns are places in the text
    at = one.schema.get_field_index("text")
    return one.set_column(at, one.schema.field(at), pc.utf8_slice_codeunits(one["text"], 0, _SMALL))


def _add(plan: Plan, piece: Piece, found: _Found, fixed: float) -> None:
    """Try a piece; ``fixed`` CPU seconds of that are what a call takes, which a run has once for many pieces."""
    documents, quarantined = piece.parsed
    found.files.append(piece.file)
    over = {reason.code for reason in PASSED_OVER}
    for code in quarantined["reason"].to_pylist():
        (found.passed_over if code in over else found.quarantined)[code] += 1
    started = cpu_seconds()
    found.row_bytes.append(_try(plan, documents, found))
    found.seconds.append(piece.seconds + max(0.0, cpu_seconds() - started - fixed))
    found.stored.append(piece.stored)
    found.counted.append(piece.counted)
    found.documents.append(len(documents))
    found.text_bytes.append(int(pc.sum(documents["raw_bytes"]).as_py() or 0))
    found.encodings.update(_encodings(documents["metadata"]))


def _try(plan: Plan, documents: pa.RecordBatch, found: _Found) -> int:
    """Run every stage; returns the bytes of all rows that a run writes."""
    documents, _ = rewritten(documents, plan.rewriters)
    said = {rewriter.name: rows_of(documents, rewriter) for rewriter in plan.rewriters}
    entering, tokens, near = np.ones(len(documents), np.bool_), 0, 0
    found.lengths.append(pc.utf8_length(documents["text"]).to_numpy().astype(np.int64))
    found.exact.append(_copies(documents["text"], found))
    columns = {name: documents[name] for name in documents.schema.names}
    size = size_of_rows(documents) + sum(map(size_of_rows, said.values()))
    for one in plan.passes:
        steps = [Step(stage, "encode" if isinstance(stage, Encoder) else "judge") for stage in one.stages]
        steps += [Step(one.closing, "observe")] if one.closing else []
        for step, settled in zip(steps, settle(tuple(steps), columns.__getitem__, entering, said), strict=True):
            rows, name = settled.rows, step.stage.name
            size += size_of_rows(rows)
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
    return size


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


def _trial(plan: Plan, found: _Found, child_seconds: float) -> Trial:
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
        all_documents=extrapolation.total(
            found.documents, found.counted, strata, plan.config.input.sample, whole=whole
        ),
        all_text_bytes=total(found.text_bytes),
        all_tokens=total(found.tokens) if plan.encoder else None,
        mixed_tokens={
            name: total([piece.get(name, 0) for piece in found.groups])
            for name in sorted({name for piece in found.groups for name in piece})
        },
        cpu_seconds=total(found.seconds),
        child_seconds=child_seconds,
        row_bytes=total(found.row_bytes),
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
        return f"file {file.name}" if counts[file.name] > 1 else kind_of(file)

    sizes, members = Counter[str](), dict[str, list[int]]()
    for span in (span for part in plan.parts for span in part.spans):
        sizes[key(span.file)] += span.bytes
    for number, file in enumerate(found.files):
        members.setdefault(key(file), []).append(number)
    more = plan.input_bytes / max(1, sum(sizes[name] for name in members))
    return [Stratum(sizes[name] * more, np.array(pieces)) for name, pieces in members.items()]
