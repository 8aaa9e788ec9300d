"""`normalize`: what is damaged is repaired, what was meant stays, and each change is named."""

import gzip
import json
import random
import unicodedata
from pathlib import Path

import ftfy
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ftfy import TextFixerConfig
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.planning.lint import load_recipe
from curate.recipes import recipe_names
from curate.stages.contract import Rewriter
from curate.stages.normalize import CHANGES, Normalize, NormalizeSettings
from curate.text.repair import mojibake
from curate.text.repair.whitespace import CONTROLS, ZERO_WIDTH
from hostile_fragments import fuzzed, nasty
from thorough import settings

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "normalize.jsonl").read_text().splitlines()]
CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"

LEAVE = {
    "mojibake": "keep", "c1_controls": False, "html_entities": "keep", "terminal_escapes": "keep", "line_ends": "keep",
    "control_characters": "keep", "zero_width": "keep", "unicode_form": "keep", "max_blank_lines": False,
}  # fmt: skip
DATATROVE = TextFixerConfig(  # datatrove 0.10.1, FTFYFormatter; NeMo Curator 1.4.0, UnicodeReformatter
    unescape_html="auto",
    remove_terminal_escapes=True,
    fix_encoding=True,
    restore_byte_a0=True,
    replace_lossy_sequences=True,
    decode_inconsistent_utf8=True,
    fix_c1_controls=True,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=True,
    remove_control_chars=True,
    normalization=None,
)
dials = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([True, False])
        if kind is bool
        else st.integers(0, 3) | st.just(False)
        if name == "max_blank_lines"
        else st.just(8_000_000)
        if kind is int
        else st.sampled_from([choice for choice in kind.__args__ if name != "backend"] or ["fast"])
        for name, kind in NormalizeSettings.__annotations__.items()
    },
)


def strings(texts):
    return pa.array(texts, pa.large_string())


def normalize(texts, **dials):
    stage = Normalize(NormalizeSettings(**dials))
    text, measures = stage.rewrite(pa.record_batch({"text": strings(texts)}))
    return text.to_pylist(), measures


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["label"])
def test_cases(case):
    for backend in ("fast", "ftfy"):
        texts, measures = normalize([case["text"]], backend=backend)
        assert texts == [case["expect"]]
        assert measures["changes"].to_pylist() == [case["changes"]]


@pytest.mark.parametrize(
    ("setting", "text", "expected", "change"),
    [
        ({"mojibake": "ftfy"}, 'In UTF-8 "é" is "Ã©".', 'In UTF-8 "é" is "é".', "mojibake"),
        ({"mojibake": "keep"}, "cafÃ©", "cafÃ©", None),
        ({"mojibake_spaces": False}, "cafÃ©, Å ", "café, Å ", "mojibake"),
        ({"mojibake_losses": False, "mojibake": "ftfy"}, "â€œlossyâ€�", "“lossyâ€�", "mojibake"),
        ({"mojibake_pieces": False}, "l’Ã©tÃ©", "l’Ã©tÃ©", None),
        ({"c1_controls": False, "mojibake": "keep"}, "a\x92b", "a b", "control_characters"),
        ({"c1_controls": False, "mojibake": "keep"}, "a\x85b\x81\n.", "a\nb\n.", "control_characters"),
        ({"html_entities": "ftfy"}, "write &amp;amp; in &lt;b&gt;", "write & in <b>", "html_entities"),
        ({"html_entities": "always"}, "<p>Tom &amp;amp; Jerry</p>", "<p>Tom & Jerry</p>", "html_entities"),
        ({"html_entities": "keep"}, "Tom &amp; Jerry", "Tom &amp; Jerry", None),
        ({"terminal_escapes": "keep", "control_characters": "keep"}, "\x1b[31mred", "\x1b[31mred", None),
        ({"ligatures": "spell_out"}, "ﬂuﬃest ŉ", "fluffiest ʼn", "ligatures"),
        ({"character_width": "usual"}, "ＬＯＵＤ　Ｕﾀｰﾝ！", "LOUD Uターン!", "full_width"),
        ({"curly_quotes": "straighten"}, "“It’s”", '"It\'s"', "curly_quotes"),
        ({"line_ends": "keep"}, "one\r\ntwo\u2028three", "one\r\ntwo\u2028three", None),
        ({"control_characters": "remove"}, "a\x01b\ufffcc", "abc", "control_characters"),
        ({"control_characters": "keep"}, "a\x01b\fc", "a\x01b\fc", None),
        ({"zero_width": "keep"}, "a\u200bb", "a\u200bb", None),
        ({"soft_hyphens": "remove"}, "hy\xadphen", "hyphen", "soft_hyphens"),
        ({"unicode_form": "NFKC"}, "10³ ﬁ e\u0301", "103 fi é", "unicode_form"),
        ({"unicode_form": "keep"}, "e\u0301", "e\u0301", None),
        ({"max_blank_lines": 0}, "a\n\n\nb", "a\nb", "blank_lines"),
        ({"max_blank_lines": False}, "\n\na\n\n\n\n\nb\n", "\n\na\n\n\n\n\nb\n", None),
    ],
)
def test_every_setting(setting, text, expected, change):
    texts, measures = normalize([text], **setting)
    assert texts == [expected]
    assert measures["changes"].to_pylist() == [[change] if change else []]


@fuzzed
@given(st.lists(nasty, max_size=20))
def test_nothing_is_changed_when_everything_is_kept(texts):
    assert normalize(texts, **LEAVE)[0] == texts


@fuzzed
@given(st.lists(nasty, max_size=12), st.integers(0, 3))
def test_idempotent_and_every_change_is_named(texts, max_blank_lines):
    once, measures = normalize(texts, max_blank_lines=max_blank_lines)
    changes = measures["changes"].to_pylist()
    assert [bool(names) for names in changes] == [a != b for a, b in zip(texts, once, strict=True)]
    assert measures["characters"].to_pylist() == list(map(len, once))
    assert measures["settled"].to_pylist() == [True] * len(texts)
    for text in once:
        assert not text or (text.split("\n")[0].strip() and text.split("\n")[-1].strip())
        assert text == unicodedata.normalize("NFC", text)
        assert "\n" * (max_blank_lines + 2) not in text
        assert not (CONTROLS | {"\r"} | ZERO_WIDTH - {"\u200b"}) & set(text)
    twice, measures = normalize(once, max_blank_lines=max_blank_lines)
    assert twice == once
    assert measures["changes"].to_pylist() == [[]] * len(texts)


@fuzzed
@given(st.lists(nasty, max_size=8), dials)
def test_backends_agree_and_documents_do_not_depend_on_their_batch(texts, dials):
    together, measures = normalize(texts, **dials)
    reference, expected = normalize(texts, **dials | {"backend": "ftfy"})
    assert together == reference
    assert measures.equals(expected)
    for row, text in enumerate(texts):
        alone, measured = normalize([text], **dials)
        assert alone == [together[row]]
        assert measured.equals(measures.slice(row, 1))


@settings(fuzzed, max_examples=40)
@given(st.lists(nasty, max_size=8))
def test_recipes_with_ftfy_do_what_their_originals_do(texts):
    ours = load_recipe("fineweb2").stage("normalize")
    assert ours.config == DATATROVE
    assert normalize(texts, **msgspec.structs.asdict(ours))[0] == [ftfy.fix_text(text, DATATROVE) for text in texts]


def test_recipes_repair_what_their_originals_repair():
    left = NormalizeSettings(**LEAVE)
    found = {name: load_recipe(name).stage("normalize") for name in recipe_names()}
    assert found["none"] == NormalizeSettings()
    assert found["nemotron"] == found["fineweb2"]
    lines = msgspec.structs.replace(left, line_ends="line_feed")
    assert [found[name] for name in ("c4", "c4-datatrove", "fineweb-code", "fineweb-paper")] == [lines] * 4
    blank = msgspec.structs.replace(left, max_blank_lines=1)
    assert [found[name] for name in ("refinedweb", "dclm", "olmo3")] == [blank] * 3
    assert [found[name] for name in ("gopher", "dolma", "redpajama2")] == [left] * 3


def test_clean_text_is_not_copied():
    texts = strings(["clean", "naïve\ntext", "他说：“你好！”", "  indented"])
    text, _ = Normalize(NormalizeSettings()).rewrite(pa.record_batch({"text": texts}))
    assert text.buffers()[2].address == texts.buffers()[2].address


def test_text_that_does_not_settle_is_left_as_it_came():
    deep = "&" + "amp;" * 100
    texts, measures = normalize([deep, "“fine”"], html_entities="ftfy", curly_quotes="straighten")
    assert texts == [deep, '"fine"']
    assert measures["changes"].to_pylist() == [[], ["curly_quotes"]]
    assert Normalize(NormalizeSettings()).judge(measures).to_pylist() == [["unsettled"], []]
    endless = "&#8203;"
    for _ in range(40):
        endless = f"&#82{endless}03;"
    texts, measures = normalize([endless], html_entities="ftfy")
    assert texts == [endless]
    assert measures["settled"].to_pylist() == [False]


def test_stage_keeps_its_contract():
    stage = Normalize(NormalizeSettings())
    assert isinstance(stage, Rewriter)
    batch = pa.record_batch({"text": strings(["", "\u200b", "text"])})
    measures = stage.measure(batch)
    assert dict(zip(measures.schema.names, measures.schema.types, strict=True)) == stage.adds
    assert stage.judge(measures).to_pylist() == [["empty_after_cleaning"], ["empty_after_cleaning"], []]
    assert len({change.code for change in CHANGES}) == len(CHANGES)
    for empty in ([], [""]):
        assert normalize(empty)[0] == empty


def test_settings_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"`normalize\.max_blank_lines` must be 0 or more, or `false`.*, but is -1"):
        NormalizeSettings(max_blank_lines=-1)
    with pytest.raises(ValueError, match=r"`normalize\.max_blank_lines` must be 0 or more, or `false`.*, but is true"):
        NormalizeSettings(max_blank_lines=True)
    with pytest.raises(ValueError, match=r"`normalize\.unicode_form` must be `NFC`, `NFKC` or `keep`, but is `NFD`"):
        NormalizeSettings(unicode_form="NFD")


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
    kept = np.cumsum([len(text) for text in some]) < 2_000_000
    some = [text for text, keep in zip(some, kept, strict=True) if keep]
    once, measures = normalize(some)
    assert normalize(some, backend="ftfy")[0] == once
    assert all(measures["settled"].to_pylist())
    twice, measures = normalize(once)
    assert twice == once
    assert not any(measures["changes"].to_pylist())
    straight = {"mojibake": "ftfy", "html_entities": "ftfy", "curly_quotes": "straighten", "character_width": "usual"}
    assert normalize(some, **straight)[0] == normalize(some, **straight, backend="ftfy")[0]


DAMAGED = "".join(f"cafÃ© numÃ©ro {at} \u201a\x92 \x1b[3{at % 8}m\n" for at in range(60))


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.integers(0, 60).map(lambda lines: "plain text\n" + "".join(DAMAGED.splitlines(True)[:lines]))),
    budget=st.integers(1, 4000),
    backend=st.sampled_from(["fast", "ftfy"]),
)
def test_no_more_goes_to_ftfy_than_the_budget_of_a_document(texts, budget, backend):
    stage = Normalize(NormalizeSettings(max_looked_at=budget, backend=backend))
    unbounded, bounded = (
        Normalize(NormalizeSettings(max_looked_at=most)).rewrite(pa.record_batch({"text": strings(texts)}))
        for most in (10**12, budget)
    )
    text, measures = stage.rewrite(pa.record_batch({"text": strings(texts)}))
    assert (text.to_pylist(), measures.to_pylist()) == (bounded[0].to_pylist(), bounded[1].to_pylist())
    reasons = stage.judge(measures).to_pylist()
    for before, after, looks, clean, said in zip(
        texts, text.to_pylist(), measures["looked_at"].to_pylist(), unbounded[0].to_pylist(), reasons, strict=True
    ):
        assert (said == ["too_much_to_look_at"]) == (looks > budget)
        assert after == (before if looks > budget else clean)


def test_ftfy_is_not_asked_about_a_document_beyond_its_budget(monkeypatch):
    asked = []
    fix = mojibake.fix_segment

    def heard(text, config):
        asked.append(len(text.encode()))
        return fix(text, config)

    monkeypatch.setattr(mojibake, "fix_segment", heard)
    monkeypatch.setattr(mojibake, "_remembered", heard)
    text = pa.record_batch({"text": strings([DAMAGED])})
    looks = Normalize(NormalizeSettings()).rewrite(text)[1]["looked_at"][0].as_py()
    assert 0 < sum(asked) <= looks <= 3 * len(DAMAGED.encode())
    for budget in (1, 100, looks // 2, looks - 1):
        asked.clear()
        measures = Normalize(NormalizeSettings(max_looked_at=budget)).rewrite(text)[1]
        assert sum(asked) <= budget < measures["looked_at"][0].as_py()
