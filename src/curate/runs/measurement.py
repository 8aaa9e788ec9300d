"""What curation is worth, measured at the end of a run that asks for it (``evidence.measure``)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from curate.errors import CurateError, InputError, Stopped
from curate.events import Emit, Warned, Working
from curate.evidence.measuring import measure
from curate.evidence.proxies.proxy import Proxy, proxy_named
from curate.evidence.question import Question, question_of, require_text
from curate.pipeline.planning.config import Config
from curate.process.stopping import exit_code, stoppable
from curate.report.html.page import ReportMaker
from curate.report.model import Report
from curate.report.saved.measured import read_evidence, write_evidence
from curate.settings.report import ReportSettings
from curate.store.manifest import read_manifest

_TOLD = 4
"""How often it is said how far trainings are."""


class Measurement(NamedTuple):
    """What a run is to measure when it is done."""

    proxy: Proxy
    question: Question
    report: ReportSettings
    """What the page shows when it is drawn again."""

    def take(self, folder: Path, hear: Emit, command: str) -> Report | None:
        """Measure a finished run, write ``evidence.json`` and draw the report again; None where nothing is new.

        Args:
            folder: the run directory; its manifest is written.
            hear: called with the progress, and with the reason if nothing could be measured.
            command: continues.

        Raises:
            Stopped: by a signal; the run is done, and so are the trainings that were finished.
        """
        before = read_evidence(folder, read_manifest(folder).run_id)
        if before and before.question == self.question.asked(self.proxy):
            return None

        def explain() -> CurateError:
            why = "stopped while measuring what curation is worth; the run is done, and the same command continues"
            error = Stopped(why, hint=command)
            error.exit_code = exit_code()
            return error

        with stoppable(explain):
            try:
                found = measure(folder, self.proxy, self.question, _Progress(hear))
            except InputError as problem:
                hear(Warned(f"what curation is worth was not measured: {problem.message}", problem.hint))
                return None
            write_evidence(folder, found)
            with ReportMaker(folder, self.report) as maker:
                return maker.make()


def measurement_of(output: str, config: Config, stages: Sequence[str]) -> Measurement:
    """What a run with these settings is to measure.

    Raises:
        UserError: it cannot be measured: a package is missing, a text cannot be read, or there is none.
    """
    asked = config.evidence
    require_text(config, stages)
    proxy = proxy_named(asked.proxy)
    question = question_of(output, config, asked.proxy, asked.seeds, asked.tokens, asked.texts, asked.by)
    return Measurement(proxy, question, config.report)


class _Progress:
    """Reports the progress of a measurement in a few steps."""

    def __init__(self, hear: Emit) -> None:
        self._hear, self._last = hear, ""

    def say(self, what: str) -> None:
        self._hear(Working(what))

    def advance(self, what: str, done: int, of: int) -> None:
        told = f"measuring what curation is worth: {what}, {done * _TOLD // of * 100 // _TOLD} % of {of} trainings"
        if told != self._last:
            self._last = told
            self._hear(Working(told))
