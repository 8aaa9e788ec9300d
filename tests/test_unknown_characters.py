"""What the tokenizer does not know is counted, told with an example, held against a gate, and found by verify."""

import json

import polars as pl
import pytest

import tokenizer_maker as maker
from curate.cli import command
from curate.cli.session import Session
from curate.errors import ExitCode
from curate.shards.verify import verify

LETTERS = sorted({letter for word in maker.WORDS for letter in word} - {" "})
TEXTS = ["the quick fox", "a naïve café", "quick dog", "é\n\n\né Ω", "the lazy dog"]
UNKNOWN = [0, 2, 0, 6, 0]  # the line feeds, too: the tokenizer was trained on single lines


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": f"d{at}", "text": text} for at, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return tmp_path / "in.jsonl"


def run(corpus, kind, *assignments):
    out = corpus.parent / "out"
    path = maker.saved(maker.made(kind), corpus.parent)
    settings = [f"tokenize.tokenizer={path}", "normalize.max_blank_lines=9", *assignments]
    session = Session([str(corpus)], str(out), assignments=settings, only=["normalize", "tokenize"])
    return session.work(quiet=1), out


def test_unknown_characters_are_counted_and_told(corpus, capsys):
    code, out = run(corpus, "letters", "gates.max_unknown=1")
    manifest = json.loads((out / "run.json").read_text())
    assert code == ExitCode.DONE
    known = {"characters": sum(UNKNOWN), "documents": 2, "share": sum(UNKNOWN) / sum(map(len, TEXTS))}
    example = {"document": "d1", "characters": "ïé", "code_points": ["U+00EF", "U+00E9"]}
    assert manifest["tokens"]["unknown"] == known | {"example": example}
    assert manifest["tokens"]["characters"] == sum(map(len, TEXTS))
    judged = pl.read_parquet(out / "tokenize" / "*.parquet")
    assert judged["unknown"].to_list() == UNKNOWN
    assert judged["characters"].to_list() == [len(text) for text in TEXTS]
    said = capsys.readouterr().err
    assert "does not know 15.1\u202f% of the characters of the kept text: 8 in 2 documents" in said
    assert "such as `ï` (U+00EF) `é` (U+00E9) in `d1`" in said
    assert "what it does not know leaves no trace, and the run counts it" in said
    alerts = json.loads((out / "report.json").read_text())["alerts"]
    assert any("does not know" in alert["title"] and alert["level"] == "warning" for alert in alerts)


@pytest.mark.parametrize(("limit", "code"), [("0.15", ExitCode.GATE_FAILED), ("0.16", ExitCode.DONE)])
def test_a_gate_decides_how_much_may_be_unknown(corpus, limit, code):
    done, out = run(corpus, "letters", f"gates.max_unknown={limit}")
    gate = next(one for one in json.loads((out / "run.json").read_text())["gates"] if one["name"] == "max_unknown")
    assert (done, gate["passed"]) == (code, code == ExitCode.DONE)


def test_a_rerun_says_the_same(corpus):
    _, out = run(corpus, "letters", "gates.max_unknown=1")
    before = json.loads((out / "run.json").read_text())["tokens"]
    run(corpus, "letters", "gates.max_unknown=1")
    assert json.loads((out / "run.json").read_text())["tokens"] == before


@pytest.mark.parametrize(
    ("kind", "same", "rewritten", "lacking", "ok"),
    [
        ("bytes", 5, 0, 0, True),
        ("bytes, lower case", 4, 1, 0, True),
        ("letters", 3, 0, 2, False),
        ("letters, unknown", 3, 0, 2, True),
        ("word piece", 3, 0, 2, True),
    ],
)
def test_verify_says_what_does_not_come_back(corpus, kind, same, rewritten, lacking, ok):
    _, out = run(corpus, kind, "gates.max_unknown=1")
    report = verify(out / "shards", every=True)
    assert report.ok == ok, report.problems
    assert (report.compared - report.rewritten - report.lacking, report.rewritten, report.lacking) == (
        same,
        rewritten,
        lacking,
    )
    if lacking:
        assert report.first_lacking.startswith("d1: 'ï' (U+00EF)" if "piece" not in kind else "d1: ")
    if not ok:
        (problem,) = report.problems
        assert problem.sentence.startswith("2 of 5 compared documents lack characters that the tokenizer drops")
        assert problem.sentence.endswith(": d1: 'ï' (U+00EF) 'é' (U+00E9).")


def test_verify_tells_how_many_it_compared(corpus, capsys, monkeypatch):
    _, out = run(corpus, "bytes")
    monkeypatch.setattr("curate.shards.verify.SAMPLES", 2)
    for flags, said in (
        ((), "2 of 5 decoded (--all decodes every one): 2 equal"),
        (("--all",), "5 of 5 decoded: 5 equal"),
    ):
        capsys.readouterr()
        assert command(["shards", "verify", str(out), *flags]) == ExitCode.DONE
        assert said in capsys.readouterr().out
