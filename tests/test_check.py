"""`curate check`: what it says of a corpus is what a run finds there, and it writes nothing."""

import gzip
import json
import random
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus_maker import make_corpus, prose
from curate.cli import command
from curate.cli.session import Session
from curate.pipeline.planning import pieces
from curate.pipeline.planning.extrapolation import Copies, Guess, with_pairs

FRENCH = "Le bateau part à six heures du matin, et personne ne sait quand il reviendra de son voyage vers les îles."
PIPELINE = 'pipeline.stages=["extract","normalize","language","near_dup","tokenize"]'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def checked(capsys, *words) -> dict:
    capsys.readouterr()
    assert command(["check", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_of_a_small_corpus_is_tried_and_told_exactly(capsys):
    corpus = make_corpus(Path("in"), 60)
    page = f"<!doctype html><meta charset=latin-1><p>{prose(3)}".encode("latin-1")
    (corpus / "page.html").write_bytes(page)
    (corpus / "odd.xyz").write_bytes(b"\0\1")
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    found = checked(capsys, corpus, "--set", PIPELINE)
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    assignments = [PIPELINE, "gates.max_quarantined=1", "report.samples=0"]
    Session([str(corpus)], "out", assignments=assignments).work(quiet=2)
    manifest = json.loads(Path("out/run.json").read_text())
    counts, tried = manifest["counts"], found["trial"]
    documents = counts["read"] - counts["quarantined"]
    assert (tried["whole"], tried["documents"]) == (True, documents)
    assert tried["all_documents"] == {"value": documents, "error": 0}
    flow = {stage["stage"]: stage["kept"] for stage in manifest["flow"]}
    assert round(tried["kept"]["value"] * documents) == flow["language"]
    assert sum(tried["quarantined"].values()) == counts["quarantined"]
    assert tried["languages"]["en"] >= flow["language"]
    assert tried["encodings"]["windows-1252"] == 1
    assert round(tried["near_copies"]["value"] * documents) >= counts["removed"]["near_dup"]["documents"]
    assert [one["path"] for one in found["skipped"]] == [one["path"] for one in manifest["skipped"]]
    assert found["bytes"] == sum(entry["bytes"] for entry in manifest["inputs"])


def test_what_pieces_tell_of_the_whole_is_within_its_error(capsys, monkeypatch):
    monkeypatch.setattr(pieces, "PLACE_BYTES", 3_000)
    Path("in").mkdir()
    for number in range(40):
        rows = [
            json.dumps({"text": prose(number * 50 + row)[: 100 + 53 * (number % 11)]}) for row in range(10 + number % 7)
        ]
        Path(f"in/{number}.jsonl").write_text("\n".join(rows))
    found = checked(capsys, "in", "--set", PIPELINE)["trial"]
    truth = sum(10 + number % 7 for number in range(40))
    assert not found["whole"]
    assert found["documents"] < truth
    guess = found["all_documents"]
    assert guess["error"] > 0
    assert abs(guess["value"] - truth) <= 2 * guess["error"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_a_single_file_is_tried_at_several_places_beside_files_that_are_denser(suffix, monkeypatch, capsys):
    """English first and French behind it, in one row group or one stream; and pages that take more room each."""
    monkeypatch.setattr(pieces, "PLACE_BYTES", 4_000)
    Path("in").mkdir()
    rows = [{"text": f"{prose(n % 50)} {n}" if n < 600 else f"{FRENCH} numéro {n}", "n": n} for n in range(1_000)]
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), f"in/a{suffix}")
    else:
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        Path(f"in/a{suffix}").write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    for number in range(60):
        Path(f"in/{number}.txt").write_text(f"{prose(number)} " * 20)
    found = checked(capsys, "in", "--set", PIPELINE)["trial"]
    assert found["pieces"] > 4
    assert not found["whole"]
    assert found["languages"]["fr"] > 0
    for guess, truth in ((found["all_documents"], 1_060), (found["kept"], 660 / 1_060)):
        assert abs(guess["value"] - truth) <= guess["error"]


def test_documents_about_as_long_as_a_piece_do_not_bend_what_is_told(monkeypatch, capsys):
    """A block of lines is counted with the first of them: chunks told twice the bytes that they held."""
    monkeypatch.setattr(pieces, "PLACE_BYTES", 4_000)
    chance = random.Random(2)
    texts = [(f"{number} {prose(number)} " * 40)[: chance.choice([100, 900, 3_500])] for number in range(1_500)]
    Path("in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = checked(capsys, "in.jsonl", "--set", PIPELINE)["trial"]
    assert found["all_text_bytes"]["value"] == pytest.approx(sum(map(len, texts)), rel=0.03)


def test_copies_of_which_the_other_is_not_tried_are_estimated():
    """Pairs all over a corpus of a million, of which a hundredth is tried: a tenth of it are copies."""
    chance = random.Random(1)
    copies = Copies()
    tried = [chance.randrange(10**6) for _ in range(10**4)]
    met = sum(copies.add([one % 900_000], number // 500) for number, one in enumerate(dict.fromkeys(tried)))
    guess = with_pairs(Guess(met / 10**4, 0.0), copies.pairs, 10**4, 0.01)
    assert abs(guess.value - 0.1) <= guess.error < 0.5


def test_the_settings_to_begin_with_can_be_written_and_run(capsys):
    Path("in").mkdir()
    rows = [{"body": prose(n), "url": f"https://e.org/{n}", "id": f"x{n}"} for n in range(20)]
    Path("in/a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert command(["check", "in", "--write"]) == 0
    assert tomllib.loads(Path("curate.toml").read_text()) == {
        "input": {"text": "body", "id": "id"},
        "language": {"keep": ["en"]},
    }
    assert command(["run", "in", "--dry-run"]) == 0
    capsys.readouterr()
    assert command(["check", "in", "--write"]) == 2
    assert "`curate.toml` is there already" in capsys.readouterr().err


def test_two_likely_fields_stop_it_with_the_setting_to_type(capsys):
    Path("in").mkdir()
    Path("in/a.jsonl").write_text(json.dumps({"left": prose(1), "right": prose(2)}))
    assert command(["check", "in"]) == 2
    assert "--set input.text=" in capsys.readouterr().err


def test_people_are_told_what_is_there(capsys):
    corpus = make_corpus(Path("in"), 30)
    assert command(["check", str(corpus)]) == 0
    said = capsys.readouterr()
    for label in ("Input", "Field", "Tried on", "Languages", "Characters", "Copies", "Kept", "Removed", "Expect"):
        assert f"\n{label}" in f"\n{said.err}"
    assert tomllib.loads(said.out)["language"]["keep"][0] == "en"


def test_of_conversations_all_is_told_but_tokens_where_no_model_is_named(capsys):
    turns = [{"role": "user", "content": "How are you today?"}, {"role": "assistant", "content": "Well, thank you."}]
    Path("chats.jsonl").write_text(f"{json.dumps({'messages': turns})}\n" * 3)
    found = checked(capsys, "chats.jsonl", "--recipe", "sft")
    assert found["trial"]["documents"] == 3
    assert command(["check", "chats.jsonl"]) == 0
    said = capsys.readouterr().err
    assert "`chats.jsonl` holds conversations (`messages`)" in said
    assert "--recipe sft --set tokenize.tokenizer=MODEL_FOLDER" in said
