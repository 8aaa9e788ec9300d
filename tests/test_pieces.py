"""A long text cut in pieces has the ids of the whole, wherever it is cut."""

import random
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Regex, normalizers, pre_tokenizers

import tokenizer_maker as maker
from curate.models.tokenizers import load_tokenizer, pieces
from curate.models.tokenizers.hugging_face.json_steps import _LIKE_CL100K
from curate.models.tokenizers.pieces import Piecewise
from thorough import settings

FRAGMENTS = [
    *(
        "a",
        "b",
        "Z",
        "é",
        "中",
        "文",
        "あ",
        "ʰ",
        "ǅ",
        "α",
        "1",
        "٣",
        "½",
        ".",
        "!",
        "=",
        "/",
        "'",
        "-",
        "€",
        "\u0301",
        "🙂",
    ),
    *(" ", "\n", "\r", "\t", "\u00a0", "\u3000", "\u2028", "\x1c", "\x85", "\x00", "\u0378", "ab", "the", "'s", "LL"),
]
run = st.tuples(st.sampled_from(FRAGMENTS), st.integers(1, 90)).map(lambda pair: pair[0] * pair[1])
mixed = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join)
of_a_kind = st.sampled_from(["abcdefgh", "ABCDEFGH", "中文字日本", "0123456789", "!?.,=-+'", "αβγδ"]).flatmap(
    lambda letters: st.text(st.sampled_from(list(letters)), min_size=40, max_size=160)
)
text = st.lists(run | mixed | of_a_kind, max_size=7).map("".join)


@contextmanager
def small_pieces():
    """Pieces that random texts are long enough for."""
    sizes = {"LONG": 24, "SEGMENT": 300, "PIECE": 24, "MARGIN": 4, "MOST_BLANKS": 40, "_GLANCE": 4, "_WINDOW": 64}
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items():
            patch.setattr(pieces, name, size)
        yield


def _split(pattern):
    steps = [
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return pre_tokenizers.Sequence(steps)


PATTERNS = ("cl100k_base", "o200k_base", "r50k_base")
JSON = {
    "gpt2": lambda: maker.byte_level(size=290),
    "llama3": lambda: maker.byte_level(splitter=_split(_LIKE_CL100K), size=290),
    "qwen": lambda: maker.byte_level(
        splitter=_split(_LIKE_CL100K.replace("{1,3}", "")), normalizer=normalizers.NFC(), size=290
    ),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Pairs of a backend that cuts and the reference, by name."""
    found = {}
    ranks = tmp_path_factory.mktemp("ranks") / "ranks.tiktoken"
    content = load_tokenizer("cl100k_base").vocabulary._content
    ranks.write_bytes(b"".join(content.splitlines(keepends=True)[:4000]))
    for name in PATTERNS:
        vocabulary = load_tokenizer(str(ranks), pattern=name).vocabulary
        found[name] = vocabulary.open("fastokens"), vocabulary.open("tiktoken")
    for name, make in JSON.items():
        path = maker.saved(make(), tmp_path_factory.mktemp(name))
        vocabulary = load_tokenizer(str(path)).vocabulary
        found[name] = vocabulary._fastokens(), vocabulary._reference
    assert all(isinstance(cutting, Piecewise) for cutting, _ in found.values())
    return found


def large(texts):
    return pa.array(texts, pa.large_string())


@pytest.mark.parametrize("name", [*PATTERNS, *JSON])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(text, min_size=1, max_size=3))
@example(
    texts=[
        "!" + "\n" * 90 + "   \nx",
        "." + "\n" * 70 + "/ab",
        "中" * 60 + "ABC" * 30 + "abc",
        "x" + "中" * 60 + "ABab",
    ]
)
@example(
    texts=["\u0301" * 60 + "e", "ǅ" * 50 + "a", " " * 99 + "\n" + " " * 99 + "x", "'" * 60 + "s", "a" * 60 + "'s" * 30]
)
def test_pieces_have_the_ids_of_the_whole(name, opened, texts):
    cutting, reference = opened[name]
    with small_pieces():
        got = cutting(large(texts))
    expected = reference(large(texts))
    assert got.offsets.tolist() == expected.offsets.tolist()
    assert got.ids.tolist() == expected.ids.tolist()


@pytest.mark.parametrize("name", [*PATTERNS, *JSON])
def test_real_sizes_have_the_ids_of_the_whole(name, opened):
    dice = random.Random(4)
    letters = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=40_000))
    long = [
        "word " + letters + " and 中" + "=" * 33_000 + "\n",
        "x" * 40_000,
        letters.upper() + "'s",
        "short",
        " " * 30_000,
    ]
    cutting, reference = opened[name]
    assert cutting(large(long)).ids.tolist() == reference(large(long)).ids.tolist()


def test_long_words_are_cut(opened):
    cutting, _ = opened["cl100k_base"]
    seen = []

    def counting(texts):
        seen.extend(map(len, texts.to_pylist()))
        return cutting._backend(texts)

    cut = Piecewise(counting, cutting._lengths, pieces.Splitting())
    for letters in ("a" * 200_000, "\n" * 200_000, "!?" * 100_000, "中文" * 100_000, "word\nword " * 700_000):
        seen.clear()
        ids = cut(large([letters])).ids
        assert np.array_equal(ids, cutting._backend(large([letters])).ids)
        assert len(seen) > 1
        assert max(seen) < len(letters) * 0.7
