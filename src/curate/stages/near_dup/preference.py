"""Which documents may be compared, and which of the same stays: `scope` and `priority` as one number a document."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.settings import METADATA, NearDupSettings
from curate.text.dedup.content_hash import content_hashes

CORPUS = "corpus"
LANGUAGE = "language.label"

Numbers = npt.NDArray[np.uint64]


def columns_read(settings: NearDupSettings) -> tuple[str, ...]:
    """Columns that the preferences need besides text and id.

    Example:
        >>> columns_read(NearDupSettings(survivor="best", best_by="quality.score", scope="source"))
        ('source', 'quality.score')
    """
    by_source = settings.scope == "source" or settings.exempt_sources or settings.survivor == "source_priority"
    by_metadata = settings.scope.startswith(METADATA) or settings.survivor == "newest"
    used = {
        "source": by_source,
        "metadata": by_metadata,
        LANGUAGE: settings.scope == "language",
        settings.best_by: settings.survivor == "best",
    }
    return tuple(name for name, is_used in used.items() if is_used)


def scope(batch: pa.RecordBatch, settings: NearDupSettings) -> pa.Array:
    """``uint64``: equal for documents that may be compared; null for those of exempt sources.

    Scopes other than the corpus are hashes of 64 bits: two of n scopes collide with probability n² / 2⁶⁵, and
    then count as one.
    """
    hashes = np.zeros(batch.num_rows, np.uint64)
    if settings.scope == "source":
        hashes = _hashes(batch.column("source"))
    elif settings.scope == "language":
        hashes = _hashes(batch.column(LANGUAGE))
    elif settings.scope != CORPUS:
        hashes = _hashes(metadata_field(batch.column("metadata"), settings.scope.removeprefix(METADATA)))
    if not settings.exempt_sources:
        return pa.array(hashes)
    exempt = pc.is_in(batch.column("source"), value_set=pa.array(settings.exempt_sources, pa.string()))
    return pa.array(hashes, mask=exempt.to_numpy(zero_copy_only=False))


def priority(batch: pa.RecordBatch, settings: NearDupSettings) -> pa.Array:
    """``uint64``: of documents that are the same, the one with the highest stays, the first of equals."""
    return pa.array(_PRIORITIES[settings.survivor](batch, settings), pa.uint64())


def preferred_order(
    rows: pa.Table, numbering: Numbering, *, by_id: bool, within: tuple[str, ...] = ()
) -> npt.NDArray[np.uint64]:
    """Order in which documents are preferred: of earlier runs first, then by priority, then equals by id.

    Documents with the same id, and all equals unless ``by_id``, follow in the order of the input.

    Args:
        rows: columns ``document``, ``priority``, ``id`` and those named by ``within``.
        numbering: numbers of the documents.
        by_id: whether ids decide between equals.
        within: columns that come before any preference.
    """
    documents = rows.column("document")
    keys = {
        **{name: rows.column(name) for name in within},
        "new": pc.greater_equal(documents, numbering.first_new),
        "rank": pc.bit_wise_not(rows.column("priority")),
        **({"id": rows.column("id")} if by_id else {}),
        "document": documents,
    }
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return np.asarray(order.to_numpy())


def metadata_field(metadata: pa.Array, field: str) -> pa.Array:
    """``large_string``: one field of JSON objects, null where it is missing or null.

    Example:
        >>> metadata_field(pa.array(['{"year": 2024}', None, '{"a/b": "x"}'], pa.large_string()), "year").to_pylist()
        ['2024', None, None]
    """
    import polars as pl

    objects = pl.Series("metadata", metadata, dtype=pl.String)
    return objects.str.json_path_match(f"$['{field}']").to_arrow().cast(pa.large_string())


def _hashes(values: pa.Array) -> Numbers:
    texts = pc.fill_null(values.cast(pa.large_string()), "")
    hashed = content_hashes(texts)
    if not len(hashed):
        return np.empty(0, np.uint64)
    return np.frombuffer(hashed.buffers()[1], np.uint64).reshape(-1, 2)[:, 0].copy()


def _longest(batch: pa.RecordBatch, settings: NearDupSettings) -> Numbers:  # noqa: ARG001
    return np.asarray(pc.binary_length(batch.column("text")).to_numpy(zero_copy_only=False), np.uint64)


def _first(batch: pa.RecordBatch, settings: NearDupSettings) -> Numbers:  # noqa: ARG001
    return np.zeros(batch.num_rows, np.uint64)


def _newest(batch: pa.RecordBatch, settings: NearDupSettings) -> Numbers:
    """Seconds, of a date by the calendar, of a number as it stands."""
    import polars as pl

    values = pl.Series("when", metadata_field(batch.column("metadata"), settings.newest_by), dtype=pl.String)
    day = values.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    naive = values.str.replace("T", " ").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    zoned = (
        values.str.replace(r"[Zz]$", "+00:00")
        .str.replace("T", " ")
        .str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")
    )
    when = zoned.dt.replace_time_zone(None).fill_null(naive).fill_null(day).dt.timestamp("us") / 1e6
    return _ordered(values.cast(pl.Float64, strict=False).fill_null(when).to_numpy())


def _best(batch: pa.RecordBatch, settings: NearDupSettings) -> Numbers:
    return _ordered(batch.column(settings.best_by).cast(pa.float64()).to_numpy(zero_copy_only=False))


def _source_priority(batch: pa.RecordBatch, settings: NearDupSettings) -> Numbers:
    sources = pa.array(settings.source_priority, pa.string())
    places = pc.fill_null(pc.index_in(batch.column("source"), value_set=sources), len(sources))
    return np.asarray(len(sources) - places.to_numpy(zero_copy_only=False), np.uint64)


def _ordered(floats: npt.NDArray[np.float64]) -> Numbers:
    """Numbers in the order of floats: the sign bit set for positive ones, all bits turned for negative; no value: 0."""
    bits = (floats + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    sign = np.uint64(1 << 63)
    return np.where(np.isnan(floats), np.uint64(0), np.where(bits & sign, ~bits, bits | sign))


_PRIORITIES: Mapping[str, Callable[[pa.RecordBatch, NearDupSettings], Numbers]] = {
    "longest": _longest,
    "first": _first,
    "newest": _newest,
    "best": _best,
    "source_priority": _source_priority,
}
