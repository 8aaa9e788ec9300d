"""`normalize`: equal to ftfy on every input, idempotent, and each change named."""

import gzip
import html
import json
import random
import re
import unicodedata
from pathlib import Path

import ftfy
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ftfy import TextFixerConfig, chardata
from ftfy.badness import MOJIBAKE_CATEGORIES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.stages.contract import Rewriter
from curate.stages.normalize import CHANGES, Normalize, NormalizeSettings
from curate.text import ftfy_tables, mojibake
from curate.text.mojibake import fix_texts, fix_texts_with_ftfy
from curate.text.whitespace import ZERO_WIDTH, tidy

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "normalize.jsonl").read_text().splitlines()]
CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"

# What ftfy, NFC or the cleaning after them react to, whole or in halves.
FRAGMENTS = [
    *("&amp;", "&lt;", "&gt;", "&#233;", "&#x200b;", "&#8203;", "&#0;", "&EACUTE;", "&null;", "&am", "p;", "amp;", "&"),
    *("<", ">", "＜", "＆amp；", "\r\n", "\r", "\n", "\n\n\n\n", " \n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"),
    *("\x1b[31m", "\x1b", "[0m", "\x00", "\x07", "\x7f", "\x81", "\x9d", "\x1a", "\ufffd", "?", "\ufeff", "\u200b"),
    *("\u2060", "\u2062", "\xad", "\u200c", "\u200d", "\u200f", "\ufe0f", " ", "\t", "\xa0", "\u3000", "\u2003"),
    *("’", "“", "ﬁ", "ŉ", "Ǆ", "Ａ", "ｶ", "ﾞ", "￣", "e", "\u0301", "\u0323", "\u0327", "\u021f", "\u0338", "≠", "="),
    *("가", "각", "ᄀ", "ᅡ", "ᆨ", "\u093c", "न", "\u09c7", "\u09be", "\u0344", "\u0958", "א\u05bc", "\ufb2a"),
    *(
        "Ã©",
        "â€œ",
        "â€™",
        "Â ",
        "Ã ",
        "à²",
        "ð\x9f\x98\x8d",
        "Ð",
        "вЂ™",
        "Œ",
        "œ",
        "√",
        "°",
        "×²",
        "ГўВЂВ",
        "β€™",
        "ā€",
    ),
]
MOJIBAKE = sorted({char for chars in MOJIBAKE_CATEGORIES.values() for char in chars})
nasty = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(MOJIBAKE), st.sampled_from("abc XYZ.,19"), st.characters()),
    max_size=20,
).map(lambda pieces: "".join(pieces).encode("utf-8", "replace").decode())
fuzzed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def strings(texts):
    return pa.array(texts, pa.large_string())


def normalize(texts, **dials):
    stage = Normalize(NormalizeSettings(**dials))
    text, measures = stage.rewrite(pa.record_batch({"text": strings(texts)}))
    return text.to_pylist(), measures


def assert_same(texts):
    fast, reference = fix_texts(strings(texts)), fix_texts_with_ftfy(strings(texts))
    for text, ours, theirs in zip(texts, fast.texts.to_pylist(), reference.texts.to_pylist(), strict=True):
        assert ours == theirs == ftfy.fix_text(text), ascii(text)
    assert fast.steps.tolist() == reference.steps.tolist()
    return fast


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["label"])
def test_cases(case):
    for backend in ("fast", "ftfy"):
        texts, measures = normalize([case["text"]], backend=backend)
        assert texts == [case["expect"]]
        assert measures["changes"].to_pylist() == [case["changes"]]


@fuzzed
@given(st.lists(nasty, max_size=20))
def test_fast_path_equals_ftfy(texts):
    assert_same(texts)


def test_fast_path_equals_ftfy_on_real_text_read_in_the_wrong_encoding():
    rng = random.Random(20)
    sources = [html.unescape(case["expect"]) for case in CASES]
    sources += [
        "Der Übermut äußert sich – „so“ –",
        "Где же ключ?",
        "Ωμέγα και άλφα",
        "ภาษาไทย",
        "日本語、テスト",
        "żółć ęą",
    ]
    texts = []
    for _ in range(3000):
        text = rng.choice(sources)[: rng.randint(1, 40)]
        for _ in range(rng.randint(1, 2)):
            raw = text.encode()
            try:
                text = raw.decode(rng.choice(chardata.CHARMAP_ENCODINGS))
            except UnicodeDecodeError:
                text = raw.decode("latin-1")
        cut = rng.randrange(len(text) + 1)
        texts.append(text[:cut] + rng.choice(FRAGMENTS) + text[cut:] if rng.random() < 0.5 else text)
    fast = assert_same(texts)
    assert fast.steps.any()


def test_fast_path_equals_ftfy_on_combining_marks():
    rng = random.Random(21)
    bases = [c for c in map(chr, range(0x20000)) if unicodedata.decomposition(c) and not "가" <= c <= "힣"]
    marks = sorted({mark for base in bases for mark in unicodedata.normalize("NFD", base)[1:]})
    jamo = [*map(chr, range(0x1100, 0x1200)), "가", "각"]
    texts = []
    for _ in range(5000):
        base, pool = (rng.choice(bases), marks) if rng.random() < 0.8 else (rng.choice(jamo), jamo)
        texts.append(unicodedata.normalize("NFC", base) + "".join(rng.choices(pool, k=rng.randint(0, 4))))
    assert_same(texts)


def test_real_text_needs_little_of_ftfy():
    text = "Plain words – with dashes, naïve accents, ‘quotes’ — and … dots.\r\n" * 50
    fast = assert_same([text, text + "बांग्ला में লেখা হয়\n", "한국어 문장입니다.\n", "全角，标点。\n"])
    assert fast.handed_over == 0


def test_very_long_lines_are_segmented_like_ftfy_does():
    long = "x" * 999_998
    assert_same([long + "\r\n", long + "a&amp;b" + long + "<", "ok"])


def test_slices_and_empty_batches():
    texts = strings(["â€œ", "cafÃ©", "plain", "“q”", ""])
    fast = fix_texts(texts.slice(1, 3))
    assert fast.texts.to_pylist() == ["café", "plain", '"q"']
    assert tidy(texts.slice(2, 1), 2)[0].to_pylist() == ["plain"]
    for empty in ([], [""]):
        assert normalize(empty)[0] == empty


def test_clean_text_is_not_copied():
    texts = strings(["clean", "naïve\ntext"])
    text, _ = Normalize(NormalizeSettings()).rewrite(pa.record_batch({"text": texts}))
    assert text.buffers()[2].address == texts.buffers()[2].address


@fuzzed
@given(st.lists(nasty, max_size=12), st.integers(0, 3))
def test_idempotent_and_every_change_is_named(texts, max_blank_lines):
    once, measures = normalize(texts, max_blank_lines=max_blank_lines)
    changes = measures["changes"].to_pylist()
    assert [bool(names) for names in changes] == [a != b for a, b in zip(texts, once, strict=True)]
    assert measures["characters"].to_pylist() == list(map(len, once))
    assert measures["settled"].to_pylist() == [True] * len(texts)
    for text in once:
        assert text == text.strip()
        assert text == unicodedata.normalize("NFC", text)
        assert "\n" * (max_blank_lines + 2) not in text
        assert not ZERO_WIDTH & set(text)
        assert not [char for char in text if unicodedata.category(char) == "Cc" and char not in "\t\n"]
    twice, measures = normalize(once, max_blank_lines=max_blank_lines)
    assert twice == once
    assert measures["changes"].to_pylist() == [[]] * len(texts)


@fuzzed
@given(st.lists(nasty, max_size=8))
def test_backends_agree_and_documents_do_not_depend_on_their_batch(texts):
    together, measures = normalize(texts)
    reference, expected = normalize(texts, backend="ftfy")
    assert together == reference
    assert measures.equals(expected)
    for row, text in enumerate(texts):
        alone, measured = normalize([text])
        assert alone == [together[row]]
        assert measured.equals(measures.slice(row, 1))


def tidy_by_regex(text, max_blank_lines):
    text = re.sub(r"\f(?=\n|\Z)", "", text)
    text = re.sub(r"[\x00-\x08\x0b\x0d-\x1f\x7f-\x9f]|[" + "".join(ZERO_WIDTH) + "]", "", text)
    text = re.sub(r"\f+", "\n", re.sub(r"(?m)^\f+", "", text))
    text = "\n".join(line if line.strip() else "" for line in text.split("\n")).strip()
    return re.sub(f"\n{{{max_blank_lines + 2},}}", "\n" * (max_blank_lines + 1), text)


@fuzzed
@given(st.lists(nasty, max_size=20), st.integers(0, 3))
def test_tidy_equals_regular_expressions(texts, max_blank_lines):
    tidied, done = tidy(strings(texts), max_blank_lines)
    assert tidied.to_pylist() == [tidy_by_regex(text, max_blank_lines) for text in texts]
    assert (done > 0).tolist() == [a != b for a, b in zip(texts, tidied.to_pylist(), strict=True)]


def test_text_that_does_not_settle_is_left_as_it_came():
    endless = "&#8203;"
    for _ in range(40):
        endless = f"&#82{endless}03;"
    texts, measures = normalize([endless, "“fine”"])
    assert texts == [endless, '"fine"']
    assert measures["changes"].to_pylist() == [[], ["curly_quotes"]]
    reasons = Normalize(NormalizeSettings()).judge(measures)
    assert reasons.to_pylist() == [["unsettled"], []]


def test_stage_keeps_its_contract():
    stage = Normalize(NormalizeSettings())
    assert isinstance(stage, Rewriter)
    batch = pa.record_batch({"text": strings(["", "\u200b", "text"])})
    measures = stage.measure(batch)
    assert dict(zip(measures.schema.names, measures.schema.types, strict=True)) == stage.adds
    assert stage.judge(measures).to_pylist() == [["empty_after_cleaning"], ["empty_after_cleaning"], []]
    assert len({change.code for change in CHANGES}) == len(CHANGES)


def test_settings_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"`normalize\.max_blank_lines` must be 0 or more, but is -1"):
        NormalizeSettings(max_blank_lines=-1)
    with pytest.raises(ValueError, match=r"`normalize\.backend` must be `fast` or `ftfy`, but is `slow`"):
        NormalizeSettings(backend="slow")


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (ftfy, "TextFixerConfig", lambda: TextFixerConfig(uncurl_quotes=False)),
        (chardata, "HTML_ENTITY_RE", re.compile("&[a-z]+;?")),
        (chardata, "C1_CONTROL_RE", re.compile(r"[\x80-\xff]")),
        (ftfy.badness, "BADNESS_RE", re.compile("(?:ab)+c")),
        (ftfy.badness, "BADNESS_RE", re.compile("é(?=ü)")),
        (ftfy.badness, "BADNESS_RE", re.compile("éü", re.IGNORECASE)),
    ],
)
def test_another_ftfy_turns_the_fast_path_off(monkeypatch, owner, name, value):
    monkeypatch.setattr(owner, name, value)
    with pytest.raises(ftfy_tables.UnknownFtfyError):
        ftfy_tables._build()


def test_without_tables_ftfy_does_it_all(monkeypatch):
    def unknown():
        raise ftfy_tables.UnknownFtfyError("it is new")

    monkeypatch.setattr(ftfy_tables, "derived", lambda *_: unknown())
    monkeypatch.setattr(mojibake, "ftfy_tables", ftfy_tables._load.__wrapped__)
    with pytest.warns(RuntimeWarning, match="without its fast path: it is new"):
        fixed = fix_texts(strings(["cafÃ©", "plain"]))
    assert fixed.texts.to_pylist() == ["café", "plain"]


@pytest.mark.skipif(not CORPORA.exists(), reason="needs the shared corpora")
@pytest.mark.parametrize(
    "file",
    [
        "dirty/ftfy_cases.jsonl.gz",
        "dirty/mojibake_natural.jsonl.gz",
        pytest.param("dirty/control_invisible.jsonl.gz", marks=pytest.mark.slow),
        "quality/sms_spam.jsonl.gz",
        pytest.param("quality/onestop.jsonl.gz", marks=pytest.mark.slow),
        pytest.param("langid/lingua_sentences.parquet", marks=pytest.mark.slow),
        pytest.param("langid/tldr.parquet", marks=pytest.mark.slow),
        pytest.param("prose/eltec_chapters.parquet", marks=pytest.mark.slow),
        pytest.param("neardup_truth/docs.parquet", marks=pytest.mark.slow),
    ],
)
def test_real_corpora(file):
    if file.endswith(".parquet"):
        texts = pq.read_table(CORPORA / file, columns=["text"])["text"].to_pylist()
    else:
        with gzip.open(CORPORA / file, "rt") as lines:
            texts = [json.loads(line)["text"] for line in lines]
    some = random.Random(3).sample(texts, len(texts))
    kept = np.cumsum([len(text) for text in some]) < 4_000_000
    some = [text for text, keep in zip(some, kept, strict=True) if keep]
    assert_same(some)
    once, measures = normalize(some)
    assert all(measures["settled"].to_pylist())
    twice, measures = normalize(once)
    assert twice == once
    assert not any(measures["changes"].to_pylist())
