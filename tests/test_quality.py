"""The quality stage: signals equal a slow reference, rules say what they mean."""

import gzip
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.quality_score import reference as reference_documents
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.planning.config import load
from curate.stages.contract import Stage
from curate.stages.quality import Quality, QualitySettings
from curate.stages.quality.rules import failures
from curate.stages.quality.score import SCORED_BY, score, shipped
from curate.stages.quality.signals import SIGNALS
from curate.text.quality.character_signals import COLUMNS as CHARACTER_COLUMNS
from curate.text.quality.document_signals import DETAILS, GOPHER
from curate.text.quality.lines.line_rules import COLUMNS as LINE_COLUMNS
from reference_quality import signals as reference
from thorough import settings

CORPORA = Path(__file__).resolve().parents[1] / ".." / "shared" / "corpora"

PROSE = (
    "The river rose in the night, and by the morning it had taken the lower road with it. Nobody was surprised. "
    "People who have lived beside the water for longer than anyone can remember keep boats behind their houses, "
    "and they know that a dry spring is often followed by a wet summer. What they did not expect was that the old "
    "mill would go too."
)


def batch(texts, label=None):
    columns = {"text": pa.array(texts, pa.large_string())}
    if label is not None:
        columns["language.label"] = pa.array([label] * len(texts) if isinstance(label, str) else label, pa.string())
    return pa.record_batch(columns)


def measured(texts, label="en", **settings):
    return Quality(QualitySettings(signals="all", **settings)).measure(batch(texts, label)).to_pylist()


def judged(texts, label="en", recipe="default", **limits):
    flags = {"pipeline.recipe": recipe, **{f"quality.{key}": limit for key, limit in limits.items()}}
    stage = Quality(load(flags=flags).stage("quality"))
    return stage.judge(stage.measure(batch(texts, label))).to_pylist()


def assert_equals_reference(texts, label="en", words="unicode"):
    for text, row in zip(texts, measured(texts, label, words=words), strict=True):
        expected = reference(text, english=label == "en", spaces=words == "spaces")
        found = {name: math.nan if row[name] is None else row[name] for name in expected}
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True), repr(text[:200])


# Few different pieces, so that words, lines and paragraphs repeat; every kind of sign that a signal counts.
WORDS = [
    "The Big ",
    "end. ",
    "HTTP ",
    "https://e.org/a-b ",
    "ǅ",
    "(b) ",
    "{",
    "the ",
    "The, ",
    "of ",
    "ab ",
    "a",
    "b",
    "1 ",
    "é",
    "ß ",
    "İ",
    "“to” ",
    "😀 ",
    "𠀀",
    "語",
    "の",
    "ก็",
    "क्",
]
SIGNS = ["# ", "- ", "• ", "...", "…", ". ", "..", "\u0301", "\u200b", "\ue000"]
SPACES = [" ", "\n", "\n\n", "\r\n", "\t", "\u3000", "\x1c", "\x85", "\u2028"]
pieces = st.sampled_from(WORDS + SIGNS + SPACES)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.lists(pieces, max_size=60).map("".join), st.text(max_size=40)), max_size=6),
    st.sampled_from(["unicode", "spaces"]),
)
def test_signals_equal_the_reference(texts, words):
    assert_equals_reference(texts, words=words)


ODD_SHAPES = {
    "empty": "",
    "space": " ",
    "line end": "\n",
    "only white space": " \n\t\r\n",
    "one letter": "a",
    "line end after": "a\n",
    "line end before": "\na",
    "carriage return": "\r",
    "one giant word": "x" * 20_000,
    "few words often": "a b c d " * 1_000,
    "no spaces": "語" * 2_000,
    "only ellipses": "...\n" * 50,
}


@pytest.mark.parametrize("text", ODD_SHAPES.values(), ids=ODD_SHAPES)
def test_odd_shapes_equal_the_reference(text):
    assert_equals_reference([text])


def test_line_ends_do_not_matter():
    text = "One line of text\nand one more\n\nOne line of text\nand one more\n"
    unix, windows = measured([text, text.replace("\n", "\r\n")])
    depend = ("character", "gram", "raw")
    same = [signal.name for signal in SIGNALS if not any(part in signal.name for part in depend)]
    assert {name: unix[name] for name in same} == {name: windows[name] for name in same}
    assert windows["duplicate_paragraphs"] == 0.5


def test_a_result_depends_on_the_document_alone():
    texts = [PROSE, "", "語" * 300, "ha " * 3_000, PROSE * 3]
    together = measured(texts)
    assert together == [measured([text])[0] for text in texts]
    assert together[1:3] == Quality(QualitySettings(signals="all")).measure(batch(texts, "en").slice(1, 2)).to_pylist()


def test_real_text_equals_the_reference():
    file = CORPORA / "langid" / "lingua_sentences.parquet"
    if not file.exists():
        pytest.skip("needs the shared corpora")
    sentences = pq.read_table(file, columns=["text"])["text"].to_pylist()
    assert_equals_reference(["\n".join(sentences[i::400]) for i in range(40)])
    docs = pq.ParquetFile(CORPORA / "neardup_truth" / "docs.parquet").iter_batches(1000, columns=["text"])
    assert_equals_reference(next(docs)["text"].to_pylist()[::6])


def test_prose_stays_and_each_reason_can_be_reached():
    words = [f"word{i}" for i in range(60)]
    triggers = {
        "too_few_words": "The sun and the moon.",
        "too_many_words": "the and " * 50_001,
        "words_too_short": "a b " * 40,
        "words_too_long": "extraordinarily incomprehensibilities " * 30,
        "too_many_symbols": PROSE + " #" * 20,
        "too_many_ellipses": PROSE + " ..." * 20,
        "too_many_bullet_lines": "\n".join(f"- {word}" for word in words),
        "too_many_ellipsis_lines": "\n".join(f"{word}..." for word in words),
        "too_few_alphabetic_words": " ".join(map(str, range(1000, 1060))),
        "too_few_stop_words": " ".join(words),
        **dict.fromkeys(("duplicate_lines", "duplicate_paragraphs"), (PROSE + "\n\n") * 3),
        **{f"duplicate_{kind}_characters": (PROSE + "\n\n") * 3 for kind in ("line", "paragraph")},
        **{f"repeated_{n}gram": "ha " * 60 for n in (2, 3, 4)},
        **{f"duplicate_{n}grams": "ha " * 60 for n in range(5, 11)},
    }
    fineweb_triggers = {
        "too_many_bullets_of_all_lines": "\n".join(f"- {word}" for word in words),
        "too_many_ellipses_of_all_lines": "\n".join(f"{word}..." for word in words),
        "too_few_exact_stop_words": "The sun and THE moon: " + " ".join(words),
        **{f"most_common_{n}gram": "There is no other word." for n in (2, 3, 4)},
        "too_few_sentences": "One sentence is not enough.",
        "lorem_ipsum": PROSE + "\nLorem ipsum dolor sit amet.",
        "curly_bracket": PROSE + "\nif (a > b) { return a; }",
        "too_few_terminal_lines": "\n".join(f"This line has no end {word}" for word in words),
        "too_many_short_lines": "\n".join(f"A {word} is short." for word in words),
        "repeated_line_characters": "\n".join(["This line stands here more often than once."] * 9),
        "too_many_newlines": "\n".join(f"A {word} is" for word in words),
    }
    rules = load(flags={"pipeline.recipe": "fineweb-code"}).stage("quality").rules()
    assert {*triggers, *fineweb_triggers} == {rule.reason for rule in (*rules, *QualitySettings().rules())}
    for code, text in triggers.items():
        assert code in judged([text])[0]
    for code, text in fineweb_triggers.items():
        assert code in judged([text], recipe="fineweb-code")[0]
    assert judged([PROSE]) == [[]]


def test_other_languages_are_not_held_to_english():
    thai, chinese = "แม่น้ำสูงขึ้นในตอนกลางคืน", "夜里河水上涨。到早晨下面的路已经被冲走了。没有人感到惊讶。"
    french = "La rivière est montée dans la nuit, et le matin elle avait emporté la route du bas."
    known = ((thai, "th"), (chinese, "zh"), (french, "fr"), (PROSE, "en"), (PROSE, "tlh"), (PROSE, None))
    rows = [measured([text], label)[0] for text, label in known]
    assert [row["stop_words"] is None or row["stop_words"] >= 2 for row in rows] == [True] * 6
    assert [row["stop_words"] for row in rows[4:]] == [None] * 2
    assert [row["language"] for row in rows] == [label for _, label in known]
    assert [row["mean_word_length"] is None for row in rows] == [True, True, False, False, False, False]
    assert rows[1]["words"] == 26
    assert not {"too_few_stop_words", "words_too_short"} & set(judged([chinese], "zh")[0])
    assert measured([PROSE, PROSE], ["en", None])[1]["stop_words"] is None


def test_limits_move_and_rules_switch_off():
    assert judged(["Short, and to the point."]) == [["too_few_words"]]
    assert judged(["Short, and to the point."], min_words=5) == [[]]
    assert judged(["Short, and to the point."], min_words=False) == [[]]
    at_limit = Quality(QualitySettings(max_words=5, min_words=5))
    assert at_limit.judge(at_limit.measure(batch(["Short, and to the point."]))).to_pylist() == [[]]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"min_words": -1}, "`quality.min_words` must be 0 or more, but is -1"),
        ({"max_duplicate_lines": 30}, "`quality.max_duplicate_lines` must be between 0 and 1, but is 30"),
        (
            {"max_words": True},
            "`quality.max_words` must be a number, or `false` for no such rule, but is `true`",
        ),
        ({"max_words": math.nan}, "`quality.max_words` must be 0 or more, but is nan"),
        (
            {"max_words": 20},
            "`quality.min_words` must be at most `quality.max_words`, which is 20, but is 50",
        ),
    ],
)
def test_wrong_settings_are_named(section, message):
    with pytest.raises(ValueError, match="^" + message.replace("?", r"\?") + "$"):
        QualitySettings(**section)


def test_tables_agree():
    assert isinstance(Quality(QualitySettings()), Stage)
    groups = {"base": GOPHER, "details": DETAILS, "characters": CHARACTER_COLUMNS, "lines": LINE_COLUMNS}
    for group, columns in groups.items():
        assert tuple(signal.name for signal in SIGNALS if signal.group == group) == columns
    measuring = {"lines", "cut_lines", "signals", "words", "ngram_words"}
    assert QualitySettings.thresholds == set(QualitySettings.__struct_fields__) - measuring
    assert len({reason.code for reason in Quality.reasons}) == len(Quality.reasons) == 2 * len(SIGNALS)


signal_values = st.dictionaries(st.sampled_from([signal.name for signal in SIGNALS]), st.floats(0, 200_000))


@settings(max_examples=100, deadline=None)
@given(signal_values, st.sampled_from(SCORED_BY), st.floats(0, 10))
def test_score_grows_as_any_rule_is_met_better(values, rule, step):
    row = {signal.name: np.array([values.get(signal.name, np.nan)] * 2) for signal in SIGNALS}
    row[rule.signal] = np.array([rule.limit, rule.limit + (step if rule.side == "min" else -step)])
    if any(other.signal == rule.signal and other != rule for other in SCORED_BY):
        row[rule.signal] = np.array([rule.limit, rule.limit * (2 if rule.side == "min" else 0.5)])
    worse, better = score(row)
    assert 0 <= worse <= better <= 1
    assert not any(mask.any() for code, mask in failures([rule], row).items())


def test_score_of_little_and_verdict_of_nothing():
    rows = measured(["", PROSE, "Home | News | About us\n" * 20])
    assert rows[0]["score"] == 0
    assert rows[1]["score"] > 0.05  # short, but otherwise usual
    assert rows[2]["score"] < 0.001
    nothing = pa.RecordBatch.from_pylist([dict.fromkeys(Quality.adds)], schema=pa.schema(list(Quality.adds.items())))
    assert Quality(QualitySettings()).judge(nothing).to_pylist() == [[]]


def test_the_reference_has_a_curve_for_every_rule():
    nearer, worse = shipped()
    assert list(nearer) == [rule.key for rule in SCORED_BY]
    for curve in (*nearer.values(), worse):
        assert (np.diff(curve.x) > 0).all()
        assert (curve.x[0], curve.x[-1]) == (0, 1)
    assert (np.diff(worse.y) > 0).all()
    assert (worse.y[0], worse.y[-1]) == (0, 1)
    assert all(curve.y[0] == 1 and (np.diff(curve.y) < 0).all() for curve in nearer.values())


def test_a_score_is_the_share_of_edited_english_that_scores_less():
    if not (CORPORA / "README.md").exists():
        pytest.skip("needs the shared corpora")
    documents = reference_documents(CORPORA)
    scores = np.array([row["score"] for row in measured(documents["text"].to_list())])
    kinds = documents["kind"].to_numpy()
    weights = sum((kinds == kind) / (kinds == kind).sum() for kind in set(kinds))
    for share in (0.05, 0.2, 0.5, 0.8, 0.95):
        assert np.average(scores <= share, weights=weights) == pytest.approx(share, abs=0.01)


def test_listing_the_stage_does_not_load_numba():
    code = "import sys, curate.stages.quality; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_edited_articles_stay():
    file = CORPORA / "quality" / "onestop.jsonl.gz"
    if not file.exists():
        pytest.skip("needs the shared corpora")
    with gzip.open(file, "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    kept = sum(not reasons for reasons in judged(texts))
    assert kept / len(texts) > 0.95  # edited newspaper articles


@pytest.mark.slow
def test_a_document_of_50_mb():
    text = "\n".join(f"Line {i} of the very long document, and word{i % 977} too." for i in range(1_000_000))
    (row,) = measured([text])
    assert row["lines"] == 1_000_000
    assert row["duplicate_lines"] == 0
    assert row["words"] == 10_000_000
