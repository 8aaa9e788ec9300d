"""The numbers of the report, recomputed the plain way from the same run directory."""

import json
import re
from functools import partial

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import small_run
from corpus_maker import make_corpus
from curate.errors import DamagedFile, InputError
from curate.pipeline import row_group
from curate.report.alerts.alerts import find_alerts
from curate.report.html.page import report_json, shared, write_report
from curate.report.judgments.measures import BINS, _edges, _log_edges
from curate.report.kept_findings import kept_findings, read_report
from curate.report.model import build_report, findings_of, with_samples
from curate.report.samples import Samples
from curate.settings.report import ReportSettings
from curate.store.checked_json import write_json
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory
from fake_run import files_of, write_fake_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, documents=900, parts=4)
    return folder


@pytest.fixture(scope="module")
def report(run):
    return build_report(run, ReportSettings())


@pytest.fixture(scope="module")
def whole(run):
    """Every column of every stage in memory: the plain way."""
    documents = pl.read_parquet(files_of(run, "documents"))
    stages = ("normalize", "language", "near_dup", "quality", "tokenize")
    tables = [pl.read_parquet(files_of(run, stage)).select(pl.all().name.prefix(f"{stage}.")) for stage in stages]
    return pl.concat([documents, *tables], how="horizontal").with_columns(
        kept=pl.col("tokenize.reasons").list.len().eq(0).fill_null(value=False)
    )


def changed(run, tmp_path, change):
    """A copy of the manifest with changes, beside the same judgments."""
    manifest = json.loads((run / "run.json").read_text())
    change(manifest)
    for entry in run.iterdir():
        if entry.is_dir():
            (tmp_path / entry.name).symlink_to(entry)
    write_json(tmp_path / "run.json", manifest)
    return build_report(tmp_path, ReportSettings(samples=1))


def test_findings_are_those_that_the_report_tells(tmp_path, monkeypatch):
    write_fake_run(tmp_path, documents=300, parts=2)
    monkeypatch.setattr("curate.report.kept_findings.SMALL", 0)
    manifest, settings = read_manifest(tmp_path), ReportSettings()
    directory = RunDirectory.finished(tmp_path, manifest)
    found = findings_of(directory, manifest, settings)
    assert kept_findings(tmp_path, manifest, settings) is read_report(tmp_path, manifest) is None
    report = build_report(tmp_path, settings, found)
    write_report(tmp_path, report, settings)
    kept = kept_findings(tmp_path, manifest, msgspec.structs.replace(settings, price_per_gpu_hour=9.0))
    assert not kept.samples.kept
    assert with_samples(kept, directory, manifest, settings) == found
    assert read_report(tmp_path, manifest) == msgspec.structs.replace(
        shared(report), samples=Samples(), manifest=manifest
    )
    assert kept_findings(tmp_path, manifest, msgspec.structs.replace(settings, samples=0)) == kept
    for other in ({"samples": 1}, {"epochs": 7}):
        assert kept_findings(tmp_path, manifest, msgspec.structs.replace(settings, **other)) is None
    damaged = files_of(tmp_path, "quality")[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DamagedFile, match="quality"):
        with_samples(kept, directory, manifest, settings)


def test_books_balance(report):
    summary = report.summary
    assert summary.read == summary.kept + summary.removed + summary.quarantined
    for groups in (report.sources, report.languages):
        assert sum(group.documents for group in groups) == summary.read - summary.quarantined
        assert sum(group.kept for group in groups) == summary.kept
        assert sum(group.tokens for group in groups) == summary.tokens_kept


def test_sources_and_their_top_reasons(report, whole):
    for group in report.sources:
        rows = whole.filter(source=group.name)
        reasons = [
            f"{stage}.{reason}"
            for stage in ("normalize", "language", "near_dup", "quality")
            for given in rows[f"{stage}.reasons"].drop_nulls().to_list()
            for reason in given
        ]
        assert (group.documents, group.kept) == (rows.height, rows["kept"].sum())
        assert reasons.count(group.top_reason) == max(map(reasons.count, set(reasons)))


def test_histograms_count_every_measured_document_and_split_at_the_threshold(report, whole):
    assert {histogram.measure for histogram in report.histograms} == {
        "language.score",
        "near_dup.jaccard",
        "quality.word_count",
        "quality.symbol_ratio",
        "quality.duplicate_lines",
        "quality.stop_words",
        "quality.score",
        "tokenize.n_tokens",
    }
    for histogram in report.histograms:
        values = whole[histogram.measure].drop_nulls().to_numpy().astype(float)
        if histogram.measure == "near_dup.jaccard":
            copies = whole["near_dup.exact"].sum()
            assert histogram.apart == copies > 0
            values = whole.filter(~pl.col("near_dup.exact"))[histogram.measure].drop_nulls().to_numpy()
        assert sum(histogram.counts) == histogram.documents == len(values)
        assert len(histogram.edges) == len(histogram.counts) + 1
        assert np.all(np.diff(histogram.edges) > 0)
        for line, beyond in zip(histogram.thresholds, histogram.beyond, strict=True):
            below, above = values < line.value, values > line.value
            wrong = below if line.side == "min" else above | (line.at & (values == line.value))
            assert beyond == wrong.sum()
            assert np.isclose(histogram.edges, line.value).any()


def test_bins_hold_what_lies_between_their_edges(report, whole):
    histogram = next(histogram for histogram in report.histograms if histogram.measure == "quality.score")
    values = whole["quality.score"].drop_nulls().to_numpy()
    for low, high, count in list(zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False))[1:-1]:
        assert count == pytest.approx(((values >= low) & (values < high)).sum(), abs=1)


@given(
    values=st.one_of(
        st.lists(st.floats(0, 1), min_size=1, max_size=40),
        st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
        st.lists(st.integers(0, 10**7), min_size=1, max_size=40),
        st.lists(st.integers(0, 150), min_size=1, max_size=40),
    ),
    lines=st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.0, 50.0, 100_000.0]), max_size=2),
)
def test_edges_of_bins_are_round_and_on_the_thresholds(values, lines):
    whole = isinstance(values[0], int)
    low, high = min([*values, *lines]), max([*values, *lines])
    edges = (_log_edges if whole and high > 200 else _edges)(low, high, lines, whole=whole)
    assert np.all(np.diff(edges) > 0)
    assert 2 <= len(edges) <= BINS + 4
    assert set(lines) <= set(edges.tolist()) or high - low < 1e-6
    assert edges[-1] >= high - 1e-8 * max(1.0, high - low)  # what cannot be seen is no bin of its own
    assert edges[0] <= max(low, 1) if whole else edges[0] <= low + 1e-9
    if whole and all(map(float.is_integer, lines)):
        assert all(edge.is_integer() for edge in edges.tolist())
    if low >= 0:
        assert edges[0] >= 0


def test_clusters_are_those_of_the_survivors(report, whole):
    removed = whole.filter(pl.col("near_dup.reasons").list.len() > 0)
    sizes = removed.group_by("near_dup.survivor").len()["len"] + 1
    counted = {size: (sizes == size).sum() for size in sizes.unique()}
    assert {size.documents: size.clusters for size in report.duplicates.sizes} == counted
    assert report.duplicates.removed == removed.height == report.summary.removed_by["near_dup"]
    assert report.duplicates.largest[0].documents == sizes.max()
    bracket = report.duplicates.redundancy
    assert 0 < bracket.redundant.low < bracket.redundant.high == pytest.approx(bracket.removed_tokens)


def test_samples_are_of_their_kind(report):
    given = {f"{reason.stage}.{reason.code}": reason.documents for reason in report.reasons if reason.documents}
    assert {code: min(5, number) for code, number in given.items()} == {
        code: len(group) for code, group in report.samples.removed.items()
    }
    for code, group in report.samples.removed.items():
        assert all(code in sample.reasons for sample in group)
    assert len(report.samples.kept) == 5
    assert not any(sample.reasons for sample in report.samples.kept)


def test_samples_nearest_to_a_threshold_come_from_both_sides(report, whole):
    values = whole["language.score"].drop_nulls().to_numpy()
    near = [
        sample.value
        for one in report.samples.nearest
        if one.limit.measure == "language.score"
        for sample in one.documents
    ]
    below, above = np.sort(values[values < 0.65])[-2:], np.sort(values[values >= 0.65])[:2]
    assert near == pytest.approx([*below, *above])


def test_a_measure_with_two_limits_shows_what_is_nearest_to_each(run, tmp_path, whole):
    def two_sided(manifest):
        (stage,) = [stage for stage in manifest["stages"] if stage["name"] == "quality"]
        (low,) = [rule for rule in stage["rules"] if rule["measure"] == "word_count" and rule["side"] == "min"]
        rules = [rule for rule in stage["rules"] if rule["measure"] != "word_count"]
        most = {**low, "side": "max", "limit": 400, "reason": "too_many_words", "setting": "quality.max_words"}
        stage["rules"] = [low, most, *rules]

    values = np.sort(whole["quality.word_count"].drop_nulls().to_numpy())
    found = [
        one for one in changed(run, tmp_path, two_sided).samples.nearest if one.limit.measure.endswith("word_count")
    ]
    assert [one.limit.side for one in found] == ["min", "max"]
    for one in found:
        closest = np.abs(values - one.limit.value).min()
        assert min(abs(sample.value - one.limit.value) for sample in one.documents) == closest


def test_samples_say_their_language(report, whole):
    labels = dict(whole.select("id", "language.label").iter_rows())
    for group in report.samples.removed.values():
        assert [sample.language for sample in group] == [labels[sample.id] or "" for sample in group]


def test_samples_say_what_they_are_beyond(report):
    for code, group in report.samples.removed.items():
        limits = {f"{line.measure.partition('.')[0]}.{line.reason}" for h in report.histograms for line in h.thresholds}
        for sample in group:
            assert bool(sample.beyond) or code not in limits
            assert all(re.fullmatch(r"\w+ \S+ [<>=] \S+", said) for said in sample.beyond)


def test_duplicates_are_shown_with_the_document_kept_instead(report, whole):
    texts, survivors = (dict(zip(whole["id"], whole[column], strict=True)) for column in ("text", "near_dup.survivor"))
    for sample in report.samples.removed["near_dup.near_duplicate"]:
        assert sample.twin.id in {survivors[sample.id], "</pre><script>id</script>"}
        words = "".join(piece.text for piece in sample.twin.difference if piece.kind == "old").split()
        assert set(words) <= {*texts[sample.twin.id].split(), "…"} or "…" in words
        assert sample.twin.jaccard >= 0.8


def test_exact_copies_are_not_nearest_to_a_similarity(report, whole):
    exact = set(whole.filter(pl.col("near_dup.exact"))["id"])
    (near,) = [one.documents for one in report.samples.nearest if one.limit.measure == "near_dup.jaccard"]
    assert exact
    assert near
    assert not exact & {sample.id for sample in near}


def test_same_run_same_report(run, report):
    assert msgspec.json.encode(build_report(run, ReportSettings())) == msgspec.json.encode(report)


def test_json_has_every_figure_with_its_tag_and_no_document_text(run, report):
    written = report_json(report)
    data = json.loads(written)
    for name in ("tokens", "share", "flops", "gpu_hours", "money", "energy", "net_energy", "carbon"):
        assert set(data["compute"][name]) == {"value", "low", "high", "unit", "tag", "assumptions", "source"}
    assert data["summary"]["kept"] == report.summary.kept
    assert b"The harbour was quiet" not in written


def test_the_verdict_claims_a_cheaper_pass_and_nothing_about_quality(report):
    assert "One pass over the kept text costs" in report.summary.verdict
    assert "saved" not in report.summary.verdict


def test_without_samples_no_text_is_read(run, monkeypatch):
    monkeypatch.setattr("curate.report.samples._beginnings", lambda *_: pytest.fail("a text was read"))
    report = build_report(run, ReportSettings(samples=0))
    assert not report.samples.removed
    assert not report.samples.kept


@pytest.mark.parametrize("skipped", [("tokenize",), ("language", "near_dup"), ("normalize", "quality", "tokenize")])
def test_stages_may_be_missing(tmp_path, skipped):
    write_fake_run(tmp_path, documents=120, parts=2, skip=skipped)
    report = build_report(tmp_path, ReportSettings())
    assert [step.stage for step in report.flow] == [
        stage for stage in ("normalize", "language", "near_dup", "quality", "tokenize") if stage not in skipped
    ]
    assert (report.compute is None) == ("tokenize" in skipped)
    assert (report.duplicates is None) == ("near_dup" in skipped)
    assert bool(report.languages) == ("language" not in skipped)


def test_a_run_that_read_nothing(tmp_path):
    write_fake_run(tmp_path, documents=30, parts=1)

    def empty(manifest):
        manifest["parts"] = []
        manifest["counts"] = {"read": 0, "quarantined": 0, "kept": 0, "removed": {}}
        manifest["flow"], manifest["tokens"], manifest["shards"], manifest["inputs"] = [], None, None, []

    (tmp_path / "nothing").mkdir()
    manifest = json.loads((tmp_path / "run.json").read_text())
    empty(manifest)
    write_json(tmp_path / "nothing" / "run.json", manifest)
    report = build_report(tmp_path / "nothing", ReportSettings())
    assert report.summary.verdict == "There was nothing to read."
    assert report.compute is None


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(InputError):
        build_report(tmp_path, ReportSettings())


def test_worth_a_look(run, tmp_path):
    def poor(manifest):
        manifest["config"]["language"]["keep"] = ["fi"]
        manifest["gates"][0] |= {"passed": False, "value": 0.5}

    alerts = changed(run, tmp_path, poor).alerts
    titles = [alert.title for alert in alerts]
    assert "max_quarantined" in titles[0]
    assert alerts[0].level == "problem"
    other = next(alert for alert in alerts if "languages" in alert.title)
    assert other.command == """curate run corpus/ -o curated --set 'language.keep=["fi", "en", "fr", "de"]'"""
    assert any("could not be read" in title for title in titles)
    assert any("never fired" in title for title in titles)


def test_alerts_are_about_languages_and_rules_that_had_documents(run, tmp_path):
    """Documents without words are in no language that could be kept; rules of a stage that few reached are not idle."""

    def few(manifest):
        step = next(step for step in manifest["flow"] if step["stage"] == "quality")
        step |= {"in": 29, "kept": 29, "removed": 0}

    report = changed(run, tmp_path, few)
    assert not any("never fired" in alert.title for alert in report.alerts)
    groups = [msgspec.structs.replace(report.languages[0], name=name, documents=40) for name in ("en", "und", "und")]
    named = partial(find_alerts, report.manifest, sources=(), histograms=(), duplicates=None, crossed=report.crossed)
    assert not any("languages" in alert.title for alert in named(languages=groups[:2]))
    foreign = msgspec.structs.replace(groups[0], name="fr", documents=900)
    many = [msgspec.structs.replace(foreign, name=f"{letter}a", documents=9) for letter in "bcdefghijklmnopqrstuvwxyz"]
    (all_of,) = [alert for alert in named(languages=[groups[0], *many]) if "languages" in alert.title]
    assert "and others)" in all_of.title
    assert all_of.command.endswith("""--set 'language.keep=["*"]'""")
    rest = msgspec.structs.replace(foreign, name="(90 others)")
    (unnamed,) = [alert for alert in named(languages=[groups[0], rest]) if "languages" in alert.title]
    assert unnamed.title.endswith("languages that were not kept")
    assert next(
        alert for alert in named(languages=[*groups[:2], foreign]) if "languages" in alert.title
    ).command.endswith("""--set 'language.keep=["en", "fr"]'""")


def test_a_stage_that_removed_most_is_named(run, tmp_path):
    def heavy(manifest):
        step = next(step for step in manifest["flow"] if step["stage"] == "quality")
        step |= {"removed": step["in"] - 1, "kept": 1}

    def of_quality(report):
        return [alert for alert in report.alerts if alert.title.startswith("`quality` removed")]

    assert not of_quality(build_report(run, ReportSettings(samples=0)))
    (found,) = of_quality(changed(run, tmp_path, heavy))
    assert found.command.startswith("curate sample curated --reason quality.")


def test_a_source_that_lost_far_more_than_the_others_is_named(run, tmp_path):
    report = build_report(run, ReportSettings(samples=0))
    lost = {group.name: 1 - group.kept_share for group in report.sources if group.documents >= 30}
    everywhere = 1 - report.summary.kept / (report.summary.read - report.summary.quarantined)
    named = {name for name in lost if any(f"`{name}` lost" in alert.title for alert in report.alerts)}
    assert named == {name for name, share in lost.items() if share - everywhere > 0.25}


def test_rules_that_the_stage_declares_win_over_settings_with_a_fitting_name(run, tmp_path):
    def undeclared(manifest):
        for stage in manifest["stages"]:
            stage.pop("rules", None)

    histograms = {histogram.measure: histogram for histogram in changed(run, tmp_path, undeclared).histograms}
    assert histograms["quality.symbol_ratio"].thresholds[0].setting == "quality.max_symbol_ratio"
    assert "quality.duplicate_lines" not in histograms


def test_what_the_run_warned_of_is_said_once(run, tmp_path):
    def warned(manifest):
        manifest["warnings"] = ["skipped `corpus/notes.docx`: no reader", "`corpus/4.jsonl.zst` is empty"]

    titles = [alert.title for alert in changed(run, tmp_path, warned).alerts]
    assert sum("empty" in title for title in titles) == 1
    assert not any(title.endswith("skipped") for title in titles)


def test_parts_of_several_row_groups_are_reported_as_those_of_one(tmp_path, monkeypatch):
    corpus, whole = make_corpus(tmp_path / "in", documents=40), "input.part_bytes=1000000"
    small_run.run(corpus, tmp_path / "one", whole)
    monkeypatch.setattr(row_group, "GROUP_ROWS", 7)
    small_run.run(corpus, tmp_path / "several", whole)
    one, several = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("one", "several"))
    told = ("flow", "reasons", "sources", "histograms", "duplicates", "crossed")
    assert {name: several[name] for name in told} == {name: one[name] for name in told}
    assert one["reasons"]
