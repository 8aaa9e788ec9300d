"""Documents that kill the process that works on them, without a cluster: every worker is told that others died."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from curate import stages
from curate.cli.session import Session
from curate.engine import local
from curate.errors import ExitCode, Stopped


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stage `dangerous`, as a package that is installed for one test."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "dangerous_stage"))
    for known in (stages._installed, stages.stage_class):
        known.cache_clear()
    yield
    for known in (stages._installed, stages.stage_class):
        known.cache_clear()


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[int, str], *names: str) -> int:
    """A run over thirty documents, some of which have a word that does something."""
    monkeypatch.setattr(local, "_Here", partial(local._Here, doubtful=True))
    lines = [{"text": f"Number {n} of some sentences: {n * n}. {texts.get(n, '')}"} for n in range(30)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = [f"pipeline.stages={json.dumps(names or ['normalize', 'dangerous'])}", "gates.max_quarantined=0.2"]
    return Session([str(tmp_path / "in")], str(tmp_path / "out"), assignments=settings).work(quiet=2)


@pytest.mark.slow
def test_documents_that_kill_are_found_one_by_one(tmp_path, monkeypatch):
    assert run(tmp_path, monkeypatch, {3: "POISON", 17: "POISON"}) == ExitCode.DONE
    bad = pl.read_parquet(tmp_path / "out" / "quarantine" / "*.parquet")
    assert bad.select("position", "reason").rows() == [(4, "killed_worker"), (18, "killed_worker")]


@pytest.mark.slow
def test_one_that_kills_in_a_later_pass_is_named_with_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(Stopped, match=r"document 18 of `a\.jsonl` ends the process .* after `near_dup`") as told:
        run(tmp_path, monkeypatch, {17: "POISON"}, "normalize", "near_dup", "dangerous")
    assert "before `near_dup` in pipeline.stages" in told.value.hint


@pytest.mark.slow
def test_an_error_is_no_death_and_is_raised(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="a fault in the stage"):
        run(tmp_path, monkeypatch, {17: "FAULT"})
