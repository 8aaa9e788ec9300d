"""The documents of one side, read as a run reads them: any format, cleaned, each text once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curate.corpus.discovery.discover import discover
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks
from curate.errors import InputError, nearest
from curate.models.ngram_features import token_fingerprints
from curate.pipeline.planning.config import Config
from curate.pipeline.rewriting import rewritten
from curate.process.machine import cores
from curate.stages import stage_class
from curate.stages.contract import Rewriter

Fingerprints = npt.NDArray[np.uint64]

_CHUNK_BYTES = 8_000_000
_SPREAD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: makes another order of every seed


class Placed(NamedTuple):
    """A document and its place in a random order, 0 to 2^64; those of one group have the same place."""

    place: int
    text: str


class Examples(NamedTuple):
    """What one side holds."""

    files: frozenset[str]
    """Files read, made canonical."""
    read: int
    """Documents."""
    quarantined: int
    """Records that could not be read."""
    empty: int
    """Documents without a token."""
    repeated: int
    """Documents that another one equals but for case and white space."""
    fingerprints: Fingerprints
    """Of all different documents, ascending."""
    texts: dict[int, "Placed"]
    """Different documents by fingerprint, in a random order; at most as many as were asked for."""


def read_examples(paths: Sequence[str], config: Config, *, seed: int, limit: int, group: str = "") -> Examples:
    """The different documents under ``paths``.

    Args:
        paths: folders, files or globs.
        config: its sections ``[input]`` and ``[normalize]`` hold as they do in a run.
        seed: of the order, and with it of the choice where there are more than ``limit``.
        limit: most documents kept; which ones depends on their content and the seed alone.
        group: metadata field whose equal values belong together; empty: each document is for itself.

    Raises:
        InputError: a path does not exist, no document in it has text, or one lacks the field ``group``.
    """
    section = msgspec.structs.replace(config.input, id="", source="")  # examples have neither
    found = discover(list(paths), section)
    files = inspect(found.files, section, config.run.workers or cores()).files
    sample, seen = _Sample(seed, limit), [np.empty(0, np.uint64)]
    read = quarantined = 0
    for strand in cut(files, config.input.part_bytes):
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), _CHUNK_BYTES):
            documents, damaged = chunk.parse()
            read, quarantined = read + len(documents), quarantined + len(damaged)
            texts = _cleaned(documents, config)
            seen.append(token_fingerprints(texts))
            sample.add(seen[-1], texts, _groups(documents, group) if group else seen[-1])
    everything = np.concatenate(seen)
    different = np.unique(everything[everything > 0])
    if not len(different):
        where = ", ".join(f"`{path}`" for path in paths)
        if not read:
            raise InputError(f"nothing in {where} can be read", hint=f"curate check {paths[0]}")
        raise InputError(f"no document in {where} has text ({read:,} read)", hint="--set input.text=FIELD")
    empty = int((everything == 0).sum())
    return Examples(
        files=frozenset(str(Path(file.path).resolve()) for file in files),
        read=read,
        quarantined=quarantined,
        empty=empty,
        repeated=len(everything) - empty - len(different),
        fingerprints=different,
        texts=sample.texts(),
    )


def _cleaned(documents: pa.RecordBatch, config: Config) -> pa.Array:
    """Texts as the rewriters of the pipeline leave them, which is how the model will meet them."""
    names = {**dict.fromkeys(config.pipeline.stages), "normalize": None}
    stages = [stage_class(name)(config.stage(name)) for name in names if issubclass(stage_class(name), Rewriter)]  # type: ignore[call-arg]
    cleaned, _ = rewritten(documents, [stage for stage in stages if isinstance(stage, Rewriter)])
    texts = cleaned["text"]
    for stage in stages[:-1]:  # a page of which nothing was taken is no text
        removed = pc.greater(pc.fill_null(pc.list_value_length(cleaned[f"{stage.name}.reasons"]), 0), 0)
        texts = pc.if_else(removed, "", texts)
    return texts


def _groups(documents: pa.RecordBatch, field: str) -> Fingerprints:
    """A hash of the value of ``field`` in the metadata of every document."""
    found = np.empty(len(documents), np.uint64)
    for row, fields in enumerate(documents["metadata"].to_pylist()):
        values = json.loads(fields) if fields else {}
        if field not in values:
            name = documents["id"][row].as_py()
            raise InputError(
                f"document `{name}` has no field `{field}` to group by", hint=nearest(field, values or ["id"])
            )
        found[row] = xxhash.xxh3_64_intdigest(json.dumps(values[field]).encode())
    return found


class _Sample:
    """The documents whose place in a random order is among the first; the order depends on content and seed alone."""

    def __init__(self, seed: int, limit: int) -> None:
        self._salt = np.uint64((seed + 1) * _SPREAD % 2**64)
        self._limit = limit
        self._kept: dict[int, Placed] = {}
        self._last = 2**64

    def add(self, fingerprints: Fingerprints, texts: pa.Array, groups: Fingerprints) -> None:
        places = (groups ^ self._salt) * np.uint64(_SPREAD)
        for row, (fingerprint, place) in enumerate(zip(fingerprints.tolist(), places.tolist(), strict=True)):
            if fingerprint and place <= self._last and fingerprint not in self._kept:
                self._kept[fingerprint] = Placed(place, texts[row].as_py())
        if len(self._kept) > 2 * self._limit:
            self._shorten()

    def texts(self) -> dict[int, Placed]:
        """Documents by fingerprint, in order."""
        self._shorten()
        return self._kept

    def _shorten(self) -> None:
        first = sorted(self._kept.items(), key=lambda item: (item[1].place, item[0]))[: self._limit]
        self._kept = dict(first)
        if len(first) == self._limit:
            self._last = first[-1][1].place
