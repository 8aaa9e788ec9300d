"""The fields of every file, once all have been looked at; files without the text are passed over, and said to be."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from curate.corpus.fields import Schema, Seen, labels
from curate.corpus.formats.registry import formats
from curate.corpus.input import InputFile, InputSettings, Problem, Skipped
from curate.corpus.text_field import NAMES, Corpus, candidates
from curate.errors import InputError, nearest

LookAtAll = Callable[[InputFile], Seen | None]


class _Entry(NamedTuple):
    file: InputFile
    schema: Schema | None
    """None where it has no records with fields, or none can be read."""


def resolve(
    looked: Iterable[tuple[InputFile, Seen | None]], settings: InputSettings, look_at_all: LookAtAll
) -> tuple[tuple[InputFile, ...], tuple[Skipped, ...]]:
    """The files with the fields that they have, and those without the text.

    Args:
        looked: files, and what of their records was seen.
        settings: the section ``[input]``; an empty ``text`` is guessed.
        look_at_all: looks at all records of a file, so that none is passed over because some of its records have no
            text; None where all were looked at.

    Raises:
        InputError: more than one field of a file may be the text, or no file has it.
    """
    corpus = Corpus()
    entries = [_Entry(file, _added(corpus, seen) if seen else None) for file, seen in looked]
    texts = _texts(corpus, settings)
    without = [at for at, one in enumerate(entries) if one.schema and one.schema not in texts]
    again = {at: seen for at in without if (seen := look_at_all(entries[at].file))}
    if again:
        entries = [
            one._replace(schema=_added(corpus, again[at])) if at in again else one for at, one in enumerate(entries)
        ]
        texts = _texts(corpus, settings)
    _refuse_several(entries, texts, corpus)
    usual = _most({one.file.name: texts.get(one.schema, "") for one in entries if one.schema}.values())
    files = tuple(_file(one, texts, usual, settings) for one in entries if not one.schema or one.schema in texts)
    left_out = [one for one in entries if one.schema and one.schema not in texts]
    if not any(not file.problem and not file.empty for file in files):
        _refuse_all(left_out, files, settings)
    skipped = (Skipped(one.file.name, missing(settings.text or usual, one.schema), "no_text") for one in left_out)
    return files, tuple(skipped)


def missing(wanted: str, schema: Schema | None) -> str:
    """Why a file with these fields is not read for the text ``wanted`` (empty: for any).

    Example:
        >>> missing("text", Schema(("id", "text"), ("id",), (), (), ("text", "numbers")))
        '`text` holds numbers, not text'
        >>> missing("", Schema(("n",), (), (), (), ("numbers",)))
        'it has no field that may be the text; its fields are n'
    """
    assert schema is not None
    kinds = dict(zip(schema.names, schema.kinds, strict=True))
    if wanted in kinds and wanted not in schema.texts:
        return f"`{wanted}` holds {kinds[wanted]}, not text"
    what = f"no field `{wanted}`" if wanted else "no field that may be the text"
    shown = ", ".join(schema.names[:12]) + (", …" if len(schema.names) > 12 else "")
    return f"it has {what}; its fields are {shown}" if shown else f"it has {what}; its records are empty"


def _added(corpus: Corpus, seen: Seen) -> Schema:
    return corpus.add(seen.schema(), seen.lengths, seen.lists)


def _texts(corpus: Corpus, settings: InputSettings) -> dict[Schema, str]:
    """The text of each schema that has it; empty where two answers are likely."""
    if settings.text:
        return {schema: settings.text for schema in corpus.schemas if settings.text in schema.texts}
    return corpus.decided()


def _file(entry: _Entry, texts: dict[Schema, str], usual: str, settings: InputSettings) -> InputFile:
    file, schema = entry
    if not formats()[file.format].fields or (schema is None and file.problem):
        return file
    text = texts[schema] if schema else settings.text or usual or NAMES[0]
    named_id, source = labels(settings, schema.names if schema else ())
    fields = {"text": text, "id": named_id, "source": source}
    guessed = frozenset(key for key, name in fields.items() if name and not getattr(settings, key))
    problem = file.problem
    if text.partition(".")[0] in file.repeated or text in file.repeated:
        rows = sum(group.rows for group in file.row_groups) if file.row_groups else None
        problem = Problem("repeated_text", f"more than one of its columns is called `{text}`", rows)
    return msgspec.structs.replace(file, text=text, id=named_id, source=source, guessed=guessed, problem=problem)


def _refuse_several(entries: Iterable[_Entry], texts: dict[Schema, str], corpus: Corpus) -> None:
    """Stop where two answers are likely."""
    undecided = [(one.file, one.schema) for one in entries if one.schema and texts.get(one.schema) == ""]
    if not undecided:
        return
    file, schema = undecided[0]
    assert schema is not None
    more = f" (and of {len(undecided) - 1:,} more files)" if len(undecided) > 1 else ""
    raise InputError(
        f"more than one field of `{file.name}`{more} may be the text: {corpus.described(schema)}",
        where=file.path,
        hint=_hint_for_several(schema, corpus, _most(texts.values())),
    )


def _hint_for_several(schema: Schema, corpus: Corpus, usual: str) -> str:
    longest = max(candidates(schema), key=lambda name: corpus.lengths[name].mean, default="")
    if usual:
        return f"--set input.text={usual} reads the files that have it, and passes over the others"
    if schema.chats:
        return f"write the turns of `{schema.chats[0]}` into one field first, or choose: --set input.text={longest}"
    return f"--set input.text={longest}, or whichever it is"


def _refuse_all(left_out: list[_Entry], files: Sequence[InputFile], settings: InputSettings) -> None:
    """Stop where nothing can be read because no file has the text, or all are empty."""
    if files and not left_out and all(file.empty for file in files):
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        raise InputError(
            f"there is nothing to read: `{files[0].name}`{more} holds no document", hint="name files that are not empty"
        )
    for file in files:
        if file.problem and file.problem.reason == "repeated_text":
            raise InputError(f"`{file.name}` cannot be read: {file.problem.detail}", where=file.path, hint=_RENAME)
    if not left_out:
        return
    file, schema = left_out[0]
    assert schema is not None
    more = f" (nor has any of {len(left_out) - 1:,} more files)" if len(left_out) > 1 else ""
    raise InputError(
        f"`{file.name}` cannot be read: {missing(settings.text, schema)}{more}",
        where=file.path,
        hint=_hint_for_none(settings.text, schema),
    )


_RENAME = "rename one of them"


def _hint_for_none(wanted: str, schema: Schema) -> str:
    if schema.chats:
        return f"`{schema.chats[0]}` holds the turns of chats: write them into one field `text` first"
    if not schema.texts:
        return "curate reads records with one field of text, named by `input.text`"
    return f"set `input.text`: {nearest(wanted, schema.texts)}"


def _most(names: Iterable[str]) -> str:
    """The commonest name, the first of the alphabet among equals; empty: there is none."""
    counts = Counter(name for name in names if name)
    return min(counts, key=lambda name: (-counts[name], name), default="")
