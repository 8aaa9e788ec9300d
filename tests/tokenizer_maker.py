"""Tiny tokenizers of every kind that a ``tokenizer.json`` can hold, trained here and now."""

import base64
import json
from functools import cache

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
WORDS = ["the quick brown fox  jumps over the lazy dog, isn't it? 123 456 Hello NASA"] * 9
MORE = [*WORDS, *["Größe naïve 日本語 def f(x):\n    return"] * 9]


def base64_bytes():
    """The 256 bytes as rank files write them."""
    return [base64.b64encode(bytes([byte])).decode() for byte in range(256)]


def byte_level(*, whole=True, normalizer=None, splitter=None, prefix=False, size=330, **model):
    """BPE over bytes; without ``whole`` it knows only the bytes that it was trained on."""
    tokenizer = tokenizers.Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = splitter or pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        show_progress=False,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=BYTES if whole else [],
    )
    tokenizer.train_from_iterator(MORE, trainer)
    return tokenizer


def letters(*, unknown=None, fallback=False, splitter=None, decoder=None, normalizer=None, **model):
    """BPE over characters, as SentencePiece does it."""
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=unknown, byte_fallback=fallback, **model))
    tokenizer.pre_tokenizer = splitter or pre_tokenizers.Metaspace()
    tokenizer.decoder = decoder or decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    if normalizer:
        tokenizer.normalizer = normalizer
    special = ["</s>", *([unknown] if unknown else [])]
    affixes = {key: model[key] for key in ("continuing_subword_prefix", "end_of_word_suffix") if key in model}
    trainer = trainers.BpeTrainer(vocab_size=120, show_progress=False, special_tokens=special, **affixes)
    tokenizer.train_from_iterator(WORDS, trainer)
    if fallback:
        tokenizer = with_byte_tokens(tokenizer)
    return tokenizer


def with_byte_tokens(tokenizer):
    """The same with the 256 tokens of byte fallback in its vocabulary."""
    document = json.loads(tokenizer.to_str())
    vocabulary = document["model"]["vocab"]
    for token in (f"<0x{byte:02X}>" for byte in range(256)):
        if isinstance(vocabulary, list):
            vocabulary.append([token, -99.0])
        else:
            vocabulary[token] = len(vocabulary)
    document["model"]["byte_fallback"] = True
    return tokenizers.Tokenizer.from_str(json.dumps(document))


def unigram(unknown="<unk>", normalizer=None, *, fallback=False):
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    if normalizer:
        tokenizer.normalizer = normalizer
    special = ["</s>", *([unknown] if unknown else [])]
    trainer = trainers.UnigramTrainer(vocab_size=90, show_progress=False, special_tokens=special, unk_token=unknown)
    tokenizer.train_from_iterator([*WORDS, "< / s >"], trainer)
    return with_byte_tokens(tokenizer) if fallback else tokenizer


def word_piece():
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=120, show_progress=False, special_tokens=["[UNK]", "[SEP]"])
    tokenizer.train_from_iterator(WORDS, trainer)
    return tokenizer


def word_level(unknown="[UNK]"):
    tokenizer = tokenizers.Tokenizer(models.WordLevel(**({"unk_token": unknown} if unknown else {})))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = ["[SEP]", *([unknown] if unknown else [])]
    trainer = trainers.WordLevelTrainer(vocab_size=60, show_progress=False, special_tokens=special)
    tokenizer.train_from_iterator(MORE, trainer)
    return tokenizer


def llama():
    """As Llama 2 writes its own: blanks are letters of the vocabulary, bytes are there to fall back on."""
    blanks = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    return letters(
        unknown="<unk>",
        fallback=True,
        normalizer=blanks,
        splitter=pre_tokenizers.Sequence([]),
        decoder=decoders.Sequence(back),
        fuse_unk=True,
    )


def _split(behavior, pattern=r"\p{N}{1,3}|\p{L}+|[^\p{L}\p{N}]+", *, invert=False):
    steps = [
        pre_tokenizers.Split(Regex(pattern), behavior, invert),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return pre_tokenizers.Sequence(steps)


WHOLE = {
    "bytes": byte_level,
    "bytes, NFC": lambda: byte_level(normalizer=normalizers.NFC()),
    "bytes, lower case": lambda: byte_level(normalizer=normalizers.Lowercase()),
    "bytes, NFKD without accents": lambda: byte_level(
        normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()])
    ),
    "bytes, blank before": lambda: byte_level(prefix=True),
    "bytes, split": lambda: byte_level(splitter=_split("isolated")),
    "bytes, digits": lambda: byte_level(
        splitter=pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    ),
    "bytes, ignore_merges": lambda: byte_level(ignore_merges=True),
    "letters, byte fallback": lambda: letters(unknown="<unk>", fallback=True),
    "letters, byte fallback, no unknown": lambda: letters(fallback=True),
    "letters, byte fallback, ignore_merges": lambda: letters(unknown="<unk>", fallback=True, ignore_merges=True),
    "unigram, byte fallback, blank before": lambda: unigram(fallback=True),
    "llama": llama,
}
"""They spell every text."""

LOSSY = {
    "some bytes": lambda: byte_level(whole=False),
    "some bytes, unknown": lambda: byte_level(whole=False, unk_token="<|endoftext|>"),
    "bytes, punctuation removed": lambda: byte_level(splitter=_split("removed", r"\p{P}+")),
    "bytes, unmatched removed": lambda: byte_level(splitter=_split("removed", r"\w+|\s+", invert=True)),
    "letters": letters,
    "letters, ignore_merges": lambda: letters(ignore_merges=True),
    "letters, unknown": lambda: letters(unknown="<unk>"),
    "letters, fused unknown": lambda: letters(unknown="<unk>", fuse_unk=True),
    "letters, suffix": lambda: letters(
        unknown="<unk>", end_of_word_suffix="</w>", splitter=pre_tokenizers.Whitespace(), decoder=decoders.BPEDecoder()
    ),
    "letters, suffix, no unknown": lambda: letters(
        end_of_word_suffix="</w>", splitter=pre_tokenizers.Whitespace(), decoder=decoders.BPEDecoder()
    ),
    "letters, prefix": lambda: letters(
        continuing_subword_prefix="##", splitter=pre_tokenizers.Whitespace(), decoder=decoders.WordPiece()
    ),
    "unigram": unigram,
    "unigram, NFKC": lambda: unigram(normalizer=normalizers.NFKC()),
    "unigram, no unknown": lambda: unigram(None),
    "word piece": word_piece,
    "word level": word_level,
    "word level, no unknown": lambda: word_level(None),
}
"""They do not know every character."""


@cache
def _trained(kind):
    return {**WHOLE, **LOSSY}[kind]().to_str()


def made(kind):
    """A tokenizer of that kind: the same whenever it is asked for, though training may end otherwise each time."""
    return tokenizers.Tokenizer.from_str(_trained(kind))


def saved(tokenizer, folder):
    """The path of its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def with_words(tokenizer, words):
    """The same tokenizer with ordinary added tokens: pairs of text and flags."""
    tokenizer = tokenizers.Tokenizer.from_str(tokenizer.to_str())
    tokenizer.add_tokens([AddedToken(word, special=False, **flags) for word, flags in words])
    return tokenizer
