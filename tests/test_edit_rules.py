"""What a run would keep without one of its edit rules, told from a sample: a run without the rule says the same."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from curate.evidence.pool import Pool, read_pool
from curate.evidence.scratch import EditAblation, Later, found_again
from curate.pipeline.planning.lint import run_settings
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory
from small_run import run

SETTINGS = (
    "pipeline.recipe=none",
    "quality.min_words=60",
    "quality.max_words=90",
    "line_dup.unit=line",
    "line_dup.min_documents=2",
    "line_dup.min_characters=1",
    "line_dup.min_words_left=0",
    "toxicity.max_words=0",
)
STAGES = 'pipeline.stages=["normalize","quality","line_dup","toxicity"]'
RULES = "quality.lines.policy=true", "quality.lines.min_words=3"
WITHOUT = {
    ("rule", "quality.lines.policy"): (STAGES, RULES[1]),
    ("rule", "quality.lines.min_words"): (STAGES, RULES[0]),
    ("stage", "quality"): (STAGES.replace('"quality",', ""),),
    ("stage", "line_dup"): (STAGES.replace('"line_dup",', ""), *RULES),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents about as long as the rule on words asks, with lines that each of the rules cuts."""
    folder, rng = tmp_path_factory.mktemp("edit_rules"), np.random.default_rng(5)
    letters = np.array(list("abcdefghijklmnoprstuvwz"))
    words = ["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(2000)]

    def line(number: int) -> str:
        return " ".join(rng.choice(words, number))

    shared, rows = [line(9) for _ in range(3)], list[str]()
    for number in range(150):
        lines = [line(9) for _ in range(rng.integers(6, 10))]
        if number % 2:
            lines.insert(1, f"our cookie policy {line(3)} {'frobnicate' if number % 5 == 0 else line(1)}")
        if number % 3 == 0:
            lines.insert(2, f"{line(1)} é")
        if number % 4 == 0:  # kept whatever is switched off, so that the lines are repeated in every run
            lines = [*lines[:7], shared[number % 3], *[line(9) for _ in range(8 - min(8, len(lines)))]][:8]
        rows.append("\n".join(lines))
    (folder / "all.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    (folder / "bad.txt").write_text("frobnicate\n")
    return folder


def _pool(corpus: Path, out: Path, *settings: str) -> Pool:
    assert run(corpus / "all.jsonl", out, *SETTINGS, f'toxicity.words=["{corpus / "bad.txt"}"]', *settings) == 0
    return _sampled(out)


def _sampled(out: Path) -> Pool:
    made = read_manifest(out)
    later = Later(run_settings(out), made.stage_names, ("stage", "rule"))
    return read_pool(RunDirectory.finished(out, made), made, 1, later)


def _many_rules(out: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """The sample, with each rule there 17 times under other names."""
    found = Later.ablations

    def repeated(later: Later, editors: Sequence[int]) -> list[EditAblation]:
        each = found(later, editors)
        return [one._replace(name=f"{one.name} {number}") for number in range(17) for one in each]

    with monkeypatch.context() as changed:
        changed.setattr(Later, "ablations", repeated)
        return _sampled(out)


def test_what_comes_back_is_what_a_run_without_the_rule_keeps(corpus, tmp_path, monkeypatch):
    pool = _pool(corpus, tmp_path / "whole", STAGES, *RULES)
    kept = {text for text, here in zip(pool.texts, pool.curated, strict=True) if here}
    assert set(pool.ablated) == set(WITHOUT)
    many = _many_rules(tmp_path / "whole", monkeypatch)
    assert len(many.ablated) == 17 * len(WITHOUT)  # more than a machine word has bits
    for (kind, name), arm in many.ablated.items():
        assert (arm == pool.ablated[kind, name.partition(" ")[0]]).all()
    for number, (name, settings) in enumerate(WITHOUT.items()):
        other = _pool(corpus, tmp_path / str(number), *settings)
        expected = {text for text, here in zip(other.texts, other.curated, strict=True) if here}
        assert expected != kept
        assert {text for text, here in zip(pool.texts, pool.ablated[name], strict=True) if here} == expected


def test_passages_are_found_again_where_lines_begin_and_end():
    assert found_again("banana\nna\nend", ["na\n"]) == [{"start": 7, "end": 10, "replacement": ""}]
    assert found_again("é\na\nb\na\n", ["a\n", "a\n", "a\n"]) == [
        {"start": 3, "end": 5, "replacement": ""},
        {"start": 7, "end": 9, "replacement": ""},
    ]
    assert found_again("a\nbcd\nb", ["\nb"]) == [{"start": 5, "end": 7, "replacement": ""}]
    assert found_again("bcd\nb", ["b"]) == [{"start": 4, "end": 5, "replacement": ""}]
    assert found_again("kept", ["", "gone"]) == []
