"""What a ``tokenizer.json`` does to text before its model sees it: normalizers and pre-tokenizers."""

import functools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from curate.models.tokenizers.hugging_face.json_model import JsonModel
from curate.models.tokenizers.pieces import Splitting

Document = Mapping[str, Any]

_LIKE_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITTING: Mapping[str, Splitting] = {
    _LIKE_CL100K: Splitting(),  # Llama 3
    _LIKE_CL100K.replace("{1,3}", ""): Splitting(),  # Qwen 2 and 3
}


def spells_everything(document: Document, model: JsonModel, control: Collection[str]) -> bool:
    """Whether every text can be had back from its ids, but for what the normalizer changes: proven by the vocabulary.

    Args:
        document: the whole file.
        model: its model.
        control: tokens that text may not become.
    """
    steps = list(_steps(document))
    kinds = {step.get("type") for step in steps}
    if model.has_affixes or kinds & _REMOVE_SPACE or may_remove(document):
        return False
    if model.kind == "BPE" and "ByteLevel" in kinds:
        return set(_byte_letters()) <= model.ids.keys() - set(control)
    return bool(model.byte_tokens) and (model.kind == "BPE" or (model.kind == "Unigram" and model.unknown is not None))


def _steps(document: Document) -> Iterator[Document]:
    """Normalizers and pre-tokenizers, those in sequences too."""
    waiting = [document.get("normalizer"), document.get("pre_tokenizer")]
    while waiting:
        step = waiting.pop()
        if isinstance(step, Mapping):
            yield step
            waiting += [*(step.get("normalizers") or ()), *(step.get("pretokenizers") or ())]


_REMOVE_SPACE = frozenset({"Whitespace", "WhitespaceSplit", "BertPreTokenizer", "CharDelimiterSplit"})


def splitting_of(document: Document) -> Splitting | None:
    """How long texts may be cut; None where that is not known of its steps."""
    if (document.get("normalizer") or {"type": "NFC"}).get("type") != "NFC":
        return None
    steps = [step for step in _steps({"pre_tokenizer": document.get("pre_tokenizer")}) if step["type"] != "Sequence"]
    kinds = {step["type"]: step for step in steps}
    if len(steps) != len(kinds) or "ByteLevel" not in kinds or kinds["ByteLevel"].get("add_prefix_space"):
        return None
    by_bytes = kinds.pop("ByteLevel")
    if not kinds:
        return Splitting(long_numbers=True, last_blank_apart=True) if by_bytes.get("use_regex", True) else None
    split = kinds.get("Split", {})
    known = split.get("behavior") == "Isolated" and not split.get("invert") and not by_bytes.get("use_regex", True)
    return _SPLITTING.get(split["pattern"].get("Regex", "")) if known and len(kinds) == 1 else None


def adds_blank(document: Document) -> bool | None:
    """Whether a blank is put before a text; None where no step says anything of it."""
    said = [_blank_before(step) for step in _steps(document)]
    return any(said) if any(one is not None for one in said) else None


def _blank_before(step: Document) -> bool | None:
    if step.get("type") == "Metaspace" and "prepend_scheme" in step:
        return bool(step["prepend_scheme"] != "never")
    if step.get("type") in {"ByteLevel", "Metaspace"}:
        return bool(step.get("add_prefix_space", True))
    return True if step.get("type") == "Prepend" else None


def lowers(document: Document) -> bool | None:
    """Whether capitals are written small; None where no step of BERT says."""
    return next((bool(step.get("lowercase")) for step in _steps(document) if step["type"] == "BertNormalizer"), None)


def may_remove(document: Document) -> bool:
    """Whether a step may take more than white space out of a text before the model sees it."""
    return any(_removes(step) for step in _steps(document))


def _removes(step: Document) -> bool:
    if step.get("type") == "CharDelimiterSplit":
        return not str(step.get("delimiter")).isspace()
    if step.get("type") == "Replace":
        return step.get("content") == ""
    return str(step.get("behavior")).lower() == "removed"


@functools.cache
def _byte_letters() -> tuple[str, ...]:
    """The letters by which byte-level vocabularies write the 256 bytes."""
    import tokenizers

    return tuple(tokenizers.pre_tokenizers.ByteLevel.alphabet())
