"""Which field is the text, where the user did not say: decided for all files together, or not at all.

A usual name that stands alone is the text, and so is the only field of text. Where there are several, one is the text
if the others are plainly something else: ids, links, labels, titles. Otherwise two answers are likely, and nobody but
the user can tell; then nothing is guessed. What is not the text in one file is not the text of another either.
"""

from collections.abc import Mapping, Sequence

from curate.corpus.inspection.fields import ID_NAMES, SOURCE_NAMES, Lengths, Schema

NAMES = ("text", "content", "raw_content", "page_content", "body", "document", "article", "passage")
"""Usual names of the text."""
_PLAIN_NAMES = frozenset(NAMES[:4])
"""Names that the text has whatever stands beside it."""
_NEVER = frozenset({*ID_NAMES, *SOURCE_NAMES, "url", "uri", "date", "timestamp"})
ASKING = ("prompt", "instruction", "question", "query", "problem", "input", "context", "premise", "human", "user")
ANSWERING = ("output", "response", "completion", "answer", "solution", "hypothesis", "assistant")
_PAIRED = frozenset({*ASKING, *ANSWERING, "chosen", "rejected", "target", "reference"})
"""Names of which a record has two or more, each a text as good as the other."""

_TITLE = 200  # characters that a title, a label or an address has at most, on average
_TIMES = 5  # so many times longer than all of these is the text


class Corpus:
    """The schemas of all files, and the lengths of their fields over all of them."""

    def __init__(self) -> None:
        self.lengths: dict[str, Lengths] = {}
        self.lists: dict[str, Lengths] = {}
        self.schemas: dict[Schema, Schema] = {}

    def add(self, schema: Schema, lengths: Mapping[str, Lengths], lists: Mapping[str, Lengths]) -> Schema:
        """Take in what was seen of one file; the schema that it shares with others."""
        for held, found in ((self.lengths, lengths), (self.lists, lists)):
            for name, one in found.items():
                held[name] = held.get(name, Lengths()).plus(one)
        return self.schemas.setdefault(schema, schema)

    def decided(self) -> dict[Schema, str]:
        """The text of every schema that has one; empty where two answers are likely."""
        found = {schema: name for schema in self.schemas if (name := named_text(schema))}
        others = [schema for schema in self.schemas if schema not in found and candidates(schema)]
        if found:  # beside files that have a text, ids and labels alone are none
            others = [schema for schema in others if self._worded(candidates(schema))]
        # Those with most to choose from first: what stands beside the text there is not the text of another.
        chosen, beside = set(found.values()), {name for schema in found for name in schema.texts}
        for schema in sorted(others, key=lambda schema: -len(candidates(schema))):
            left = [name for name in candidates(schema) if name in chosen or name not in beside]
            if left:
                found[schema] = self._plainly(schema, left)
            if found.get(schema):
                chosen.add(found[schema])
                beside.update(schema.texts)
        return found

    def _worded(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self.lengths[name].words]

    def _plainly(self, schema: Schema, names: Sequence[str]) -> str:
        """The only candidate, or the one beside which the others are ids, labels or titles; empty: there is none."""
        if not names or (len(names) > 1 and _PAIRED & set(names)):
            return ""
        worded = self._worded(names) or names
        longest, *others = sorted(worded, key=lambda name: (-self.lengths[name].mean, name))
        mean = self.lengths[longest].mean
        if others and not mean:
            return ""
        if any(self.lists[name].mean >= mean for name in schema.lists):
            return ""
        seconds = [self.lengths[name].mean for name in others]
        return longest if all(one <= _TITLE and one * _TIMES <= mean for one in seconds) else ""

    def described(self, schema: Schema) -> str:
        """The fields that may be the text, longest first, with their lengths.

        Example:
            >>> corpus, texts = Corpus(), {"question": Lengths(1, 40, 1), "answer": Lengths(1, 900, 1)}
            >>> corpus.described(corpus.add(Schema(("question", "answer"), tuple(texts), (), (), ()), texts, {}))
            '`answer` (900 characters on average), `question` (40)'
        """
        rows = [(self.lengths[name].mean, f"`{name}`") for name in candidates(schema)]
        rows += [(self.lists[name].mean, f"the lists in `{name}`") for name in schema.lists]
        listed = [f"{name} ({mean:,.0f})" for mean, name in sorted(rows, key=lambda row: -row[0])[:6]]
        return ", ".join(listed).replace(")", " characters on average)", 1)


def named_text(schema: Schema) -> str:
    """The text of a schema in which a usual name stands alone; empty in others.

    Example:
        >>> named_text(Schema(("text", "title"), ("text", "title"), (), (), ("text", "text")))
        'text'
    """
    known = [name for name in NAMES if name in schema.texts]
    if len(known) != 1 or (known[0] not in _PLAIN_NAMES and _PAIRED & set(schema.texts)):
        return ""
    return known[0]


def candidates(schema: Schema) -> list[str]:
    """Fields that may be the text: the usual names if there are any, else all but ids, sources and links."""
    known = [name for name in NAMES if name in schema.texts]
    texts = [name for name in schema.texts if name.rpartition(".")[2] not in _NEVER]
    paired = [name for name in texts if name in _PAIRED and known and not _PLAIN_NAMES & set(known)]
    return [*known, *paired] or texts
