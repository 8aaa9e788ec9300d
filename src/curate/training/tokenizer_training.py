"""A tokenizer of one's own: byte-level BPE over kept text, by the trainer of Hugging Face tokenizers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from curate.errors import UserError
from curate.pipeline.document_rows import DocumentRows

LEAST = 256
"""Ids that bytes take; every vocabulary has them, so that it spells every text."""
MOST = 2_000_000
SAMPLE_BYTES = 1_000_000_000
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,{digits}}}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 splits text, with up to so many digits in a word."""


class TokenizerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to train.

    Attributes:
        vocabulary: ids, those of bytes and control tokens included.
        digits: most digits in a token: 3 as Llama 3, 1 as Llama 2.
        control_tokens: the first ends documents; text never becomes any of them.
        sample_bytes: most text to learn from, in bytes; documents are drawn where there is more.
        seed: of the draw.
    """

    vocabulary: int = 32_768
    digits: int = 3
    control_tokens: tuple[str, ...] = ("<|endoftext|>",)
    sample_bytes: int = SAMPLE_BYTES
    seed: int = 42

    def __post_init__(self) -> None:
        least = LEAST + len(self.control_tokens) + 1
        if not least <= self.vocabulary <= MOST:
            raise UserError(
                f"the vocabulary must have {least} to {MOST:,} ids, but has {self.vocabulary:,}",
                hint="--vocabulary 32768",
            )
        if not self.control_tokens or len(set(self.control_tokens)) < len(self.control_tokens):
            raise UserError("control tokens must be different, and one of them ends documents")
        if not 1 <= self.digits <= 9:
            raise UserError(f"a token has 1 to 9 digits, not {self.digits}", hint="--digits 3")


def train_tokenizer(run: Path, settings: TokenizerSettings) -> tuple[bytes, int]:
    """A ``tokenizer.json``, and the bytes of text that it was learned from. The same text gives the same file.

    Args:
        run: a finished run; its kept documents are read, with their edits.
        settings: size and shape.

    Raises:
        InputError: there is no finished run.
        UserError: it kept no text.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    learned = 0

    def texts() -> Iterator[Sequence[str]]:
        nonlocal learned
        for batch, size in sampled(run, settings.sample_bytes, settings.seed):
            learned += size
            yield batch

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN.format(digits=settings.digits)), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=[AddedToken(token, special=True) for token in settings.control_tokens],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts(), trainer)
    if not learned:
        raise UserError(f"`{run}` kept no text to learn from", hint=f"curate report {run}")
    content: str = tokenizer.to_str(pretty=True)
    return content.encode() + b"\n", learned


def sampled(run: Path, limit: int, seed: int) -> Iterator[tuple[list[str], int]]:
    """Texts of kept documents, all or a share drawn by the seed, with their bytes."""
    total = sum(int(np.sum(table["raw_bytes"].to_numpy())) for table in DocumentRows(run, ["raw_bytes"]).rows())
    share, rng = min(1.0, limit / total) if total else 1.0, np.random.default_rng(seed)
    for table in DocumentRows(run, ["text"]).rows():
        chosen = table["text"].filter(rng.random(len(table)) < share) if share < 1 else table["text"]
        texts = chosen.to_pylist()
        if texts:
            yield texts, sum(len(text.encode()) for text in texts)
