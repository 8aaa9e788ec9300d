"""OLMo-core's and dolma's numpy files: ids without a NumPy header, and the span of each document in a ``.csv.gz``.

The reader takes the narrowest type that holds the vocabulary, so that is what is written. It cuts windows in each
file and drops the tail.
"""

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing
from curate.shards.files.mask_file import MaskedReading, MaskedWriting
from curate.shards.format import Layout, Target

_STRANGE = '[,"\r\n]'
"""What no id may hold as it is."""
_ONE_LINE = str.maketrans("\r\n", "  ")


_MASK = ".mask.npy"


class OlmoFormat(IndexedFormat):
    """Raw ids named ``.npy``, and ``start,end,id`` for each document."""

    name: ClassVar[str] = "olmo"
    about: ClassVar[str] = "raw .npy and .csv.gz (OLMo-core, dolma, MaxText)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint8": 256, "uint16": 65_536, "uint32": 2**32}
    options: ClassVar[tuple[str, ...]] = ("loss_mask",)
    suffix: ClassVar[str] = ".npy"

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """Both files."""
        return _Writing(files, target.path(".npy"), target.layout)

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Ids, each span compared with the ``.csv.gz``."""
        return _Reading(files, folder / entry.file, layout)

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """The data set's configuration."""
        kind = {"uint8": "uint8", "uint16": "uint16", "uint32": "uint32"}[layout.dtype]
        masks = f' label_mask_paths=["{folder}/shard-*{_MASK}"],' if layout.loss_mask else ""
        return (
            f'NumpyFSLDatasetConfig(paths=["{folder}/shard-?????.npy"],{masks} expand_glob=True,\n'
            f"                      dtype=NumpyDatasetDType.{kind}, sequence_length={layout.window}, tokenizer=...)"
        )


class _Writing(MaskedWriting):
    def __init__(self, files: ExitStack, path: Path, layout: Layout) -> None:
        super().__init__(files, path, layout, _MASK)
        self._spans_name = path.with_suffix(".csv.gz").name
        self._spans = files.enter_context(hashed_file(path.with_suffix(".csv.gz")))
        self._packed = gzip.GzipFile("", "wb", 6, self._spans, mtime=0)
        self._tokens = 0

    def add(self, block: Block) -> None:
        super().add(block)
        ends = (block.offsets + self._tokens).tolist()
        names = pc.fill_null(block.ids, "")
        strange = pc.any(pc.match_substring_regex(names, _STRANGE)).as_py()
        ids = list(map(_quoted, names.to_pylist())) if strange else names.to_pylist()
        rows = [f"{start},{end},{name}\n" for start, end, name in zip(ends[:-1], ends[1:], ids, strict=True)]
        self._packed.write("".join(rows).encode())
        self._tokens += len(block.tokens)

    def finish(self) -> list[tuple[str, HashedFile]]:
        self._packed.close()
        body, *mask = super().finish()
        return [body, (self._spans_name, self._spans), *mask]


def _quoted(name: str) -> str:
    """An id as CSV has it; readers split at ends of lines first, so it holds none."""
    name = name.translate(_ONE_LINE)
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"') else name


class _Reading(MaskedReading):
    def __init__(self, files: ExitStack, path: Path, layout: Layout) -> None:
        super().__init__(files, path, layout, _MASK)
        self._spans_name = path.with_suffix(".csv.gz").name
        packed = files.enter_context(gzip.open(path.with_suffix(".csv.gz"), "rb"))  # noqa: SIM115
        self._lines = io.BufferedReader(packed)
        self._at = 0

    def take(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        for count in n_tokens.tolist():
            start, end = self._at, self._at + count
            if not self._line().startswith(b"%d,%d," % (start, end)):
                raise DamagedShard(f"`{self._spans_name}` has other spans than `{self._name}` near token {start:,}")
            self._at = end
        return super().take(n_tokens)

    def _line(self) -> bytes:
        try:
            return self._lines.readline()
        except (EOFError, OSError, zlib.error) as error:
            raise DamagedShard(f"`{self._spans_name}` cannot be read: {error}") from error

    def end(self) -> None:
        super().end()
        if self._line():
            raise DamagedShard(f"`{self._spans_name}` has spans beyond the last document")
