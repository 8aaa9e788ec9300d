"""What one document takes in memory while it is worked on, against what `run.memory` leaves for one.

Signals of quality keep some 110 bytes for each word, all of a document at once; everything else together takes 10 bytes
for each byte of text. Both are measured by ``benchmarks/document_memory.py``. Documents for which that is too much go
to quarantine, with their size and the setting that would let them in.
"""

import msgspec
import numpy as np
import pyarrow as pa

from curate.corpus.documents import Parsed
from curate.corpus.input import TAKEN_BY_A_BYTE, InputFile
from curate.corpus.quarantine import KEPT_BYTES, TOO_LITTLE_MEMORY, Quarantined, quarantine_batch

TAKEN_BY_A_WORD = 110
BASE_BYTES = 700_000_000
"""What a run takes beside its documents when one of them is worked on alone."""

_MOST = TAKEN_BY_A_BYTE + TAKEN_BY_A_WORD
_USUAL = 30  # for a byte of prose
AT_WORK = 60
"""Bytes for each byte of the longest text at work that few texts exceed, for sharing out memory among tasks."""
_STEP = 1 << 20
_ENDS_A_WORD = np.ones(256, np.uint8)
"""By byte: ASCII letters and digits, and the tails of characters, do not."""
_ENDS_A_WORD[[*range(ord("0"), ord("9") + 1), *range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]] = 0
_ENDS_A_WORD[0x80:0xC0] = 0


def for_one_document(memory: int) -> int:
    """Bytes that one document may take where a run may take ``memory``, in steps of a quarter or less.

    A part with a document that was not let in is read again when this changes; steps keep small changes from that.

    Example:
        >>> for_one_document(1_000_000_000), for_one_document(1_010_000_000), for_one_document(4_000_000_000)
        (268435456, 268435456, 3221225472)
    """
    left = max(memory - BASE_BYTES, 1)
    step = 1 << max(0, left.bit_length() - 3)
    return left // step * step


def needed(text: bytes | memoryview) -> int:
    """Bytes that work on a text takes, at most.

    Example:
        >>> needed(b"five words that are short"), needed(b"a,b")
        (690, 140)
    """
    data = np.frombuffer(text, np.uint8)
    pieces = (data[start : start + _STEP] for start in range(0, len(data), _STEP))
    words = sum(int(_ENDS_A_WORD[piece].sum(dtype=np.int64)) for piece in pieces)
    return TAKEN_BY_A_BYTE * len(data) + TAKEN_BY_A_WORD * words


def bounded(file: InputFile, memory: int, longest: int | None) -> InputFile:
    """The file with what one of its documents may take, if one may be as large as that at all.

    Args:
        file: inspected.
        memory: for one document, as `for_one_document` tells.
        longest: bytes that no document of the file exceeds; None where that is not known.
    """
    if memory >= _MOST * (file.max_document_bytes if longest is None else min(longest, file.max_document_bytes)):
        return file
    return msgspec.structs.replace(file, memory=memory)


def within_memory(parsed: Parsed, memory: int) -> Parsed:
    """The same, with documents that would take more than ``memory`` in quarantine."""
    texts, found = parsed.documents.column("text"), list[Quarantined]()
    lengths = np.diff(np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1])
    let_in = np.ones(len(texts), np.bool_)
    for row in np.flatnonzero(lengths * _MOST > memory).tolist():
        text = memoryview(texts[row].as_buffer())
        if (takes := needed(text)) > memory:
            let_in[row] = False
            found.append(_too_much(parsed.documents.slice(row, 1), bytes(text[:KEPT_BYTES]), len(text), takes))
    if not found:
        return parsed
    quarantined = pa.concat_batches([parsed.quarantined, quarantine_batch(found)])
    return Parsed(parsed.documents.filter(pa.array(let_in)), quarantined)


def too_large(file: InputFile, position: int, byte: int | None, length: int, head: bytes) -> Quarantined:
    """The entry of a document of ``length`` bytes, of which only ``head`` is kept."""
    if length <= file.max_document_bytes:
        detail = _too_little_memory(length, length * _USUAL)
        return Quarantined(file.name, position, byte, TOO_LITTLE_MEMORY, detail, head[:KEPT_BYTES])
    detail = f"{length:,} bytes; `input.max_document_bytes` is {file.max_document_bytes:,}"
    return Quarantined(file.name, position, byte, "document_too_large", detail, head[:KEPT_BYTES])


def _too_much(document: pa.RecordBatch, head: bytes, size: int, takes: int) -> Quarantined:
    origin = document.column("origin")[0].as_py()
    detail = _too_little_memory(size, takes)
    return Quarantined(origin["file"], origin["position"], None, TOO_LITTLE_MEMORY, detail, head)


def _too_little_memory(size: int, takes: int) -> str:
    enough = -(-(takes * 5 // 4 + BASE_BYTES) // 10**9)
    return f"{size:,} bytes take about {takes / 1e6:,.0f} MB of memory to process; `--memory {enough}GB` is enough"
