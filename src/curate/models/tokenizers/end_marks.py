"""Which token marks the end of a document: one that text cannot become."""

import functools
from collections.abc import Callable, Collection, Sequence

from curate import errors
from curate.models.tokenizers.added_tokens import is_mark
from curate.models.tokenizers.hugging_face.json_model import JsonModel

END_NAMES = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "[EOS]",
    "<｜end▁of▁sentence｜>",  # noqa: RUF001  (as DeepSeek spells it)
    "<|end_of_document|>",
    "[SEP]",
)
"""End marks of well-known base models, in the order they are looked for."""

listed = functools.partial(errors.listed, most=12)
"""Some tokens, as messages show them."""


def chosen_end(
    name: str, wanted: str, control_tokens: Collection[str], free: Callable[[], Sequence[str]] = list
) -> str:
    """The token that ends documents.

    Args:
        name: of the tokenizer, for messages.
        wanted: what the user asked for; ``auto`` takes the likeliest.
        control_tokens: tokens that are marked as such.
        free: other tokens that text cannot become, the likeliest first.

    Raises:
        errors.PlanError: it cannot be guessed, or text may become it.

    Example:
        >>> chosen_end("mine", "auto", ["<pad>", "</s>"])
        '</s>'
    """
    likely = [known for known in END_NAMES if known in control_tokens]
    if wanted in control_tokens or (wanted == "auto" and likely):
        return likely[0] if wanted == "auto" else wanted
    others = [token for token in free() if token not in control_tokens]
    if wanted in others:
        return wanted
    known = [
        *(t for t in others if t in END_NAMES),
        *sorted(control_tokens),
        *(t for t in others if t not in END_NAMES),
    ]
    hint = f"--set 'tokenize.end_of_document={known[0]}'" if known else _how_to_add(name)
    if wanted == "auto":
        marked = (
            f"its control tokens: {listed(sorted(control_tokens))}" if control_tokens else "it has no control tokens"
        )
        unmarked = f"; text cannot become {listed(others)} either" if others else ""
        raise errors.PlanError(
            f"which token of `{name}` ends a document cannot be guessed; {marked}{unmarked}", hint=hint
        )
    raise errors.PlanError(
        f"`tokenize.end_of_document` = `{wanted}` is not a control token of `{name}` or another that text cannot"
        f" become; known: {listed(known) or 'none'}",
        hint=hint,
    )


def free_tokens(model: JsonModel, words: Collection[str]) -> list[str]:
    """Tokens without a flag that text cannot become: BPE never makes them, or they are written as marks are.

    Args:
        model: of the file.
        words: added tokens that text may become.
    """
    taken = {*words, *model.byte_tokens, model.unknown}
    if model.kind == "BPE":
        taken |= model.merged()
    free = [token for token in model.ids if token not in taken and (is_mark(token) or model.is_made_of_many(token))]
    order = {name: at for at, name in enumerate(END_NAMES)}
    return sorted(free, key=lambda token: (order.get(token, len(order)), not is_mark(token), model.ids[token]))


def _how_to_add(path: str) -> str:
    load, add = f"t = Tokenizer.from_file({path!r})", "t.add_special_tokens(['<|endoftext|>'])"
    return f'python -c "from tokenizers import Tokenizer; {load}; {add}; t.save({path!r})"'
