"""What token ids mean, whatever library encodes with them."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from curate.models.tokenizers.added_tokens import AddedTokens
from curate.models.tokenizers.backends import Backend, BytesBackend
from curate.models.tokenizers.end_marks import chosen_end


class Vocabulary(Protocol):
    """Ids and their meaning, read from a package or a file.

    A control token is one that no text may turn into. Vocabularies are opened without them, so a document
    that *talks about* ``<|endoftext|>`` stays one document.
    """

    size: int
    """Largest id + 1, control tokens included: the rows of an embedding table."""
    control_tokens: Mapping[str, int]
    """Control tokens and their ids."""
    end_of_document: str
    """The control token that ends documents."""
    begin_mark: str | None
    """The control token that the folder of its model puts before texts, where the file has no post-processor."""
    pattern: str | None
    """Split pattern that must be given to load it again; None when nothing but the name is needed."""
    added_tokens: AddedTokens
    """Which ordinary added tokens text may become; must be given to load it again."""
    file: tuple[str, bytes] | None
    """Name and content of a copy that makes shards decodable on their own; None when a package carries it."""

    @property
    def backends(self) -> tuple[str, ...]:
        """Libraries that can encode with it: the preferred one first, the reference last."""

    def digest(self) -> bytes:
        """A hash of everything that decides the ids of a text."""

    def open(self, backend: str) -> Backend:
        """The given library loaded with this vocabulary.

        Raises:
            ValueError: the library cannot read it.
        """

    def habits(self) -> tuple[str, ...]:
        """Sentences on what becomes of text that does not come back as it was.

        Raises:
            PlanError: it must not be used.
        """

    drops_unknown: bool
    """Whether what it does not know leaves no trace, rather than becoming its unknown token."""

    def words(self) -> list[str]:
        """Added tokens that text may become; libraries look for them before anything else."""

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) of what no id stands for, or what becomes the unknown token."""

    def decode(self, ids: npt.NDArray[np.uint32]) -> str:
        """Text of ids that hold no control token; bytes that are not UTF-8 become U+FFFD."""


class BytesVocabulary:
    """The fallback that needs no vocabulary at all: id = byte, 256 = end of document."""

    backends: ClassVar[tuple[str, ...]] = ("bytes",)
    size = 257
    begin_mark: str | None = None
    control_tokens: Mapping[str, int] = {"<|endoftext|>": 256}
    pattern: str | None = None
    added_tokens: AddedTokens = "words"
    drops_unknown = False
    file: tuple[str, bytes] | None = None

    def __init__(self, end_of_document: str = "auto") -> None:
        self.end_of_document = chosen_end("bytes", end_of_document, self.control_tokens)

    def digest(self) -> bytes:
        """Nothing to hash: all byte vocabularies are one."""
        return b"bytes"

    def open(self, backend: str) -> Backend:
        """The only backend."""
        assert backend == "bytes"
        return BytesBackend()

    def habits(self) -> tuple[str, ...]:
        """Nothing: bytes spell every text."""
        return ()

    def words(self) -> list[str]:
        """None."""
        return []

    def unknown_places(self, text: str) -> list[int]:  # noqa: ARG002
        """None: bytes spell every text."""
        return []

    def decode(self, ids: npt.NDArray[np.uint32]) -> str:
        """Bytes read as UTF-8."""
        return ids.astype(np.uint8).tobytes().decode("utf-8", errors="replace")
