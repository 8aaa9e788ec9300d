"""Libraries that encode, behind one shape: Arrow texts in, one flat buffer of ids out.

Only the two references build Python lists of ids; the fast path passes buffers.
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.arrow import utf8_view

if TYPE_CHECKING:
    import fastokens
    import tiktoken
    import tokenizers


class FlatIds(NamedTuple):
    """Ids of several texts back to back: text ``i`` has ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]


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
        return _flat([self._encoding.encode_ordinary(text) for text in texts.to_pylist()])


class HuggingFaceBackend:
    """The reference for ``tokenizer.json``."""

    def __init__(self, tokenizer: "tokenizers.Tokenizer") -> None:
        self._tokenizer = tokenizer

    def __call__(self, texts: pa.Array) -> FlatIds:
        """One Python list for each text."""
        encoded = self._tokenizer.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)
        return _flat([encoding.ids for encoding in encoded])


def _flat(lists: list[list[int]]) -> FlatIds:
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(ids) for ids in lists], out=offsets[1:])
    ids = np.fromiter((token for ids in lists for token in ids), np.uint32, count=int(offsets[-1]))
    return FlatIds(ids, offsets)
