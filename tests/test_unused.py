"""Settings that change nothing say so, once, if the user gave them."""

import json
from pathlib import Path

import pytest

import curate
from curate.cli.session import Session
from curate.corpus.input import InputFile, Skipped
from curate.errors import ConfigError
from curate.pipeline.planning.config import default_file, load
from curate.pipeline.planning.unused_settings import unused_notes
from curate.stages import DEFAULT

JSONL, TEXT = (InputFile(path="", name=f"a.{kind}", format=kind) for kind in ("jsonl", "text"))

ALONE = {
    "near_dup.newest_by=day": "`near_dup.survivor` is `longest`",
    "near_dup.best_by=quality.score": "`near_dup.survivor` is `longest`",
    'near_dup.source_priority=["a"]': "`near_dup.survivor` is `longest`",
    "redact.kinds=['email']": "the stage `redact` is not in `pipeline.stages`",
    "line_dup.min_documents=3": "the stage `line_dup` is not in `pipeline.stages`",
    'toxicity.words=["bad.txt"]': "the stage `toxicity` is not in `pipeline.stages`",
    'language.keep=["*", "en"]': "`*` keeps every language, so `en` adds none",
    "quality.languages.de.min_words=3": "`language.keep` removes all documents in `de`",
    "quality.languages.eng.min_words=3": "the language stage gives no document the label `eng`",
    "quality.min_characters=40": "every document that min_characters",
    "quality.max_duplicate_lines=1.0": "no document has `duplicate_lines` above 1",
    "quality.lines.max_line_feeds=2": "`quality.lines.whole_lines` is false",
    "quality.cut_lines=false": "no rule of `quality.lines` cuts a line",
    "tokenize.pattern=cl100k_base": "no `.tiktoken` file",
    "tokenize.added_tokens=all": "no `.json` file",
    "input.split=line": "there is no text or Markdown file",
}

TOGETHER = {
    ("near_dup.bands=20", "near_dup.rows=5", "near_dup.recall=0.9"): "`near_dup.recall` has no effect",
    ("shards.format=bin", "shards.compression_level=9"): "`shards.compression_level` has no effect",
}


def said(*assignments, runs=DEFAULT, files=(JSONL,), skipped=()):
    return [note.message for note in unused_notes(load(assignments=assignments, in_folder=False), runs, files, skipped)]


@pytest.mark.parametrize("assignment", ALONE)
def test_a_setting_without_effect_says_why(assignment):
    (note,) = said(assignment)
    assert note.startswith(f"`{assignment.partition('=')[0]}` has no effect: ")
    assert ALONE[assignment] in note


def test_a_pattern_that_excludes_no_file_says_so():
    skipped = [Skipped("drafts/b.jsonl", "", "excluded"), Skipped("old/c.xls", "", "format")]
    assert said('input.exclude=["drafts/*", "*b.jsonl", "old/*", "darfts/*"]', skipped=skipped) == [
        f"`{pattern}` in `input.exclude` has no effect: no file has such a name" for pattern in ("old/*", "darfts/*")
    ]


@pytest.mark.parametrize("assignments", TOGETHER)
def test_settings_that_rule_each_other_out_say_so(assignments):
    (note,) = said(*assignments)
    assert note.startswith(TOGETHER[assignments])


def test_a_stage_that_is_skipped_is_told_once_for_all_of_its_settings():
    (note,) = said("quality.min_words=3", "quality.max_words=9", runs=("normalize", "language", "tokenize"))
    left_out = "`--skip` or `--only` excludes the stage `quality`"
    assert note == f"`quality.min_words` and `quality.max_words` have no effect: {left_out}"


def test_without_tokens_nothing_about_them_has_an_effect():
    runs = ("normalize", "language", "quality")
    notes = said(
        "shards.format=bin", "report.gpu_kilowatts=0.5", "gates.max_unknown=0.1", "report.samples=3", runs=runs
    )
    assert [note.partition(" has")[0] for note in notes] == [
        "`shards.format`", "`report.gpu_kilowatts`", "`gates.max_unknown`"
    ]  # fmt: skip
    assert said("gates.max_source_near_dup=0.5", runs=runs) == [
        "`gates.max_source_near_dup` has no effect: the stage `near_dup` does not run"
    ]


def test_without_labels_limits_by_language_have_no_effect():
    (note,) = said("quality.languages.de.min_words=9", "quality.min_stop_words=3", runs=("normalize", "quality"))
    assert "without the stage `language` before it" in note


def test_files_without_fields_have_none_to_name():
    assert said("input.source=site", files=(TEXT,)) == [
        "`input.source` has no effect: text and Markdown files have no fields"
    ]


def test_defaults_and_recipes_are_not_worth_a_word(tmp_path):
    assert said() == []
    for recipe in ("fineweb-code", "dolma", "fineweb2"):
        config = load(flags={"pipeline.recipe": recipe}, in_folder=False)
        assert unused_notes(config, config.pipeline.stages, (JSONL,), ()) == []


@pytest.mark.parametrize(
    "text", [(Path(curate.__file__).parent / "curate.toml").read_text(), default_file()], ids=["plain", "init"]
)
def test_a_file_of_defaults_is_not_worth_a_word(tmp_path, text):
    file = tmp_path / "curate.toml"
    file.write_text(text)
    config = load(file)
    notes = unused_notes(config, config.pipeline.stages, (JSONL,), ())
    assert [note.message for note in notes] == []


@pytest.mark.parametrize(
    ("code", "meant"),
    [("eng", "en"), ("english", "en"), ("German", "de"), ("spa", "es"), ("jpn", "ja"), ("zh-Hans", "zh"), ("EN", "en")],
)
def test_a_language_by_another_name_is_refused_before_work(code, meant):
    with pytest.raises(ConfigError) as raised:
        load(assignments=[f'language.keep=["{code}"]'], in_folder=False)
    assert f"has `{code}`; did you mean `{meant}`?" in raised.value.message


def run(folder: Path, *assignments: str) -> dict:
    rows = [
        {
            "text": f"The committee met {at} times and found what it was looking for in the end.",
            "source": "s",
            "key": None,
            "forum": "",
        }
        for at in range(8)
    ]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "list.txt").write_text("blocked.example\n")
    Session([str(folder / "in.jsonl")], str(folder / "out"), assignments=assignments).work(quiet=2)
    return json.loads((folder / "out" / "report.json").read_text())


def test_what_the_corpus_does_not_have_is_told_at_the_end(tmp_path):
    report = run(
        tmp_path,
        'pipeline.stages=["normalize", "url_filter", "language", "near_dup", "quality"]',
        'language.keep=["en", "fr", "de"]',
        "quality.languages.de.min_words=3",
        "quality.max_symbol_ratio=0.2",
        'near_dup.exempt_sources=["s", "forum"]',
        "near_dup.scope=metadata.site",
        f'url_filter.domains=["{tmp_path}/list.txt"]',
        "input.source=forum",
        "input.id=key",
    )
    told = {
        alert["title"] for alert in report["alerts"] if alert["level"] == "warning" and "no effect" in alert["title"]
    }
    assert told == {
        "`language.keep` had no effect: no document is labelled `fr` or `de`",
        "`quality.languages.de` had no effect: no document is labelled `de`",
        "`near_dup.exempt_sources` had no effect: no document is of source `s` or `forum`",
        "`near_dup.scope` had no effect: no document has `site` in its metadata",
        "`url_filter` had no effect: no document has an address",
        "`url_filter.domains` had no effect: no document has an address with an entry of the lists",
        "`input.source` had no effect: no record has a value in `forum`",
        "`input.id` had no effect: no record has a value in `key`",
    }
    (note,) = [alert for alert in report["alerts"] if "that you set removed nothing" in alert["title"]]
    assert note["level"] == "note"
    assert "`quality.max_symbol_ratio`" in note["detail"]


def test_what_has_an_effect_is_not_told(tmp_path):
    report = run(tmp_path, 'language.keep=["en"]', "input.source=source", 'near_dup.exempt_sources=["s"]')
    assert not [alert for alert in report["alerts"] if "no effect" in alert["title"]]
