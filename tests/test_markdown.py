"""`curate report --format markdown`: says what the report says, and shows names of the corpus without obeying them."""

import json

import msgspec
import pytest
from markdown_it import MarkdownIt

import curate
from corpus_maker import prose
from curate.cli import command
from curate.cli.display.run.markdown import as_markdown
from curate.report.alerts.alert import Alert

NASTY = [
    "<img src=x onerror=alert(1)>", "a|b|c", "[click](https://example.invalid)", "![](https://example.invalid/p.png)",
    "# heading", "@everyone", "`code`\n```\nend", "https://example.invalid", "$x$", "&lt;b&gt;", "\u202eevil\x1b[31m",
]  # fmt: skip
QUICK = {"tokenize": {"tokenizer": "bytes"}, "report": {"samples": 0}, "language": {"min_score": 0.0}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("markdown")
    rows = [{"id": str(at), "text": prose(at, 30 + at), "source": NASTY[at % len(NASTY)]} for at in range(60)]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return curate.run(folder / "in.jsonl", folder / "out", config=QUICK)


def test_it_is_printed_and_nothing_is_written(run, capsys):
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*")}
    assert command(["report", str(run.path), "--format", "markdown"]) == 0
    said = capsys.readouterr().out
    assert said == as_markdown(run.report)
    assert f"kept {run.counts.kept:,} of {run.counts.read:,} documents" in said
    for reason, documents in run.counts.reasons.items():
        assert (f"| `{reason}` | {documents:,} |" in said) == bool(documents)
    assert {file: file.stat().st_mtime_ns for file in run.path.rglob("*")} == before
    assert command(["report", str(run.path), "--format", "markdown", "--no-samples"]) == 2


def test_names_are_shown_and_do_nothing(run):
    alerts = [
        Alert(level="warning", title=f"Source `{one}` lost 80 %", command=f"curate sample {one}") for one in NASTY
    ]
    said = as_markdown(msgspec.structs.replace(run.report, alerts=tuple(alerts)))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(said)
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    assert not [token for token in flat if token.type in ("link_open", "image", "html_inline", "html_block")]
    assert [token.content for token in flat if token.type == "inline" and token.level == 1][:1] == ["curate: passed"]
    assert sum(token.type == "heading_open" for token in flat) == 2
    shown = "\n".join(token.content for token in flat if token.type in ("text", "code_block"))
    assert "<img src=x onerror=alert(1)>" in shown
    assert "\x1b" not in shown
    assert sum(token.type == "code_block" for token in flat) == len(NASTY)
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == said.count("\n| `") + 2
