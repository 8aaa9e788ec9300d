"""Which token begins each document, and what the tokenizer's own post-processor puts around a text."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from curate.errors import PlanError
from curate.models.tokenizers.end_marks import listed
from curate.models.tokenizers.probes import probe_texts
from curate.models.tokenizers.vocabulary import Vocabulary

NONE, AUTO = "none", "auto"


class Around(NamedTuple):
    """Ids that a post-processor puts before and after every text."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


def chosen_begin(name: str, wanted: str, vocabulary: Vocabulary) -> str | None:
    """The token that begins documents; None for none.

    Args:
        name: of the tokenizer, for messages.
        wanted: ``none``, a control token, or ``auto``: what the tokenizer's own post-processor puts there.
        vocabulary: of the tokenizer.

    Raises:
        PlanError: there is no such token, or text may become it, or the post-processor puts several there.
    """
    if wanted == NONE:
        return None
    if wanted != AUTO:
        if wanted in vocabulary.control_tokens:
            return wanted
        known = sorted(vocabulary.control_tokens)
        raise PlanError(
            f"`tokenize.begin_of_document` = `{wanted}` is not a control token of `{name}`; known: {listed(known)}",
            hint=f"--set 'tokenize.begin_of_document={known[0]}'" if known else "--set tokenize.begin_of_document=none",
        )
    before = around(vocabulary).before
    names = {number: token for token, number in vocabulary.control_tokens.items()}
    if len(before) > 1 or (before and before[0] not in names):
        raise PlanError(
            f"the post-processor of `{name}` puts the ids {list(before)} before a text, and a document can begin with"
            " one control token",
            hint="name the token: --set tokenize.begin_of_document=…",
        )
    return names[before[0]] if before else None


def own_begin_note(name: str, begin: int | None, vocabulary: Vocabulary) -> tuple[str, ...]:
    """A sentence where the post-processor begins texts otherwise than these settings do."""
    before = around(vocabulary).before
    if not before or before == (begin,):
        return ()
    names = {number: token for token, number in vocabulary.control_tokens.items()}
    own = listed([names.get(number, str(number)) for number in before])
    who = "configuration" if vocabulary.begin_mark == names.get(before[0]) else "post-processor"
    here = f"`{names[begin]}`" if begin is not None else "nothing"
    said = (
        f"the {who} of `{name}` puts {own} before each text, and documents here begin with {here}"
        ' (`tokenize.begin_of_document = "auto"` does as it does).'
    )
    return (said,)


def around(vocabulary: Vocabulary) -> Around:
    """What the post-processor in a ``tokenizer.json`` adds: the same to all of about 200 probe texts.

    A file without one begins texts as the folder of its model says.

    Raises:
        PlanError: it adds different tokens to different texts.
    """
    if vocabulary.file is None or not vocabulary.file[0].endswith(".json"):
        mark = vocabulary.control_tokens.get(vocabulary.begin_mark or "")
        return Around() if mark is None else Around((mark,))
    section = msgspec.json.decode(vocabulary.file[1]).get("post_processor")
    if not _adds(section):
        return Around()
    import tokenizers

    own = tokenizers.Tokenizer.from_buffer(vocabulary.file[1])
    own.no_truncation()
    own.no_padding()
    found = {_added(own.encode(text)) for text in probe_texts().to_pylist() if text.strip()}
    if len(found) > 1:
        raise PlanError(
            f"the post-processor of `{vocabulary.file[0]}` adds different tokens to different texts",
            hint="name the token: --set tokenize.begin_of_document=…",
        )
    return found.pop()


def _adds(section: Any) -> bool:
    """Whether a post-processor can add tokens."""
    if not isinstance(section, Mapping):
        return False
    return section.get("type") in _ADDING or any(_adds(each) for each in section.get("processors", ()))


_ADDING = {"TemplateProcessing", "BertProcessing", "RobertaProcessing"}


def _added(encoding: Any) -> Around:
    ids: Sequence[int] = encoding.ids
    special: Sequence[int] = encoding.special_tokens_mask
    sequences: Sequence[int | None] = encoding.sequence_ids
    inside = [at for at, sequence in enumerate(sequences) if sequence is not None and not special[at]]
    first, last = (inside[0], inside[-1] + 1) if inside else (len(ids), len(ids))
    return Around(tuple(ids[:first]), tuple(ids[last:]))
