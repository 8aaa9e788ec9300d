"""Vocabularies in Hugging Face's ``tokenizer.json``, prepared for encoding a corpus rather than a chat.

Some things in such a file are meant for inference and would spoil training data: control tokens turn text that looks
like ``<|im_end|>`` into them, truncation drops the ends of documents, padding fills them up. They are taken out before
any library sees the file. Ordinary added words stay (`curate.models.tokenizers.added_tokens`); ids are the file's.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from curate.errors import PlanError
from curate.models.tokenizers.added_tokens import (
    AddedTokens,
    are_simple,
    numbered,
    read_added_tokens,
    words_of,
)
from curate.models.tokenizers.backends import Backend, FastokensBackend, Renumbered, panics_are_errors
from curate.models.tokenizers.end_marks import chosen_end, free_tokens, listed
from curate.models.tokenizers.habits import habits_of
from curate.models.tokenizers.hugging_face.huggingface import HuggingFaceBackend
from curate.models.tokenizers.hugging_face.json_model import (
    UNKNOWN,
    JsonModel,
    Trimmed,
    read_model,
    trimmed,
    unknown_name,
    without_unknown,
)
from curate.models.tokenizers.hugging_face.json_steps import Document, may_remove, spells_everything, splitting_of
from curate.models.tokenizers.pieces import Piecewise

if TYPE_CHECKING:
    import tokenizers


class JsonVocabulary:
    """A ``tokenizer.json`` of which no control token can come from text.

    Args:
        content: of the file.
        name: of the file, for messages.
        end_of_document: token that ends documents, or ``auto``.
        added_tokens: which ordinary added tokens text may become.

    Raises:
        ValueError, TypeError, LookupError: the file is no such tokenizer.
        PlanError: it cannot be used.
    """

    backends: ClassVar[tuple[str, ...]] = ("fastokens", "huggingface")

    def __init__(self, content: bytes, name: str, end_of_document: str, added_tokens: AddedTokens) -> None:
        document = _document(content)
        model = read_model(document["model"])
        if model.section.get("dropout"):
            raise PlanError(
                f"`{name}` omits merges at random (`model.dropout` = {model.section['dropout']}), so the same text"
                " would not always have the same ids",
                hint=f"set `dropout` to null in the section `model` of {name}",
            )
        added = read_added_tokens(document.get("added_tokens"), model.ids)
        self._added_in_file = added
        self._words = words_of(added, model.ids, added_tokens)
        words = {word.content for word in self._words}
        marks = {t.content: t.id for t in added if t.content not in words}
        self._marks_left = [t.content for t in added if not t.special and t.content in marks]
        named = {token: number for token, number in marks.items() if token not in model.byte_tokens}
        self.end_of_document = chosen_end(name, end_of_document, named, lambda: free_tokens(model, words))
        self.nothing_is_lost = spells_everything(document, model, named)
        if self.end_of_document == model.unknown:
            model = _without_its_unknown(model, name, complete=self.nothing_is_lost)
        named[self.end_of_document] = {**model.ids, **marks}[self.end_of_document]
        self.control_tokens: Mapping[str, int] = {t: number for t, number in named.items() if t != model.unknown}
        self.size = max(*model.ids.values(), *(t.id for t in added), 0) + 1
        self.pattern: str | None = None
        self.begin_mark: str | None = None
        self.added_tokens = added_tokens
        self.file: tuple[str, bytes] | None = ("tokenizer.json", content)
        self.drops_unknown = not self.nothing_is_lost and model.unknown is None
        self._name, self._document, self._model = name, document, model
        self._unknown_name = unknown_name(model, by_bytes=self.nothing_is_lost and not model.byte_tokens)
        self._trimmed = self._without_marks(self._unknown_name, spare=not self.nothing_is_lost)
        self._added = numbered(self._words, _ids_in(self._trimmed.section))
        ids = {word.content: word.id for word in self._words}
        beyond = [ids[entry["content"]] for entry in self._added if entry["id"] >= len(self._trimmed.ids)]
        self._table = np.concatenate([self._trimmed.ids, np.array(beyond, np.int64)])

        ids_out_of_order = b"" if self._in_order else self._table.tobytes()
        self._digest = hashlib.sha256(self._as_in_file + ids_out_of_order).digest()

    def digest(self) -> bytes:
        """Of the prepared file with its keys in order, and of its ids where those are not in order."""
        return self._digest

    def open(self, backend: str) -> Backend:
        """Fastokens or Hugging Face tokenizers.

        Raises:
            ValueError: fastokens cannot do as Hugging Face tokenizers does.
        """
        opened = self._fastokens() if backend == "fastokens" else self._reference
        return opened if self._in_order else Renumbered(opened, self._table)

    def habits(self) -> tuple[str, ...]:
        """What the user should know of the tokenizer before it is used."""
        lost = "leaves no trace" if self.drops_unknown else f"becomes `{self._model.unknown}`"
        found = list(habits_of(self._name, self._tokenizer, self._reference, lost=lost))
        if self._marks_left:
            found.append(
                f"`{self._name}` has added tokens that look like control tokens; documents keep them as text"
                f' ({listed(self._marks_left)}), unless `tokenize.added_tokens = "all"`.'
            )
        used = [*self._words, *(token for token in self._added_in_file if token.content == self.end_of_document)]
        if moved := [token for token in used if token.id != token.renumbered]:
            found.append(
                f"`{self._name}` gives `{moved[0].content}` the id {moved[0].id}, which is used; Hugging Face"
                f" tokenizers would make it {moved[0].renumbered}, as ids before it are missing."
            )
        return tuple(found)

    def words(self) -> list[str]:
        """Added tokens that text may become."""
        return [word.content for word in self._words]

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) of what the vocabulary does not know."""
        return [] if self.nothing_is_lost else self._reference.unknown_places(text)

    def decode(self, ids: npt.NDArray[np.uint32]) -> str:
        """Text by Hugging Face's decoder; not quite what was encoded where the tokenizer normalises."""
        places = self._places[np.minimum(ids, self.size)]
        if len(ids) and places.min() < 0:
            raise KeyError(int(ids[np.argmin(places)]))
        decoded: str = self._decoder.decode(places.tolist(), skip_special_tokens=False)
        has_unknown = self._trimmed.unknown is not None and bool((places == self._trimmed.unknown).any())
        return decoded.replace(UNKNOWN, "\N{REPLACEMENT CHARACTER}") if has_unknown else decoded

    @functools.cached_property
    def _in_order(self) -> bool:
        return bool((self._table == np.arange(len(self._table))).all())

    @functools.cached_property
    def _places(self) -> npt.NDArray[np.int64]:
        """For each id of the file its id in the prepared one; -1 where text cannot become it."""
        places = np.full(self.size + 1, -1, np.int64)
        known = self._table >= 0
        places[self._table[known]] = np.flatnonzero(known)
        return places

    @functools.cached_property
    def _as_in_file(self) -> bytes:
        """The file with its own unknown token or none, whatever is needed here to count what is unknown."""
        if self._trimmed.ids[-1] >= 0 and self._unknown_name == UNKNOWN:
            return self._prepared
        return self._written(self._without_marks(UNKNOWN, spare=False).section)

    def _without_marks(self, unknown: str, *, spare: bool) -> Trimmed:
        return trimmed(self._model, self.control_tokens, spare=spare, name=unknown)

    @functools.cached_property
    def _tokenizer(self) -> "tokenizers.Tokenizer":
        try:
            return _loaded(self._prepared)
        except Exception:  # tokenizers raises bare ones
            assert self.file
            _loaded(self.file[1])  # says where in the user's file
            raise

    @functools.cached_property
    def _decoder(self) -> "tokenizers.Tokenizer":
        """The same ids, with a name for the unknown token that shows in text."""
        if self._unknown_name == UNKNOWN:
            return self._tokenizer
        return _loaded(self._written(self._without_marks(UNKNOWN, spare=not self.nothing_is_lost).section))

    @functools.cached_property
    def _reference(self) -> HuggingFaceBackend:
        if self.nothing_is_lost:
            return HuggingFaceBackend(self._tokenizer)
        as_it_is = None
        if self.drops_unknown and self._model.kind == "BPE":
            as_it_is = _loaded(self._written(without_unknown(self._trimmed)))
        return HuggingFaceBackend(
            self._tokenizer,
            self._trimmed.unknown,
            drops=self.drops_unknown,
            as_it_is=as_it_is,
            removes=may_remove(self._document),
        )

    def _fastokens(self) -> Backend:
        if not self.nothing_is_lost:
            raise ValueError("its vocabulary does not spell every text, and only the other counts what is lost")
        if self._words and not are_simple(self._words, [self._normalized(word.content) for word in self._words]):
            raise ValueError("its added tokens have flags that only the other library is known to obey")
        import fastokens

        fast = FastokensBackend(fastokens.Tokenizer.from_json_str(self._prepared.decode()))
        splitting, words = splitting_of(self._document), self.words()
        if splitting is None or self._model.has_affixes or any("\n" in word for word in words):
            return fast
        composes = self._document.get("normalizer") is not None
        sought = [*words, *map(self._normalized, words)]
        return Piecewise(fast, self._token_lengths(), splitting, sought, composes=composes)

    def _token_lengths(self) -> npt.NDArray[np.int64]:
        """Bytes of each token of a byte-level model, by the ids that fastokens gives: a letter stands for a byte."""
        lengths = np.zeros(len(self._table), np.int64)
        for token, number in _ids_in(self._trimmed.section).items():
            lengths[number] = len(token)
        return lengths

    def _normalized(self, word: str) -> str:
        normalizer = self._tokenizer.normalizer
        return word if normalizer is None else str(normalizer.normalize_str(word))

    @functools.cached_property
    def _prepared(self) -> bytes:
        return self._written(self._trimmed.section)

    def _written(self, model: Document) -> bytes:
        """The file with this model, and without what is meant for inference; keys in order."""
        sections = {"added_tokens": self._added, "truncation": None, "padding": None, "post_processor": None}
        return msgspec.json.encode({**self._document, "model": model, **sections}, order="sorted")


def json_vocabulary(path: Path, end_of_document: str = "auto", added_tokens: AddedTokens = "words") -> JsonVocabulary:
    """The vocabulary in a ``tokenizer.json``.

    Raises:
        PlanError: the file is not one, or cannot be used.
    """
    try:
        return JsonVocabulary(path.read_bytes(), str(path), end_of_document, added_tokens)
    except OSError as error:
        raise PlanError(f"`{path}` cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        why = (
            str(error)
            if isinstance(error, ValueError) and error.args
            else f"a part of it has an unexpected form ({error!r})"
        )
        raise PlanError(f"`{path.name}` is not a Hugging Face tokenizer.json: {why}", where=str(path)) from error


def _document(content: bytes) -> Document:
    document = msgspec.json.decode(content)
    if not isinstance(document, dict) or "model" not in document:
        raise ValueError("it is not a JSON object with a section `model`")
    return document


def _loaded(document: bytes) -> "tokenizers.Tokenizer":
    import tokenizers

    with panics_are_errors():
        return tokenizers.Tokenizer.from_buffer(document)


def _ids_in(section: Document) -> Mapping[str, int]:
    vocabulary = section["vocab"]
    if isinstance(vocabulary, Mapping):
        return vocabulary
    return {piece: number for number, (piece, _) in enumerate(vocabulary)}


def _without_its_unknown(model: JsonModel, name: str, *, complete: bool) -> JsonModel:
    """The same model, whose unknown token is to mark the ends of documents."""
    if not complete:
        raise PlanError(
            f"`{model.unknown}` is the unknown token of `{name}`: what it does not know would end a document",
            hint="choose another `tokenize.end_of_document`",
        )
    return model._replace(unknown=None, section={**model.section, "unk_token": None, "unk_id": None})
