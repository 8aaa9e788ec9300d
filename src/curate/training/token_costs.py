"""What the kept text of a run costs in tokens, by language and source, under one tokenizer or another."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.models.tokenizers import Tokenizer
from curate.pipeline.document_rows import ALIASES, DocumentRows

SAMPLE_BYTES = 50_000_000
_GROUPS = ("language", "source")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one group of documents.

    Attributes:
        by: ``all``, ``language`` or ``source``.
        group: its name.
        documents: kept ones.
        bytes: of their text, in UTF-8.
        encoded_bytes: of the documents that were encoded.
        tokens: of each tokenizer, marks included; estimated from the encoded documents where those are not all, and 0
            where none of the group was encoded.
        bytes_per_token: of each tokenizer.
    """

    by: str
    group: str
    documents: int
    bytes: int
    encoded_bytes: int
    tokens: tuple[int, ...]
    bytes_per_token: tuple[float, ...]


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        tokenizers: their names.
        vocabulary: size of each vocabulary.
        fingerprints: of each.
        exact: whether every document was encoded.
        unknown: of each tokenizer, characters that it does not know among those encoded.
        characters: encoded.
        costs: all, then languages and sources, each from the most bytes on.
    """

    tokenizers: tuple[str, ...]
    vocabulary: tuple[int, ...]
    fingerprints: tuple[str, ...]
    exact: bool
    unknown: tuple[int, ...]
    characters: int
    costs: tuple[Cost, ...]


def token_costs(run: Path, tokenizers: Sequence[Tokenizer], limit: int = SAMPLE_BYTES, seed: int = 42) -> Costs:
    """Encode the kept documents of a run, or a sample of them.

    Args:
        run: a finished run.
        tokenizers: loaded.
        limit: most bytes of text to encode; documents are drawn by the seed where there are more. 0: all.
        seed: of the draw.

    Raises:
        InputError: there is no finished run.
    """
    names = DocumentRows(run, ["text"]).known()
    groups = [name for name in _GROUPS if ALIASES.get(name, name) in names]
    total = sum(int(np.sum(table["raw_bytes"].to_numpy())) for table in DocumentRows(run, ["raw_bytes"]).rows())
    share = min(1.0, limit / total) if limit and total else 1.0
    rng = np.random.default_rng(seed)
    sums: dict[tuple[str, str], np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    unknown, characters = np.zeros(len(tokenizers), np.int64), 0
    for table in DocumentRows(run, ["text", *groups]).rows():
        text = table["text"].cast(pa.large_string()).combine_chunks()
        text = text if isinstance(text, pa.Array) else pa.concat_arrays(text.chunks)
        sizes = pc.binary_length(text).to_numpy(zero_copy_only=False).astype(np.int64)
        chosen = rng.random(len(text)) < share if share < 1 else np.ones(len(text), np.bool_)
        counts = np.zeros((len(text), 3 + len(tokenizers)), np.int64)
        counts[:, 0], counts[:, 1], counts[:, 2] = 1, sizes, sizes * chosen
        encoded = text.filter(pa.array(chosen))
        characters += pc.sum(pc.utf8_length(encoded)).as_py() or 0
        for at, tokenizer in enumerate(tokenizers):
            ids, lacking = tokenizer.encode_counting(encoded)
            counts[chosen, 3 + at] = np.diff(ids.offsets.to_numpy())
            unknown[at] += pc.sum(lacking).as_py() or 0
        for by in ("all", *groups):
            labels = np.full(len(text), "", object) if by == "all" else _labels(table[by])
            found, home = np.unique(labels, return_inverse=True)
            for number, name in enumerate(found):
                sums[by, str(name)] = sums.get((by, str(name)), 0) + counts[home == number].sum(0)
    order = sorted(sums, key=lambda key: (("all", *groups).index(key[0]), -sums[key][1], key[1]))
    return Costs(
        tokenizers=tuple(tokenizer.name for tokenizer in tokenizers),
        vocabulary=tuple(tokenizer.vocabulary_size for tokenizer in tokenizers),
        fingerprints=tuple(tokenizer.fingerprint for tokenizer in tokenizers),
        exact=share == 1,
        unknown=tuple(unknown.tolist()),
        characters=characters,
        costs=tuple(_cost(*key, *sums[key].tolist()) for key in order),
    )


def _labels(column: pa.ChunkedArray) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return np.array(pc.fill_null(column.cast(pa.string()), "").to_pylist(), object)


def _cost(by: str, group: str, documents: int, size: int, encoded: int, *tokens: int) -> Cost:
    return Cost(
        by=by,
        group=group,
        documents=documents,
        bytes=size,
        encoded_bytes=encoded,
        tokens=tuple(round(count * size / encoded) if encoded else 0 for count in tokens),
        bytes_per_token=tuple(encoded / count if count else 0.0 for count in tokens),
    )
