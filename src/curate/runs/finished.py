"""A finished run: what `curate.run` and `curate.open` return. Its contents are read from its folder when needed."""

from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from curate.errors import InputError, nearest
from curate.process.forked import require_threads
from curate.store.life import Life
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Gate, Manifest
from curate.store.run_directory import REPORT_PAGE, SHARDS

if TYPE_CHECKING:
    import polars as pl

    from curate.report.model import Report
    from curate.runs.outlook import WhatIf


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of a run: ``read = kept + removed + quarantined``.

    Attributes:
        read: everything the input held.
        kept: documents that every stage kept.
        removed: documents that a stage removed.
        quarantined: documents that could not be read.
        removed_by: stage → documents it removed.
        reasons: ``stage.reason`` → documents that have it; a document can have several.
    """

    read: int
    kept: int
    removed: int
    quarantined: int
    removed_by: dict[str, int]
    reasons: dict[str, int]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a run.

    Attributes:
        kept: in the shards, end marks included.
        raw: of all documents read; an estimate if ``raw_low`` and ``raw_high`` differ.
        raw_low: lower end of the 95 % interval of ``raw``.
        raw_high: its upper end.
        tokenizer: name of the tokenizer.
    """

    kept: int
    raw: int
    raw_low: int
    raw_high: int
    tokenizer: str


class Run:
    """A finished run.

    Two objects for the same folder are equivalent; ``curate.open(run.path)`` makes another one.

    Attributes:
        path: the run directory.

    Raises:
        InputError: the folder holds no finished run.
        DamagedFile: ``run.json`` has changed since it was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path)
        """``run.json``: settings, inputs, counts, versions, timings, machine."""

    @property
    def id(self) -> str:
        """Digest of the input and of every setting that affects results: runs with equal ids have equal bytes."""
        return self.manifest.run_id

    @property
    def page(self) -> Path:
        """The report for people, ``report.html``."""
        return self.path / REPORT_PAGE

    @property
    def counts(self) -> Counts:
        """How many documents were read, kept, removed and quarantined."""
        counts = self.manifest.counts
        return Counts(
            read=counts.read,
            kept=counts.kept,
            removed=sum(counts.removed_by.values()),
            quarantined=counts.quarantined,
            removed_by=counts.removed_by,
            reasons=counts.reasons,
        )

    @property
    def tokens(self) -> Tokens | None:
        """Tokens in the shards and in the raw corpus; None if nothing was tokenized."""
        tokens = self.manifest.tokens
        if not tokens:
            return None
        raw = tokens.raw
        return Tokens(
            kept=tokens.kept,
            raw=raw.value,
            raw_low=raw.low,
            raw_high=raw.high,
            tokenizer=tokens.tokenizer,
        )

    @property
    def gates(self) -> tuple[Gate, ...]:
        """Every limit that the run had to meet, with its value."""
        return self.manifest.gates

    @property
    def ok(self) -> bool:
        """Whether the run passed all gates."""
        return all(gate.passed for gate in self.gates)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of the run."""
        return self.manifest.warnings

    @cached_property
    def report(self) -> "Report":
        """All numbers of the report: alerts, histograms, sources, duplicates, compute. Texts are in `sample`."""
        from curate.report.kept_findings import read_report
        from curate.report.model import build_report
        from curate.settings.report import ReportSettings

        if found := read_report(self.path, self.manifest):
            return found
        require_threads()
        settings = msgspec.convert(self.manifest.section("report"), ReportSettings)  # made again from the judgments
        return build_report(self.path, msgspec.structs.replace(settings, samples=0))

    def documents(self, kept: bool = True) -> "pl.LazyFrame":
        """The documents, with all edits applied.

        Only the columns that you use are read. Memory does not depend on the number of documents until the table is
        collected.

        Args:
            kept: only those that every stage kept; False: every document that was read.

        Returns:
            ``id``, ``text``, ``source``, ``file``, ``position``, ``metadata`` (JSON), ``raw_bytes``, ``reasons`` (as
            ``stage.reason``), and every measure as ``stage.measure``.
        """
        from curate.runs.documents import documents_of

        require_threads()
        return documents_of(self.path, "kept" if kept else "all")

    def removed(self, reason: str | None = None) -> "pl.LazyFrame":
        """The documents that a stage removed, with their reasons; columns as in `documents`.

        Args:
            reason: only documents with this reason: ``stage.reason``, or the bare reason if only one stage gives it.

        Raises:
            InputError: no stage of the run gives that reason.
        """
        from curate.runs.documents import documents_of

        require_threads()
        return documents_of(self.path, "removed", self._reason(reason) if reason else "")

    def why(self, document: str) -> list[Life]:
        """What happened to a document, stage by stage: measures, reasons, edits, and its survivor if it is a duplicate.

        Args:
            document: its id. Ids from the input may repeat: at most 20 documents are returned.

        Raises:
            InputError: no document has that id.
        """
        from curate.report.masking import masked_life
        from curate.runs.questions import find

        require_threads()
        found = find(self.path, document)
        return [masked_life(life, found.masks) for life in found.lives]

    def sample(
        self,
        reason: str | None = None,
        *,
        stage: str | None = None,
        kept: bool = False,
        source: str | None = None,
        number: int = 5,
        random: bool = False,
        seed: int = 0,
    ) -> list[Life]:
        """A few documents to read; if the reason comes from a limit, those nearest to the limit first.

        Args:
            reason: documents removed for this reason: ``stage.reason``, or the bare reason if only one stage gives it.
            stage: documents removed by this stage.
            kept: kept documents instead of removed ones.
            source: only documents from this source.
            number: how many.
            random: choose at random, not nearest to the limit first.
            seed: seed of the random choice.

        Raises:
            InputError: the run has no such reason, stage or source.
            UserError: kept documents were requested together with a reason or a stage.
        """
        from curate.report.choice import Question
        from curate.runs.questions import sampled

        require_threads()
        question = Question(reason or "", stage or "", kept, source or "", number, seed, random)
        return sampled(self.path, question).lives

    def whatif(self, **sections: Mapping[str, Any]) -> "WhatIf":
        """What the run would have kept under other settings, computed from its judgments; nothing is written.

        Args:
            **sections: settings by section, ``quality={"min_words": 80}``.

        Raises:
            ConfigError: a setting is wrong.
            UserError: a setting decides what is measured, so only a rerun can answer.
        """
        from curate.runs.whatif import whatif

        require_threads()
        return whatif(self.path, arguments=sections)

    def shards(self) -> tuple[Path, ...]:
        """Files of the token shards, in order; empty if nothing was tokenized. `curate.load` reads them."""
        if not self.manifest.shards:
            return ()
        from curate.shards.index import read_index

        folder = self.path / SHARDS
        return tuple(folder / shard.file for shard in read_index(folder).shards)

    def _reason(self, reason: str) -> str:
        """The full code of a reason."""
        known = [f"{stage.name}.{one.code}" for stage in self.manifest.stages for one in stage.reasons]
        found = [code for code in known if reason in (code, code.partition(".")[2])]
        if not found:
            raise InputError(f"no stage of the run gives the reason `{reason}`", hint=nearest(reason, known))
        if len(found) > 1:
            raise InputError(f"{len(found)} stages give the reason `{reason}`", hint=f"name one: {', '.join(found)}")
        return found[0]

    def __repr__(self) -> str:
        failed = "" if self.ok else ", gates failed: " + ", ".join(gate.name for gate in self.gates if not gate.passed)
        tokens = f", {self.tokens.kept:,} tokens" if self.tokens else ""
        return f"<Run {str(self.path)!r}: {self.counts.kept:,} of {self.counts.read:,} documents kept{tokens}{failed}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the counts of each stage and the gates; no document text."""
        counts, tokens = self.counts, self.tokens
        rows = "".join(
            f"<tr><td>{escape(step.stage)}</td><td>{step.came:,}</td><td>{step.kept:,}</td>"
            f"<td>{step.removed:,}</td><td>{escape(self._main_reason(step.stage))}</td></tr>"
            for step in self.manifest.flow
        )
        gates = "".join(
            f"<br>{'passed' if gate.passed else '<b>failed</b>'}: {escape(gate.name)} {gate.value:.4g}"
            f" (limit {gate.limit:.4g})"
            for gate in self.gates
        )
        share = f" ({counts.kept / counts.read:.1%})" if counts.read else ""
        kept_tokens = f" · {tokens.kept:,} tokens of {escape(tokens.tokenizer)}" if tokens else ""
        return (
            f"<div><p><b>{escape(str(self.path))}</b>: kept {counts.kept:,} of {counts.read:,} documents{share}"
            f"{kept_tokens} · removed {counts.removed:,} · quarantined {counts.quarantined:,}</p>"
            "<table><thead><tr><th>stage</th><th>in</th><th>kept</th><th>removed</th><th>main reason</th></tr></thead>"
            f"<tbody>{rows}</tbody></table><p>Gates{gates}</p></div>"
        )

    def _main_reason(self, stage: str) -> str:
        reasons = self.manifest.counts.reasons_of(stage)
        return min(reasons, key=lambda reason: (-reasons[reason], reason), default="")
