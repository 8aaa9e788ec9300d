"""Where the tokens of the raw corpus went: by stage and reason, by kind of claim, and what packing loses at the end.

Redundant text, unwanted text and text of low quality are kept apart: only the last is a claim about quality. Tokens of
removed documents were never counted one by one; all together they are the difference between raw and kept tokens, and
each stage has its part of that by bytes.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.report.judgments.judgments import Judgments
from curate.report.judgments.looking import REASONS, Documents
from curate.report.packing_loss import PACKED, Numbers, places_of
from curate.report.saved.compute import Figure, flops_per_token
from curate.settings.compute_constants import TOKENS_PER_PARAMETER
from curate.settings.report import ReportSettings
from curate.shards.index import ShardIndex
from curate.shards.mixture import Share
from curate.store.manifest_entries import Manifest, Tokens

KINDS: Mapping[str, str] = {
    "near_dup": "redundant",
    "line_dup": "redundant",
    "extract": "not_wanted",
    "normalize": "not_wanted",
    "language": "not_wanted",
    "url_filter": "not_wanted",
    "decontaminate": "not_wanted",
    "toxicity": "not_wanted",
    "redact": "not_wanted",
    "quality": "low_quality",
    "classify": "low_quality",
}
"""What a stage says of the text that it removes; any other stage says ``other``."""
LENGTHS = (2048, 4096, 8192)
"""Sequence lengths for which the loss of packing is reported."""
SCALES = {"1B": 1e9, "1T": 1e12}


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that one stage or reason removed."""

    stage: str
    reason: str
    """Empty: all that the stage removed."""
    bytes: int
    alone: int
    """Of documents that have no other reason."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes behind the waterfall, and tokens that rows of one document each would lose."""

    removed: tuple[Weight, ...] = ()
    edited: dict[str, int] = {}
    """Bytes that a stage cut out of kept documents."""
    cropped: dict[int, int] = {}
    """Sequence length → tokens beyond it, summed over kept documents."""
    padded: dict[int, int] = {}
    """Sequence length → places that stay empty."""
    fitted: dict[int, float] = {}
    """Sequence length → places that best fit pays for."""


class Reasoned(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the documents with one reason; a document with several counts for each."""

    code: str
    tokens: Figure
    alone: Figure
    """Of documents that have no other reason."""


class Fall(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that one stage removed."""

    stage: str
    kind: str
    """``redundant``, ``not_wanted``, ``low_quality`` or ``other``."""
    tokens: Figure
    share: Figure
    """Of the raw tokens."""
    cut: Figure
    """Of ``tokens``, those that were cut out of kept documents."""
    reasons: tuple[Reasoned, ...]


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What a way of making rows loses."""

    method: str
    sequence_length: int
    lost: Figure
    trained: Figure
    """Share of the places paid for that hold a token trained on."""


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """From raw to kept tokens."""

    raw: Figure
    stages: tuple[Fall, ...]
    kinds: dict[str, Figure]
    """Tokens by kind of claim."""
    kept: Figure
    per: dict[str, dict[str, Figure]]
    """``1B`` and ``1T`` raw tokens: kept tokens, tokens by kind, and GPU-hours of one pass that are not spent."""
    packing: tuple[Packed, ...]
    mix: tuple[Share, ...] = ()
    """Tokens of each group in the shards, where documents were not all taken once."""


class Remains(NamedTuple):
    """What a look at documents finds out about kept ones."""

    cut: dict[str, int]
    """Bytes that each stage cut out of them."""
    tokens: Numbers
    """Different numbers of tokens, ascending."""
    documents: Numbers
    """Documents with each."""


class Keeping:
    """What the waterfall asks of the documents beside their tally.

    Args:
        judgments: of the run.
    """

    def __init__(self, judgments: Judgments) -> None:
        self._edited = [stage for stage in judgments.stages if judgments.has(f"{stage}.{REASONS}", f"{stage}.edits")]
        self.columns = [f"{stage}.edits" for stage in self._edited]

    def of(self, piece: Documents) -> Remains:
        """See `curate.report.judgments.looking.Question`."""
        cut = dict[str, int]()
        for stage in self._edited:
            edits = piece.column(f"{stage}.edits").filter(pa.array(piece.kept)).flatten()
            start, end, replacement = (edits.field(name) for name in ("start", "end", "replacement"))
            size = pc.subtract(pc.subtract(end, start), pc.binary_length(replacement))
            cut[stage] = int(pc.sum(size).as_py() or 0)
        return Remains(cut, *np.unique(piece.tokens[piece.kept], return_counts=True))

    def joined(self, found: Remains, behind: Remains) -> Remains:
        """See `curate.report.judgments.looking.Question`."""
        cut = {stage: size + behind.cut[stage] for stage, size in found.cut.items()}
        tokens, which = np.unique(np.concatenate([found.tokens, behind.tokens]), return_inverse=True)
        documents = np.zeros(len(tokens), np.int64)
        np.add.at(documents, which, np.concatenate([found.documents, behind.documents]))
        return Remains(cut, tokens, documents)


def weigh(judgments: Judgments, found: Remains | None) -> Weights:
    """The bytes behind the waterfall.

    Args:
        judgments: of the run.
        found: by `Keeping`; None where there are no documents.
    """
    stages = [stage for stage in judgments.stages if judgments.has(f"{stage}.{REASONS}")]
    if not stages:
        return Weights()
    given = [pl.when(pl.col(f"{stage}.{REASONS}").list.len() > 0) for stage in stages]
    first = pl.coalesce(*(some.then(pl.lit(stage)) for some, stage in zip(given, stages, strict=True)))
    reasons = pl.coalesce(*(some.then(pl.col(f"{stage}.{REASONS}")) for some, stage in zip(given, stages, strict=True)))
    gone = judgments.tally.select("bytes", stage=first, reason=reasons).filter(pl.col("stage").is_not_null())
    several = gone.with_columns(alone=pl.when(pl.col("reason").list.len() == 1).then("bytes").otherwise(0))
    by_stage, by_reason = pl.collect_all(
        [
            gone.group_by("stage").agg(pl.col("bytes").sum()).with_columns(reason=pl.lit(""), alone=pl.col("bytes")),
            several.explode("reason").group_by("stage", "reason").agg(pl.col("bytes", "alone").sum()),
        ]
    )
    columns = ("stage", "reason", "bytes", "alone")
    rows = [*by_stage.select(columns).iter_rows(), *by_reason.select(columns).iter_rows()]
    rows.sort(key=lambda row: (stages.index(row[0]), row[1] != "", row[1]))
    found = Keeping(judgments).of(judgments.nothing) if found is None else found
    tokens, times = found.tokens, found.documents
    return Weights(
        fitted={length: places_of(tokens, times, length) for length in LENGTHS},
        removed=tuple(Weight(stage=s, reason=r, bytes=b, alone=a) for s, r, b, a in rows),
        edited=found.cut,
        cropped={length: int((np.maximum(tokens - length, 0) * times).sum()) for length in LENGTHS},
        padded={length: int((np.maximum(length - tokens, 0) * times).sum()) for length in LENGTHS},
    )


def waterfall(
    manifest: Manifest, weights: Weights, index: ShardIndex | None, settings: ReportSettings
) -> Waterfall | None:
    """Tokens from raw to kept; None where nothing was tokenized.

    Args:
        manifest: ``run.json``.
        weights: see `weigh`.
        index: of the shards, where there are any.
        settings: the model and the machine, for GPU-hours.
    """
    return _Waterfall(manifest, manifest.tokens, weights, index, settings).result() if manifest.tokens else None


class _Waterfall:
    """The arithmetic of `waterfall`."""

    def __init__(
        self,
        manifest: Manifest,
        tokens: Tokens,
        weights: Weights,
        index: ShardIndex | None,
        settings: ReportSettings,
    ) -> None:
        self.weights, self.index, self.settings = weights, index, settings
        self.stages = manifest.stage_names
        self.raw, self.kept, self.documents = tokens.raw, tokens.kept, manifest.counts.kept
        whole = sum(one.bytes for one in weights.removed if not one.reason) + sum(weights.edited.values())
        self.each = [max(0.0, raw - self.kept) / whole if whole else 0.0 for raw in self._raws()]
        """Tokens for each byte removed: low, used, high."""

    def result(self) -> Waterfall:
        falls = tuple(fall for stage in self.stages if (fall := self._fall(stage)))
        kinds = ("redundant", "not_wanted", "low_quality", "other")
        by_kind = {
            kind: sum(self._bytes(fall.stage) for fall in falls if fall.kind == kind)
            for kind in kinds
            if kind != "other" or any(fall.kind == kind for fall in falls)
        }
        tag = "EXACT" if self.raw.counted else "MODELLED"
        raw = self.raw
        return Waterfall(
            raw=Figure(value=raw.value, low=raw.low, high=raw.high, unit="tokens", tag=tag, source="this run"),  # type: ignore[arg-type]
            stages=falls,
            kinds={kind: self._tokens(size) for kind, size in by_kind.items()},
            kept=Figure(
                value=self.kept,
                low=self.kept,
                high=self.kept,
                unit="tokens",
                tag="EXACT",
                source="counted in the shards",
            ),
            per={name: self._per(scale, by_kind) for name, scale in SCALES.items()},
            packing=tuple(self._packing()),
            mix=tuple(self.index.mix) if self.index else (),
        )

    def _raws(self) -> tuple[float, float, float]:
        return self.raw.low, self.raw.value, self.raw.high

    def _bytes(self, stage: str) -> int:
        removed = sum(one.bytes for one in self.weights.removed if one.stage == stage and not one.reason)
        return removed + self.weights.edited.get(stage, 0)

    def _fall(self, stage: str) -> Fall | None:
        size = self._bytes(stage)
        if not size:
            return None
        shares = sorted(size * each / raw for each, raw in zip(self.each, self._raws(), strict=True) if raw)
        middle = size * self.each[1] / self.raw.value if self.raw.value else 0.0
        return Fall(
            stage=stage,
            kind=KINDS.get(stage, "other"),
            tokens=self._tokens(size),
            share=_modelled(middle, *((shares[0], shares[-1]) if shares else (0.0, 0.0)), "share"),
            cut=self._tokens(self.weights.edited.get(stage, 0)),
            reasons=tuple(
                Reasoned(code=one.reason, tokens=self._tokens(one.bytes), alone=self._tokens(one.alone))
                for one in self.weights.removed
                if one.stage == stage and one.reason
            ),
        )

    def _tokens(self, size: float) -> Figure:
        low, used, high = (size * each for each in self.each)
        return _modelled(used, low, high, "tokens")

    def _per(self, scale: float, by_kind: Mapping[str, int]) -> dict[str, Figure]:
        """The same of so many raw tokens."""
        found = {}
        kept = sorted(self.kept / raw * scale for raw in self._raws() if raw)
        if kept:
            found["kept"] = _modelled(self.kept / self.raw.value * scale, kept[0], kept[-1], "tokens")
        for kind, size in by_kind.items():
            parts = [size * each / raw * scale for each, raw in zip(self.each, self._raws(), strict=True) if raw]
            if parts:
                found[kind] = _modelled(parts[1], min(parts), max(parts), "tokens")
        settings = self.settings
        parameters = settings.model_parameters or self.kept / TOKENS_PER_PARAMETER
        flops = flops_per_token(parameters, layers=settings.layers, width=settings.width, context=settings.context)
        low, used, high = settings.range("utilisation")
        less = [max(0.0, 1 - self.kept / raw) * scale * flops * settings.epochs for raw in self._raws() if raw]
        if less:
            hours = [
                spent / (settings.gpu_peak_flops * share * 3600)
                for spent, share in zip(less, (high, used, low), strict=True)
            ]
            found["gpu_hours"] = _modelled(hours[1], min(hours), max(hours), "GPU-hours")
        return found

    def _packing(self) -> list[Packed]:
        """Tails of shards, and rows of one document each."""
        found = []
        if self.index and (length := self.index.sequence_length):
            training = [shard for shard in self.index.shards if not shard.split]
            paid, lost = sum(shard.tokens for shard in training), self.index.lost.get(str(length), 0)
            tokens = paid - sum(shard.padding for shard in training)
            method = f"packed, {self.index.packing.replace('_', ' ')}: the shards"
            found.append(_packed(method, length, lost, tokens, paid, "index of the shards"))
        for length in LENGTHS:
            if self.index and self.index.shards:
                lost = sum((shard.tokens - shard.padding) % length for shard in self.index.shards)
                there = sum(shard.tokens - shard.padding for shard in self.index.shards)
                found.append(_packed("concatenated", length, lost, there, there, "tails of shards"))
            packed = self.index and self.index.packing == "best_fit" and self.index.sequence_length == length
            if (fit := self.weights.fitted.get(length)) and not packed:
                found.append(_fitted(length, self.kept, fit))
            if length in self.weights.cropped and self.documents:
                lost, paid = self.weights.cropped[length], self.documents * length
                found.append(_packed("one document a row, cropped", length, lost, self.kept, paid, "token counts"))
        return found


def _packed(method: str, length: int, lost: int, kept: int, paid: int, source: str) -> Packed:
    trained = (kept - lost) / paid if paid else 0.0
    return Packed(
        method=method,
        sequence_length=length,
        lost=Figure(value=lost, low=lost, high=lost, unit="tokens", tag="EXACT", source=source),
        trained=Figure(value=trained, low=trained, high=trained, unit="share", tag="EXACT", source=source),
    )


def _fitted(length: int, kept: int, places: float) -> Packed:
    """Best fit cuts nothing off and pays for empty places."""
    one = _packed("best fit", length, 0, kept, round(places), "token counts")
    said = f"up to {PACKED:,} documents packed, others like them"
    trained = msgspec.structs.replace(one.trained, tag="MODELLED", assumptions=(said,))
    return msgspec.structs.replace(one, trained=trained)


def _modelled(value: float, low: float, high: float, unit: str) -> Figure:
    said = "tokens that were removed, by bytes: their number is raw less kept tokens"
    return Figure(
        value=value, low=low, high=high, unit=unit, tag="MODELLED", assumptions=(said,), source="judgments of this run"
    )
