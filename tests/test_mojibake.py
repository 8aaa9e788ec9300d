"""The fast path equals ftfy whatever it is told, on any text; no text keeps it busy for ever."""

import html
import itertools
import json
import random
import re
import unicodedata
from pathlib import Path

import ftfy
import numpy as np
import pyarrow as pa
import pytest
from ftfy import TextFixerConfig, chardata
from hypothesis import given
from hypothesis import strategies as st

from curate.text.repair import ftfy_steps, ftfy_tables
from curate.text.repair.doubtful_mojibake import Surroundings, is_damage
from curate.text.repair.ftfy_scan import segments
from curate.text.repair.ftfy_steps import MAX_STEPS, Step, fix_segment, normalized
from curate.text.repair.mojibake import fix_texts, fix_texts_with_ftfy
from hostile_fragments import FRAGMENTS, fuzzed, nasty

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "normalize.jsonl").read_text().splitlines()]
FTFY = TextFixerConfig()

SWITCHES = set(TextFixerConfig._fields[1:13]) - {"fix_surrogates"}
told = st.fixed_dictionaries(
    {
        "unescape_html": st.sampled_from(["auto", True, False]),
        "normalization": st.sampled_from(["NFC", "NFKC", None]),
        **dict.fromkeys(SWITCHES, st.booleans()),
    }
).map(lambda settings: TextFixerConfig(**settings))


def strings(texts):
    return pa.array(texts, pa.large_string())


def assert_same(texts, config=FTFY, modes=(False,)):
    for careful in modes:
        fast, reference = (fix(strings(texts), config, careful=careful) for fix in (fix_texts, fix_texts_with_ftfy))
        for text, ours, theirs in zip(texts, fast.texts.to_pylist(), reference.texts.to_pylist(), strict=True):
            assert ours == theirs, ascii(text)
            assert careful or theirs == ftfy.fix_text(text, config), ascii(text)
        assert fast.steps.tolist() == reference.steps.tolist()
        assert fast.settled.tolist() == reference.settled.tolist()
    return fast


@fuzzed
@given(st.lists(nasty, max_size=20), told)
def test_fast_path_equals_ftfy_whatever_it_is_told(texts, config):
    fast = assert_same(texts, config, modes=(True, False))
    assert (fast.steps > 0).tolist() == [a != b for a, b in zip(texts, fast.texts.to_pylist(), strict=True)]
    assert not (fast.steps * fast.at_rest).any()


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
    for _ in range(1500):
        text = rng.choice(sources)[: rng.randint(1, 40)]
        for _ in range(rng.randint(1, 2)):
            raw = text.encode()
            try:
                text = raw.decode(rng.choice(chardata.CHARMAP_ENCODINGS))
            except UnicodeDecodeError:
                text = raw.decode("latin-1")
        cut = rng.randrange(len(text) + 1)
        texts.append(text[:cut] + rng.choice(FRAGMENTS) + text[cut:] if rng.random() < 0.5 else text)
    assert assert_same(texts).steps.any()


def test_fast_path_equals_ftfy_on_windows_1252_read_as_latin_1():
    rng = random.Random(22)
    french = "L’été, d’où qu’il vienne – « déjà vu » – coûte 5 € à Ã Â…œ? ".encode("cp1252", "replace")
    cuts = sorted(rng.sample(range(3000), 600))
    text = (french * 60)[:3000].decode("latin-1")
    assert_same([text[a:b] for a, b in itertools.pairwise(cuts)])


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_fast_path_equals_ftfy_on_combining_marks(form):
    rng = random.Random(21)
    bases = [c for c in map(chr, range(0x20000)) if unicodedata.decomposition(c) and not "가" <= c <= "힣"]
    marks = sorted({mark for base in bases for mark in unicodedata.normalize("NFD", base)[1:]})
    jamo = [*map(chr, range(0x1100, 0x1200)), "가", "각"]
    texts = []
    for _ in range(2000):
        base, pool = (rng.choice(bases), marks) if rng.random() < 0.8 else (rng.choice(jamo), jamo)
        texts.append(unicodedata.normalize("NFC", base) + "".join(rng.choices(pool, k=rng.randint(0, 4))))
    assert_same(texts, FTFY._replace(normalization=form))


@fuzzed
@given(st.text(st.sampled_from("e\u0301\u0327\u0f73\u0f71\u0344\u1161"), min_size=1), st.integers(1, 60))
def test_long_runs_of_marks_are_normalized_as_by_python(marks, times):
    for form in ("NFC", "NFD", "NFKC"):
        assert normalized(form, marks * times) == unicodedata.normalize(form, marks * times)


def test_real_text_needs_little_of_ftfy():
    text = "Plain words – with dashes, naïve accents, ‘quotes’ — and … dots.\r\n" * 50
    fast = assert_same([text, text + "বাংলা ম\u09df লেখা হয়\n", "한국어 문장입니다.\n", "全角，标点。\n"])
    assert fast.handed_over == 0


def test_very_long_lines_are_cut_where_no_word_ends():
    fragment = "voilÃ  l’Ã©tÃ© &amp; e\u0301 \x92 "
    for line in (fragment * 1500, "x" * 50_000 + "&lt;", "漢" * 20_000 + "é", "é" * 30_000):
        pieces = list(segments(line))
        assert "".join(pieces) == line
        assert max(len(piece.encode()) for piece in pieces) < 30_000
        assert all(piece.endswith(" ") for piece in pieces[:-1]) or " " not in line
        fast, reference = (fix(strings([line]), FTFY) for fix in (fix_texts, fix_texts_with_ftfy))
        assert fast.texts.equals(reference.texts)


def test_marks_stay_with_their_letter():
    line = "e" + "\u0301\u0327" * 20_000
    assert list(segments(line)) == [line]
    fixed = fix_texts(strings([line]), FTFY)
    assert unicodedata.is_normalized("NFC", fixed.texts[0].as_py())


def test_slices():
    texts = strings(["â€œ", "cafÃ©", "plain", "“q”", ""])
    assert fix_texts(texts.slice(1, 3), FTFY).texts.to_pylist() == ["café", "plain", '"q"']


@pytest.mark.parametrize(
    "text",
    ["&" + "amp;" * 5000, "Ã" + "ƒ" * 5000, "\x1b[" * 2000 + "0m" * 2000],
    ids=["entities", "mojibake", "escapes"],
)
def test_what_would_keep_ftfy_busy_is_given_up(text, monkeypatch):
    turns = []
    once = ftfy_steps._once
    monkeypatch.setattr(ftfy_steps, "_once", lambda *given: turns.append(1) or once(*given))
    fixed = fix_texts(strings([text, "fine"]), FTFY._replace(remove_control_chars=False))
    assert fixed.texts.to_pylist() == [text, "fine"]
    assert fixed.settled.tolist() == [False, True]
    assert fixed.steps.tolist() == [0, 0]
    assert len(turns) <= MAX_STEPS + 1


def test_steps_are_as_many_as_it_takes_for_layers_of_mojibake():
    text = "n’ÿ é"
    for _ in range(5):
        text = text.encode().decode("latin-1")
    assert fix_segment(text, FTFY) == ("n'ÿ é", Step.ENCODING | Step.QUOTES, True)


@pytest.mark.parametrize(
    ("line", "document", "damage"),
    [
        ("un cafÃ©", "un cafÃ©", True),
        ('he said "cafÃ©"', 'he said "cafÃ©"', True),  # one sign
        ('he said "cafÃ©"', 'he said "cafÃ©", not "café"', False),  # two
        ('read as Latin-1: "cafÃ©"', 'read as Latin-1: "cafÃ©"', False),
        ("cafÃ©", "In ISO-8859-1 café becomes\ncafÃ©", False),
        ("on va au cafÃ©", "charset=UTF-8\non va au cafÃ©", True),
        ("on va au café ou au cafÃ©", "on va au café ou au cafÃ©", True),  # two pages in one
        ("ÖÐ¹úµç×ÓÑ§»á", "", False),  # Chinese
        ("Le barÃ¨me forfaitaire de l’Ã©valuation", "", True),
    ],
)
def test_mojibake_that_is_meant(line, document, damage):
    assert is_damage(line, FTFY, Surroundings(document)) is damage


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (ftfy_tables.TextFixerConfig, "_fields", (*TextFixerConfig._fields, "fix_everything")),
        (chardata, "HTML_ENTITY_RE", re.compile("&[a-z]+;?")),
        (chardata, "C1_CONTROL_RE", re.compile(r"[\x80-\xff]")),
        (ftfy.badness, "BADNESS_RE", re.compile("(?:ab)+c")),
        (ftfy.badness, "BADNESS_RE", re.compile("é(?=ü)")),
        (ftfy.badness, "BADNESS_RE", re.compile("éü", re.IGNORECASE)),
        (ftfy_steps, "_FIXERS", ftfy_steps._FIXERS[::-1]),
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
    monkeypatch.setattr(ftfy_tables, "_basis", ftfy_tables._basis.__wrapped__)
    with pytest.warns(RuntimeWarning, match="without its fast path: it is new"):
        fixed = fix_texts(strings(["cafÃ©", "plain"]), FTFY)
    assert fixed.texts.to_pylist() == ["café", "plain"]
    assert np.array_equal(fixed.settled, [True, True])
