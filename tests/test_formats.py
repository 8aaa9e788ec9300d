"""Packed input of every kind: what is whole is read, and what is damaged costs itself and is named."""

import bz2
import lzma
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from curate.corpus.compression import blocks, sniff
from curate.corpus.input import Compression, InputFile
from curate.corpus.quarantine import Damaged
from thorough import settings

TEXT = b"".join(b'{"text": "document %d"}\n' % number for number in range(5000))
PACKED: dict[Compression, Callable[[bytes], bytes]] = {
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lambda text: lz4.frame.compress(text, content_checksum=True, block_checksum=True),
}
KINDS = pytest.mark.parametrize("kind", PACKED)


def unpacked(path: Path, data: bytes, kind: Compression) -> tuple[bytes, str]:
    """What a file gives, and the reason for which it ends."""
    path.write_bytes(data)
    file = InputFile(path=str(path), name=path.name, format="jsonl", compression=kind, size=len(data))
    text = b""
    try:
        for block in blocks(file, 0, len(data), 1 << 16):
            text += block.data
    except Damaged as damage:
        return text, damage.reason
    return text, ""


@KINDS
def test_streams_and_padding_are_read(kind: Compression, tmp_path: Path) -> None:
    packed = PACKED[kind](TEXT)
    assert sniff(packed) == sniff(PACKED[kind](b"")) == kind
    assert unpacked(tmp_path / "a", packed * 2 + bytes(512), kind) == (TEXT * 2, "")
    assert unpacked(tmp_path / "a", PACKED[kind](bytes(30_000_000)), kind) == (bytes(30_000_000), "")


@KINDS
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_told(kind: Compression, data: st.DataObject, tmp_path: Path) -> None:
    packed = bytearray(PACKED[kind](TEXT))
    cut = data.draw(st.integers(20, len(packed) - 1))
    text, reason = unpacked(tmp_path / "a", bytes(packed[:cut]), kind)
    assert (TEXT.startswith(text), reason) == (True, "truncated_file")
    packed[cut] ^= 1 << data.draw(st.integers(0, 7))
    text, reason = unpacked(tmp_path / "a", bytes(packed), kind)
    # The last bits of a bzip2 stream may be padding, on which nothing depends.
    assert TEXT.startswith(text)
    assert reason in {"corrupt_file", "truncated_file"} or text == TEXT


@KINDS
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=200))
def test_any_bytes_are_damage_or_text(kind: Compression, tail: bytes, tmp_path: Path) -> None:
    head = PACKED[kind](b"")[:10]
    assert unpacked(tmp_path / "a", head + tail, kind)[1] in {"", "corrupt_file", "truncated_file"}
