"""What ``report.json`` says beside the report: how to make the run again, which page it belongs to, what it is of."""

from pathlib import Path

import msgspec

from curate.store.checked_json import BrokenJson, read_json
from curate.store.run_directory import REPORT_JSON


class MadeOf(msgspec.Struct, frozen=True, kw_only=True):
    """Digests of what a report is made of.

    Attributes:
        judged: of what is known when all documents are judged, and of the settings of the report.
        all: of all that it says.
        found: of what findings are made of, without settings.
        epochs: the setting that findings depend on.
    """

    judged: str
    all: str
    found: str = ""
    epochs: float = 0


class ReportFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What does not depend on the numbers of the report.

    Attributes:
        command: of the run, whole: when ``run.json`` is lost, it says how to make the run again.
        page_xxh3: hash of the page.
        made_of: None where nobody knows, or not all was drawn.
    """

    command: str
    page_xxh3: str
    made_of: MadeOf | None = None


def find_report(run: Path) -> ReportFile:
    """What stands in a run directory.

    Raises:
        FileNotFoundError: there is none.
        BrokenJson: it is damaged.
    """
    try:
        return msgspec.convert(read_json(run / REPORT_JSON), ReportFile)
    except msgspec.ValidationError as error:
        raise BrokenJson("is damaged") from error
