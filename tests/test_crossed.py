"""Reasons against sources, languages and each other, counted the plain way."""

from collections import Counter
from itertools import combinations

import polars as pl
import pytest

from curate.report.crossed import ROWS, _table, cross
from curate.report.judgments.judgments import Judgments
from curate.report.model import build_report
from curate.settings.report import ReportSettings
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory
from fake_run import write_fake_run

STAGES = ("normalize", "language", "near_dup", "quality", "tokenize")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, documents=900, parts=3)
    return folder


@pytest.fixture(scope="module")
def judgments(run):
    return Judgments(RunDirectory.finished(run, read_manifest(run)), STAGES)


@pytest.fixture(scope="module")
def removed(judgments):
    """Source, language and reasons of each removed document."""
    rows = judgments.frame.collect().to_dicts()
    found = [
        (row["source"], row["language.label"], [f"{stage}.{code}" for code in row[f"{stage}.reasons"]])
        for row in rows
        for stage in STAGES
        if row[f"{stage}.reasons"]
    ]
    assert len(found) > 100
    return found


def test_tables_hold_every_reason_of_every_column(judgments, removed):
    found = cross(judgments)
    for table, at in ((found.sources, 0), (found.languages, 1)):
        counted = Counter((row[at], reason) for row in removed for reason in row[2])
        assert table.rows
        assert len(table.columns) == len(table.came) > 1
        for row in table.rows:
            assert row.counts == tuple(counted[column, row.reason] for column in table.columns)
            assert row.documents == sum(count for (_, reason), count in counted.items() if reason == row.reason)


def test_the_main_reason_of_a_small_column_has_a_row():
    """Of a language with few documents a table of the commonest reasons alone would say that nothing was removed."""
    often = [(f"quality.{number}", "en", 100 + number) for number in range(ROWS + 2)]
    counted = pl.DataFrame([*often, ("language.not_in_keep", "fr", 5)], ["reason", "language", "len"], orient="row")
    came = pl.DataFrame({"language": ["en", "fr"], "len": [9000, 5]})
    found = _table(came, counted, {reason: count for reason, _, count in counted.iter_rows()})
    assert [row.reason for row in found.rows][-1] == "language.not_in_keep"
    assert len(found.rows) == ROWS


def test_alone_are_documents_with_no_other_reason(judgments, removed):
    alone = Counter(reasons[0] for *_, reasons in removed if len(reasons) == 1)
    found = cross(judgments).alone
    assert found == {reason: alone[reason] for reason in sorted({one for *_, each in removed for one in each})}


def test_pairs_are_reasons_of_one_document(judgments, removed):
    together = Counter(pair for *_, reasons in removed for pair in combinations(sorted(reasons), 2))
    for pair in cross(judgments).together:
        assert together[pair.reason, pair.other] == pair.documents
        assert 0 < pair.share <= 1


def test_alerts_come_by_what_is_at_stake(run):
    alerts = build_report(run, ReportSettings(samples=0)).alerts
    levels = ["problem", "warning", "note"]
    assert [levels.index(alert.level) for alert in alerts] == sorted(levels.index(alert.level) for alert in alerts)
    at_stake = [alert.documents for alert in alerts if alert.level == "warning" and alert.tokens is None]
    assert at_stake == sorted(at_stake, reverse=True)
