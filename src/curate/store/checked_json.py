"""JSON files that carry a checksum of what they say: damage that leaves them readable is noticed all the same.

The checksum covers the content, not its spelling: a file that a tool has indented anew is still whole.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from curate.store.digest import digest
from curate.store.files import write_whole

CHECKSUM = "checksum"
_ESCAPED = "backslashreplace"
"""Names of files may hold what is no character; written this way JSON gives it back."""


class BrokenJson(Exception):  # noqa: N818  (named for what it is)
    """A file is not what was written; the message says in which way."""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content``, keys in the order given, and its checksum as the last of them."""
    plain = json.loads(json.dumps(content, default=str))
    write_whole(path, _indented(with_checksum(plain)) + b"\n")


def _indented(content: Mapping[str, Any]) -> bytes:
    """As JSON with a line for each value; Python's own writer takes ten times as long for it as without."""
    try:
        return msgspec.json.format(json.dumps(content, ensure_ascii=False).encode(errors=_ESCAPED), indent=1)
    except msgspec.DecodeError:  # something that is no character, or no number
        return json.dumps(content, ensure_ascii=False, indent=1).encode(errors=_ESCAPED)


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same with a checksum, a new one where it has one already; ``content`` holds what JSON holds.

    Example:
        >>> with_checksum({"kept": 5})
        {'kept': 5, 'checksum': 'd5b3a4436a0f77abc5309c8d65be8ceb'}
    """
    content = {name: value for name, value in content.items() if name != CHECKSUM}
    return {**content, CHECKSUM: digest(content)}


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file of `write_json`, without its checksum.

    Raises:
        FileNotFoundError: there is none.
        BrokenJson: it cannot be read, is no JSON object, or does not agree with its checksum.
    """
    content = parsed(path)
    if content.pop(CHECKSUM, None) != digest(content):
        raise BrokenJson("is damaged: it does not agree with its checksum")
    return content


def parsed(path: Path) -> dict[str, Any]:
    """The JSON object in a file, whoever wrote it.

    Raises:
        FileNotFoundError: there is none.
        BrokenJson: it cannot be read, or is no JSON object.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BrokenJson(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BrokenJson("is damaged: it is not JSON") from error
    if not isinstance(content, dict):
        raise BrokenJson("is not a JSON object")
    return content
