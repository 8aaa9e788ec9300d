"""Decontamination: whole, re-laid and partial leaks are found with their item and place; ordinary text is not."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.cli import command
from curate.errors import PlanError
from curate.stages.decontaminate import Decontaminate, DecontaminateSettings
from curate.text.search.grams import collection, find_grams, text_grams
from reference_shingles import words as words_of
from thorough import settings

CASES = Path(__file__).parent / "cases" / "benchmarks"
CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
SUMS = [json.loads(line) for line in (CASES / "sums.jsonl").read_text().splitlines()]
FUNCTIONS = [json.loads(line) for line in (CASES / "functions.jsonl").read_text().splitlines()]


def stage_of(*benchmarks, **given) -> Decontaminate:
    return Decontaminate(DecontaminateSettings(benchmarks=tuple(map(str, benchmarks or [CASES])), **given))


def measured(stage, *texts):
    measures = stage.measure(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    rows = measures.to_pylist()
    return [row | {"reasons": reasons} for row, reasons in zip(rows, stage.judge(measures).to_pylist(), strict=True)]


def around(text: str) -> str:
    return f"{prose(1)}\n\n{text}\n\n{prose(2)}"


RIVER = "Which of these rivers of the old kingdom flows from the southern lakes to the sea?"
HALF = SUMS[0]["question"][: len(SUMS[0]["question"]) // 2]


@pytest.mark.parametrize(
    ("leak", "benchmark", "item", "share"),
    [
        (SUMS[0]["question"], "sums", "1", 1.0),
        (SUMS[1]["answer"], "sums", "2", 1.0),
        (f"{SUMS[0]['question']}\n{SUMS[0]['answer']}", "sums", "1", 1.0),
        (SUMS[0]["question"].replace(" ", "\n \t").upper().replace(".", " !! "), "sums", "1", 1.0),
        (" ".join(f"**{word}**" for word in SUMS[0]["question"].split()), "sums", "1", 1.0),
        (HALF, "sums", "1", 0.25),
        (FUNCTIONS[0]["prompt"] + "    pass\n", "functions", "Functions/0", 1.0),
        (FUNCTIONS[1]["prompt"].replace("    ", "\t"), "functions", "Functions/1", 1.0),
        (FUNCTIONS[1]["canonical_solution"], "functions", "Functions/1", 1.0),
        (RIVER, "choices", "1", 1.0),
        ("Glass is made of SAND, soda, and which third thing", "choices", "2", 1.0),
    ],
)
def test_leaks_are_found_with_their_item_and_place(leak, benchmark, item, share):
    text = around(leak)
    (found,) = measured(stage_of(), text)
    assert (found["benchmark"], found["item"], found["reasons"]) == (benchmark, item, ["benchmark_overlap"])
    assert share <= found["item_overlap"] <= (1 if share == 1 else share + 0.15)
    span = text.encode()[found["span"]["start"] : found["span"]["end"]].decode()
    assert span in leak
    assert len(words_of(span)) >= 8


def test_other_text_is_no_leak():
    changed = SUMS[0]["question"].replace("nine", "ten").replace("four", "six").replace("July", "May").split()
    changed = " ".join(word for place, word in enumerate(changed) if place % 7)
    texts = [
        prose(3),
        "",
        SUMS[2]["question"],
        changed,
        "from typing import List\n\n\ndef f(heights: List[int]) -> int:",
    ]
    for found in measured(stage_of(), *texts):
        assert (found["overlap"], found["benchmark"], found["span"], found["reasons"]) == (0.0, None, None, [])


def test_shares_are_of_words_and_of_the_item():
    question = SUMS[0]["question"]
    (found,) = measured(stage_of(), f"{question} {question} {question}")
    assert found["overlap"] == found["item_overlap"] == 1.0
    (found,) = measured(stage_of(CASES / "sums.jsonl", fields=("question", "prompt")), f"word {' word' * 9} {question}")
    words = len(words_of(question))
    assert found["overlap"] == pytest.approx(words / (words + 10))


def test_thresholds_only_judge():
    loose = stage_of(max_item_overlap=0.5)
    (found,) = measured(loose, around(HALF))
    assert 0.25 < found["item_overlap"] < 0.4
    assert found["reasons"] == []
    strict = stage_of(max_item_overlap=1.0, max_overlap=0.01)
    assert measured(strict, around(HALF))[0]["reasons"] == ["benchmark_overlap"]


def test_what_many_items_share_is_their_template(tmp_path):
    task = "Answer the following question about the text above with one word only and nothing else please: "
    items = [{"id": f"q{i}", "prompt": task + f"{' '.join(f'w{i}x{j}' for j in range(20))}"} for i in range(12)]
    (tmp_path / "tasks.json").write_text(json.dumps({"version": 1, "data": items}))
    stage = stage_of(tmp_path / "tasks.json")
    leak, template = measured(stage, around(items[3]["prompt"]), around(task))
    assert (leak["item"], leak["reasons"]) == ("q3", ["benchmark_overlap"])
    assert template["reasons"] == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("ab字"), max_size=60), st.lists(st.sampled_from("ab字"), max_size=60), st.integers(1, 5)
)
def test_grams_are_those_of_the_plain_definition(text, known, size):
    text, known = " ".join(text), "-".join(known)
    plain = words_of(known)
    wanted = {tuple(plain[i : i + size]) for i in range(len(plain) - size + 1)} or ({tuple(plain)} - {()})
    ((words, grams),) = text_grams(pa.array([known], pa.large_string()), size, 1)
    assert len(grams) == len(wanted)
    counts, hits = find_grams(pa.array(["x", text], pa.large_string()), collection([words], grams))
    of_text = words_of(text)
    assert counts.tolist() == [1, len(of_text)]
    expected = [i for i in range(len(of_text)) if tuple(of_text[max(0, i - words + 1) : i + 1]) in wanted]
    assert hits.words.tolist() == expected
    for start, stop, last in zip(hits.starts, hits.stops, hits.words, strict=True):
        assert words_of(text.encode()[start:stop].decode()) == of_text[last - words + 1 : last + 1]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", "which is empty"),
        ("a.jsonl", b'{"q": "x"\n', "line 1 of .* is not JSON"),
        ("a.json", b"[]", "which has no item with text"),
        ("a.txt", b"\xff\xfe\x00", "which is not text"),
        ("a.parquet", b"PAR1", "cannot be read as Parquet"),
        ("a.xlsx", b"PK", "whose format is not known"),
        ("a.jsonl", b'{"question": "Too short?"}', "no item .* has 8 words or more"),
    ],
)
def test_test_sets_that_cannot_be_used_are_named(tmp_path, name, data, message):
    with pytest.raises(PlanError, match=message):
        stage_of(write(tmp_path / name, data)).warnings()


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(PlanError, match="no test set"):
        Decontaminate(DecontaminateSettings()).warnings()
    with pytest.raises(PlanError, match="`decontaminate.benchmarks` names .*sum.jsonl") as caught:
        stage_of(CASES / "sum.jsonl").warnings()
    assert caught.value.hint == f"did you mean `{CASES / 'sums.jsonl'}`?"
    with pytest.raises(PlanError, match="`decontaminate.fields` is questions, and no item"):
        stage_of(CASES / "sums.jsonl", fields=("questions",)).warnings()
    with pytest.raises(ValueError, match="`decontaminate.ngram_words` must be between 1 and 63"):
        DecontaminateSettings(ngram_words=64)
    assert stage_of(CASES / "sums.jsonl").warnings() == ["1 of 3 items have fewer than 8 words and are not looked for"]


def test_a_folder_may_hold_other_files(tmp_path):
    with pytest.raises(PlanError, match="which holds no such file"):
        stage_of(tmp_path).warnings()
    write(tmp_path / "LICENSE", b"MIT")
    write(tmp_path / "b.jsonl.gz", gzip.compress(json.dumps(SUMS[0]).encode()))
    assert measured(stage_of(tmp_path), around(SUMS[0]["question"]))[0]["benchmark"] == "b"


def test_a_changed_test_set_is_measured_again(tmp_path):
    file = write(tmp_path / "a.txt", SUMS[0]["question"].encode())
    before = stage_of(file).fingerprint
    write(file, SUMS[1]["question"].encode())
    assert stage_of(file).fingerprint != before


def test_a_run_leaves_the_leak_out_and_why_shows_it(tmp_path, capsys):
    texts = {"leak": around(SUMS[0]["question"].replace(" ", "\n")), "clean": prose(3), "book": prose(4)}
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"id": i, "text": t}) for i, t in texts.items()))
    out = tmp_path / "out"
    words = ['pipeline.stages=["normalize","decontaminate","tokenize"]', f'decontaminate.benchmarks=["{CASES}"]']
    assert (
        command(["run", str(tmp_path / "in.jsonl"), "-o", str(out), "-qq", *(f"--set={word}" for word in words)]) == 0
    )
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["removed"]["decontaminate"] == {"documents": 1, "reasons": {"benchmark_overlap": 1}}
    assert counts["kept"] == 2
    capsys.readouterr()
    assert command(["why", str(out), "leak"]) == 0
    shown = capsys.readouterr().out
    assert "benchmark=sums  item=1" in shown
    assert "Farida⏎keeps⏎nine⏎beehives" in shown


@pytest.mark.skipif(not CORPORA.exists(), reason="needs the shared corpora")
def test_real_benchmarks_find_themselves_and_no_prose():
    file = CORPORA / "benchmarks" / "eval_sets.parquet"
    stage = stage_of(file, fields=("text",))
    items = pq.read_table(file).slice(0, 300)
    found = measured(stage, *(around(text) for text in items["text"].to_pylist()))
    assert all(row["reasons"] for row in found)
    assert [row["item"] for row in found].count(None) == 0
    chapters = pq.read_table(CORPORA / "prose" / "eltec_chapters.parquet", columns=["text"])["text"].slice(0, 400)
    assert all(row["benchmark"] is None for row in measured(stage, *chapters.to_pylist()))
