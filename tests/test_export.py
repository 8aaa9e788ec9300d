"""The text of a run: what is kept as shards have it, what was removed with every reason."""

import json
import random
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import zstandard

from curate.errors import InputError, UserError
from curate.pipeline.exporting import nanochat_shards
from curate.pipeline.exporting.exporting import STANDARD_OUTPUT, Wanted, export
from curate.pipeline.exporting.nanochat_shards import export_nanochat
from curate.shards.convert import convert
from curate.shards.settings import ShardSettings
from small_run import run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    dice, words = random.Random(3), [f"word{number}" for number in range(400)]
    (folder / "in").mkdir()
    with (folder / "in/a.jsonl").open("w") as file:
        for number in range(120):
            text = " ".join(dice.choices(words, k=80)) if number % 5 else "too short"
            file.write(json.dumps({"id": f"d{number}", "text": text}) + "\n")
    assert run(folder / "in", folder / "out") == 0
    return folder / "out"


def test_kept_and_removed_are_all_documents(finished, tmp_path):
    made = export(finished, tmp_path / "kept.jsonl.zst", Wanted())
    lines = zstandard.ZstdDecompressor().stream_reader((tmp_path / "kept.jsonl.zst").read_bytes()).read().decode()
    kept = [json.loads(line) for line in lines.splitlines()]
    export(finished, tmp_path / "removed.jsonl", Wanted(removed=True))
    removed = [json.loads(line) for line in (tmp_path / "removed.jsonl").read_text().splitlines()]
    assert made.documents == len(kept)
    assert {row["id"] for row in kept + removed} == {f"d{number}" for number in range(120)}
    assert list(kept[0]) == ["id", "text", "source"]
    assert all(row["reasons"] and "." in row["reasons"][0] for row in removed)
    assert {row["id"] for row in removed} >= {f"d{number}" for number in range(0, 120, 5)}


def test_columns_and_order_are_chosen(finished, tmp_path):
    columns = ("id", "text", "copies", "tokens", "file", "position", "quality.score")
    export(finished, tmp_path / "a.parquet", Wanted(columns=columns))
    rows = pl.read_parquet(tmp_path / "a.parquet")
    assert rows.columns == list(columns)
    assert rows["tokens"].to_list() == [len(text.encode()) + 1 for text in rows["text"]]
    for name in ("b", "c"):
        export(finished, tmp_path / f"{name}.parquet", Wanted(columns=("id",), order="shuffle", seed=7))
    shuffled = pl.read_parquet(tmp_path / "b.parquet")["id"].to_list()
    assert (tmp_path / "b.parquet").read_bytes() == (tmp_path / "c.parquet").read_bytes()
    assert sorted(shuffled) == sorted(rows["id"].to_list()) != shuffled
    assert list(tmp_path.iterdir()) == [*tmp_path.glob("?.parquet")] or {p.suffix for p in tmp_path.iterdir()} == {
        ".parquet"
    }


def test_nanochat_has_shuffled_row_groups_and_validation_last(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(nanochat_shards, "GROUP_ROWS", 10)
    monkeypatch.setattr(nanochat_shards, "SHARD_CHARACTERS", 9_000)
    made = export_nanochat(finished, tmp_path / "nano", seed=1)
    files = sorted((tmp_path / "nano").iterdir())
    assert [file.name for file in files] == [f"shard_{number:05d}.parquet" for number in range(len(files))]
    assert len(files) > 3
    parts = [pq.ParquetFile(file) for file in files]
    rows = [[part.metadata.row_group(at).num_rows for at in range(part.num_row_groups)] for part in parts]
    assert [many for groups in rows[:-2] for many in groups] == [10] * sum(map(len, rows[:-2]))
    assert rows[-1] == [made.documents // 10]  # for validation
    texts = [text for part in parts for text in part.read()["text"].to_pylist()]
    export(finished, tmp_path / "kept.parquet", Wanted(columns=("text",)))
    kept = pl.read_parquet(tmp_path / "kept.parquet")["text"].to_list()
    assert sorted(texts) == sorted(kept)
    assert texts != kept
    assert made.documents == len(texts)
    export_nanochat(finished, tmp_path / "again", seed=1)
    assert [file.read_bytes() for file in sorted((tmp_path / "again").iterdir())] == [f.read_bytes() for f in files]
    with pytest.raises(UserError, match="is not empty"):
        export_nanochat(finished, tmp_path / "again")


def test_what_cannot_be_written_is_refused(finished, tmp_path):
    with pytest.raises(UserError, match=r"must end in `.jsonl`"):
        export(finished, tmp_path / "a.csv", Wanted())
    with pytest.raises(UserError, match="`/.*` cannot be written"):
        export(finished, Path("/proc/a.jsonl"), Wanted())
    with pytest.raises(UserError, match="`/.*` cannot be written"):
        export_nanochat(finished, Path("/proc/a/b"))
    (tmp_path / "mine.jsonl").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        export(finished, tmp_path / "mine.jsonl", Wanted())
    assert (tmp_path / "mine.jsonl").read_text() == "mine"
    assert export(finished, tmp_path / "mine.jsonl", Wanted(), force=True).documents > 0
    (tmp_path / "b.jsonl").mkdir()
    (tmp_path / "c").touch()
    with pytest.raises(UserError, match="is a folder, not a file"):
        export(finished, tmp_path / "b.jsonl", Wanted())
    for write in (export_nanochat, lambda run, out: convert(run / "shards", out, ShardSettings(format="bin"))):
        with pytest.raises(UserError, match="is a file, not a folder"):
            write(finished, tmp_path / "c")


def test_lines_go_to_standard_output(finished, tmp_path, capsysbinary):
    export(finished, tmp_path / "kept.jsonl", Wanted(order="shuffle"))
    made = export(finished, STANDARD_OUTPUT, Wanted(order="shuffle"))
    assert capsysbinary.readouterr().out == (tmp_path / "kept.jsonl").read_bytes()
    assert made.documents > 0


def test_columns_that_are_not_there_are_refused(finished, tmp_path):
    with pytest.raises(InputError, match="has no column `langage`"):
        export(finished, tmp_path / "a.jsonl", Wanted(columns=("langage",)))
