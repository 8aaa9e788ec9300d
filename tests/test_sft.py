"""Rows for fine-tuning: what the template writes, what is learnt of it, packed and proven."""

import json
import random

import numpy as np
import polars as pl
import pytest
import tokenizers

from chat_templates import FAMILIES, IM, model_folder
from curate.cli import command
from curate.errors import InputError, PlanError, UserError
from curate.models.chats import ChatEncoder
from curate.runs.whatif import whatif
from curate.shards.convert import convert
from curate.shards.peek import peek
from curate.shards.settings import ShardSettings
from curate.shards.verify import verify
from curate.view.index import Index
from curate.view.moved import moved
from small_run import contents, manifest, run
from test_chat_runs import conversations, sentence, written

STAGES = 'pipeline.stages=["normalize","quality","near_dup","tokenize"]'
LOOSE = ("quality.min_words=10", "quality.max_words=5000", STAGES)
CHECKED = 'pipeline.stages=["normalize","quality","near_dup","chat","tokenize"]'


def with_model(folder):
    return f"tokenize.tokenizer={folder}/tokenizer.json", f"tokenize.chat_template={folder}", "shards.format=sft"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    return {family: model_folder(base / str(at), family) for at, family in enumerate(FAMILIES)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    dice = random.Random(2)
    written(folder / "m.jsonl", conversations(30))
    turns = [{"from": "human", "value": sentence(dice)}, {"from": "gpt", "value": sentence(dice)}]
    written(folder / "s.jsonl", [{"conversations": turns}])
    written(folder / "p.jsonl", [{"instruction": sentence(dice), "input": sentence(dice), "output": sentence(dice)}])
    written(folder / "t.jsonl", [{"id": "plain", "text": sentence(dice)}])
    return folder


def rows_of(out):
    return pl.concat([pl.read_parquet(file) for file in sorted((out / "shards").glob("shard-*.parquet"))]).to_dicts()


def test_rows_are_three_columns_whose_labels_are_what_the_assistant_says(models, corpus, tmp_path):
    folder, out = models["qwen 3"], tmp_path / "out"
    assert run(corpus, out, *LOOSE, *with_model(folder)) == 0
    rows = rows_of(out)
    assert set(rows[0]) == {"input_ids", "labels", "attention_mask"}
    decode = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).decode
    expected = {m["content"] for c in conversations(30) for m in c["messages"] if m["role"] == "assistant"}
    learnt = set()
    for row in rows:
        assert len(row["input_ids"]) == len(row["labels"]) == sum(row["attention_mask"])
        assert all(label in {-100, token} for token, label in zip(row["input_ids"], row["labels"], strict=True))
        text = decode([label for label in row["labels"] if label != -100], skip_special_tokens=False)
        learnt |= {piece.removeprefix("<think>\n\n</think>\n\n") for piece in text.split(IM) if piece}
    assert learnt >= expected
    report = verify(out / "shards", every=True)
    assert report.ok, report.problems
    assert report.compared == report.decoded == len(rows) == 33
    index = json.loads((out / "shards/index.json").read_text())
    assert index["loss_tokens"] == sum(label != -100 for row in rows for label in row["labels"])
    [shown] = peek(out / "shards", 1, id="plain")
    assert shown.runs == ((shown.text, True),)
    assert shown.text.endswith("<|endoftext|>")
    for name in ("tokenizer.json", "chat_template.json"):
        before = (out / "shards" / name).read_bytes()
        (out / "shards" / name).write_bytes(before[:-9] + b"#" + before[-8:])
        [problem] = verify(out / "shards").problems
        assert problem.file == name
        assert "only checksums were compared" in problem.sentence
        (out / "shards" / name).write_bytes(before)


def test_packed_rows_hold_whole_conversations_whatever_the_workers(models, corpus, tmp_path, monkeypatch):
    settings = (*LOOSE, *with_model(models["llama 3"]), "shards.packing=best_fit", "shards.sequence_length=700")
    assert run(corpus, tmp_path / "a", *settings) == 0
    encode, encoded = ChatEncoder.encode, []
    monkeypatch.setattr(ChatEncoder, "encode", lambda *said: (encoded.append(said), encode(*said))[1])
    assert run(corpus, tmp_path / "b", *settings, CHECKED, "run.workers=1") == 0
    assert len(encoded) == 32  # each conversation once, though `chat` and `tokenize` ask for all of them
    assert contents(tmp_path / "a/shards") == contents(tmp_path / "b/shards")
    assert verify(tmp_path / "a/shards", every=True).ok
    for row in rows_of(tmp_path / "a"):
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) == len(row["position_ids"]) == 700
        begins = [sum(row["seq_lengths"][:at]) for at in range(len(row["id"]))]
        assert [row["position_ids"][at] for at in begins] == [0] * len(begins)
        if row["id"][-1] is None:
            padding = row["seq_lengths"][-1]
            assert set(row["labels"][-padding:]) == {-100}
            assert set(row["attention_mask"][-padding:]) == {0}
    again = convert(tmp_path / "a/shards", tmp_path / "c", ShardSettings(format="sft", shard_tokens=9000))
    assert again.loss_tokens > 0
    assert [e.xxh3 for e in again.shards] == [
        e["xxh3"] for e in json.loads((tmp_path / "a/shards/index.json").read_text())["shards"]
    ]
    assert verify(tmp_path / "c").ok
    learnt = np.array([label != -100 for row in rows_of(tmp_path / "a") for label in row["labels"]])
    for source, name, suffix in (("a/shards", "olmo", "*.mask.npy"), ("olmo", "datatrove", "*.ds.loss")):
        out = tmp_path / name
        made = convert(tmp_path / source, out, ShardSettings(format=name, shard_tokens=9000, loss_mask=True))
        assert made.loss_tokens == again.loss_tokens
        assert (
            np.concatenate([np.fromfile(file, np.bool_) for file in sorted(out.glob(suffix))]).tolist()
            == learnt.tolist()
        )
        assert verify(out, every=True).ok
    back = convert(tmp_path / "datatrove", tmp_path / "back", ShardSettings(format="sft", shard_tokens=9000))
    assert back.shards == again.shards
    for other in ("packing=none", "sequence_length=350"):
        arguments = ["shards", "convert", str(tmp_path / "a"), "--to", "sft", "-o", str(tmp_path / "e")]
        assert command([*arguments, "--set", f"shards.{other}"]) == 2
        assert not (tmp_path / "e").exists()
    with pytest.raises(InputError, match="have a loss mask"):
        convert(tmp_path / "a/shards", tmp_path / "d", ShardSettings(format="megatron", shard_tokens=9000))


def test_moved_thresholds_count_the_tokens_of_the_encoder(models, corpus, tmp_path):
    """Two stages count tokens; `chat` those of conversations alone."""
    stages = CHECKED.replace('"near_dup",', "")
    assert run(corpus, tmp_path, *LOOSE, stages, *with_model(models["qwen 3"])) == 0
    for changes in (["quality.min_words=60"], ["chat.max_tokens=100"]):
        found = moved(Index(tmp_path), changes, 4)
        assert found == whatif(tmp_path, changes, examples=4)
        assert found.tokens_exact
        assert found.to_removed


def test_what_a_template_refuses_is_removed_with_the_reason_and_a_copy_of_it_kept(models, tmp_path):
    dice = random.Random(3)
    asked, said = {"role": "user", "content": sentence(dice)}, {"role": "assistant", "content": sentence(dice)}
    refused = [{"role": "system", "content": "Be brief."}, asked, said]
    long = [{"role": "user", "content": sentence(dice)}, {"role": "assistant", "content": sentence(dice, 400)}]
    written(tmp_path / "in/a.jsonl", [{"messages": refused}, {"messages": [asked, said]}, {"messages": long}])
    settings = (*LOOSE, CHECKED, *with_model(models["gemma"]), "chat.max_tokens=1000", "near_dup.similarity=0.7")
    assert run(tmp_path / "in", tmp_path / "out", *settings) == 0
    counts = manifest(tmp_path / "out")["counts"]
    assert counts["removed"]["chat"]["reasons"] == {"refused_by_template": 1, "too_long": 1}
    assert counts["kept"] == 1  # the one without a system turn, though the longer copy was preferred
    with pytest.raises(UserError, match="System role not supported") as error:
        run(tmp_path / "in", tmp_path / "no", *LOOSE, *with_model(models["gemma"]), "near_dup.similarity=1")
    assert '"chat"' in error.value.hint


def test_what_cannot_be_tokenized_is_refused_before_work_begins(models, corpus, tmp_path):
    model = with_model(models["zephyr"])
    with pytest.raises(PlanError, match="does not say how the model reads them"):
        run(corpus, tmp_path / "a", *LOOSE)
    with pytest.raises(PlanError, match="do not hold one"):
        run(corpus, tmp_path / "b", *LOOSE, *model[:2])
    with pytest.raises(PlanError, match="makes none"):
        run(corpus, tmp_path / "c", *LOOSE, "shards.format=sft", "tokenize.chat_template=plain")
    written(tmp_path / "in/x.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c"}])
    for stages, hint in (([], "--skip tokenize,"), ([CHECKED], "--skip chat --skip tokenize,")):
        with pytest.raises(PlanError, match="preferences") as error:
            run(tmp_path / "in", tmp_path / "d", *LOOSE, *stages, *model)
        assert error.value.hint.startswith(hint)
    with pytest.raises(PlanError, match="preferences"):
        run(tmp_path / "in", tmp_path / "d", *LOOSE, 'pipeline.stages=["normalize","chat"]', *model)
    assert not any((tmp_path / name).exists() for name in "abcd")
    assert run(corpus, tmp_path / "e", *LOOSE, "tokenize.chat_template=plain") == 0


def test_the_report_and_why_speak_of_turns_prompts_and_loss(models, tmp_path, capsys):
    dice = random.Random(4)
    asked, said = {"role": "user", "content": sentence(dice)}, {"role": "assistant", "content": sentence(dice)}
    mailed = {"role": "assistant", "content": f"{sentence(dice)} Write to ann@example.com."}
    written(tmp_path / "in/a.jsonl", [{"messages": [asked, said]}, {"messages": [asked, mailed]}])
    stages = 'pipeline.stages=["normalize","near_dup","redact","chat","tokenize"]'
    settings = (*LOOSE, stages, *with_model(models["zephyr"]), "report.samples=2", "tokenize.chat_date=2024-07-26")
    assert run(tmp_path / "in", tmp_path / "out", *settings) == 0
    found = json.loads((tmp_path / "out/report.json").read_text())["conversations"]
    assert (found["read"], found["kept"], found["prompts"], found["compared"]) == (2, 2, 1, "whole")
    assert json.loads((tmp_path / "out/shards/chat_template.json").read_text())["date"] == "2024-07-26"
    rows = rows_of(tmp_path / "out")
    assert found["loss_tokens"] == sum(label != -100 for row in rows for label in row["labels"])
    assert "have the prompt of another one" in (tmp_path / "out/report.html").read_text()
    capsys.readouterr()
    assert command(["why", str(tmp_path / "out"), "a.jsonl#2"]) == 0
    shown = capsys.readouterr().out
    assert "→ <EMAIL>  turn 2, assistant" in shown
    assert f"assistant  {mailed['content'][:20]}" in shown
    assert "ann@" not in shown
    assert command(["shards", "peek", str(tmp_path / "out"), "--mask", "-n", "1"]) == 0
    assert f"<|assistant|>\n⟦{said['content']}</s>⟧" in capsys.readouterr().out
