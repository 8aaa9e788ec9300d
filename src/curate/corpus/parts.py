"""The corpus cut into parts: units of work and of resume that depend on the input alone.

Small files are grouped in the order of their names. Whether a file begins a new group depends on its own name
and size only, like the cut points of content-defined chunking, so a file that appears, vanishes or changes
moves the bounds of its own group and of no other.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import xxhash

from curate.corpus.formats.format import Format, Span
from curate.corpus.formats.registry import formats
from curate.corpus.input import InputFile

READER_VERSION = 2
"""Bump when the same bytes can give other documents."""

_FILE_OVERHEAD = 16 * 1024  # opening a file costs about as much as reading this; keeps parts of tiny files short
_FULLEST = 2  # a group is closed when it reaches so many times the size of a part
_ORIGIN_DIGITS = 12


class Part(msgspec.Struct, frozen=True):
    """A unit of work: stretches of files whose documents are written and judged together."""

    index: int
    """Its place in the order of the input."""
    name: str
    """What its files are called in every folder of a run; follows from the files it was cut from alone."""
    spans: tuple[Span, ...]
    bytes: int
    """Stored bytes; what the chunks of the part add up to."""
    fingerprint: str
    """Hash of all that determines the documents of the part."""


class Strand(msgspec.Struct, frozen=True):
    """Parts to be read one after another: a compressed file cannot be entered in its middle."""

    parts: tuple[Part, ...]


def cut(files: Sequence[InputFile], part_bytes: int) -> tuple[Strand, ...]:
    """Strands of parts that hold every document of ``files`` once.

    Args:
        files: as `curate.corpus.inspection.inspect.inspect` returned them; empty ones are skipped.
        part_bytes: wanted size of a part, in bytes of text.

    Returns:
        Strands in the order of their first file's name; part indexes count up through them from 0.
    """
    cuts: list[list[list[Span]]] = []
    small: list[InputFile] = []
    for file in sorted(files, key=lambda file: file.name):
        if file.empty:
            continue
        if file.problem or _format(file).text_bytes(file) < part_bytes:
            small.append(file)
        else:
            cuts += [[[span] for span in strand] for strand in _format(file).split(file, part_bytes)]
    cuts += [[[_format(file).whole(file) for file in group]] for group in _groups(small, part_bytes)]
    cuts.sort(key=lambda strand: strand[0][0].file.name)  # stable: the spans of one file keep their order
    strands: list[Strand] = []
    index, cut_from = 0, Counter[str]()
    for strand in cuts:
        parts = []
        for spans in strand:
            origin = _origin(spans)
            parts.append(_part(index, f"part-{origin}-{cut_from[origin]:04}.parquet", spans))
            cut_from[origin] += 1
            index += 1
        strands.append(Strand(tuple(parts)))
    return tuple(strands)


def _format(file: InputFile) -> Format:
    return formats()[file.format]


def _groups(files: Sequence[InputFile], part_bytes: int) -> Iterator[list[InputFile]]:
    group: list[InputFile] = []
    held = 0
    for file in files:
        weight = _format(file).text_bytes(file) + _FILE_OVERHEAD
        chance = xxhash.xxh3_64_intdigest(file.name.encode()) / 2**64
        if group and (chance < weight / part_bytes or held >= _FULLEST * part_bytes):
            yield group
            group, held = [], 0
        group.append(file)
        held += weight
    if group:
        yield group


def _part(index: int, name: str, spans: Sequence[Span]) -> Part:
    return Part(index, name, tuple(spans), sum(span.bytes for span in spans), _fingerprint(spans))


def _origin(spans: Sequence[Span]) -> str:
    """Which files a part was cut from, wherever it was cut; parts of one origin are numbered."""
    return _digest([_facts(span.file) for span in spans])[:_ORIGIN_DIGITS]


def _fingerprint(spans: Sequence[Span]) -> str:
    return _digest([(*_facts(span.file), (span.start, span.stop, span.first_position)) for span in spans])


def _facts(file: InputFile) -> tuple[object, ...]:
    """All of a file that determines its documents."""
    text = file.text if not file.conversation else ["conversation", file.conversation]
    fields = (text, file.id, file.source, file.max_document_bytes)
    version = _format(file).version
    kind = file.format if version == 1 else f"{file.format} {version}"
    return (
        file.name,
        file.fingerprint,
        kind,
        file.compression,
        fields,
        file.problem,
        *file.options,
        *filter(None, [file.encoding]),
    )


def _digest(facts: object) -> str:
    return xxhash.xxh3_128_hexdigest(msgspec.json.encode((READER_VERSION, facts)))
