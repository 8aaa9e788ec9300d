"""Names of files, and the formats that they tell."""

import os

from curate.corpus.formats.format import Format
from curate.corpus.formats.registry import by_suffix, formats
from curate.corpus.input import COMPRESSIONS, Compression, InputFile, InputSettings
from curate.store.objects.bucket import Stored


def input_file(path: str, name: str, settings: InputSettings, stored: Stored | None = None) -> InputFile | None:
    """The input file of a name that tells its format; None where it does not.

    Args:
        path: where it is.
        name: what it is called in the corpus.
        settings: the section ``[input]``.
        stored: what the store says of an object; None: it is a file of this disk.
    """
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122  (a name, not a path; a hundred thousand times)
    compression = COMPRESSIONS.get(suffix, "")
    if compression:
        suffix = os.path.splitext(stem)[1]  # noqa: PTH122
    found = by_suffix().get(suffix) or (formats()["text"] if suffix in settings.text_suffixes else None)
    if found is None or (compression and not found.packable):
        return None
    return input_file_of(path, name, found, compression, settings, stored)


def input_file_of(
    path: str,
    name: str,
    kind: Format,
    compression: Compression,
    settings: InputSettings,
    stored: Stored | None = None,
    note: str = "",
) -> InputFile:
    """An input file of a format that is known; ``note`` says how, where its name does not tell it."""
    return InputFile(
        path=path,
        name=name,
        format=kind.variant(settings),
        compression=compression,
        max_document_bytes=settings.max_document_bytes,
        note=note,
        size=stored.size if stored else 0,
        tag=stored.tag if stored else "",
    )
