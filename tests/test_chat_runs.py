"""Runs over conversations: what goes in comes out in its shape, with the books balanced and every turn in its place."""

import json
import random

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.cli import command
from curate.errors import InputError
from curate.pipeline.exporting.exporting import Wanted, export
from small_run import contents, manifest, run

WORDS = [f"word{number}" for number in range(900)]
STAGES = 'pipeline.stages=["normalize","quality","redact","near_dup"]'
LOOSE = ("quality.min_words=10", "quality.max_words=5000", 'redact.kinds=["email"]')


def sentence(dice, size=40):
    return " ".join(dice.choices(WORDS, k=size)).capitalize() + "."


def conversations(count=60):
    dice = random.Random(5)
    made = []
    for number in range(count):
        turns = [{"role": "system", "content": "Answer."}] if number % 3 == 0 else []
        for _ in range(dice.randint(1, 3)):
            turns += [{"role": "user", "content": f"{sentence(dice, 12)} café?"}]
            turns += [{"role": "assistant", "content": sentence(dice)}]
        made.append({"messages": turns, "score": number / 7, "key": f"k{number}"})
    return made


def written(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chats")
    made, dice = conversations(), random.Random(6)
    copy = json.loads(json.dumps(made[3]))
    copy["messages"][-1]["content"] += " Indeed."
    mail = {"messages": [{"role": "user", "content": "Write to ann@example.com, cafÃ©\r\nnow."}]}
    mail["messages"].append({"role": "assistant", "content": f"I write to bob@example.org. {sentence(dice)}"})
    wrong = [{"messages": made[0]["messages"][1:2]}, {"messages": []}, {"other": 1}]
    written(folder / "in/m.jsonl", [*made, made[7], copy, mail, *wrong])
    share = [{"conversations": [{"from": "human", "value": sentence(dice)}, {"from": "gpt", "value": sentence(dice)}]}]
    written(folder / "in/s.jsonl", share)
    pairs = [{"instruction": sentence(dice), "input": "", "output": sentence(dice), "id": "7"}]
    written(folder / "in/p.jsonl", pairs)
    better = [{"prompt": sentence(dice), "chosen": sentence(dice), "rejected": sentence(dice)}]
    written(folder / "in/x.jsonl", better)
    turns = [
        {"role": "user", "content": sentence(dice)},
        {"role": "assistant", "content": sentence(dice), "name": None},
    ]
    pq.write_table(pa.Table.from_pylist([{"messages": turns}]), folder / "in/t.parquet")
    written(folder / "in/text.jsonl", [{"text": sentence(dice), "id": "plain"}])
    assert run(folder / "in", folder / "out", STAGES, *LOOSE) == 0
    return folder, [*made, *share, *pairs, *better], mail


def test_books_balance_and_what_is_wrong_is_said(finished):
    folder, records, _ = finished
    counts = manifest(folder / "out")["counts"]
    removed = sum(stage["documents"] for stage in counts["removed"].values())
    assert counts["read"] == counts["kept"] + removed + counts["quarantined"] == len(records) + 8
    assert counts["removed"]["near_dup"]["reasons"] == {"exact_duplicate": 1, "near_duplicate": 1}
    assert counts["quarantined"] == 3
    reasons = pl.read_parquet(folder / "out/quarantine/*.parquet")["reason"].sort().to_list()
    assert reasons == ["no_answer", "no_turns", "no_turns"]
    shapes = {file["name"]: file["conversation"] for file in manifest(folder / "out")["inputs"]}
    assert shapes["x.jsonl"] == "prompt -> chosen | rejected"
    assert shapes["text.jsonl"] == ""


def test_records_come_out_in_the_shape_they_came_in_with_their_edits(finished, tmp_path):
    folder, records, mail = finished
    export(folder / "out", tmp_path / "kept.jsonl", Wanted())
    kept = lines(tmp_path / "kept.jsonl")
    mail["messages"][0]["content"] = "Write to <EMAIL>, café\nnow."
    mail["messages"][1]["content"] = mail["messages"][1]["content"].replace("bob@example.org", "<EMAIL>")
    assert mail in kept
    assert sum(record in kept for record in records) >= len(records) - 1  # the copy of one may be kept instead
    assert {"id", "text", "source"} in [set(record) for record in kept]
    assert any(record["messages"][1].get("name", 1) is None for record in kept if "messages" in record)
    export(folder / "out", tmp_path / "removed.jsonl", Wanted(removed=True))
    assert [len(record["curate_reasons"]) for record in lines(tmp_path / "removed.jsonl")] == [1, 1]
    export(folder / "out", tmp_path / "kept.parquet", Wanted())
    rows = pl.read_parquet(tmp_path / "kept.parquet").filter(pl.col("key") == "k5")
    turns = next(record["messages"] for record in kept if record.get("key") == "k5")
    assert rows["messages"][0].to_list() == [turn | {"name": None} for turn in turns]


def test_bytes_do_not_depend_on_parts_read_together_or_workers(finished, tmp_path):
    folder, _, _ = finished
    assert run(folder / "in", tmp_path / "again", STAGES, *LOOSE, "run.workers=1") == 0
    assert contents(folder / "out") == contents(tmp_path / "again")


def test_the_assistant_is_judged_and_prompts_can_be_compared(tmp_path):
    made = conversations(12)
    again = json.loads(json.dumps(made[4]))
    again["messages"][-1]["content"] = sentence(random.Random(9), 50)
    short = {
        "messages": [
            {"role": "user", "content": sentence(random.Random(8), 90)},
            {"role": "assistant", "content": "No."},
        ]
    }
    written(tmp_path / "in/m.jsonl", [*made, again, short])
    assert run(tmp_path / "in", tmp_path / "out", STAGES, *LOOSE, "near_dup.conversation=prompt") == 0
    removed = manifest(tmp_path / "out")["counts"]["removed"]
    assert removed["quality"]["reasons"]["too_few_words"] == 1
    assert removed["near_dup"]["reasons"] == {"exact_duplicate": 1}


def test_unusual_fields_are_named_and_missing_ones_refused(tmp_path):
    dice = random.Random(1)
    rows = [{"question": sentence(dice), "reply": {"text": sentence(dice)}} for _ in range(3)]
    written(tmp_path / "in/q.jsonl", rows)
    assert run(tmp_path / "in", tmp_path / "out", STAGES, *LOOSE, "input.conversation=question -> reply.text") == 0
    export(tmp_path / "out", tmp_path / "kept.jsonl", Wanted())
    assert lines(tmp_path / "kept.jsonl") == rows
    with pytest.raises(InputError, match="has no `answer`"):
        run(tmp_path / "in", tmp_path / "no", STAGES, "input.conversation=question -> answer")


def test_other_formats_hold_conversations_too_and_why_names_the_turn(tmp_path, capsys):
    dice = random.Random(12)
    folder = tmp_path / "in"
    folder.mkdir()

    def chat():
        return {
            "messages": [{"role": "user", "content": sentence(dice)}, {"role": "assistant", "content": sentence(dice)}]
        }

    (folder / "a.json").write_text(json.dumps([chat() for _ in range(3)], indent=1))
    (folder / "b.csv").write_text(f"instruction,output\n{sentence(dice)},{sentence(dice)}\n")
    table = pa.Table.from_pylist([chat(), chat()])
    with pa.ipc.new_file(str(folder / "c.arrow"), table.schema) as file:
        file.write_table(table)
    item = sentence(dice, 30)
    written(tmp_path / "bench.jsonl", [{"question": item}])
    bad = chat() | {"id": "bad"}
    bad["messages"][1]["content"] += f" {item}"
    written(folder / "d.jsonl", [bad, chat() | {"id": "good"}])
    stages = 'pipeline.stages=["normalize","decontaminate","near_dup"]'
    assert run(folder, tmp_path / "out", stages, f'decontaminate.benchmarks=["{tmp_path}/bench.jsonl"]') == 0
    assert manifest(tmp_path / "out")["counts"]["kept"] == 7
    capsys.readouterr()
    assert command(["why", str(tmp_path / "out"), "bad"]) == 0
    assert "turn 2, assistant\n" in capsys.readouterr().out
