"""`curate whatif`: where it says exact, a rerun counts the same; elsewhere its range holds."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

import curate
from curate.cli import command
from curate.errors import ConfigError, UserError
from curate.runs.diff import diff
from curate.runs.finished import Run
from curate.runs.verdicts import Verdicts, Was, between, moved_limits
from curate.runs.whatif import EXAMPLES, whatif
from curate.stages import stage_class
from curate.view.index import Index
from curate.view.moved import moved
from small_run import contents
from test_survivors import DRAFTS, ORDERS, PREFERENCES, corpus_of
from thorough import settings

CHANGES = st.lists(
    st.sampled_from(
        [
            "quality.min_words=60",
            "quality.min_words=100",
            "quality.min_words=5",
            "quality.max_symbol_ratio=0.9",
            "quality.max_symbol_ratio=false",
            "quality.min_stop_words=30",
            "language.min_score=0.9",
            "language.min_score=0.0",
            'language.keep=["de"]',
            "decontaminate.max_item_overlap=1.0",
            "near_dup.similarity=0.6",
            "near_dup.similarity=0.8",
            "near_dup.similarity=1.0",
        ]
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda assignment: assignment.partition("=")[0],
)
SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"


def counted(run: Run) -> tuple:
    reasons = {code: count for code, count in run.counts.reasons.items() if count}
    return run.counts.kept, run.counts.removed_by, reasons, run.tokens.kept


def told(run: Run, found) -> tuple:
    reasons = {**run.counts.reasons, **found.reasons}
    reasons = {code: count for code, count in reasons.items() if count}
    return found.kept.low, found.removed, reasons, found.tokens.low if found.tokens_exact else None


@settings(max_examples=40, quick=5, deadline=None, phases=list(Phase)[:3], suppress_health_check=list(HealthCheck))
@given(DRAFTS, ORDERS, PREFERENCES, CHANGES)
def test_it_says_what_a_rerun_counts(tmp_path_factory, drafts, order, preference, changes):
    corpus, stages = corpus_of(drafts, tmp_path_factory), ["normalize", *order, "tokenize"]
    corpus.run("out", stages, preference)
    before, files = curate.open(corpus.folder / "out"), contents(corpus.folder / "out")
    then = ids(before)
    found = whatif(before.path, changes)
    assert moved(Index(before.path), changes, EXAMPLES) == found
    assert contents(corpus.folder / "out") == files
    corpus.run("out", stages, preference, *changes)
    after = curate.open(before.path)
    assert found.kept_before == before.counts.kept
    if found.exact:
        kept, removed, reasons, tokens = counted(after)
        assert told(before, found) == (kept, removed, reasons, tokens if found.tokens_exact else None)
        assert found.kept.exact
    elif not any("never compared" in why for why in found.why_not):
        others = sum(found.untold.values())
        assert found.kept.low - others <= after.counts.kept <= found.kept.high
    now = ids(after)
    for side in found.examples:
        if found.exact:
            assert (side.id in then, side.id in now) == (not side.before, not side.now)


LIMITS = [
    ("language", "min_score", 0.65),
    ("line_dup", "min_words_left", 50),
    ("decontaminate", "max_overlap", 0.5),
    ("decontaminate", "max_item_overlap", 0.5),
    ("redact", "max_per_1000_characters", 3.0),
    ("toxicity", "max_share", 0.5),
    ("classify", "min_score", 0.5),
    ("quality", "min_words", 50),
]
VALUES = {
    "<": [None],
    "float": [None, 0.0, 0.2, 0.5, 0.8, 1.0],
    "int": [0, 3, 49, 50, 60, 100],
    "string": [None, "en", "und"],
    "bool": [False, True],
}


@pytest.mark.parametrize(("name", "key", "usual"), LIMITS)
@settings(max_examples=300, quick=120, deadline=None, phases=list(Phase)[:3])
@given(draw=st.randoms(use_true_random=True))
def test_a_limit_that_moved_is_all_there_is_to_its_reason(name, key, usual, draw):
    """Else the stage itself is asked: a reason can hang on more than the measure, which a few documents do not show."""
    kind = stage_class(name)
    then, now = (
        kind(kind.settings_type(**{key: value}))
        for value in draw.sample([usual, type(usual)(0 if key.startswith("min") else 1)], 2)
    )
    rows, columns = draw.randint(1, 4), {}
    for column in now.judged_by or now.adds:
        kind_of = now.adds[column]
        word = next(word for word in VALUES if word in str(kind_of).replace("double", "float"))
        columns[column] = pa.array(draw.choices(VALUES[word], k=rows), kind_of)
    measures = pa.RecordBatch.from_pydict(columns)
    said = Verdicts.said(then.judge(measures))
    for a, b in moved_limits(Was(then, now, changed=True, judges=True)) or ():
        values = measures[a.measure].cast(pa.float64()).to_numpy(zero_copy_only=False)
        found = between(values, said.given(a.reason), a, b)
        if found is not None:
            turned = said.turned({a.reason: found}, [reason.code for reason in now.reasons])
            assert [turned.of(row) for row in range(rows)] == now.judge(measures).to_pylist()


def ids(run: Run) -> set[str]:
    return set(run.documents().select("id").collect()["id"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    quick = {"tokenize": {"tokenizer": "bytes"}, "report": {"samples": 0}, "input": {"part_bytes": 400_000}}
    return curate.run(SAMPLE, tmp_path_factory.mktemp("whatif") / "out", config=quick)


@pytest.mark.parametrize(
    ("changes", "exact"),
    [
        pytest.param(["quality.min_words=80"], True, marks=pytest.mark.slow),
        (["quality.min_words=80", "language.min_score=0.5"], True),
        (["quality.min_words=30"], False),
        (["near_dup.similarity=0.9"], False),
        pytest.param(["run.workers=1", "shards.order=shuffle"], True, marks=pytest.mark.slow),
    ],
)
def test_on_real_text(run, tmp_path, changes, exact):
    found = whatif(run.path, changes)
    shutil.copytree(run.path, tmp_path / "out")
    sections: dict = {}
    for change in changes:
        key, _, value = change.partition("=")
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = json.loads(value) if value[0].isdigit() else value
    quick = {"tokenize": {"tokenizer": "bytes"}, "report": {"samples": 0}, "input": {"part_bytes": 400_000}}
    after = curate.run(SAMPLE, tmp_path / "out", config=quick, **sections)
    assert found.exact is exact
    assert found.exact or any("takes the place of at most one" in why for why in found.why_not)
    assert found.kept.low <= after.counts.kept <= found.kept.high
    assert found.tokens.low * 0.99 <= after.tokens.kept <= found.tokens.high * 1.01
    if exact:
        assert told(run, found)[:3] == counted(after)[:3]


def test_the_terminal_shows_both_sides(run, capsys):
    assert command(["whatif", str(run.path), "--set", "quality.min_words=80"]) == 0
    said = capsys.readouterr().out
    assert "quality.min_words  50 → 80" in said
    assert "Kept in the run, and would be removed" in said
    assert "Exact" in said
    assert command(["whatif", str(run.path), "--set", "quality.min_words=80", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["kept"]["low"] == data["kept"]["high"] < data["kept_before"]
    assert command(["whatif", str(run.path), "--set", "quality.min_words=50"]) == 0
    assert "already" in capsys.readouterr().out


def test_what_only_a_rerun_can_tell_is_said(run):
    for change, kind, said in (
        ("language.fold=false", UserError, "decides what `language` measures"),
        ("pipeline.recipe=gopher", UserError, "decides which stages judge"),
        ("near_dup.shingle_words=3", UserError, "decides which pairs"),
        ("normalize.c1_controls=false", UserError, "decides what `normalize` measures"),
        ("quality.max_ellipsis_ends=0.1", ConfigError, "."),
        ("quality.min_wrods=1", ConfigError, "min_wrods"),
        ("line_dup.min_documents=3", UserError, "`line_dup` did not run in this run"),
    ):
        with pytest.raises(kind, match=said):
            whatif(run.path, [change])
    assert command(["whatif", str(run.path)]) == 2


def test_limits_of_one_language_are_the_only_change(run):
    found = whatif(run.path, ["quality.languages.en.min_words=60"])
    assert [(one.setting, one.was, one.now) for one in found.changes] == [("quality.languages.en.min_words", None, 60)]
    with pytest.raises(UserError) as refused:
        whatif(run.path, ["quality.languages.en.min_words=60", "near_dup.survivor=first"])
    assert refused.value.hint.endswith("--set near_dup.survivor=first --set quality.languages.en.min_words=60")


def test_no_rule_is_another_setting_than_a_limit_of_0(tmp_path):
    texts = ["a few words", "words {", "more words here"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    rules = {"pipeline": {"recipe": "none", "stages": ["quality"]}, "quality": {"max_curly_bracket_lines": 0}}
    before = curate.run(tmp_path / "in.jsonl", tmp_path / "out", config=rules)
    found = whatif(before.path, ["quality.max_curly_bracket_lines=false"])
    assert moved(Index(before.path), ["quality.max_curly_bracket_lines=false"], EXAMPLES) == found
    assert (before.counts.kept, found.kept.low, found.exact) == (2, 3, True)
    assert [(one.was, one.now) for one in found.changes] == [(0, False)]
    shutil.copytree(before.path, tmp_path / "off")
    after = curate.run(
        tmp_path / "in.jsonl", tmp_path / "off", config=rules, quality={"max_curly_bracket_lines": False}
    )
    assert after.counts.kept == 3
    assert [one.name for one in diff(before.path, after.path).settings] == ["quality.max_curly_bracket_lines"]


def test_a_lower_similarity_is_a_bound(run, capsys):
    found = whatif(run.path, ["near_dup.similarity=0.6"])
    assert (found.exact, found.kept.low, found.kept.high) == (False, 0, run.counts.kept)
    assert command(["whatif", str(run.path), "--set", "near_dup.similarity=0.6"]) == 0
    assert f"up to {run.counts.kept:,}  or fewer" in capsys.readouterr().out


def test_without_the_cache_survivors_of_now_are_preferred(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / ".cache")
    with pytest.raises(UserError) as refused:
        whatif(tmp_path / "out", ["language.fold=false"])
    assert f"-o {tmp_path / 'out'} " in refused.value.hint  # the copy, not the folder that the run was made in
    found = whatif(tmp_path / "out", ["quality.min_words=80"])
    assert not found.exact
    assert found.kept == whatif(run.path, ["quality.min_words=80"]).kept
