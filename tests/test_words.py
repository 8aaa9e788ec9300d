"""Words as spaCy cuts them: the kernel against its reference, and against what spaCy made of real text."""

from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import reference_words
from curate.text.core.patterns import BOUNDARY, INFIX, SUFFIX, WHOLE, compiled
from curate.text.quality.bitmaps import splits_for
from curate.text.quality.words.segments import BEGIN, LAST, segment_rules, word_segments
from curate.text.quality.words.word_cuts import word_cuts
from curate.text.quality.words.word_rules import word_rules
from thorough import settings

LANGUAGES = sorted(word_rules()[1])

# What rules look at: marks, digits with units and money, contractions, links, emoticons, letters of many scripts.
PIECES = [
    *"-–—'’\"“”.,:;!?()[]{}<>/\\|#*&%$€+=@_~^…•°²",
    *("...", "--", "''", "``", " ", "  ", "\n", "\t", "\u3000", "\xa0", "\u0301"),
    *(
        "a",
        "B",
        "word",
        "Word",
        "WORD",
        "x",
        "I",
        "d",
        "é",
        "ß",
        "я",
        "Ж",
        "λ",
        "שלום",
        "سلام",
        "語",
        "の",
        "ไทย",
        "ա",
        "ა",
        "ツ",
        "😀",
        "🪐",
    ),
    *("1", "10", "3.5", "km", "kg", "GB", "am", "%", "US$", "10km", "$5", "5€", "100°C."),
    *("don't", "cannot", "I'm", "it's", "e.g.", "U.S.", "Mr.", "a.", "o'clock", "we'd've", "dont", "id", "Ill"),
    *("http://a.bc/d", "www.example.org", "a.b@c.de", "192.168.0.1:80/x", "8.8.8.8/y", "lower.Upper"),
    *(":)", ":-(", "8)", "^_^", "<3", "C++", "</3"),
    *("l'", "d’", "aujourd'hui", "est-ce", "-t-il", "anti-", "z.B.", "-le", "a-", "qu'est-ce", "--help", "-1"),
]


def cut(texts, language):
    encoded = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    offsets = np.cumsum([0, *map(len, encoded)])
    splits = word_cuts("spacy", data, offsets, [language] * len(texts)).splits
    found = []
    for text, begin in zip(encoded, offsets, strict=False):
        begins = [*(i for i in range(len(text)) if splits[begin + i]), len(text)]
        parts = [text[a:b].decode() for a, b in pairwise(begins)]
        found.append([part.rstrip() for part in parts])
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text(max_size=12)), max_size=3),
    st.sampled_from(LANGUAGES),
)
def test_words_equal_the_reference(texts, language):
    assert cut(texts, language) == [reference_words.cut(text, language) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, they'd've said.", "Do n't stop , they 'd 've said ."),
        ("the dog's 10km (e.g. $5.00)", "the dog 's 10 km ( e.g. $ 5.00 )"),
        ("re-do a/b, foo.Bar and 5-10…", "re - do a / b , foo . Bar and 5 - 10 …"),
        ("see http://example.org/a-b. :)", "see http://example.org/a-b . :)"),
        ("'Cause it's 3pm in the U.S.A.", "'Cause it 's 3 pm in the U.S.A."),
    ],
)
def test_english_words(text, words):
    assert cut([text], "en") == [words.split()]


def test_languages_have_their_own_rules():
    text = "l'été peut-être États-Unis"
    assert cut([text], "fr") == [["l'", "été", "peut-être", "États", "-", "Unis"]]
    assert cut([text], "de") == [["l'été", "peut-être", "États-Unis"]]
    assert cut(["語の本"], "ja") == [["語", "の", "本"]]
    assert cut(["語の本"], "en") == cut(["語の本"], "qq") == [["語の本"]]


@pytest.mark.parametrize("sign", ["(", ")", "'", ".", "-", "a-", "1+", ":)", "$"])
def test_long_chunks_take_time_in_proportion(sign):
    """Would take minutes if affixes were looked for in all that is left, again and again."""
    assert len(cut([sign * 100_000], "en")[0]) >= 1


def test_patterns():
    keys = [(SUFFIX, ("(?<=[0-9])km|m",)), (INFIX, ("(?<=a)-+(?=b)", "(?<!a)=")), (WHOLE, ("(?i)x{digit}*",))]
    automata, starts = compiled(keys, {"digit": "0-9"})

    def reads(key, text):
        state = starts[key]
        for character in text:
            state = automata.steps[state, automata.classes[BOUNDARY if character == "|" else ord(character)]]
        return bool(automata.accepts[state])

    good = [(0, "mk1|"), (1, "|a--b"), (1, "|b=b"), (2, "X12|"), (2, "x|")]
    bad = [(0, "mka"), (1, "|a--a"), (1, "|a=b"), (2, "X12a"), (2, "|")]
    assert [reads(keys[key], text) for key, text in good + bad] == [True] * len(good) + [False] * len(bad)


@pytest.mark.parametrize("pattern", ["(a", "a{none}", "[a", "a(?=b)c", "\\"])
def test_no_pattern(pattern):
    with pytest.raises((ValueError, KeyError)):
        compiled([(WHOLE, (pattern,))], {})


def segments(text):
    data = np.frombuffer(text.encode(), np.uint8)
    splits = splits_for(len(data))
    word_segments(data, np.array([0, len(data)]), segment_rules(), splits)
    begins, lasts = np.flatnonzero(splits & BEGIN), np.flatnonzero(splits & LAST)
    return [bytes(data[a : b + 1]).decode() for a, b in zip(begins, lasts, strict=True)]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from([*PIECES, "_", "x_y", "3,5", "ア", "カ", "·"]), max_size=14).map("".join), st.text()
    )
)
def test_segments_are_those_of_unicode(text):
    assert segments(text) == [word for word in regex.split(r"(?wV1)\b", text) if word and word[0].isalnum()]
