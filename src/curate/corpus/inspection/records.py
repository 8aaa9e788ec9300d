"""Some records of a file of JSON lines, from several places, to tell which fields it has."""

from collections.abc import Iterator
from contextlib import suppress

from curate.corpus.compression import blocks
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.fields import Enough, Seen, json_object, never
from curate.corpus.lines import BOM, Lines, runs, split
from curate.corpus.quarantine import Damaged
from curate.corpus.stored import stored_bytes

_RECORDS = 20  # of a place: enough to meet every usual field
_PLACES = 8
_PLACE_BYTES = 64 * 1024
_STEP = 1024 * 1024
_STEPS = 16  # of a compressed file, which cannot be entered in its middle


def look(file: InputFile, head: bytes, settings: InputSettings) -> Seen:
    """What some records of a file hold.

    Args:
        file: JSON lines.
        head: its first (decompressed) bytes.
        settings: the section ``[input]``; where they name the text, the first records tell the rest.
    """
    seen = Seen(settings)
    _add(seen, head.removeprefix(BOM).split(b"\n")[: None if len(head) < _PLACE_BYTES else -1])
    if not seen.records:  # the first record is longer
        _add(seen, _first_lines(file))
    for place in _places(file) if not settings.text and len(head) == _PLACE_BYTES else ():
        _add(seen, place)
    return seen


def look_at_all(file: InputFile, settings: InputSettings, enough: Enough = never) -> Seen:
    """What all records of a file hold, if the first few did not show it."""
    seen = Seen(settings)
    for lines in _lines(file):
        for _, line in split(lines):
            record = json_object(bytes(line))
            if record is not None:
                seen.add(record)
        seen.nbytes += lines.nbytes
        if enough(seen):
            break
    return seen


def _add(seen: Seen, lines: list[bytes]) -> None:
    left = _RECORDS
    for line in lines:
        record = json_object(line)
        if record is not None:
            seen.add(record)
            left -= 1
            if not left:
                return


def _first_lines(file: InputFile) -> list[bytes]:
    """Lines from the first that is not blank and no longer than a document may be."""
    for lines in _lines(file):
        found = [bytes(line) for _, line in split(lines) if len(line) <= file.longest_document]
        if any(line and not line.isspace() for line in found):
            return found
    return []


def _lines(file: InputFile) -> Iterator[Lines]:
    for step in runs(blocks(file, 0, file.size, _STEP), file, 1, 0):
        if isinstance(step.piece, Lines):
            yield step.piece


def _places(file: InputFile) -> Iterator[list[bytes]]:
    """Whole lines from some places after the first."""
    for data in _packed_places(file) if file.is_stream else _plain_places(file):
        _, *lines = data.split(b"\n")
        yield lines[:-1]


def _plain_places(file: InputFile) -> Iterator[bytes]:
    with suppress(Damaged), stored_bytes(file) as source:
        for place in range(1, _PLACES):
            yield source.at(file.size * place // _PLACES, _PLACE_BYTES)


def _packed_places(file: InputFile) -> Iterator[bytes]:
    held, steps = bytearray(), 0
    try:
        for block in blocks(file, 0, file.size, _STEP):
            held += block.data
            if len(held) >= _STEP:
                yield bytes(held[-_PLACE_BYTES:])
                held.clear()
                steps += 1
                if steps == _STEPS:
                    return
    except Damaged:
        return
