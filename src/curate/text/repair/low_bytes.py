r"""Punctuation that lost its high byte: ``Europe\x19s`` was ``Europe\u2019s``.

Some converters of PDF files and word processors keep the low byte of each character alone. Letters survive that;
quotation marks, dashes and accents of the blocks U+2000 and U+0300 become control characters. A control character
U+0019 between two letters proves it, since nothing else writes one there. Then the others of its kind are restored
with it: quotation marks and dashes, and accents behind letters.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.holding import rows_holding
from curate.text.core.replaced import replaced

_APOSTROPHE = "\x19"
_PROOF = re.compile(r"[^\W\d_]\x19[^\W\d_]")
_PUNCTUATION = {low: chr(0x2000 + low) for low in (0x13, 0x14, 0x18, 0x19, 0x1C, 0x1D)}
_ACCENT = re.compile(r"(?<=[^\W\d_])[\x01\x02\x03\x08](?!\x08)")


def restore_high_bytes(texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    r"""Texts with such punctuation restored, and which ones they are.

    The very array that came in is returned when nothing changed. Idempotent.

    Args:
        texts: ``large_string`` without nulls; may be a slice.

    Example:
        >>> ascii(restore_high_bytes(pa.array(["\x1cIt\x19s a cafe\x01,\x1d"], pa.large_string()))[0][0].as_py())
        "'\\u201cIt\\u2019s a cafe\\u0301,\\u201d'"
    """
    restored = np.zeros(len(texts), np.bool_)
    rows = rows_holding(texts, _APOSTROPHE)
    if not len(rows):
        return texts, restored
    before = texts.take(pa.array(rows)).to_pylist()
    after = list(map(_restored, before))
    restored[rows] = [a != b for a, b in zip(before, after, strict=True)]
    return replaced(texts, rows, pa.array(after, pa.large_string())) if restored.any() else texts, restored


def _restored(text: str) -> str:
    if not _PROOF.search(text):
        return text
    return _ACCENT.sub(lambda low: chr(0x300 + ord(low.group())), text).translate(_PUNCTUATION)
