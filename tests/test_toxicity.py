"""Word lists: whole words and phrases in any case, counted once, named by file and line."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.cli import command
from curate.errors import PlanError
from curate.stages.toxicity import Toxicity, ToxicitySettings
from reference_shingles import words as words_of
from thorough import settings


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "all.txt").write_text("# words\nDarn\nson of a gun\ngun\n混蛋\nŒuf\n")
    (tmp_path / "fr.txt").write_text("zut alors\n")
    return tmp_path


def stage_of(folder, **given) -> Toxicity:
    return Toxicity(ToxicitySettings(words=(str(folder / "all.txt"),), **given))


def measured(stage, *texts, languages=None):
    columns = {"text": pa.array(texts, pa.large_string())}
    if languages:
        columns["language.label"] = pa.array(languages)
    measures = stage.measure(pa.record_batch(columns))
    return [(row["words"], round(row["share"], 3), row["matched"]) for row in measures.to_pylist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DARN it, darn!", (2, 0.667, ["all.txt:2"])),
        ("darning darnit _darn", (0, 0.0, [])),
        ("That son  of-a\nGun has a gun.", (5, 0.625, ["all.txt:3", "all.txt:4"])),
        ("他是个混蛋吗", (2, 0.333, ["all.txt:5"])),
        ("un œuf", (1, 0.5, ["all.txt:6"])),
        ("", (0, 0.0, [])),
    ],
)
def test_words_and_phrases_are_found_whole(lists, text, expected):
    assert measured(stage_of(lists), text) == [expected]


def test_lists_of_a_language_are_for_its_documents(lists):
    stage = stage_of(lists, words_by_language={"fr": (str(lists / "fr.txt"),)})
    assert stage.needs == ("text", "language.label")
    found = measured(stage, "zut alors darn", "zut alors darn", "darn", languages=["fr", "en", None])
    assert found == [(3, 1.0, ["all.txt:2", "fr.txt:1"]), (1, 0.333, ["all.txt:2"]), (1, 1.0, ["all.txt:2"])]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("ab"), max_size=20), st.sets(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)
)
def test_words_are_counted_as_by_the_plain_definition(tmp_path_factory, text, entries):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "all.txt").write_text("\n".join(" ".join(entry) for entry in entries))
    on_a_list = set()
    for entry in entries:
        for start in range(len(text) - len(entry) + 1):
            if text[start : start + len(entry)] == list(entry):
                on_a_list |= set(range(start, start + len(entry)))
    ((count, share, _),) = measured(stage_of(folder), " ".join(text))
    assert count == len(on_a_list)
    assert share == round(count / max(1, len(words_of(" ".join(text)))), 3)


def test_limits_only_judge(lists):
    batch = pa.record_batch({"text": pa.array(["darn", f"{prose(1)} darn", "fine"], pa.large_string())})
    measures = stage_of(lists).measure(batch)
    assert stage_of(lists).judge(measures).to_pylist() == [["too_large_share"], [], []]
    as_c4 = stage_of(lists, max_words=0, max_share=False)
    assert as_c4.judge(measures).to_pylist() == [["too_many_words"], ["too_many_words"], []]


def test_mistakes_are_named(tmp_path):
    with pytest.raises(PlanError, match="`toxicity` has no word list"):
        Toxicity(ToxicitySettings()).warnings()
    with pytest.raises(PlanError, match="`toxicity.words` names .*which is not there"):
        stage_of(tmp_path).warnings()
    (tmp_path / "all.txt").write_bytes(b"\x00\xff")
    with pytest.raises(PlanError, match="which is not text"):
        stage_of(tmp_path).warnings()
    with pytest.raises(ValueError, match="`toxicity.max_share` must be"):
        ToxicitySettings(max_share=-1)


def test_a_run_leaves_them_out(lists, tmp_path, capsys):
    texts = {"bad": "darn " * 60, "good": prose(1), "book": f"{prose(2)} darn"}
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"id": i, "text": t}) for i, t in texts.items()))
    out = tmp_path / "out"
    words = ['pipeline.stages=["normalize","language","toxicity","tokenize"]', "language.keep=['en','nl','und','de']"]
    words += [f"toxicity.words=['{lists / 'all.txt'}']", f"toxicity.words_by_language={{fr=['{lists / 'fr.txt'}']}}"]
    words.append("language.min_score=0")
    assert (
        command(["run", str(tmp_path / "in.jsonl"), "-o", str(out), "-qq", *(f"--set={word}" for word in words)]) == 0
    )
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["removed"]["toxicity"] == {"documents": 1, "reasons": {"too_large_share": 1}}
    capsys.readouterr()
    assert command(["why", str(out), "book"]) == 0
    assert "matched=['all.txt:2']" in capsys.readouterr().out
