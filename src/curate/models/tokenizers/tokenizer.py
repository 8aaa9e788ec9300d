"""One tokenizer: a vocabulary, the backend chosen for it, and the mark that ends each document."""

import functools
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import PlanError, UserError, nearest
from curate.models.tokenizers.added_tokens import AddedTokens
from curate.models.tokenizers.backends import Backend
from curate.models.tokenizers.begin_marks import NONE, chosen_begin, own_begin_note
from curate.models.tokenizers.end_marks import listed
from curate.models.tokenizers.hugging_face.tokenizer_json import json_vocabulary
from curate.models.tokenizers.model_folder import ModelFolder, model_folder
from curate.models.tokenizers.pieces import LONG
from curate.models.tokenizers.probes import first_disagreement
from curate.models.tokenizers.rank_file import PACKAGED, is_rank_file, packaged_vocabulary, rank_file_vocabulary
from curate.models.tokenizers.sentencepiece_file import sentencepiece_vocabulary
from curate.models.tokenizers.vocabulary import BytesVocabulary, Vocabulary
from curate.text.core.arrow import utf8_view

BACKENDS = ("auto", "fastokens", "tiktoken", "huggingface", "sentencepiece")
"""Values of the setting ``tokenize.backend``."""
LITTLE = 2_000_000
"""Bytes of input for which no fast backend is loaded: that and proving it take as long as the reference for some MB."""
MUCH = 4 * LITTLE
"""Bytes of text for which one is after all; input may be compressed."""


class Prepared(NamedTuple):
    """A loaded backend: its name, how it encodes, and what the user should know about the choice."""

    backend: str
    encode: Backend
    notes: tuple[str, ...] = ()


class Tokenizer:
    """Text to ids with a mark at the end of each document, and back.

    Decoding needs the vocabulary only; the backend is loaded by the first `encode`, or by `prepare` at plan
    time.

    Attributes:
        name: as it was asked for: a packaged encoding, ``bytes`` or a path.
        vocabulary_size: largest id + 1.
        end_of_document: text of the control token that ends a document.
        end_of_document_id: its id.
        begin_of_document: text of the control token that begins a document; None for none.
        begin_of_document_id: its id.
        fingerprint: SHA-256 (hexadecimal) of vocabulary, split pattern and marks, whatever the backend.
        wanted_backend: what was asked for, ``auto`` included.
    """

    def __init__(
        self, name: str, vocabulary: Vocabulary, backend: str, begin_of_document: str = NONE, *, little: bool = False
    ) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self.vocabulary_size = vocabulary.size
        self.end_of_document = vocabulary.end_of_document
        self.end_of_document_id = vocabulary.control_tokens[self.end_of_document]
        self.begin_of_document = begin = chosen_begin(name, begin_of_document, vocabulary)
        self.begin_of_document_id = None if begin is None else vocabulary.control_tokens[begin]
        identity = vocabulary.digest() + self.end_of_document_id.to_bytes(8, "little")
        if self.begin_of_document_id is not None:
            identity += self.begin_of_document_id.to_bytes(8, "little")
        self.fingerprint = hashlib.sha256(identity).hexdigest()
        self.wanted_backend = _wanted_backend(name, vocabulary, backend)
        self._lock = threading.Lock()
        self._loaded: Prepared | None = None
        self._is_little, self._encoded = little and backend == "auto", 0

    @property
    def file(self) -> tuple[str, bytes] | None:
        """Name and content of a copy of the vocabulary's file; None where a package carries it."""
        return self.vocabulary.file

    @property
    def backend(self) -> str:
        """Library that encodes: ``fastokens``, ``tiktoken``, ``huggingface`` or ``bytes``."""
        return self.prepare().backend

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that the user should see before the run, such as a fall-back to a slower backend."""
        return self.prepare().notes

    def encode(self, texts: pa.Array) -> pa.LargeListArray:
        """Ids of each document followed by the end mark.

        Args:
            texts: ``large_string`` without nulls; may be a slice.

        Returns:
            ``large_list<uint32>``, one list for each text.

        Example:
            >>> load_tokenizer("bytes").encode(pa.array(["ab", ""], pa.large_string())).to_pylist()
            [[97, 98, 256], [256]]
        """
        return self.encode_counting(texts)[0]

    def encode_counting(self, texts: pa.Array) -> tuple[pa.LargeListArray, pa.Array]:
        """What `encode` gives, and for each text how many of its characters are unknown.

        A character is unknown when it became the vocabulary's unknown token, or when no id stands for it. What the
        vocabulary's own normalizer writes otherwise (lower case, say) is not.

        Raises:
            UserError: the library fails on a text.
        """
        if self._is_little:
            self._look_at(texts)
        try:
            ids, offsets, unknown = self.prepare().encode(texts)
        except ValueError as error:
            raise UserError(f"{self.backend} fails on a text with `{self.name}`: {error}") from error
        places, marks = offsets[1:], np.full(len(texts), self.end_of_document_id, np.uint32)
        lengthened = offsets + np.arange(len(offsets), dtype=np.int64)
        if self.begin_of_document_id is not None:
            places = np.stack([offsets[:-1], offsets[1:]], 1).ravel()
            marks = np.tile(np.array([self.begin_of_document_id, self.end_of_document_id], np.uint32), len(texts))
            lengthened += np.arange(len(offsets), dtype=np.int64)
        marked = np.insert(ids, places, marks)
        counts = np.zeros(len(texts), np.int64) if unknown is None else unknown
        return pa.LargeListArray.from_arrays(pa.array(lengthened), pa.array(marked)), pa.array(counts)

    @property
    def drops_unknown(self) -> bool:
        """Whether unknown characters leave no trace in the ids, not even an unknown token."""
        return self.vocabulary.drops_unknown

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) in a text of what `encode_counting` counts."""
        return self.vocabulary.unknown_places(text)

    def decode(self, ids: npt.NDArray[Any]) -> str:
        """Text of the ids; without marks of begin and end.

        Args:
            ids: any integer dtype, each below ``vocabulary_size``.

        Raises:
            ValueError: an id that stands for no text.
        """
        wide = ids.astype(np.uint32)
        if self.begin_of_document_id is not None:
            wide = wide[wide != self.begin_of_document_id]
        try:
            return self.vocabulary.decode(wide[wide != self.end_of_document_id])
        except (KeyError, OverflowError) as error:
            raise ValueError(f"id {error} stands for no text in `{self.name}`") from error

    def description(self) -> dict[str, Any]:
        """What shards must say about their tokenizer, as JSON values."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "vocabulary_size": self.vocabulary_size,
            "end_of_document": self.end_of_document,
            "end_of_document_id": self.end_of_document_id,
            "begin_of_document": self.begin_of_document,
            "begin_of_document_id": self.begin_of_document_id,
            "file": self.vocabulary.file[0] if self.vocabulary.file else None,
            "pattern": self.vocabulary.pattern,
            "added_tokens": self.vocabulary.added_tokens,
        }

    def prepare(self) -> "Prepared":
        """Load the backend, once.

        Raises:
            PlanError: it cannot read the vocabulary, or text could produce the end mark.
        """
        with self._lock:
            if self._loaded is None:
                try:
                    wanted = self.vocabulary.backends[-1] if self._is_little else self.wanted_backend
                    chosen = _choose(self.name, self.vocabulary, wanted)
                    self._loaded = chosen._replace(notes=chosen.notes + self._habits())
                except ValueError as error:
                    raise PlanError(f"`{self.name}` cannot encode the texts that are tried: {error}") from error
            return self._loaded

    def _look_at(self, texts: pa.Array) -> None:
        """Load the fast backend after all where there is more text than was expected, or a long one."""
        lengths = np.diff(utf8_view(texts)[1])
        with self._lock:
            self._encoded += int(lengths.sum())
            if self._is_little and (self._encoded > MUCH or lengths.max(initial=0) >= LONG):
                self._is_little, self._loaded = False, None

    def _habits(self) -> tuple[str, ...]:
        return (*self.vocabulary.habits(), *own_begin_note(self.name, self.begin_of_document_id, self.vocabulary))


def load_tokenizer(
    name: str,
    *,
    backend: str = "auto",
    end_of_document: str = "auto",
    begin_of_document: str = NONE,
    pattern: str = "auto",
    added_tokens: AddedTokens = "words",
    little: bool = False,
) -> Tokenizer:
    """The tokenizer of that name, loaded once in a process.

    Args:
        name: ``cl100k_base``, ``o200k_base``, ``bytes``, or the path of a ``tokenizer.json``, ``.tiktoken`` or
            SentencePiece ``.model`` file, or of a model's folder.
        backend: one of `BACKENDS`.
        end_of_document: token that ends a document, one that text cannot become; ``auto`` takes the likeliest.
        begin_of_document: token that begins a document: ``none``, a control token, or ``auto``: what the tokenizer's
            own post-processor puts before a text.
        pattern: how a ``.tiktoken`` file splits text, see `rank_file_vocabulary`.
        added_tokens: which ordinary added tokens of a ``tokenizer.json`` text may become: ``words``, or ``all``, also
            those that look like control tokens.
        little: little text is expected (`LITTLE`): the reference encodes, with the same ids, until it is more.

    Raises:
        PlanError: there is no such tokenizer, or it cannot be used as asked.

    Example:
        >>> cl100k = load_tokenizer("cl100k_base")
        >>> cl100k.encode(pa.array(["Hello world"], pa.large_string())).to_pylist()
        [[9906, 1917, 100257]]
        >>> cl100k.decode(np.array([9906, 1917, 100257]))
        'Hello world'
    """
    with _LOADING:
        return _load(name, backend, end_of_document, begin_of_document, pattern, added_tokens, little)


_LOADING = threading.Lock()


@functools.cache
def _load(
    name: str,
    backend: str,
    end_of_document: str,
    begin_of_document: str,
    pattern: str,
    added_tokens: AddedTokens,
    little: bool,
) -> Tokenizer:
    vocabulary = _vocabulary(name, end_of_document, pattern, added_tokens)
    return Tokenizer(name, vocabulary, backend, begin_of_document, little=little)


def _vocabulary(name: str, end_of_document: str, pattern: str, added_tokens: AddedTokens) -> Vocabulary:
    if name == "bytes":
        return BytesVocabulary(end_of_document)
    if name in PACKAGED:
        return packaged_vocabulary(name, end_of_document)
    path = Path(name)
    if path.is_dir():
        inside = model_folder(path)
        return _in_folder(inside, end_of_document, pattern, added_tokens)
    if not path.is_file():
        near = nearest(name, [*PACKAGED, "bytes"])
        raise PlanError(
            f"`tokenize.tokenizer` = `{name}` is neither a built-in tokenizer nor a file",
            hint=f"{near}; or the path of a tokenizer.json, .model or .tiktoken file, or of a model's folder",
        )
    readers: dict[str, Callable[[], Vocabulary]] = {
        ".json": lambda: json_vocabulary(path, end_of_document, added_tokens),
        ".tiktoken": lambda: rank_file_vocabulary(path, pattern, end_of_document),
        ".model": lambda: sentencepiece_vocabulary(path, end_of_document),
    }
    if path.suffix not in readers:
        raise PlanError(f"`tokenize.tokenizer` = `{name}` must end in `.json`, `.model` or `.tiktoken`")
    if path.suffix == ".model" and is_rank_file(path):  # Llama 3's tokenizer.model is one
        return readers[".tiktoken"]()
    return readers[path.suffix]()


def _in_folder(folder: ModelFolder, end_of_document: str, pattern: str, added_tokens: AddedTokens) -> Vocabulary:
    """The tokenizer of a model's folder; where the likeliest end mark is not there, the folder's own ends documents."""
    try:
        found = _vocabulary(str(folder.file), end_of_document, pattern, added_tokens)
    except PlanError:
        if end_of_document != "auto" or folder.end_mark is None:
            raise
        found = _vocabulary(str(folder.file), folder.end_mark, pattern, added_tokens)
    folder.check(found, added_tokens)
    found.begin_mark = folder.begin_mark
    return found


def _wanted_backend(name: str, vocabulary: Vocabulary, backend: str) -> str:
    if backend == "auto" or backend in vocabulary.backends or vocabulary.backends == ("bytes",):
        return backend
    raise PlanError(
        f"`tokenize.backend` = `{backend}` cannot read `{name}`",
        hint=f"possible: {listed(['auto', *vocabulary.backends])}",
    )


def _choose(name: str, vocabulary: Vocabulary, wanted: str) -> Prepared:
    preferred, reference = vocabulary.backends[0], vocabulary.backends[-1]
    trusted = Prepared(reference, _open(name, vocabulary, reference))
    if reference in {preferred, wanted}:
        return trusted
    try:
        fast = vocabulary.open(preferred)
    except Exception as error:  # whatever a young library raises, the reference can do the work
        if wanted == preferred:
            raise PlanError(f"`tokenize.backend` = `{wanted}` cannot read `{name}`: {error}") from error
        return trusted._replace(notes=(f"{preferred} cannot read `{name}` ({error}); {_slower(reference)}",))
    probe = first_disagreement(fast, trusted.encode, vocabulary.words())
    if probe is None:
        return Prepared(preferred, fast)
    problem = f"{preferred} and {reference} encode {probe[:40]!r} differently with `{name}`"
    if wanted == preferred:
        return Prepared(preferred, fast, (f"{problem}; {preferred} is used, as `tokenize.backend` says.",))
    return trusted._replace(notes=(f"{problem}; {_slower(reference)}",))


def _slower(reference: str) -> str:
    return f"the slower {reference} encodes instead."


def _open(name: str, vocabulary: Vocabulary, backend: str) -> Backend:
    try:
        return vocabulary.open(backend)
    except Exception as error:  # tokenizers raises bare Exception
        raise PlanError(f"{backend} cannot read `{name}`: {error}") from error
