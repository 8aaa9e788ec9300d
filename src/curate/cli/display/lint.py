"""Findings on recipes as people and programs read them."""

import json as jsonlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import share
from curate.errors import ExitCode
from curate.pipeline.planning.config import Config
from curate.pipeline.planning.lint import Finding, accepted, lint, load_recipe, run_settings
from curate.pipeline.rejudging import Rejudged, never_fired, rejudged
from curate.recipes import Recipe, recipe, recipe_names
from curate.report.quantities import counted
from curate.stages.quality import QualitySettings
from curate.store.files import place


def show_findings(names: Sequence[str], run: str | None, *, json: bool) -> int:
    """Print what is to be found on recipes, or on a run's own settings."""
    checked = [_Checked.of_recipe(recipe(name), run) for name in names or (() if run else recipe_names())]
    if run and not names:
        checked.append(_Checked.of_run(run))
    if json:
        typer.echo(jsonlib.dumps([one.as_data() for one in checked], ensure_ascii=False))
    else:
        out = console(stderr=False)
        for one in checked:
            one.show(out)
    return ExitCode.GATE_FAILED if any(one.open for one in checked) else ExitCode.DONE


class _Checked:
    """One recipe, what was found on it, and what its rules do to a run."""

    def __init__(self, name: str, findings: Sequence[Finding], judged: Rejudged | None) -> None:
        self.name, self.findings, self.judged = name, findings, judged

    @classmethod
    def of_recipe(cls, found: Recipe, run: str | None) -> "_Checked":
        findings = lint(found)
        if run is None or any(one.code == "invalid" for one in findings):
            return cls(found.name, findings, None)
        config = load_recipe(found.name)
        judged = _judged(run, config)
        fired = [accepted(one, found, config) for one in never_fired(judged)] if judged else []
        return cls(found.name, (*findings, *fired), judged)

    @classmethod
    def of_run(cls, run: str) -> "_Checked":
        judged = _judged(run, run_settings(place(run)))
        return cls(run, tuple(never_fired(judged)) if judged else (), judged)

    @property
    def open(self) -> list[Finding]:
        """Findings that nobody accounted for."""
        return [one for one in self.findings if not one.accepted]

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"name": self.name, "findings": [asdict(one) for one in self.findings]}
        if self.judged:
            rules = [
                {"rule": one.rule.key, "reason": one.rule.reason, "documents": one.documents, "alone": one.alone}
                for one in self.judged.fired
            ]
            data |= {"documents": self.judged.documents, "kept": self.judged.kept, "rules": rules}
        return data

    def show(self, out: Console) -> None:
        verdict = counted(len(self.open), "finding") if self.open else "clean"
        if explained := len(self.findings) - len(self.open):
            verdict += f", {explained} accounted for"
        out.print(Text.assemble((self.name, "bold"), f"  {verdict}"), soft_wrap=True)
        if self.judged:
            _show_rules(out, self.judged)
        for one in self.findings:
            _show_finding(out, one)


def _judged(run: str, config: Config) -> Rejudged | None:
    settings = config.stage("quality")
    runs = "quality" in config.pipeline.stages
    return rejudged(place(run), settings) if runs and isinstance(settings, QualitySettings) else None


def _show_finding(out: Console, one: Finding) -> None:
    style = "dim" if one.accepted else "yellow"
    said = f" {one.key}: {one.message}" if one.key else f" {one.message}"
    out.print(Text.assemble((f"  {one.code:<11}", style), said), soft_wrap=True)
    hint = "" if one.accepted else one.hint
    place = one.where if ":" in one.where else ""  # a shipped recipe has no line to look at
    for label, text in (("", place), ("hint: ", hint), ("accounted for: ", one.accepted)):
        if text:
            out.print(Text(f"              {label}{text}", "dim"), soft_wrap=True)


def _show_rules(out: Console, judged: Rejudged) -> None:
    """What each rule removes, and what it alone does."""
    kept = f"{judged.kept:,} of {judged.documents:,} documents ({share(judged.kept, judged.documents)})"
    out.print(Text(f"  keeps {kept}"), soft_wrap=True)
    width = max((len(one.rule.key) for one in judged.fired), default=0)
    out.print(Text(f"  {'rule':<{width}}  {'removes':>11}  {'':>8}  {'it alone':>9}", "dim"))
    for one in judged.fired:
        part = share(one.documents, judged.documents)
        out.print(Text(f"  {one.rule.key:<{width}}  {one.documents:>11,}  {part:>8}  {one.alone:>9,}"))
