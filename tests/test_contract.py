"""One suite that every stage must pass, built in or not."""

import json
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from corpus_maker import prose
from curate import stages
from curate.cli.session import Session
from curate.corpus.documents import SCHEMA
from curate.pipeline.planning.plan import thresholds_of
from curate.pipeline.step import Step
from curate.settings.base import Settings
from curate.stages import stage_class, stage_names
from curate.stages.contract import CorpusStage, Encoder, Rewriter, Stage

TEXTS = [
    prose(1),
    "",
    " \n\t ",
    "cafÃ© &amp; “quotes”\r\n\r\n\r\n\r\nend",
    "Le chat dort dans la maison depuis ce matin. " * 9,
    "これは日本語の文章です。" * 40,
    "ภาษาไทยไม่มีช่องว่าง" * 30,
    "{" * 300,
    "word " * 400,
    "\N{ROCKET}" * 50,
    "\x00\x1b[31m\u202eevil",
    "a" * 100_000,
    "<|endoftext|> is not a mark here",
    prose(1),
    "\n".join(["- item"] * 80),
    "\ufeff\u200bzero",
    f"<!doctype html><title>Prose</title><nav><a href=/>Home</a></nav><main><p>{prose(2)}</p></main>",
    "<html><body></body></html>",
]


def batch_of(texts: list[str]) -> pa.RecordBatch:
    origin = {"file": "t", "position": 1}
    rows = [
        {"id": f"d{i}", "text": t, "source": "s", "origin": origin, "raw_bytes": len(t.encode())}
        for i, t in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def rows_of(stage: Stage, batch: pa.RecordBatch) -> pa.RecordBatch:
    if isinstance(stage, Rewriter):
        text, measures = stage.rewrite(batch)
        return measures.append_column("text", text)
    role = "observe" if isinstance(stage, CorpusStage) else "encode" if isinstance(stage, Encoder) else "judge"
    return Step(stage, role).measure(batch)


@pytest.fixture(params=stage_names())
def stage(request):
    kind = stage_class(request.param)
    return kind(kind.settings_type())


def test_it_declares_what_the_contract_asks(stage):
    assert isinstance(stage, Stage)
    assert stage.version >= 1
    assert stage.about.endswith(".")
    assert issubclass(stage.settings_type, Settings)
    assert stage.settings.thresholds <= set(stage.settings.__struct_fields__)
    codes = [reason.code for reason in stage.reasons]
    assert len(codes) == len(set(codes))
    assert all(reason.sentence.endswith(".") for reason in stage.reasons)
    assert msgspec.to_builtins(stage.settings) is not None
    assert set(thresholds_of(stage)) == set(stage.settings.thresholds)
    assert "edits" in stage.adds or not stage.hides


def test_measures_do_not_depend_on_the_batch(stage):
    whole = rows_of(stage, batch_of(TEXTS))
    for cut in (1, 3, 7):
        pieces = [rows_of(stage, batch_of(TEXTS).slice(i, cut)) for i in range(0, len(TEXTS), cut)]
        assert pa.Table.from_batches(pieces).to_pylist() == pa.Table.from_batches([whole]).to_pylist()
    order = np.random.default_rng(3).permutation(len(TEXTS))
    shuffled = rows_of(stage, batch_of(TEXTS).take(pa.array(order)))
    back = shuffled.take(pa.array(np.argsort(order)))
    drop = {"id"} & set(whole.schema.names)
    assert back.drop_columns(list(drop)).to_pylist() == whole.drop_columns(list(drop)).to_pylist()


def test_it_takes_no_document_at_all(stage):
    assert len(rows_of(stage, batch_of([]))) == 0


def test_verdicts_use_declared_reasons_only(stage):
    if isinstance(stage, CorpusStage | Encoder):
        pytest.skip("judged after the whole corpus was seen")
    measures = rows_of(stage, batch_of(TEXTS))
    measures = measures.select([n for n in measures.schema.names if n in stage.adds])
    assert measures.schema.names == list(stage.adds)
    assert measures.schema.types == list(stage.adds.values())
    verdicts = stage.judge(measures)
    assert len(verdicts) == len(TEXTS)
    assert verdicts.null_count == 0
    given = {code for reasons in verdicts.to_pylist() for code in reasons}
    assert given <= {reason.code for reason in stage.reasons}


def test_the_stage_in_the_documentation_runs_as_a_plug_in(monkeypatch, tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "write_a_stage.md").read_text()
    names: dict = {}
    exec(page.split("```python")[1].split("```")[0], names)  # the page is ours
    entry = SimpleNamespace(load=lambda: names["Shouting"], value="docs:Shouting", dist=None)
    monkeypatch.setattr(stages, "_installed", lambda: {"shouting": entry})
    stages.stage_class.cache_clear()
    (tmp_path / "in").mkdir()
    for i, text in enumerate([prose(1), prose(2).upper()]):
        (tmp_path / "in" / f"{i}.txt").write_text(text)
    out = tmp_path / "out"
    pipeline = 'pipeline.stages=["normalize","shouting","tokenize"]'
    assert Session([str(tmp_path / "in")], str(out), assignments=[pipeline]).work(quiet=2) == 0
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["removed"]["shouting"] == {"documents": 1, "reasons": {"too_many_capitals": 1}}
    stages.stage_class.cache_clear()
