"""Recipes: they say what they mean, layer as promised, and are told what is wrong or idle in them."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from chat_templates import model_folder
from corpus_maker import make_corpus, prose
from curate.cli import command
from curate.cli.session import Session
from curate.errors import ConfigError
from curate.pipeline.planning.config import load
from curate.pipeline.planning.lint import lint, load_recipe
from curate.pipeline.rejudging import rejudged
from curate.recipes import recipe, recipe_names
from curate.stages.quality import Quality, QualitySettings
from curate.stages.quality.idle import NEVER_ABOVE, idle_rules
from curate.stages.quality.rules import Languages, failures, is_written
from curate.stages.quality.settings import SIGNAL_OF, LanguageLimits
from thorough import settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "100", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A finished run that measured everything and left nothing out."""
    folder = tmp_path_factory.mktemp("recipes")
    assert Session([str(make_corpus(folder / "in", 60))], str(folder / "out"), **asked("none")).work(quiet=2) == 0
    return folder / "out"


def asked(name: str, *assignments: str) -> dict:
    gates = ["gates.max_quarantined=1", "gates.min_documents=0"]
    return {"flags": {"pipeline.recipe": name}, "assignments": [*gates, *assignments]}


def said(capsys, *words: object) -> tuple[int, str]:
    code = command([str(word) for word in words])
    return code, capsys.readouterr().out


def own(text: str, name: str = "mine.toml") -> str:
    Path(name).write_text(text)
    return name


# What ships


def test_the_recipes_that_are_promised_are_there():
    assert set(recipe_names()) == {
        "c4", "c4-datatrove", "dclm", "dolma", "fineweb-code", "fineweb-paper", "fineweb2", "gopher", "nemotron",
        "none", "olmo3", "redpajama2", "refinedweb", "sft",
    }  # fmt: skip


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_is_whole_and_accounts_for_every_finding(name):
    found = recipe(name)
    assert found.title
    assert found.tree["pipeline"]["stages"][:2] == ["extract", "normalize"]
    assert all(found.sources.values())
    assert [finding for finding in lint(found) if not finding.accepted] == []
    rules = load_recipe(name).stage("quality").rules()
    assert [rule.key for rule in rules if not is_written(rule.signal, rule.side)] == []


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_runs(name, tmp_path):
    corpus = make_corpus(tmp_path / "in", 30)
    model = model_folder(tmp_path / "model", "zephyr") if name == "sft" else ""
    own = [f"tokenize.tokenizer={model}/tokenizer.json", f"tokenize.chat_template={model}"] if model else []
    assert Session([str(corpus)], "out", **asked(name, *own)).work(quiet=2) == 0
    manifest = json.loads(Path("out/run.json").read_text())
    assert [stage["name"] for stage in manifest["stages"]] == [
        stage for stage in load_recipe(name).pipeline.stages if stage != "url_filter"
    ]
    told = [warning for warning in manifest["warnings"] if "url_filter" in warning]
    without = "url_filter" in load_recipe(name).pipeline.stages
    assert told == ["the recipe's stage `url_filter` does not run: `url_filter` has no list"] * without
    assert manifest["config"]["pipeline"]["recipe"] == name


@pytest.mark.parametrize("name", recipe_names())
def test_what_show_prints_is_the_same_recipe(name, capsys):
    code, out = said(capsys, "recipes", "show", name)
    assert code == 0
    assert said(capsys, "recipes", "diff", name, own(out)) == (0, "")


def test_the_list_and_the_head_of_a_recipe_as_people_see_them(capsys):
    assert said(capsys, "recipes") == said(capsys, "recipes", "list")
    assert said(capsys, "recipes")[1] == snapshot("""\
c4             v3  C4 as its own code runs
c4-datatrove   v4  C4 as datatrove applies it
dclm           v3  DCLM-Baseline
dolma          v4  Dolma 1.6, Common Crawl, as its configuration runs
fineweb-code   v5  FineWeb as its code runs
fineweb-paper  v4  FineWeb as its paper says
fineweb2       v4  FineWeb2: limits of their own for 70 languages
gopher         v4  Gopher: quality and repetition rules of MassiveText
nemotron       v4  Nemotron-CC, with the English rules of NeMo Curator
none           v2  No rules: everything is measured, nothing is removed
olmo3          v3  OLMo 3: web part of Dolma 3
redpajama2     v3  RedPajama-V2: the rules of its card, on its signals
refinedweb     v3  RefinedWeb, with the rules of DCLM's reproduction
sft            v1  Conversations for fine-tuning: duplicates, degenerate answers, what the template takes
""")
    head = said(capsys, "recipes", "show", "fineweb-paper")[1].split("notes")[0]
    assert head == snapshot("""\
# all of fineweb-code, and what this recipe changes
title = "FineWeb as its paper says"
version = 4
source = "FineWeb, arXiv:2406.17557, section 3.6"
""")
    near_dup = said(capsys, "recipes", "show", "dolma")[1].split("[near_dup]")[1].split("\n[")[0]
    assert near_dup.splitlines()[2:] == snapshot(
        ["# Dolma, configs/dolma-v1_6/doc_dedupe/cc_en_head.yaml: equal text", "similarity = 1.0"]
    )
    (shown,) = (one for one in json.loads(said(capsys, "recipes", "--json")[1]) if one["name"] == "dclm")
    assert shown == snapshot(
        {
            "name": "dclm",
            "version": 3,
            "title": "DCLM-Baseline",
            "source": "DCLM, baselines_configs/dclm_baseline_refinedweb.yaml",
            "extends": ["refinedweb"],
        }
    )
    shown = json.loads(said(capsys, "recipes", "show", "gopher", "--json")[1])
    assert shown["settings"][-1] == snapshot(
        {
            "key": "quality.max_duplicate_10gram",
            "value": 0.1,
            "source": "Gopher, arXiv:2112.11446, Table A1",
            "reason": "duplicate_10grams",
        }
    )


def test_gopher_is_the_default():
    assert QualitySettings().rules() == load_recipe("gopher").stage("quality").rules()


def test_papers_and_their_codes_differ_where_we_say_so(capsys):
    code, out = said(capsys, "recipes", "diff", "fineweb-code", "fineweb-paper")
    assert code == 1
    assert out == snapshot("""\
quality.max_repeated_line_characters  0.01 → 0.1
quality.max_newlines_per_word         0.3 → —
""")
    found = json.loads(said(capsys, "recipes", "diff", "c4", "c4-datatrove", "--json")[1])
    assert {key: values for key, values in found.items() if key.startswith("quality.")} == snapshot(
        {
            "quality.lines.min_words": [5, 3],
            "quality.lines.end_marks": ['.?!"', ".?!\"'"],
            "quality.words": ["unicode", "spacy"],
            "quality.max_characters": [190000, None],
            "quality.min_sentences": [3, 5],
        }
    )


# Layers


def test_flag_over_set_over_file_over_recipe_over_default(tmp_path):
    file = tmp_path / "curate.toml"
    file.write_text(
        '[pipeline]\nrecipe = "fineweb-paper"\n[quality]\nmin_words = 30\nmax_words = 900\n[run]\nseed = 1\n'
    )
    loaded = load(file, {"run.seed": 7}, ["quality.max_words=800"])
    expected = {
        "run.seed": (7, "--seed"),
        "quality.max_words": (800, "--set quality.max_words"),
        "quality.min_words": (30, f"{file}:4"),
        "quality.max_repeated_line_characters": (0.1, "recipe fineweb-paper"),
        "quality.min_sentences": (5, "recipe fineweb-paper via c4-datatrove"),
        "quality.lines.terminal_punctuation": (False, "recipe fineweb-paper via fineweb-code"),
        "near_dup.bands": (14, "recipe fineweb-paper via fineweb-code"),
        "near_dup.seed": (1, "default"),
    }
    assert {key: (loaded.value(key), loaded.origin(key)) for key in expected} == expected
    assert load(file, {"pipeline.recipe": "gopher"}).origin("quality.min_stop_words") == "recipe gopher"


def test_what_is_resolved_makes_the_same_settings_again():
    before = load(flags={"pipeline.recipe": "c4"}, assignments=["quality.min_sentences=false", "quality.min_words=5"])
    again = load(flags=before.resolved())
    assert again.sections == before.sections
    assert before.resolved()["quality"]["min_sentences"] is False


def test_the_flag_and_its_variable_choose_the_recipe(capsys, monkeypatch):
    assert "recipe dolma" in said(capsys, "config", "language", "--recipe", "dolma")[1]
    monkeypatch.setenv("CURATE_RECIPE", "nemotron")
    assert "min_score = 0.3   # recipe nemotron" in said(capsys, "config", "language")[1]


def test_a_recipe_has_no_rules_but_its_own():
    assert [rule.key for rule in load_recipe(own("[quality]\nmin_words = 5")).stage("quality").rules()] == ["min_words"]


def test_an_own_recipe_extends_others_beside_it(tmp_path):
    (tmp_path / "base").mkdir()
    own('extends = "gopher"\n[quality]\nmin_words = 40\n[near_dup]\nsimilarity = 0.7', "base/below.toml")
    name = own('title = "Mine"\nextends = "below.toml"\n[quality]\nmax_words = false', "base/mine.toml")
    config = load_recipe(name)
    assert config.value("near_dup.similarity") == 0.7
    assert config.value("quality.max_words") is False
    assert config.origin("quality.min_words") == "recipe base/below.toml:3"
    assert config.origin("quality.max_words") == "recipe base/mine.toml:4"
    assert recipe(name).sources["quality.min_words"] == "base/below.toml"
    assert recipe(name).sources["quality.min_stop_words"].startswith("Gopher")


def test_the_recipe_in_the_documentation_is_one():
    page = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text()
    found = recipe(own(page.split("```toml")[1].split("```")[0]))
    assert [finding.key for finding in lint(found) if not finding.accepted] == []
    assert {rule.key for rule in load_recipe("mine.toml").stage("quality").rules()} >= {
        "min_words",
        "max_most_common_3gram",
    }


@pytest.mark.parametrize(
    ("text", "message", "where", "hint"),
    [
        (
            'extends = "finweb-paper"',
            "there is no recipe `finweb-paper`",
            "mine.toml:1",
            "did you mean `fineweb-paper`?",
        ),
        ('extend = "gopher"', "a recipe has no `extend`", "mine.toml:1", "did you mean `extends`?"),
        ('extends = "other.toml"', "there is no recipe file `other.toml`", "mine.toml:1", "curate recipes list"),
        ('extends = "mine.toml"', "recipe `mine.toml` extends itself: mine.toml → mine.toml", "mine.toml:1", ""),
        ('version = "2"', "`version` of a recipe must be a whole number, but is '2'", "mine.toml:1", ""),
        (
            "[quality]\nmin_wrods = 3",
            "`quality` has no setting `min_wrods`",
            "mine.toml:2",
            "did you mean `min_words`?",
        ),
        ("[qualty]\n", "there is no section `qualty`", "mine.toml:1", "did you mean `quality`?"),
        (
            "[quality.languages]\nde = { max_duplicate_lines = 3 }",
            "`quality.languages.de.max_duplicate_lines` must be between 0 and 1, but is 3",
            "mine.toml:2",
            "curate config quality",
        ),
    ],
)
def test_a_wrong_recipe_is_told_where_and_what_to_type(text, message, where, hint):
    with pytest.raises(ConfigError) as caught:
        load_recipe(own(text))
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert where in caught.value.where


def test_the_plan_says_what_the_recipe_lacks_and_what_was_changed(capsys):
    corpus = make_corpus(Path("in"), 20)
    words = ["--recipe", "fineweb-paper", "--set", "near_dup.similarity=0.7", "--set", "tokenize.tokenizer=bytes"]
    assert command(["run", str(corpus), "--dry-run", *words]) == 0
    said_of_it = [line for line in capsys.readouterr().err.splitlines() if "ecipe" in line or "changed" in line]
    assert "\n".join(said_of_it) == snapshot("""\
Recipe       fineweb-paper v4   without 2 steps of the original: curate recipes show fineweb-paper
             1 setting of it changed: near_dup.similarity
Setting      pipeline.recipe = 'fineweb-paper'   (--recipe)
warning: the recipe's stage `url_filter` does not run: `url_filter` has no list\
""")


def test_a_name_nearly_right_is_told_the_right_one(capsys):
    assert command(["run", ".", "--recipe", "fineweb-papr"]) == 2
    assert "did you mean `fineweb-paper`?" in capsys.readouterr().err


# Rules


@pytest.mark.parametrize("key", SIGNAL_OF)
def test_every_signal_can_have_a_limit_on_both_sides(key):
    signal, side = SIGNAL_OF[key]
    limit = 0.5 if signal.highest else 40.0
    stage = Quality(QualitySettings(**{**QualitySettings.blank, key: limit}))
    beyond = limit - 0.25 if side == "min" else limit + 0.25
    values = pa.array([limit, beyond, None], pa.float64())
    (verdict, other, none) = stage.judge(pa.record_batch({signal.name: values})).to_pylist()
    assert (verdict, none) == ([], [])
    assert other == [code for code in (reason.code for reason in Quality.reasons) if code in other]
    assert len(other) == 1


def test_limits_of_single_languages():
    rules = QualitySettings(
        min_words=50,
        languages={"zh": LanguageLimits(min_words=20, max_words=False), "de": LanguageLimits(min_words=60)},
    ).rules()
    words = {"words": np.array([30.0, 30, 55, 55, 200_000, 200_000])}
    codes = ("de", "zh")
    of = Languages(
        codes, np.array([codes.index(code) if code in codes else -1 for code in ["en", "zh", "en", "de", "en", "zh"]])
    )
    found = failures([rule for rule in rules if rule.signal == "words"], words, of)
    assert found["too_few_words"].tolist() == [True, False, False, True, False, False]
    assert found["too_many_words"].tolist() == [False, False, False, False, True, False]


def test_a_limit_for_one_language_alone():
    stage = Quality(QualitySettings(min_stop_words=False, languages={"en": LanguageLimits(min_stop_words=9)}))
    texts = pa.array([prose(1)] * 2, pa.large_string())
    batch = pa.record_batch({"text": texts, "language.label": pa.array(["en", "fr"], pa.string())})
    assert stage.judge(stage.measure(batch)).to_pylist() == [["too_few_stop_words"], []]


def test_a_run_with_limits_for_one_language_alone_can_be_asked_about(capsys, tmp_path):
    name = own("[pipeline]\nstages = ['language', 'quality']\n[quality.languages]\nen = { min_words = 100000 }")
    assert Session([str(make_corpus(tmp_path / "in", 20))], "out", **asked(name)).work(quiet=2) == 0
    capsys.readouterr()
    code, out = said(capsys, "sample", "out", "--reason", "quality.too_few_words", "-n", "2", "--json")
    assert code == 0
    assert len(json.loads(out)) == 2


# Lint

PLANTED = {
    "[quality]\nmin_wrods = 3": ("invalid", ""),
    "[quality]\nmax_duplicate_lines = 30": ("invalid", ""),
    "[quality]\nmin_words = 30\nmax_words = 20": ("invalid", ""),
    "[quality]\nmax_duplicate_lines = 1.0": ("idle", "quality.max_duplicate_lines"),
    "[quality]\nmin_words = 0": ("idle", "quality.min_words"),
    "[quality]\nmax_recurring_5gram = 0.1\nmax_recurring_6gram = 0.1": ("idle", "quality.max_recurring_6gram"),
    "[quality]\nmin_characters = 40\nmin_words = 50": ("idle", "quality.min_characters"),
    "[quality]\nmin_characters = 150\nmin_words = 50\nmin_mean_length_of_all_words = 3": (
        "idle",
        "quality.min_characters",
    ),
    'extends = "gopher"\n[quality.languages]\nen = { max_lines = 9, max_paragraphs = 20 }': (
        "idle",
        "quality.languages.en.max_paragraphs",
    ),
    'extends = "gopher"\n[quality.languages]\nde = { min_words = 3 }': ("unused", "quality.languages.de"),
    '[pipeline]\nstages = ["quality", "language"]\n[quality]\nmin_stop_words = 2': ("unused", "quality.min_stop_words"),
    '[pipeline]\nstages = ["quality"]\n[near_dup]\nsimilarity = 0.7': ("unused", "near_dup"),
    "[near_dup]\nbands = 20\nrows = 450": ("misses", "near_dup.bands"),
    '[sources]\n"quality.min_wrods" = "a paper"\n[quality]\nmin_words = 3': ("stranger", "quality.min_wrods"),
}


@pytest.mark.parametrize(("text", "expected"), PLANTED.items(), ids=[text.replace("\n", " ") for text in PLANTED])
def test_lint_finds_a_planted_fault_and_says_where(text, expected, capsys):
    (finding,) = lint(recipe(own(text)))
    assert (finding.code, finding.key) == expected
    assert finding.where.startswith("recipe mine.toml:") or finding.code == "stranger"
    code, out = said(capsys, "recipes", "lint", "mine.toml")
    assert code == 1
    assert finding.message in out


def test_what_a_recipe_accounts_for_is_no_fault(capsys):
    own('[near_dup]\nbands = 20\nrows = 450\n[accepted]\n"near_dup.bands" = "as in the paper"')
    code, out = said(capsys, "recipes", "lint", "mine.toml")
    assert code == 0
    assert out == snapshot("""\
mine.toml  clean, 1 accounted for
  misses      near_dup.bands: 20 bands of 450 rows find fewer than 0.1% of the pairs at 0.8
              recipe mine.toml:2
              accounted for: as in the paper
""")


def test_after_a_run_rules_that_never_fired_are_named(capsys, measured):
    own("[quality]\nmin_words = 50\nmax_words = 1000000\nmax_top_2gram = 0.0001")
    code, out = said(capsys, "recipes", "lint", "mine.toml", "--run", measured, "--json")
    (found,) = json.loads(out)
    assert code == 1
    assert [finding["key"] for finding in found["findings"]] == ["quality.max_words"]
    fired = {rule["rule"]: rule["documents"] for rule in found["rules"]}
    assert fired["max_top_2gram"] > fired["min_words"] > fired["max_words"] == 0


def test_a_run_is_judged_again_as_if_it_had_run_so(measured, tmp_path):
    alone = ('pipeline.stages=["normalize","language","quality"]', 'language.keep=["*"]', "language.min_score=0")
    assert Session([str(make_corpus(tmp_path / "in", 60))], "out", **asked("gopher", *alone)).work(quiet=2) == 0
    counts = json.loads(Path("out/run.json").read_text())["counts"]
    again = rejudged(measured, load_recipe("gopher").stage("quality"))
    assert again.documents - again.kept == counts["removed"]["quality"]["documents"]
    reasons = counts["removed"]["quality"]["reasons"]
    assert {one.rule.reason: one.documents for one in again.fired if one.documents} == reasons


pieces = st.sampled_from(["the ", "a", "word ", "ha ", "...", "# ", "語", "\n", "\n\n", " ", "word.\n", "- x\n"])
texts = st.lists(st.lists(pieces, max_size=60).map("".join), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(texts)
def test_signals_keep_the_order_that_lint_builds_on(found):
    batch = pa.record_batch({"text": pa.array(found, pa.large_string())})
    measures = Quality(QualitySettings(signals="all")).measure(batch).to_pylist()
    for row in measures:
        for lesser, greater in NEVER_ABOVE:
            assert row[lesser] is None or row[greater] is None or row[lesser] <= row[greater], (lesser, greater)
        if row["mean_length_of_all_words"] is not None:
            assert row["characters"] >= row["all_words"] * row["mean_length_of_all_words"] - 1e-9


limits = st.dictionaries(
    st.sampled_from(
        [key for key, (signal, _) in SIGNAL_OF.items() if any(signal.name in pair for pair in NEVER_ABOVE)]
    ),
    st.one_of(st.integers(0, 40), st.floats(0, 1)),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(texts, limits)
def test_a_rule_called_idle_never_decides(found, chosen):
    blank = QualitySettings.blank
    bounded = {key: min(limit, SIGNAL_OF[key][0].highest or limit) for key, limit in chosen.items()}
    try:
        judging = QualitySettings(**{**blank, **bounded}, signals="all")
    except ValueError:  # a least value above the highest
        return
    stage = Quality(judging)
    labels = pa.array(["en"] * len(found), pa.string())
    batch = pa.record_batch({"text": pa.array(found, pa.large_string()), "language.label": labels})
    masks = dict(
        zip((rule.key for rule in judging.rules()), stage.failures(stage.measure(batch)).values(), strict=True)
    )
    for idle in idle_rules(judging):
        others = [mask for key, mask in masks.items() if key != idle.key]
        assert not (masks[idle.key] & ~np.logical_or.reduce(others or [np.zeros(len(found), bool)])).any(), idle
