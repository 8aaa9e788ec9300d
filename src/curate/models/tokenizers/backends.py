"""Libraries that encode, behind one shape: Arrow texts in, one flat buffer of ids out.

Only the two references build Python lists of ids; the fast path passes buffers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import utf8_view

if TYPE_CHECKING:
    import fastokens
    import tiktoken


class FlatIds(NamedTuple):
    """Ids of several texts back to back: text ``i`` has ``ids[offsets[i]:offsets[i + 1]]``.

    ``unknown`` counts the characters of each text that no id stands for, or that became the unknown token; None where
    the vocabulary spells every text.
    """

    ids: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.int64] | None = None


class Backend(Protocol):
    """Encodes texts as ordinary text: no end marks, no control tokens."""

    def __call__(self, texts: pa.Array) -> FlatIds:
        """Ids of each text (``large_string``, no nulls). Called from several threads at once."""


class BytesBackend:
    """One id for each UTF-8 byte."""

    def __call__(self, texts: pa.Array) -> FlatIds:
        """The bytes themselves."""
        data, offsets = utf8_view(texts)
        return FlatIds(data[offsets[0] : offsets[-1]].astype(np.uint32), offsets - offsets[0])


class FastokensBackend:
    """The fast path: the ids come back as bytes, the GIL is released, one object serves all threads."""

    def __init__(self, tokenizer: "fastokens.Tokenizer") -> None:
        self._tokenizer = tokenizer

    def __call__(self, texts: pa.Array) -> FlatIds:
        """No Python object for any token."""
        ids, offsets = self._tokenizer.encode_batch_flat(texts.to_pylist(), False, True)
        return FlatIds(np.frombuffer(ids, np.dtype("<u4")), np.frombuffer(offsets, np.dtype("<i8")))


class TiktokenBackend:
    """The reference for rank files."""

    def __init__(self, encoding: "tiktoken.Encoding") -> None:
        self._encoding = encoding

    def __call__(self, texts: pa.Array) -> FlatIds:
        """One Python list for each text."""
        with panics_are_errors():
            return flat_ids([self._encoding.encode_ordinary(text) for text in texts.to_pylist()])


class Renumbered:
    """A backend whose ids are places in a table of ids."""

    def __init__(self, backend: Backend, table: npt.NDArray[np.int64]) -> None:
        self._backend, self._table = backend, table.astype(np.uint32)

    def __call__(self, texts: pa.Array) -> FlatIds:
        """The backend's ids, looked up."""
        found = self._backend(texts)
        return found._replace(ids=self._table[found.ids])


def flat_ids(lists: list[list[int]], unknown: npt.NDArray[np.int64] | None = None) -> FlatIds:
    """Lists of ids back to back."""
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(ids) for ids in lists], out=offsets[1:])
    ids = np.fromiter((token for ids in lists for token in ids), np.uint32, count=int(offsets[-1]))
    return FlatIds(ids, offsets, unknown)


@contextmanager
def panics_are_errors() -> Iterator[None]:
    """Rust's panics are no `Exception` in Python, and nobody would catch them.

    Raises:
        ValueError: instead of a panic.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise ValueError(str(error)) from error
        raise
