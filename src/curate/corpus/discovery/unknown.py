"""Files of which the name tells no format: their first bytes do, or say why they are skipped."""

import os
from typing import NamedTuple

from curate.corpus.compression import Block, sniff, unpacked
from curate.corpus.discovery.magic import UNPACKED_BY, instead_of, known_as
from curate.corpus.formats.registry import formats, recognized
from curate.corpus.input import COMPRESSION_NAMES, COMPRESSIONS, Compression, SkippedKind
from curate.corpus.inspection.fields import json_object
from curate.corpus.quarantine import Damaged
from curate.corpus.stored import READ
from curate.store.objects.bucket import Changed, Stored, bucket, split_url

_HEAD_BYTES = 64 * 1024
_LINES = 2  # objects of JSON on lines of their own that are no chance


class Identified(NamedTuple):
    """What a file is: a format, or why it is skipped."""

    format: str = ""
    compression: Compression = ""
    why: str = ""
    kind: SkippedKind = "format"


def identified(path: str, name: str, stored: Stored | None = None) -> Identified:
    """What the content of a file says of it.

    Args:
        path: of the file.
        name: what it is called in the corpus.
        stored: what the store says of an object; None: it is a file of this disk.
    """
    try:
        begin = _first_bytes(path, stored)
    except (OSError, Changed) as error:
        why = error.strerror if isinstance(error, OSError) else "it is being written"
        return Identified(why=f"{_unknown(name)}, and the file cannot be opened: {why}")
    return identified_by(begin, name)


def identified_by(begin: bytes, name: str) -> Identified:
    """What the first bytes of a file of that name say of it."""
    suffix = os.path.splitext(name)[1]  # noqa: PTH122  (a name, not a path)
    shown = _unknown(name)
    if tool := UNPACKED_BY.get(suffix.lower()):
        return Identified(why=f"curate reads {COMPRESSION_NAMES}, not `{suffix}`; unpack it with `{tool}`")
    if not begin:
        return Identified(why=f"{shown}, and the file is empty")
    packed = sniff(begin)
    head = _unpacked(begin, packed) if packed else begin
    found = recognized(head)
    if found and (found.packable or not packed):
        return Identified(found.name, packed)
    if _is_json_lines(head):
        return Identified("jsonl", packed)
    if why := instead_of(head):
        return Identified(why=f"{shown}; {why}")
    inside = f" in {packed}" if packed else ""
    if actual := (found.about if found else "" if is_text(head) else known_as(head)):
        return Identified(why=f"{shown}; the file is {actual}{inside}")
    if is_text(head) and not inside:
        if not suffix:
            return Identified(why=f"{shown}; rename it to end with .txt to read it as text", kind="text")
        setting = f"--set 'input.text_suffixes=[\"{suffix.lower()}\"]'"
        return Identified(why=f"`{suffix}` is not a suffix that is read as text; {setting} reads it", kind="text")
    return Identified(why=f"{shown}, nor does its content" if _tells_nothing(suffix) else shown)


def _unknown(name: str) -> str:
    suffix = os.path.splitext(name)[1]  # noqa: PTH122  (a name, not a path)
    return "its name does not say its format" if _tells_nothing(suffix) else f"`{suffix}` is not a known format"


def _tells_nothing(suffix: str) -> bool:
    return not suffix or suffix.lower() in COMPRESSIONS


def is_text(head: bytes) -> bool:
    r"""Whether bytes may be the beginning of a text in UTF-8: no control characters that no text has, and valid.

    Example:
        >>> is_text(b"caf\xc3\xa9 au lait"), is_text(b"\x00\x01 au lait"), is_text(b"caf\xe9 au lait")
        (True, False, False)
    """
    try:
        head[:-3].decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
    return not any(sign in head for sign in (b"\0", b"\1", b"\2", b"\3", b"\4"))


def _first_bytes(path: str, stored: Stored | None) -> bytes:
    if stored:
        size = min(stored.size, _HEAD_BYTES)
        return bucket(split_url(path)[0]).read(stored.key, 0, size, stored.tag) if size else b""
    handle = os.open(path, READ)
    try:
        return os.read(handle, _HEAD_BYTES)
    finally:
        os.close(handle)


def _unpacked(stored: bytes, packed: Compression) -> bytes:
    head = b""
    try:
        for block in unpacked(iter([Block(stored, 0, len(stored))]), packed):
            head += block.data
            if len(head) >= _HEAD_BYTES:
                break
    except Damaged:  # the first bytes of a file are no whole stream
        pass
    return head[:_HEAD_BYTES]


def _is_json_lines(head: bytes) -> bool:
    lines = [line for line in head.split(b"\n")[:-1] if line.strip()]
    return len(lines) >= _LINES and all(json_object(line) is not None for line in lines[:_LINES])


def note_of(name: str) -> str:
    """What is said of a file that is read as this format although its name does not say so."""
    return f"is {formats()[name].about} despite its name, and is read as such"
