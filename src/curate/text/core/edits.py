"""Edits: spans of bytes and what takes their place, kept beside a text that is never rewritten."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.text.core.arrow import Bytes, Offsets, utf8_array, utf8_view
from curate.text.core.kernel import kernel
from curate.text.core.replaced import copy_bytes


def edited(texts: pa.Array, edits: pa.Array) -> pa.Array:
    """Texts with their edits applied; ``texts`` itself when there are none.

    Args:
        texts: ``large_string`` without nulls; may be a slice.
        edits: `curate.text.core.arrow.EDITS`, row for row.

    Example:
        >>> from curate.text.core.arrow import EDITS
        >>> cut = pa.array([[{"start": 1, "end": 3, "replacement": "-"}], []], EDITS)
        >>> edited(pa.array(["abcd", "same"], pa.large_string()), cut).to_pylist()
        ['a-d', 'same']
    """
    counts = pc.fill_null(pc.list_value_length(edits), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if not counts.any():
        return texts
    items = edits.flatten()
    replacements = items.field("replacement").cast(pa.large_string())
    starts, stops = (items.field(name).to_numpy() for name in ("start", "end"))
    new_data, new_offsets = utf8_view(replacements)
    data, offsets = utf8_view(texts)
    ends = np.zeros(len(texts) + 1, np.int64)
    _measure(offsets, counts, starts, stops, new_offsets, ends)
    out = np.empty(int(ends[-1]), np.uint8)
    _apply(data, offsets, counts, starts, stops, new_data, new_offsets, out, ends)
    return utf8_array(out, ends)


@kernel
def _measure(
    offsets: Offsets, counts: Offsets, starts: Offsets, stops: Offsets, new_offsets: Offsets, ends: Offsets
) -> None:
    """Where each edited text ends."""
    edit = 0
    for row in range(len(counts)):
        length = offsets[row + 1] - offsets[row]
        for _ in range(counts[row]):
            length += new_offsets[edit + 1] - new_offsets[edit] - (stops[edit] - starts[edit])
            edit += 1
        ends[row + 1] = ends[row] + length


@kernel
def _apply(
    data: Bytes,
    offsets: Offsets,
    counts: Offsets,
    starts: Offsets,
    stops: Offsets,
    new_data: Bytes,
    new_offsets: Offsets,
    out: Bytes,
    ends: Offsets,
) -> None:
    edit = 0
    for row in range(len(counts)):
        text = data[offsets[row] : offsets[row + 1]]
        at, o = 0, ends[row]
        for _ in range(counts[row]):
            copy_bytes(text[at:], out[o : o + starts[edit] - at])
            o += starts[edit] - at
            size = new_offsets[edit + 1] - new_offsets[edit]
            copy_bytes(new_data[new_offsets[edit] :], out[o : o + size])
            o += size
            at = stops[edit]
            edit += 1
        copy_bytes(text[at:], out[o : ends[row + 1]])
