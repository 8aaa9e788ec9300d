"""The report as one HTML file that opens anywhere: no network, no script needed, no document text that can act.

Document text is hostile by assumption. It is escaped by the template engine, cut, shown with its control
characters made visible, isolated from the direction of the page, and boxed so that it cannot cover anything.
The page's own policy forbids every script and style but the ones it was built with.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Self

import jinja2
import msgspec
import xxhash
from markupsafe import Markup

from curate.report import quantities
from curate.report.drawing.drawings import Drawing, drawing_of_contributions, drawings
from curate.report.glossary import glossary
from curate.report.html.shown_paths import ShownPaths
from curate.report.html.templates import environment
from curate.report.input_folders import input_folders
from curate.report.judgments.judgments import Exchange
from curate.report.kept_findings import kept_findings
from curate.report.made_before import MadeBefore, made_before, made_of, may_be_known
from curate.report.model import Findings, Report, build_report, findings_of, with_samples
from curate.report.samples import MAX_CHARACTERS, Sample, Samples
from curate.report.saved.measured import Measured
from curate.settings.file import as_toml, toml_key
from curate.settings.report import ReportSettings
from curate.store.checked_json import write_json
from curate.store.files import write_whole
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Judged
from curate.store.report_file import ReportFile
from curate.store.run_directory import REPORT_JSON, REPORT_PAGE, RunDirectory, Spread

MAX_BYTES = 1_000_000
"""Size of the page; samples get shorter until it fits."""

FOLDED = 0.01
"""Charts of limits that removed a smaller share of what came are folded away."""

_LENGTHS = (MAX_CHARACTERS, 600, 300, 120, 0)
_MAX_NAME, _BRIEF = 120, 24

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


class ReportMaker:
    """Makes the report of a run, beginning while the run still writes its shards: a thread looks at the judgments.

    Args:
        run_dir: the run directory.
        settings: see `curate.report.model.build_report`.
        spread: how parts of the run are read.
        exchange: see `curate.report.judgments.judgments.Judgments`.
    """

    def __init__(
        self, run_dir: Path, settings: ReportSettings, spread: Spread = map, exchange: Exchange | None = None
    ) -> None:
        self._run_dir, self._settings, self._spread, self._exchange = run_dir, settings, spread, exchange
        self._pool = ThreadPoolExecutor(1)
        self._findings: Future[Findings] | None = None

    def begin(self, manifest: Judged) -> None:
        """Look at the judgments of a run that goes on; returns at once.

        Nothing is looked at where the report that is there says the same of them.
        """
        if may_be_known(self._run_dir, manifest, self._settings):
            return
        self._look(RunDirectory(self._run_dir, manifest.part_names), manifest)

    def _look(self, directory: RunDirectory, manifest: Judged) -> None:
        self._findings = self._pool.submit(
            findings_of, directory, manifest, self._settings, self._spread, self._exchange
        )

    def known(self) -> MadeBefore | None:
        """The report of the run, which has ended, if it is there and would be made the same; else None."""
        return made_before(self._run_dir, read_manifest(self._run_dir), self._settings)

    def make(self) -> Report:
        """Build the report of the run, which has ended, and write it.

        Raises:
            InputError: the folder is not a run, or its run is not finished.
        """
        manifest = read_manifest(self._run_dir)
        directory = RunDirectory.finished(self._run_dir, manifest)
        kept = None if self._findings else kept_findings(self._run_dir, manifest, self._settings)
        if kept:
            findings = with_samples(kept, directory, manifest, self._settings, self._spread)
        else:
            if not self._findings:
                self._look(directory, manifest)
            assert self._findings
            findings = self._findings.result()
        report = build_report(self._run_dir, self._settings, findings)
        write_report(self._run_dir, report, self._settings)
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the thread go; what it had not begun is left."""
        self._pool.shutdown(cancel_futures=True)


def write_report(run_dir: Path, report: Report, settings: ReportSettings | None = None) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html`` into the run directory; returns their paths.

    ``report.json`` has all numbers, the command of the run, the page's hash, and no document text. ``settings`` made
    the report; where they are given, `curate.report.made_before` finds it again.
    """
    json_path, html_path = run_dir / REPORT_JSON, run_dir / REPORT_PAGE
    page = render_page(report).encode()
    write_whole(html_path, page)
    data = json.loads(report_json(shared(report)))
    beside = ReportFile(
        command=report.manifest.command,
        page_xxh3=xxhash.xxh3_128_hexdigest(page),
        made_of=made_of(run_dir, report.manifest, settings) if settings else None,
    )
    write_json(json_path, data | {"shown": msgspec.to_builtins(report.shown)} | msgspec.to_builtins(beside))
    return json_path, html_path


def shared(report: Report) -> Report:
    """The report as others may see it: without absolute paths."""
    paths = ShownPaths.of_run(report.manifest)
    return msgspec.structs.replace(
        report,
        alerts=tuple(map(paths.of_struct, report.alerts)),
        without_effect=tuple(map(paths.of_struct, report.without_effect)),
        evidence=report.evidence and paths.of_struct(report.evidence),
        manifest=paths.of_manifest(report.manifest),
    )


def report_json(report: Report) -> bytes:
    """All numbers of the report, indented; document text and the copy of ``run.json`` are not in it."""
    data = msgspec.to_builtins(report)
    del data["samples"], data["shown"], data["manifest"]
    data["gates"] = [{**entry, "unit": gate.unit} for entry, gate in zip(data["gates"], report.gates, strict=True)]
    return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"


def render_page(report: Report) -> str:
    """The page as HTML, never larger than `MAX_BYTES` unless the numbers alone are."""
    report = shared(report)
    drawn = drawings(report)
    if report.evidence and (worth := drawing_of_contributions(report.evidence.contributions)):
        drawn[worth.id] = worth
    page = ""
    for length in _LENGTHS:
        page = _render(report, drawn, length)
        if len(page.encode()) <= MAX_BYTES:
            break
    return page


def visible(text: str) -> str:
    r"""``text`` with everything that hides, reorders or piles up made visible or harmless.

    Example:
        >>> visible("a\u202eb\x07 \tc")
        'a⟦U+202E⟧b␇ \tc'
    """
    return _STACKED.sub(r"\1", _HIDDEN.sub(_name_of, text.replace("\r\n", "\n")))


def toml_text(config: Mapping[str, Any]) -> str:
    """Resolved settings as a ``curate.toml`` that can be pasted.

    Example:
        >>> print(toml_text({"language": {"keep": ["en"], "min_score": 0.65}}))
        [language]
        keep = ["en"]
        min_score = 0.65
    """
    sections = []
    for name, settings in config.items():
        lines = [f"{toml_key(key)} = {as_toml(value)}" for key, value in settings.items() if value is not None]
        sections.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(sections)


def _render(report: Report, figures: Mapping[str, Drawing], length: int) -> str:
    samples = _shortened(report.samples, length)
    style, script = _asset("page.css"), _asset("page.js")
    return _template().render(
        report=report,
        run=report.manifest,
        summary=report.summary,
        samples=samples,
        figures=figures,
        style=Markup(style),  # noqa: S704  (our own file)
        script=Markup(script),  # noqa: S704  (our own file)
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)};"
        " base-uri 'none'; form-action 'none'",
        data=Markup(_script_safe(report_json(report))),  # noqa: S704  (every `<` is escaped)
        config=toml_text(report.manifest.config),
        sample_length=length,
        folders=input_folders(report.manifest.inputs),
        glossary=[term for term in glossary() if term.page],
        shown_charts=_shown_charts(report),
    )


def _shown_charts(report: Report) -> set[str]:
    """Measures whose charts are not folded away: a limit on them removed a share that counts."""
    decided = {f"{one.stage}.{one.code}": one.share for one in report.reasons}
    found = set()
    for histogram in report.histograms:
        stage = histogram.measure.partition(".")[0]
        removed = max((decided.get(f"{stage}.{line.reason}", 0) for line in histogram.thresholds), default=1)
        if removed >= FOLDED:
            found.add(histogram.measure)
    return found


@cache
def _template() -> jinja2.Template:
    made = environment(Path(__file__).parent)
    made.filters |= {
        "count": quantities.count,
        "share": quantities.share,
        "short": quantities.short,
        "size": quantities.size,
        "duration": quantities.duration,
        "visible": visible,
        "name": _short_name,
        "slug": _slug,
        "drawing": _drawing,
        "in_cell": _in_cell,
        "sparkline": _sparkline,
        "heat": _heat,
        "of_stage": lambda codes, stage: [code.partition(".")[2] for code in codes if code.startswith(f"{stage}.")],
        "with_stage": lambda key, stage: f"{stage}.{key}",
        "coded": _coded,
        "in_unit": _in_unit,
        "range": _range,
        "amount": quantities.amount,
        "beside": quantities.beside,
        "brief": lambda text: _short_name(text, _BRIEF),
        "digits": quantities.digits,
        "rough": quantities.rough,
        "bounded": _bounded,
    }
    return made.get_template("page.html.j2")


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8").strip()


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _script_safe(data: bytes) -> str:
    """JSON that no HTML parser can leave early."""
    compact = msgspec.json.format(data, indent=-1).decode()
    return compact.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _name_of(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"⟦U+{code:04X}⟧"


def _short_name(text: str, most: int = _MAX_NAME) -> str:
    """A name on one line; of a long one the middle is cut out, as many differ at their end alone.

    Example:
        >>> _short_name("https://example.org/2024/page-17", 15)
        'https://…age-17'
    """
    shown = visible(text).replace("\n", "␊")
    shown = shown if shown.strip() else "␠" * len(shown)
    return shown if len(shown) <= most else f"{shown[: most - most // 2]}…{shown[len(shown) - most // 2 + 1 :]}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _coded(text: str) -> Markup:
    """Escaped text in which what stands between backticks is set as code."""
    pieces = visible(text).split("`")
    marked = (
        Markup("<code>{}</code>").format(piece) if number % 2 else Markup("{}").format(piece)
        for number, piece in enumerate(pieces)
    )
    return Markup("").join(marked)


def _in_unit(value: float, unit: str) -> str:
    """A value or limit of a gate."""
    return quantities.share(value) if unit == "share" else quantities.counted(round(value), "document")


def _range(figure: Any) -> str:
    """Low to high of a figure; empty when it is a point or a bound."""
    if figure.low == figure.high or getattr(figure, "bound", "") or figure.value is None:
        return ""
    return f"{_end(figure.low, figure.unit)} to {_end(figure.high, figure.unit)}"


def _bounded(figure: Measured) -> str:
    """The value of a measured figure, with its side where it is a bound."""
    return f"{figure.bound} {_end(figure.value, figure.unit)}".strip()


def _end(value: float | None, unit: str) -> str:
    if value is None:
        return "beyond what was measured"
    if unit == "share":
        return quantities.share(value).replace("-", "\N{MINUS SIGN}")
    return f"{value:.2f}x" if unit == "x" else quantities.amount(value)


def _shortened(samples: Samples, length: int) -> Samples:
    def cut(sample: Sample) -> Sample:
        twin = sample.twin and msgspec.structs.replace(sample.twin, difference=sample.twin.difference[: length // 40])
        return msgspec.structs.replace(sample, text=sample.text[:length], twin=twin)

    def cut_all(group: tuple[Sample, ...]) -> tuple[Sample, ...]:
        return tuple(map(cut, group))

    if not length:
        return Samples()
    if length == MAX_CHARACTERS:
        return samples
    return Samples(
        removed={code: cut_all(group) for code, group in samples.removed.items()},
        kept=cut_all(samples.kept),
        nearest=tuple(msgspec.structs.replace(one, documents=cut_all(one.documents)) for one in samples.nearest),
        clusters=cut_all(samples.clusters),
    )


def _drawing(figure: Drawing) -> Markup:
    """The SVG as an image with a name and a description for those who cannot see it."""
    attributes, _, content = figure.svg.removeprefix("<svg").partition(">")
    opening = Markup('<svg role="img" aria-label="{}"').format(f"{figure.title}: {figure.finding}")
    named = Markup("<title>{}</title><desc>{}</desc>").format(figure.title, figure.finding)
    return Markup(f"{opening}{attributes}>{named}{content}")  # noqa: S704  (a plot escapes text it draws)


def _in_cell(share: float) -> float:
    """Length of an in-cell bar, 0 to 100, never invisible when there is something.

    Example:
        >>> _in_cell(0.5), _in_cell(0.0001), _in_cell(0)
        (50.0, 0.8, 0.0)
    """
    return 0.0 if share <= 0 else round(min(100.0, max(0.8, 100 * share)), 2)


def _sparkline(values: Sequence[float]) -> str:
    """Points of a line 72 wide and 18 high, from the least to the largest of a few values.

    Example:
        >>> _sparkline([1, 3, 2]), _sparkline([5, 5])
        ('0,17 36,1 72,9', '0,9 72,9')
    """
    least, wide = min(values), max(values) - min(values)
    heights = [17 - 16 * (value - least) / wide if wide else 9 for value in values]
    step = 72 / max(len(values) - 1, 1)
    return " ".join(f"{at * step:.4g},{height:.4g}" for at, height in enumerate(heights))


def _heat(share: float) -> int:
    """How dark a cell of a heat table is, 0 to 6: a step for each doubling up from 1 %.

    Example:
        >>> [_heat(share) for share in (0, 0.001, 0.01, 0.05, 0.3, 1)]
        [0, 1, 1, 3, 5, 6]
    """
    if share <= 0:
        return 0
    return min(6, max(1, math.floor(math.log2(100 * share)) + 1))
