"""The fields of every file, once all have been looked at; files without the text are passed over, and said to be."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from curate.corpus.formats.registry import formats
from curate.corpus.input import NO_CONVERSATION, InputFile, InputSettings, Problem, Skipped
from curate.corpus.inspection.fields import Enough, Schema, Seen, labels, never, text_fields
from curate.corpus.inspection.template import template_fields
from curate.corpus.inspection.text_field import ANSWERING, ASKING, NAMES, Corpus, candidates
from curate.errors import InputError, nearest
from curate.text.chats.shape import OPTIONAL, Shape, parsed, recognised

LookAtAll = Callable[[InputFile, Enough], Seen | None]

_SEARCHED_BYTES = 256 * 1024 * 1024
"""Decompressed: in more than these a field that no record has is not looked for, so that a slip costs seconds."""


class _Entry(NamedTuple):
    file: InputFile
    schema: Schema | None
    """None where it has no records with fields, or none can be read."""
    shape: Shape | None = None
    """Where its records are conversations."""
    labels: frozenset[str] = frozenset()
    """Of the fields that the user names as id or source, those that it has."""

    @property
    def needs_text(self) -> bool:
        """Whether its records are documents of one text."""
        return self.schema is not None and self.shape is None


def resolve(
    looked: Iterable[tuple[InputFile, Seen | None]], settings: InputSettings, look_at_all: LookAtAll
) -> tuple[tuple[InputFile, ...], tuple[Skipped, ...]]:
    """The files with the fields that they have, and those without the text.

    Args:
        looked: files, and what of their records was seen.
        settings: the section ``[input]``; an empty ``text`` is guessed.
        look_at_all: looks at all records of a file, or at enough of them, so that none is passed over because some of
            its records have no text; None where all were looked at.

    Raises:
        InputError: more than one field of a file may be the text, or no file has it.
    """
    corpus = Corpus()
    entries = [_entry(file, seen, corpus, settings) for file, seen in looked]
    texts = _texts(corpus, settings)
    without = [at for at, one in enumerate(entries) if one.needs_text and one.schema not in texts]
    may_appear, records = _may_appear(entries, texts, settings, look_at_all)
    if not may_appear:
        without = []
    again = {at: seen for at in without if (seen := look_at_all(entries[at].file, never))}
    if again:
        entries = [
            _entry(one.file, again[at], corpus, settings) if at in again else one for at, one in enumerate(entries)
        ]
        texts = _texts(corpus, settings)
    if settings.conversation not in {"", NO_CONVERSATION}:
        _refuse_without_conversation(entries, settings, records)
    _refuse_unknown(entries, settings, look_at_all)
    _refuse_several(entries, texts, corpus)
    usual = _most({one.file.name: texts.get(one.schema, "") for one in entries if one.schema}.values())
    files = tuple(_file(one, texts, usual, settings) for one in entries if not one.needs_text or one.schema in texts)
    left_out = [one for one in entries if one.needs_text and one.schema not in texts]
    if (settings.text and not texts) or not any(not file.problem and not file.empty for file in files):
        _refuse_all(left_out, files, settings, records)
    skipped = (
        Skipped(one.file.name, missing(settings.text or usual, one.schema, is_set=bool(settings.text)), "no_text")
        for one in left_out
    )
    return files, tuple(skipped)


def missing(wanted: str, schema: Schema | None, *, is_set: bool = False) -> str:
    """Why a file with these fields is not read for the text ``wanted`` (empty: for any).

    Args:
        wanted: name of the field, or a template.
        schema: of the file.
        is_set: whether the user said so: what was found in other files is no template.

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
    fields = " nor ".join(f"`{name}`" for name in (is_set and template_fields(wanted)) or (wanted,))
    what = f"no field {fields}" if wanted else "no field that may be the text"
    shown = ", ".join(schema.names[:12]) + (", …" if len(schema.names) > 12 else "")
    return f"it has {what}; its fields are {shown}" if shown else f"it has {what}; its records are empty"


def _entry(file: InputFile, seen: Seen | None, corpus: Corpus, settings: InputSettings) -> _Entry:
    """A file; its schema is among those of the corpus unless its records are conversations."""
    if seen is None:
        return _Entry(file, None)
    schema, labels = seen.schema(), frozenset(seen.labels)
    shape = _shape(schema, settings)
    return _Entry(file, schema if shape else corpus.add(schema, seen.lengths, seen.lists), shape, labels)


def _shape(schema: Schema, settings: InputSettings) -> Shape | None:
    """Where the records of a schema hold conversations, as the user says or as it is plain to see."""
    if settings.conversation == NO_CONVERSATION:
        return None
    if settings.conversation:
        shape = parsed(settings.conversation)
        needed = (name for name in shape.fields if name.rpartition(".")[2] not in OPTIONAL)
        return shape if all(name in schema.names or name.partition(".")[0] in schema.names for name in needed) else None
    return None if settings.text else recognised(dict(zip(schema.names, schema.kinds, strict=True)), schema.chats)


def _texts(corpus: Corpus, settings: InputSettings) -> dict[Schema, str]:
    """The text of each schema that has it; empty where two answers are likely."""
    if settings.text:
        wanted = set(text_fields(settings))
        return {schema: settings.text for schema in corpus.schemas if wanted & set(schema.texts)}
    return corpus.decided()


def _file(entry: _Entry, texts: dict[Schema, str], usual: str, settings: InputSettings) -> InputFile:
    file, schema, shape, found = entry
    if not formats()[file.format].fields or (schema is None and file.problem):
        return file
    conversation = str(shape) if shape else ""
    text = "" if shape else texts[schema] if schema else settings.text or usual or NAMES[0]
    named_id, source = labels(settings, schema.names if schema else ())
    for key, name in (("id", settings.id), ("source", settings.source)):
        if name and schema and not _has(schema, name) and name not in found:
            file = file.noted(f"is without `{name}` (`input.{key}`) in the records that were looked at")
    fields = {"text": text, "id": named_id, "source": source, "conversation": conversation}
    guessed = frozenset(key for key, name in fields.items() if name and not getattr(settings, key))
    problem = file.problem
    fields_of_text = (() if "text" in guessed else template_fields(text)) or (text,)
    for name in shape.fields if shape else fields_of_text:
        if name.partition(".")[0] in file.repeated or name in file.repeated:
            rows = sum(group.rows for group in file.row_groups) if file.row_groups else None
            problem = Problem("repeated_text", f"more than one of its columns is called `{name}`", rows)
    return msgspec.structs.replace(file, **fields, guessed=guessed, problem=problem)


def _refuse_without_conversation(entries: list[_Entry], settings: InputSettings, records: int) -> None:
    """Stop where no file has the conversation that the user names."""
    if any(one.shape for one in entries):
        return
    for file, schema, *_ in entries:
        if schema is not None:
            missing_names = [name for name in parsed(settings.conversation).fields if name not in schema.names]
            raise InputError(
                f"no file has the fields of `input.conversation` = `{settings.conversation}`; `{file.name}` has no"
                f" `{missing_names[0]}`{_of_the_first(records)}",
                where=file.path,
                hint=f"its fields are {', '.join(schema.names[:12])}",
            )


def _of_the_first(records: int) -> str:
    """Said where not all records were looked at."""
    return f"; the first {records:,} records were looked at" if records else ""


def _search(entries: Iterable[_Entry], look_at_all: LookAtAll, has_it: Enough) -> tuple[bool, int]:
    """Whether a record has what the first ones of no file have; and how many were looked at in vain, 0 for all."""
    records = nbytes = 0
    for one in entries:
        limit = _SEARCHED_BYTES - nbytes

        def enough(seen: Seen, limit: int = limit) -> bool:
            return has_it(seen) or seen.nbytes >= limit

        seen = look_at_all(one.file, enough) if one.schema else None
        if seen and has_it(seen):
            return True, 0
        records, nbytes = records + (seen.records if seen else 0), nbytes + (seen.nbytes if seen else 0)
        if nbytes >= _SEARCHED_BYTES:
            return False, records
    return False, 0


def _may_appear(
    entries: Sequence[_Entry], texts: Collection[Schema], settings: InputSettings, look_at_all: LookAtAll
) -> tuple[bool, int]:
    """Whether files without the text are worth a whole look: not where it is named and a `_search` finds it nowhere."""
    if texts or any(one.shape for one in entries) or not (settings.text or settings.conversation):
        return True, 0

    def has_it(seen: Seen) -> bool:
        return any(name in seen.lengths for name in text_fields(settings)) or bool(_shape(seen.schema(), settings))

    return _search(entries, look_at_all, has_it)


def _refuse_unknown(entries: Sequence[_Entry], settings: InputSettings, look_at_all: LookAtAll) -> None:
    """Stop where a template, ``input.id`` or ``input.source`` names a field that no record has."""
    with_fields = [at for at, one in enumerate(entries) if one.schema]
    named = [("text", name) for name in template_fields(settings.text)]
    named += [(key, name) for key in ("id", "source") if (name := getattr(settings, key))]
    for key, name in named if with_fields else ():
        if any(_has(entries[at].schema, name) or name in entries[at].labels for at in with_fields):
            continue

        def has_it(seen: Seen, name: str = name) -> bool:
            return _has(seen.schema(), name) or name in seen.labels

        found, records = _search(entries, look_at_all, has_it)
        if not found:
            where = f"none of the first {records:,} records has" if records else "no file has"
            known = {field for at in with_fields if (schema := entries[at].schema) for field in _fields(schema)}
            raise InputError(
                f"`input.{key}` names the field `{name}`, which {where}",
                where=entries[with_fields[0]].file.path,
                hint=nearest(name, known),
            )


def _fields(schema: Schema) -> tuple[str, ...]:
    return (*schema.names, *schema.texts)


def _has(schema: Schema | None, name: str) -> bool:
    return schema is not None and name in _fields(schema)


def _refuse_several(entries: Iterable[_Entry], texts: dict[Schema, str], corpus: Corpus) -> None:
    """Stop where two answers are likely."""
    undecided = [
        (one.file, one.schema) for one in entries if one.schema and one.needs_text and not texts.get(one.schema, "-")
    ]
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
        return f"--set input.text={usual} reads the files that have it, and skips the others"
    asked = next((name for name in schema.texts if name in ASKING), "")
    answered = next((name for name in schema.texts if name in ANSWERING), "")
    if schema.chats:
        return f"--set input.conversation={schema.chats[0]} for its turns, or --set input.text={longest}"
    if asked and answered:
        both = f"--set 'input.conversation={asked} -> {answered}' for both"
        return f"{both}, or --set input.text={longest}, or another field"
    return f"--set input.text={longest}, or another field"


def _refuse_all(left_out: list[_Entry], files: Sequence[InputFile], settings: InputSettings, records: int) -> None:
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
    file, schema, *_ = left_out[0]
    assert schema is not None
    more = f" (nor has any of {len(left_out) - 1:,} more files)" if len(left_out) > 1 else ""
    raise InputError(
        f"`{file.name}` cannot be read: {missing(settings.text, schema, is_set=True)}{more}{_of_the_first(records)}",
        where=file.path,
        hint=_hint_for_none(settings.text, schema),
    )


_RENAME = "rename one of them"


def _hint_for_none(wanted: str, schema: Schema) -> str:
    if schema.chats:
        return f"`{schema.chats[0]}` holds the turns of conversations: --set input.conversation={schema.chats[0]}"
    if not schema.texts:
        return "curate reads records with one field of text, named by `input.text`"
    return f"set `input.text`: {nearest(wanted, schema.texts)}"


def _most(names: Iterable[str]) -> str:
    """The commonest name, the first of the alphabet among equals; empty: there is none."""
    counts = Counter(name for name in names if name)
    return min(counts, key=lambda name: (-counts[name], name), default="")
