"""How many tokens the corpus had before curation: counted while that is cheap, else estimated with a bound.

Kept documents are tokenized anyway, so their tokens are exact. Removed ones are not, and of edited ones only what the
edits left; both are looked at as they were read. Up to `COUNT_BYTES` of them are simply counted. Beyond that, row
groups are drawn at random, some of these documents in each are tokenized, and the total follows
from tokens per byte (a ratio estimate; the bound is a 95 % t-interval from a jackknife over row groups:
Cochran, Sampling Techniques, 3rd ed., sections 6.3 and 6.17).
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.engine.base import Engine, in_order
from curate.pipeline.step import Step, entering_mask
from curate.stages.contract import Encoder
from curate.store.footers import footer_of
from curate.store.manifest_entries import RawTokens
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory

COUNT_BYTES = 32_000_000
GROUPS_DRAWN = 64
DOCUMENTS_DRAWN = 64  # in each row group

_T_63 = 1.9983  # two-sided 95 % point of Student's t with 63 degrees of freedom


class _Group(NamedTuple):
    part: int
    number: int
    out: bytes
    """A bit for each of its documents: whether it is removed or edited."""
    documents: int
    """Removed or edited ones."""
    bytes: int
    edited_tokens: int
    """Of its kept documents with edits: what is left of them."""
    drawn: tuple[int, ...] | None = None
    """Which of these documents are looked at, counted among them; None: all."""

    @property
    def looked_at(self) -> int:
        """How many of these documents are looked at."""
        return self.documents if self.drawn is None else len(self.drawn)


def raw_tokens(
    kept_tokens: int,
    encoder: Encoder,
    judges: tuple[Step, ...],
    directory: RunDirectory,
    parts: int,
    engine: Engine,
    seed: int,
) -> RawTokens:
    """Tokens of the kept documents, without edits, plus those of the removed ones.

    Args:
        kept_tokens: exact count of the kept documents.
        encoder: the tokenizer stage.
        judges: all stages with verdicts.
        directory: the run.
        parts: how many parts there are.
        engine: spreads reading and encoding.
        seed: of the draw.
    """
    found = in_order(engine, partial(_unknown, directory, judges), range(parts))
    groups = [group for of_part in found for group in of_part]
    kept_tokens -= sum(group.edited_tokens for group in groups)
    total = sum(group.bytes for group in groups)
    exact = total <= COUNT_BYTES or len(groups) <= 2
    rng = np.random.default_rng(seed)
    if not exact:
        picked = rng.choice(len(groups), min(GROUPS_DRAWN, len(groups)), replace=False)
        groups = [_thinned(groups[i], rng) for i in sorted(picked)]

    encode = partial(_encoded, encoder, directory)
    measured = np.array(list(in_order(engine, encode, groups)), np.float64).reshape(-1, 2)
    sampled = sum(group.looked_at for group in groups)
    if exact:
        value = kept_tokens + int(measured[:, 0].sum())
        return RawTokens(value=value, low=value, high=value, sampled_documents=sampled, confidence=1.0)
    weights = np.array([group.bytes for group in groups], np.float64)
    ratio, spread = ratio_with_error(measured[:, 0] / np.maximum(measured[:, 1], 1), weights)
    removed, margin = ratio * total, _T_63 * spread * total
    low, high = kept_tokens + max(0.0, removed - margin), kept_tokens + removed + margin
    return RawTokens(
        value=round(kept_tokens + removed),
        low=math.floor(low),
        high=math.ceil(high),
        method="estimated",
        sampled_documents=sampled,
    )


def ratio_with_error(ratios: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Weighted mean of per-group ratios and its jackknife standard error.

    Example:
        >>> ratio_with_error(np.array([0.25, 0.25]), np.array([10.0, 20.0]))
        (0.25, 0.0)
    """
    total, n = weights.sum(), len(ratios)
    whole = float((ratios * weights).sum() / total)
    without = (ratios @ weights - ratios * weights) / (total - weights)
    return whole, math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))


def _encoded(encoder: Encoder, directory: RunDirectory, group: _Group) -> tuple[int, int]:
    """Tokens of the documents of a group that are looked at, and their bytes."""
    with pq.ParquetFile(parquet_source(directory.part(DOCUMENTS, group.part))) as file:
        table = file.read_row_group(group.number, columns=["text", "raw_bytes"], use_threads=False)
    rows = np.flatnonzero(np.unpackbits(np.frombuffer(group.out, np.uint8), count=len(table)))
    chosen = table.take(pa.array(rows if group.drawn is None else rows[list(group.drawn)])).combine_chunks()
    text = chosen.column("text").combine_chunks() if len(chosen) else pa.array([], pa.large_string())
    text = text if isinstance(text, pa.Array) else pa.concat_arrays(text.chunks)
    return len(encoder.encode(text).ids.flatten()), int(pc.sum(chosen.column("raw_bytes")).as_py() or 0)


def _out(
    directory: RunDirectory, judges: tuple[Step, ...], part: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which documents of a part are removed or edited; which are kept and edited."""
    kept = entering_mask(directory, judges, part)
    edited = kept & _edited(directory, judges, part)
    return ~kept | edited, edited


def _unknown(directory: RunDirectory, judges: tuple[Step, ...], part: int) -> list[_Group]:
    """Row groups of a part with removed or edited documents, and the bytes of these."""
    out, edited = _out(directory, judges, part)
    path = directory.part(DOCUMENTS, part)
    sizes = read_columns(path, ["raw_bytes"]).column("raw_bytes").to_numpy()
    encoder = judges[-1]  # its row files say how many tokens each kept document has
    tokens = read_columns(encoder.file(directory, part), ["n_tokens"]).column("n_tokens")
    counted = np.where(edited, tokens.fill_null(0).to_numpy(), 0)
    found = []
    for number, start, stop in groups_in(footer_of(path)):
        rows = np.flatnonzero(out[start:stop])
        if len(rows):
            size, left = int(sizes[start:stop][rows].sum()), int(counted[start:stop].sum())
            found.append(_Group(part, number, np.packbits(out[start:stop]).tobytes(), len(rows), size, left))
    return found


def _edited(directory: RunDirectory, judges: tuple[Step, ...], part: int) -> npt.NDArray[np.bool_]:
    """Documents that some stage edited."""
    found = np.zeros(footer_of(directory.part(DOCUMENTS, part)).num_rows, np.bool_)
    for step in judges:
        if step.edits:
            edits = read_columns(step.file(directory, part), ["edits"]).column("edits")
            found |= pc.fill_null(pc.list_value_length(edits), 0).to_numpy() > 0
    return found


def _thinned(group: _Group, rng: np.random.Generator) -> _Group:
    if group.documents <= DOCUMENTS_DRAWN:
        return group
    drawn = rng.choice(group.documents, DOCUMENTS_DRAWN, replace=False)
    return group._replace(drawn=tuple(sorted(drawn.tolist())))
