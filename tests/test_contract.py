"""One suite that every stage must pass, built in or not."""

import json
import sys
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from corpus_maker import prose
from curate import stages
from curate.cli.session import Session
from curate.corpus.documents import SCHEMA
from curate.errors import BrokenStage, PlanError
from curate.pipeline.planning.config import FIXED
from curate.pipeline.planning.plan import thresholds_of
from curate.pipeline.rewriting import rewritten
from curate.pipeline.step import Step, settle
from curate.settings.base import Reason, Settings
from curate.stages import installed, stage_class, stage_names
from curate.stages.contract import CorpusStage, Encoder, Rewriter, Stage, reasons_where
from curate.store import run_directory
from curate.text.chats.spans import TURNS, Span
from curate.text.core.arrow import EDITS

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
    entry = SimpleNamespace(name="shouting", load=lambda: names["Shouting"], value="docs:Shouting", dist=None)
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


def hurt(part: str, answer: Any, *, edits: bool = False) -> type[Stage]:
    """A stage of another package of which one function answers ``answer(what is right)``."""

    class Hurt(Stage):
        name, version, about, needs = "hurt", 1, "Answers otherwise than it declares.", ("text",)
        adds: ClassVar = {"length": pa.int64(), **({"edits": EDITS} if edits else {})}
        reasons = (Reason("long", "It is long."),)
        settings_type = Settings

        def __init__(self, settings: Settings) -> None:
            self.settings = settings

        def measure(self, batch: pa.RecordBatch) -> Any:
            lengths = pc.utf8_length(batch["text"]).cast(pa.int64())
            columns = [lengths, pa.array([[]] * len(batch), EDITS)][: 1 + edits]
            right = pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))
            return answer(right) if part == "measure" else right

        def judge(self, measures: pa.RecordBatch) -> Any:
            right = reasons_where({"long": measures["length"].to_numpy() > 10**6}, len(measures))
            return answer(right) if part == "judge" else right

    Hurt.__module__ = "other.package"
    return Hurt


def edited_as(*edits: tuple[int, int]) -> Any:
    one = [{"start": start, "end": end, "replacement": ""} for start, end in edits]
    return lambda right: right.set_column(1, right.schema.field(1), pa.array([one] * len(right), EDITS))


@pytest.mark.parametrize(
    ("part", "answer", "said"),
    [
        ("measure", lambda _: None, "it gave None where a RecordBatch"),
        ("measure", lambda right: right.slice(1), "it gave 2 rows for 3 documents"),
        ("measure", lambda right: pa.concat_batches([right, right]), "it gave 6 rows for 3 documents"),
        ("measure", lambda right: right.rename_columns(["size"]), "the column `length` is there 0 times"),
        ("measure", lambda right: right.cast(pa.schema([("length", pa.int8())])), "of type int8, and was to be int64"),
        ("judge", lambda right: right.to_pylist(), "`judge` gave a list where an array"),
        ("judge", lambda _: pa.array([[]], pa.list_(pa.string())), "1 verdicts for 3 documents"),
        ("judge", lambda _: pa.array([None] * 3, pa.list_(pa.string())), "null as a verdict"),
        ("judge", lambda _: pa.array([["odd"]] * 3), r"reasons that `reasons` does not declare: \['odd'\]"),
        ("judge", lambda _: pa.array([True] * 3), "`judge` gave bool"),
        ("judge", lambda _: pa.array([["long", "long"], [], []]), "a reason twice for one document"),
        ("judge", lambda _: sys.exit(0), r"raised SystemExit\(0\)"),
        ("measure", lambda _: next(iter(())), r"raised StopIteration\(\)"),
        *(
            ("edits", edited_as(*edits), "its edits overlap, lie outside of their text or inside of a character")
            for edits in ([(0, 99)], [(-1, 2)], [(3, 2)], [(0, 3), (2, 4)], [(1, 2)])
        ),
        ("edits", edited_as((0, 2), (2, 3), (6, 6)), ""),
    ],
)
def test_a_stage_of_another_package_is_held_to_what_it_declares(part, answer, said):
    stage = hurt("measure" if part == "edits" else part, answer, edits=part == "edits")(Settings())
    texts = {"text": pa.array(["école", "été fin", "écrit"], pa.large_string())}
    work = partial(settle, (Step(stage, "judge"),), texts.__getitem__, np.ones(3, np.bool_), {})
    if not said:
        assert work()[0].staying.all()
        return
    with pytest.raises(BrokenStage, match=said) as raised:
        work()
    assert "the stage `hurt` of `other.package` does not answer as it declares" in raised.value.message


def test_text_of_a_stage_of_another_package_is_utf8():
    kind = hurt("", None)
    kind.adds = {"label": pa.string()}
    offsets = pa.py_buffer(np.arange(2, dtype=np.int32).tobytes())
    bad = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff")])
    kind.measure = lambda *_: pa.RecordBatch.from_arrays([bad], ["label"])
    with pytest.raises(BrokenStage, match="an array that is damaged: .*UTF8"):
        Step(kind(Settings()), "judge").measure(batch_of(["text"]))


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("hurt", {}, ""),
        ("hurt", {"needs": cached_property(lambda _: ("text",))}, ""),
        ("../x", {"name": "../x"}, "no name in lower case"),
        ("shards", {"name": "shards"}, "a section or a folder"),
        ("other", {}, "`name` = 'hurt', and was to have \"other\""),
        ("hurt", {"version": "1.0"}, "`version` = '1.0', and was to have a whole number"),
        ("hurt", {"adds": {"reasons": pa.int64()}}, "without `reasons`"),
        ("hurt", {"adds": {"length": "int64"}}, "column → type of Arrow"),
        ("hurt", {"reasons": (Reason("a", "One."), Reason("a", "Two."))}, "each with another code"),
        ("hurt", {"needs": "text"}, "a tuple of columns"),
        ("hurt", {"settings_type": dict}, "a subclass of Settings"),
        ("hurt", {"judge": Stage.judge}, "does not define `judge`"),
        ("hurt", None, "is no class"),
    ],
)
def test_what_another_package_calls_a_stage_is_one(name, changed, said):
    def load() -> object:
        return None if changed is None else type("Kind", (hurt("", None),), changed)

    entry = SimpleNamespace(name=name, load=load, value="package:Kind", dist=None)
    if not said:
        assert installed.loaded(entry).name == name
        return
    with pytest.raises(PlanError, match=said) as raised:
        installed.loaded(entry)
    assert raised.value.hint.startswith("pip uninstall package")


def test_a_stage_that_is_built_in_is_not_replaced_and_nobody_ends_the_program(monkeypatch):
    entry = SimpleNamespace(name="quality", load=lambda: sys.exit(0), value="package:Quality", dist=None)
    monkeypatch.setattr(stages, "_installed", lambda: {"quality": entry})
    stages.stage_class.cache_clear()
    with pytest.raises(PlanError, match="has the name of a stage that is built in"):
        stages.stage_class("quality")
    with pytest.raises(PlanError, match="does not load: 0"):
        installed.loaded(entry)
    stages.stage_class.cache_clear()


def test_names_that_no_stage_may_have_are_those_of_sections_and_folders():
    folders = {run_directory.DOCUMENTS, run_directory.QUARANTINE, run_directory.SHARDS, run_directory.EVIDENCE_CACHE}
    assert {*FIXED, *folders} == installed.TAKEN


@pytest.mark.parametrize(
    ("ids", "unknown", "said"),
    [
        ([[1], [2]], [0, 0], ""),
        ([[1]], [0, 0], "`encode` gave 1 values of large_list"),
        ([[1], None], [0, 0], "`encode` gave 1 values of large_list"),
        ([[1], [2]], [0], "`encode` gave 1 values of int64"),
        ([[1], [2]], None, "`encode` gave None where an array of int64"),
    ],
)
def test_an_encoder_of_another_package_has_ids_for_each_document(ids, unknown, said):
    kind = hurt("", None)
    kind.has_wide_ids = True
    kind.encode_rows = lambda *_: (
        pa.array(ids, pa.large_list(pa.uint32())),
        None if unknown is None else pa.array(unknown, pa.int64()),
    )
    step = Step(kind(Settings()), "encode")
    if not said:
        assert len(step.measure(batch_of(["one", "two"]))) == 2
        return
    with pytest.raises(BrokenStage, match=said):
        step.measure(batch_of(["one", "two"]))


@pytest.mark.parametrize("turns", [None, [Span("user", "/0", 0, 3)._asdict(), Span("user", "/1", 5, 8)._asdict()]])
def test_a_rewriter_of_another_package_has_a_text_for_each_document_and_turn(turns):
    kind = hurt("", None)
    kind.turn_by_turn = True
    kind.rewrite = lambda self, batch: (batch["text"].slice(1), self.measure(batch))
    batch = batch_of(["one\n\ntwo"])
    batch = batch.set_column(batch.schema.get_field_index("turns"), "turns", pa.array([turns], TURNS))
    with pytest.raises(BrokenStage, match=f"`rewrite` gave {1 if turns else 0} texts for {2 if turns else 1} doc"):
        rewritten(batch, [kind(Settings())])


def test_what_a_stage_of_another_package_raises_says_whose_it_is():
    def fail(_):
        raise ValueError("no such model")

    texts = {"text": pa.array(["some words"], pa.large_string())}
    with pytest.raises(ValueError, match="no such model") as raised:
        settle((Step(hurt("measure", fail)(Settings()), "judge"),), texts.__getitem__, np.ones(1, np.bool_), {})
    assert raised.value.__notes__ == ["raised in the stage `hurt` of `other.package`"]
