"""Vocabularies in tiktoken's format: one line for each token, its bytes in base64 and its rank (= id).

The file does not say how text is split before the merges, nor which control tokens exist. Both are known for
the published encodings, which are recognised by the SHA-256 of the file.
"""

import binascii
import gzip
import hashlib
import re
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import PlanError
from curate.models.tokenizers.added_tokens import AddedTokens
from curate.models.tokenizers.backends import Backend, FastokensBackend, TiktokenBackend
from curate.models.tokenizers.end_marks import chosen_end
from curate.models.tokenizers.hugging_face.json_model import LARGEST_ID
from curate.models.tokenizers.pieces import Piecewise, Splitting
from curate.models.tokenizers.probes import probe_texts

if TYPE_CHECKING:
    import tiktoken


class Encoding(NamedTuple):
    """What tiktoken publishes about an encoding beside its rank file."""

    sha256: str
    pattern: str
    control_tokens: Mapping[str, int]


_R50K_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
    r"|\s*[\r\n]|\s+(?!\S)|\s"
)
_O200K_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
END_OF_TEXT = "<|endoftext|>"
ENCODINGS: Mapping[str, Encoding] = {
    "cl100k_base": Encoding(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        _CL100K_PATTERN,
        {
            END_OF_TEXT: 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
    "o200k_base": Encoding(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        _O200K_PATTERN,
        {END_OF_TEXT: 199999, "<|endofprompt|>": 200018},
    ),
    "r50k_base": Encoding(
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        _R50K_PATTERN,
        {END_OF_TEXT: 50256},
    ),
    "p50k_base": Encoding(
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        _R50K_PATTERN,
        {END_OF_TEXT: 50256},
    ),
}
"""Published encodings (tiktoken 0.14, ``tiktoken_ext/openai_public.py``, MIT). Kept here and not read from
the installed tiktoken, so that a fingerprint does not change with its version."""

SPLITTING: Mapping[str, Splitting] = {
    _R50K_PATTERN: Splitting(long_numbers=True, last_blank_apart=True),
    _CL100K_PATTERN: Splitting(),
    _O200K_PATTERN: Splitting(cased=True),
}
"""How each pattern splits, for cutting long texts."""

PACKAGED = ("cl100k_base", "o200k_base")
"""Encodings whose rank file is packaged, in ``vocabularies/`` (tiktoken's, MIT)."""


class RankFileVocabulary:
    """A rank file with its split pattern and control tokens."""

    backends: ClassVar[tuple[str, ...]] = ("fastokens", "tiktoken")
    added_tokens: AddedTokens = "words"
    begin_mark: str | None = None
    drops_unknown = False

    def __init__(
        self, name: str, content: bytes, ranks: Mapping[bytes, int], encoding: Encoding, end_of_document: str
    ) -> None:
        self._content, self._ranks, self._encoding = content, ranks, encoding
        packaged = name in PACKAGED
        self.file: tuple[str, bytes] | None = None if packaged else ("vocabulary.tiktoken", content)
        self.pattern: str | None = None if packaged else encoding.pattern
        self.control_tokens = encoding.control_tokens
        self.end_of_document = chosen_end(name, end_of_document, encoding.control_tokens)
        self.size = max(*ranks.values(), *encoding.control_tokens.values()) + 1

    @cached_property
    def _tokens(self) -> dict[int, bytes]:
        return {rank: token for token, rank in self._ranks.items()}

    def digest(self) -> bytes:
        """Of the rank file and the pattern."""
        return hashlib.sha256(self._content + b"\0" + self._encoding.pattern.encode()).digest()

    def open(self, backend: str) -> Backend:
        """Fastokens or tiktoken, without control tokens."""
        if backend == "tiktoken":
            return TiktokenBackend(self._tiktoken())
        splitting = SPLITTING.get(self._encoding.pattern)
        fast = self._fastokens()
        return Piecewise(fast, self._lengths(), splitting) if splitting else fast

    def habits(self) -> tuple[str, ...]:
        """Nothing: bytes spell every text.

        Raises:
            PlanError: the split pattern matches less than every text; tiktoken drops what it does not match.
        """
        if not any(known.pattern == self._encoding.pattern for known in ENCODINGS.values()):
            self._check_pattern()
        return ()

    def words(self) -> list[str]:
        """None: rank files know no words but their tokens."""
        return []

    def unknown_places(self, text: str) -> list[int]:  # noqa: ARG002
        """None: bytes spell every text."""
        return []

    def decode(self, ids: npt.NDArray[np.uint32]) -> str:
        """Bytes of all tokens, read as UTF-8."""
        return b"".join(map(self._tokens.__getitem__, ids.tolist())).decode("utf-8", errors="replace")

    def _tiktoken(self) -> "tiktoken.Encoding":
        import tiktoken

        return tiktoken.Encoding(
            "curate", pat_str=self._encoding.pattern, mergeable_ranks=dict(self._ranks), special_tokens={}
        )

    def _check_pattern(self) -> None:
        encode = self.open("tiktoken")
        letters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
        blocks = ["".join(letters[at : at + _BLOCK]) for at in range(0, len(letters), _BLOCK)]
        for text in (*blocks, *probe_texts().to_pylist()):
            if self._loses(encode, text):
                lost = next((letter for letter in text if self._loses(encode, letter)), text[:20])
                raise PlanError(
                    f"`tokenize.pattern` does not match {lost!r}, and tiktoken drops what the pattern does not match",
                    hint=f"--set 'tokenize.pattern={self._encoding.pattern}|(?s:.)'",
                )

    def _loses(self, encode: Backend, text: str) -> bool:
        ids = encode(pa.array([text], pa.large_string())).ids.tolist()
        return sum(len(self._tokens[number]) for number in ids) != len(text.encode())

    def _fastokens(self) -> FastokensBackend:
        import fastokens

        # Named encodings take a compiled splitter in fastokens, several times faster than the same pattern.
        name = next((n for n in PACKAGED if ENCODINGS[n].pattern == self._encoding.pattern), None)
        pattern = None if name else self._encoding.pattern
        with tempfile.TemporaryDirectory(prefix="curate-") as folder:
            file = Path(folder) / "ranks.tiktoken"  # fastokens reads ranks from a file only
            file.write_bytes(self._content)
            return FastokensBackend(
                fastokens.Tokenizer.from_tiktoken(str(file), pattern=pattern, special_tokens={}, encoding=name)
            )

    def _lengths(self) -> npt.NDArray[np.int64]:
        lengths = np.zeros(self.size, np.int64)
        lengths[list(self._tokens)] = [len(token) for token in self._tokens.values()]
        return lengths


def packaged_vocabulary(name: str, end_of_document: str = "auto") -> RankFileVocabulary:
    """A vocabulary of `PACKAGED`.

    Args:
        name: of the encoding.
        end_of_document: token that ends documents, or ``auto``.

    Raises:
        PlanError: its file is not the published one.
    """
    file = Path(__file__).parent / "vocabularies" / f"{name}.tiktoken.gz"
    content = gzip.decompress(file.read_bytes())
    found = hashlib.sha256(content).hexdigest()
    if found != ENCODINGS[name].sha256:
        raise PlanError(
            f"the installed vocabulary of `{name}` is not the published one: its SHA-256 is {found}",
            where=str(file),
        )
    fields = content.split()  # nothing needs to be checked of what is the published file
    ranks = dict(zip(map(binascii.a2b_base64, fields[::2]), map(int, fields[1::2]), strict=True))
    return RankFileVocabulary(name, content, ranks, ENCODINGS[name], end_of_document)


def is_rank_file(path: Path) -> bool:
    """Whether a file begins as rank files do: a token in base64, and its rank."""
    with path.open("rb") as file:
        return re.fullmatch(rb"[A-Za-z0-9+/]+={0,2} \d+\s*", file.readline(4096)) is not None


def rank_file_vocabulary(path: Path, pattern: str, end_of_document: str = "auto") -> RankFileVocabulary:
    """A vocabulary from a ``.tiktoken`` file.

    Args:
        path: the file.
        pattern: ``auto`` (published encodings are recognised by their SHA-256), the name of a published
            encoding whose split pattern to use, or a regular expression. With anything but ``auto``, the end
            mark of a file that is not a published one is the first id after the last rank.
        end_of_document: token that ends documents, or ``auto``.

    Raises:
        PlanError: the file is no rank file, or its pattern is not known.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlanError(f"`{path}` cannot be read: {error.strerror}", where=str(path)) from error
    digest = hashlib.sha256(content).hexdigest()
    known = next((encoding for encoding in ENCODINGS.values() if encoding.sha256 == digest), None)
    try:
        ranks = _ranks(content)
    except ValueError as error:
        raise PlanError(f"`{path.name}` is not a tiktoken rank file: {error}", where=str(path)) from error
    if known is None and pattern == "auto":
        raise PlanError(
            f"`{path.name}` is not a published encoding, so its split pattern is not known",
            where=str(path),
            hint=f"set `tokenize.pattern` to one of {', '.join(ENCODINGS)}, or to a regular expression",
        )
    split = known.pattern if known and pattern == "auto" else _pattern(pattern)
    control = known.control_tokens if known else {END_OF_TEXT: max(ranks.values()) + 1}
    return RankFileVocabulary(str(path), content, ranks, Encoding(digest, split, control), end_of_document)


_BLOCK = 1 << 13


def _pattern(pattern: str) -> str:
    return ENCODINGS[pattern].pattern if pattern in ENCODINGS else pattern


def _ranks(content: bytes) -> dict[bytes, int]:
    """Tokens and their ranks.

    Raises:
        ValueError: a line is damaged, two say the same, or a byte has no token.
    """
    lines = [line for line in content.split(b"\n") if line.strip()]
    try:
        ranks = dict(map(_entry, lines))
    except ValueError:
        ranks = {}
    if not lines or len(ranks) != len(lines) or len(set(ranks.values())) != len(lines):
        raise ValueError(_first_fault(content))
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(f"{len(missing)} of the 256 bytes have no token, such as 0x{missing[0]:02X}")
    return ranks


def _entry(line: bytes) -> tuple[bytes, int]:
    token, rank = line.split()
    number = int(rank)
    if not 0 <= number < LARGEST_ID:
        raise ValueError
    return binascii.a2b_base64(token, strict_mode=True), number


def _first_fault(content: bytes) -> str:
    tokens: dict[bytes, int] = {}
    ranks: dict[int, int] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            token, rank = _entry(line)
        except ValueError:
            shown = line[:40].decode(errors="replace")
            return f"each line must be base64 and a number from 0, but line {number} is {shown!r}"
        before = tokens.setdefault(token, number), ranks.setdefault(rank, number)
        if before != (number, number):
            return f"lines {min(before)} and {number} have the same {'token' if before[0] != number else 'rank'}"
    return "it has no lines"
