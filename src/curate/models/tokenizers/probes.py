# ruff: noqa: RUF001  (look-alike letters are the point)
"""Texts on which two encoders that ever disagree are likely to disagree.

Splitting is where tokenizers differ: runs of white space, letters beyond ASCII, combining marks, digits of
other scripts, contractions in upper case, text that looks like a control token, and repetition long enough to
leave a fast path. About two hundred short texts, compared in milliseconds before a run.
"""

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from curate.models.tokenizers.backends import Backend

_CHOSEN = (
    "",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\n\n\n",
    "\t\t  x",
    "   leading",
    "trailing   ",
    " \n \n x",
    "a\r\n\r\n  b",
    "a \t b",
    "\u00a0\u2003\u3000",
    "x\u2028y\u2029z\x85w\x0b\x0c",
    "\u3000　全角",
    "tab\tseparated\tvalues\n",
    "x" + " " * 17 + "y",
    "e\u0301 é",
    "\u0301" * 40,
    "नमस्ते दुनिया",
    "ไทยภาษา",
    "한국어 처리",
    "שלום עולם",
    "مرحبا بالعالم",
    "日本語の文章です。",
    "中文分词测试，没有空格。",
    "Привет, мир!",
    "Γειά σου Κόσμε",
    "ÀÈÌ ǅ ǈ",
    "ßẞ İı ﬁ",
    "𝒜𝓑𝒞 𐍈 𠜎",
    "naïve café",
    "Việt Nam",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "👍🏽🇫🇷🇩🇪",
    "🙂" * 9,
    "\u200b\u200d\ufeff",
    "soft\u00adhyphen",
    "\x00\x01\x7f",
    "\ufffd\ufffe\uffff",
    "\ud7ff\ue000\U0010ffff",
    "\U000e0001\u0378",
    "I'M don't WE'LL x'S ſ'ſ they're I've he'd",
    "DON\u2019T it\u2019s",
    "'s 'T 'll'LL're",
    "rock'n'roll ''quoted''",
    "1",
    "12",
    "123",
    "1234",
    "12345678901",
    "3.14159",
    "1 234,567.89",
    "١٢٣٤٥",
    "ⅠⅡⅢ ½¼",
    "²³ ₂",
    "0x1F 1e-9 2024-02-29T12:00Z",
    "<|endoftext|>",
    "a<|endoftext|>b",
    " <|endoftext|> ",
    "<|im_start|>user\nhi<|im_end|>",
    "<|begin_of_text|><|eot_id|>",
    "<|fim_prefix|><|fim_middle|>",
    "<s>[INST] hi [/INST]</s>",
    "<pad><unk><mask>",
    "[CLS] [SEP] [MASK]",
    "<tool_call>{}</tool_call>",
    "<bos><eos>",
    "<0x0A>",
    "▁▁ ▁a",
    "Ġthe Ċ",
    "def f(x):\n    return x**2  # square\n",
    "if (a && b) {\n\t\tc->d();\n}",
    '<p class="x">&amp;&#39;</p>',
    "http://a.b/c?d=e&f#g",
    "foo_bar-baz.qux FooBarBaz XMLHttpRequest",
    "$\\sum_{i=0}^{n} x_i$",
    "| a | b |\n|---|---|\n",
    "C:\\dir\\file.txt",
    "!?" * 50,
    "=" * 80,
    "-" * 33,
    "a" * 300,
    "ab" * 150,
    " " * 300,
    "\n" * 150,
    "中" * 120,
    "ha" * 40 + "!",
    "Ω≈ç√∫˜µ≤≥÷",
    "“quotes” — dash…",
    "The quick brown fox jumps over the lazy dog.",
    "Lorem ipsum dolor sit amet, consectetur.",
    "ALL CAPS SENTENCE HERE",
    "CamelCaseABCdef",
)
_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789٣५½²Ⅱ",
    " \t\n\r\u00a0\u2003\u3000\u2028\x0b\x85",
    "'\u2019.,!?;:-_=+*/\\|<>(){}[]\"@#$%^&~`",
    "éàüñçøåßſİıǅΑΩжЖяשאبتनमไกขคあア漢字한글",
    "\u0301\u0308\u093e\u0e34\u200d\ufe0f\U0001f3fb",
    "😀👍🏽🇫🇷\U0001f468\u200d",
    "\x00\x1b\x7f\u0080\u00ad\ufffd\ue000",
)
_PIECES = ("'s", "'T", "'ll", "'LL", "'re", "<|endoftext|>", "<|fim_prefix|>", "  ", "\r\n", "\n\n\n")
_MIXED = 110
_WORDS = 64


def probe_texts(words: Sequence[str] = ()) -> pa.Array:
    """The probes: ``large_string``, the same in every process.

    Args:
        words: added tokens; texts with them, in words, between blanks and beside each other, are among the probes.

    Example:
        >>> 190 <= len(probe_texts()) <= 230
        True
    """
    return pa.array([*_CHOSEN, *_mixtures(), *_around(words)], pa.large_string())


def first_disagreement(candidate: Backend, reference: Backend, words: Sequence[str] = ()) -> str | None:
    """The first probe that the two encode differently, or None; arguments as for `probe_texts`."""
    texts = probe_texts(words)
    got, expected = candidate(texts), reference(texts)
    if np.array_equal(got.offsets, expected.offsets) and np.array_equal(got.ids, expected.ids):
        return None
    for row in range(len(texts)):
        ours = got.ids[got.offsets[row] : got.offsets[row + 1]]
        theirs = expected.ids[expected.offsets[row] : expected.offsets[row + 1]]
        if not np.array_equal(ours, theirs):
            return str(texts[row])
    return ""


def _around(words: Sequence[str]) -> list[str]:
    dice = random.Random(7)  # noqa: S311  (a fixed sequence is wanted)
    tried = dice.sample(list(words), min(len(words), _WORDS))
    alone = [
        shape.format(word) for word in tried for shape in ("{}", "  {}  ", "x{}x", ".{}\n", "{0}{0}", "\t{0} {0}é")
    ]
    cased = [made for word in tried for made in (word.upper(), word.lower(), word.title(), word[:-1], word[1:])]
    pieces = [*tried, " ", "  ", "\n", "x", "É", "-", "7"]
    return alone + cased + ["".join(dice.choices(pieces, k=dice.randint(2, 12))) for _ in range(_MIXED if tried else 0)]


def _mixtures() -> list[str]:
    dice = random.Random(5)  # noqa: S311  (a fixed sequence is wanted)
    return ["".join(_piece(dice) for _ in range(dice.randint(2, 40))) for _ in range(_MIXED)]


def _piece(dice: random.Random) -> str:
    if dice.random() < 0.12:
        return dice.choice(_PIECES)
    return dice.choice(dice.choice(_ALPHABETS))
