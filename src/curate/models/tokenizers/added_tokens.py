"""The section ``added_tokens`` of a ``tokenizer.json``: words that someone added, and tokens that steer a model.

Hugging Face tokenizers look for all of them in a text before anything else. In a corpus an ordinary word shall be
found that way, but a text *about* ``<|im_end|>`` must not become that token. The flag ``special`` tells them apart,
except that chat tokens are often added without it (``<tool_call>`` of Qwen, ``<think>`` of DeepSeek): what looks like a
mark and is not a piece of the model's own vocabulary counts as one, unless the user says otherwise.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

AddedTokens = Literal["words", "all"]
"""Values of the setting ``tokenize.added_tokens``."""

_MARK = re.compile(r"<[^<>\s]+>|\[/?[^\[\]\s]*[A-Z][^\[\]\s]*\]")
_FLAGS = ("single_word", "lstrip", "rstrip")


class AddedToken(NamedTuple):
    """One entry: what is looked for, the id it becomes, and how it is found.

    ``renumbered`` is the id that Hugging Face tokenizers gives it on loading, whatever the file says.
    """

    content: str
    id: int
    renumbered: int
    special: bool
    entry: Mapping[str, Any]


def is_mark(token: str) -> bool:
    """Written as control tokens are: ``<think>``, ``<|im_end|>``, ``[INST]``.

    Example:
        >>> is_mark("</s>"), is_mark("covid-19"), is_mark("a < b > c")
        (True, False, False)
    """
    return _MARK.fullmatch(token) is not None


def read_added_tokens(section: Any, vocabulary: Mapping[str, int]) -> list[AddedToken]:
    """The entries.

    Raises:
        ValueError: an entry is damaged, or has the id of another token.
    """
    found: dict[str, AddedToken] = {}
    taken, last = {number: token for token, number in vocabulary.items()}, -1
    for entry in section or ():
        content, number = entry["content"], entry["id"]
        if not isinstance(content, str) or not isinstance(number, int) or not content or number < 0:
            raise ValueError(f"an added token is {content!r} with the id {number!r}, not a text and a number")
        if content in found:
            raise ValueError(f"the added token `{content}` is there twice")
        if taken.setdefault(number, content) != content:
            raise ValueError(f"the added token `{content}` has the id {number}, which another token has too")
        if vocabulary.get(content, number) != number:
            raise ValueError(
                f"`{content}` has the id {vocabulary[content]} in the model, but {number} as an added token"
            )
        following = last + 1 if last >= len(vocabulary) else len(vocabulary)  # as `tokenizers` numbers a new token
        last = max(last, vocabulary.get(content, following))
        renumbered = vocabulary.get(content, following)
        found[content] = AddedToken(content, number, renumbered, bool(entry.get("special")), entry)
    return list(found.values())


def words_of(added: Sequence[AddedToken], vocabulary: Collection[str], wanted: AddedTokens) -> list[AddedToken]:
    """The added tokens that text may become.

    Example:
        >>> entries = [{"id": at, "content": text} for at, text in enumerate(["covid-19", "<think>"])]
        >>> [token.content for token in words_of(read_added_tokens(entries, {}), (), "words")]
        ['covid-19']
    """
    ordinary = [token for token in added if not token.special]
    if wanted == "all":
        return ordinary
    return [token for token in ordinary if token.content in vocabulary or not is_mark(token.content)]


def numbered(words: Sequence[AddedToken], vocabulary: Mapping[str, int]) -> list[dict[str, Any]]:
    """Entries of the words for a vocabulary whose ids are 0 to its length: theirs, or those that follow."""
    ids = dict(vocabulary)
    for word in sorted(words, key=lambda word: word.id):
        ids.setdefault(word.content, len(ids))
    return sorted(({**word.entry, "id": ids[word.content]} for word in words), key=lambda entry: int(entry["id"]))


def are_simple(words: Sequence[AddedToken], normalized: Sequence[str]) -> bool:
    """Whether libraries agree on how they are found: without flags, and no two quarrel about the same letters.

    Words sought in the text as it is come before those sought in what the normalizer made of it; among
    themselves, the longest of those that begin first is found.

    Args:
        words: the added words.
        normalized: what the tokenizer's normalizer makes of each, row for row.
    """
    if any(word.entry.get(flag) for word in words for flag in _FLAGS) or len(set(normalized)) < len(words):
        return False
    late = {text for word, text in zip(words, normalized, strict=True) if word.entry.get("normalized")}
    early = {word.content for word in words if not word.entry.get("normalized")}
    return not any(_overlap(one, other) for one in early for other in late)


def _overlap(one: str, other: str) -> bool:
    """Whether some text holds both so that they share letters."""
    return one in other or any(
        left.endswith(right[:size])
        for left, right in ((one, other), (other, one))
        for size in range(1, min(len(left), len(right)) + 1)
    )
