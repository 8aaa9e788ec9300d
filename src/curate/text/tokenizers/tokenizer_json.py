"""Vocabularies in Hugging Face's ``tokenizer.json``, prepared for encoding a corpus rather than a chat.

Three things in such a file are meant for inference and would spoil training data: added tokens turn text that
looks like ``<|im_end|>`` into the control token (flags do not help: Qwen marks ``<tool_call>`` as *not*
special), truncation drops the ends of documents, and BPE dropout is random. They are taken out before any
library sees the file. Added tokens of white space only (GPT-NeoX, Gemma) are ordinary text and stay.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from curate.errors import PlanError
from curate.text.tokenizers.backends import Backend, FastokensBackend, HuggingFaceBackend

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


_NO_TEXT = "\ufdd0"  # a code point that no text may hold


class JsonVocabulary:
    """A ``tokenizer.json`` without its control tokens."""

    backends: ClassVar[tuple[str, ...]] = ("fastokens", "huggingface")

    def __init__(self, content: bytes) -> None:
        document = json.loads(content)
        ids = _token_ids(document["model"]["vocab"])
        added = {token["content"]: token["id"] for token in document.get("added_tokens") or []}
        kept = {token["content"] for token in document.get("added_tokens") or [] if _is_plain(token)}
        self._json = json.dumps(_for_corpora(document, kept), sort_keys=True, ensure_ascii=False)
        self.control_tokens: Mapping[str, int] = {name: id_ for name, id_ in added.items() if name not in kept}
        self.end_candidates = _end_candidates(self.control_tokens)
        self.size = max((*ids.values(), *added.values())) + 1
        self.pattern: str | None = None
        self.file: tuple[str, bytes] | None = ("tokenizer.json", content)
        self._decoder: Any = None

    def digest(self) -> bytes:
        """Of the prepared file with its keys in order."""
        return hashlib.sha256(self._json.encode()).digest()

    def open(self, backend: str) -> Backend:
        """Fastokens or Hugging Face tokenizers."""
        if backend == "huggingface":
            return HuggingFaceBackend(self._huggingface())
        import fastokens

        return FastokensBackend(fastokens.Tokenizer.from_json_str(self._json))

    def decode(self, ids: npt.NDArray[np.uint32]) -> str:
        """Text by Hugging Face's decoder; not quite what was encoded where the tokenizer normalises."""
        return str(self._huggingface().decode(ids.tolist(), skip_special_tokens=False))

    def _huggingface(self) -> Any:
        if self._decoder is None:
            import tokenizers

            self._decoder = tokenizers.Tokenizer.from_str(self._json)
        return self._decoder


def json_vocabulary(path: Path) -> JsonVocabulary:
    """The vocabulary in a ``tokenizer.json``.

    Raises:
        PlanError: the file is not one.
    """
    try:
        return JsonVocabulary(path.read_bytes())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"`{path.name}` is not a Hugging Face tokenizer.json: {error!r}.", where=str(path)) from error


def _for_corpora(document: dict[str, Any], kept: set[str]) -> dict[str, Any]:
    added = document.get("added_tokens") or []
    model = document["model"] | {"vocab": _without_control_tokens(document["model"]["vocab"], added, kept)}
    if "dropout" in model:
        model["dropout"] = None
    plain = [token for token in added if token["content"] in kept]
    return document | {"model": model, "added_tokens": plain, "truncation": None, "padding": None}


def _without_control_tokens(vocabulary: Any, added: list[dict[str, Any]], kept: set[str]) -> Any:
    names = {t["content"]: t["content"] if t["content"] in kept else _NO_TEXT + t["content"] for t in added}
    if not isinstance(vocabulary, dict):
        # A unigram model would match a control token's own spelling as a piece.
        return [[names.get(piece, piece), score] for piece, score in vocabulary]
    if not kept:
        return vocabulary
    # Libraries number an added token after the last one, unless the vocabulary, which has no holes, knows it.
    missing = {names[token["content"]]: token["id"] for token in added if token["content"] not in vocabulary}
    return vocabulary | missing


def _is_plain(token: Mapping[str, Any]) -> bool:
    return not token.get("special") and str(token["content"]).replace("\u2581", " ").isspace()


def _token_ids(vocabulary: Any) -> dict[str, int]:
    if isinstance(vocabulary, dict):
        return dict(vocabulary)
    return {piece: id_ for id_, (piece, _) in enumerate(vocabulary)}


def _end_candidates(control_tokens: Mapping[str, int]) -> Sequence[str]:
    return tuple(name for name in END_NAMES if name in control_tokens)
