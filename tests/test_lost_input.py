"""What could not be read is counted: in documents where that can be known, else in bytes; and gates see both."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.cli.session import Session
from curate.corpus import compression
from curate.errors import ExitCode
from small_run import contents, manifest
from thorough import settings

ROWS = 40


def run(corpus: Path, out: Path, *assignments: str) -> int:
    stages = 'pipeline.stages=["normalize"]'
    return Session([str(corpus)], str(out), assignments=[stages, "report.samples=0", *assignments]).work(quiet=2)


def parquet(file: Path, groups: int) -> None:
    table = pa.table(
        {"id": [f"d{at}" for at in range(groups * ROWS)], "text": [prose(at) for at in range(groups * ROWS)]}
    )
    pq.write_table(table, file, row_group_size=ROWS, use_dictionary=False, compression="snappy")


def damage_groups(file: Path, groups: set[int]) -> None:
    """Let the texts of some row groups begin with what is no header of a page."""
    footer, content = pq.read_metadata(file), bytearray(file.read_bytes())
    for group in groups:
        start = footer.row_group(group).column(1).data_page_offset
        content[start : start + 16] = b"\xff" * 16
    file.write_bytes(content)


@settings(max_examples=5, quick=2, deadline=None)
@given(lost=st.sets(st.integers(0, 4), min_size=1), part_bytes=st.sampled_from([50_000, 64_000_000]))
def test_rows_of_lost_row_groups_are_documents_that_were_read(tmp_path_factory, lost, part_bytes):
    folder = tmp_path_factory.mktemp("lost")
    parquet(folder / "a.parquet", groups=5)
    damage_groups(folder / "a.parquet", lost)
    assert run(folder / "a.parquet", folder / "out", f"input.part_bytes={part_bytes}", "input.text=text") == 1
    found = manifest(folder / "out")
    assert found["counts"]["read"] == 5 * ROWS
    assert found["counts"]["quarantined"] == len(lost) * ROWS
    assert found["inputs"][0]["quarantined"] == len(lost) * ROWS
    assert sum(part["quarantined"] for part in found["parts"]) == len(lost) * ROWS
    assert sum(loss["lost_documents"] for loss in found["losses"]) == len(lost) * ROWS
    gates = {gate["name"]: gate["passed"] for gate in found["gates"]}
    assert gates == {
        "max_quarantined": False,
        "max_lost_bytes": True,
        "max_skipped": True,
        "min_kept": True,
        "min_documents": len(lost) < 5,
    }


def lines(number: int) -> bytes:
    return b"".join(json.dumps({"text": prose(at)}).encode() + b"\n" for at in range(number))


def noise(number: int) -> bytes:
    """Lines that hardly compress, so that compressed bytes stand for a place in the text."""
    draw = np.random.default_rng(7)
    return b"".join(json.dumps({"text": draw.bytes(600).hex()}).encode() + b"\n" for _ in range(number))


@pytest.mark.parametrize("workers", [1, 2])
def test_compressed_bytes_after_damage_are_counted(tmp_path, workers):
    whole = gzip.compress(noise(1000), mtime=0)
    stored = whole + b"\0\x8b" + whole[2:]  # the second member does not begin as one
    (tmp_path / "a.jsonl.gz").write_bytes(stored)
    settings = ["gates.max_quarantined=1", "input.part_bytes=300000", f"run.workers={workers}"]
    assert run(tmp_path / "a.jsonl.gz", tmp_path / "out", *settings) == ExitCode.GATE_FAILED
    found = manifest(tmp_path / "out")
    assert 0.4 < found["counts"]["lost_bytes"] / len(stored) < 0.5
    [gate] = [gate for gate in found["gates"] if not gate["passed"]]
    assert (gate["name"], gate["value"]) == ("max_lost_bytes", found["counts"]["lost_bytes"] / len(stored))
    [entry] = pl.read_parquet(tmp_path / "out" / "quarantine" / "*.parquet").to_dicts()
    assert (entry["reason"], entry["lost_documents"]) == ("corrupt_file", None)


def test_a_file_that_ends_too_early_has_lost_nobody_knows_what(tmp_path, capsys):
    stored = gzip.compress(lines(400), mtime=0)[:-900]
    (tmp_path / "a.jsonl.gz").write_bytes(stored)
    assert run(tmp_path / "a.jsonl.gz", tmp_path / "out") == ExitCode.GATE_FAILED
    found = manifest(tmp_path / "out")
    assert found["counts"]["lost_bytes"] == len(stored)
    assert found["losses"][0]["lost_documents"] is None


def test_a_small_loss_is_told_and_passes(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(900))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines(3), mtime=0)[:-30])
    assert run(tmp_path, tmp_path / "out") == ExitCode.DONE
    assert manifest(tmp_path / "out")["losses"][0]["file"] == "b.jsonl.gz"


def test_a_file_of_which_nothing_can_be_read_is_lost_with_all_its_bytes(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(9))
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + bytes(9000))
    assert run(tmp_path, tmp_path / "out", "gates.max_quarantined=1") == ExitCode.GATE_FAILED
    assert manifest(tmp_path / "out")["counts"]["lost_bytes"] == 9004


def test_what_could_not_be_read_in_its_turn_is_tried_again(tmp_path, monkeypatch):
    """The content is the same, so is the name of the part: the keys say that something was missing."""
    corpus = tmp_path / "in"
    corpus.mkdir()
    for name in "abc":
        (corpus / f"{name}.jsonl").write_bytes(lines(9))
    assert run(corpus, tmp_path / "whole") == ExitCode.DONE
    real = compression.stored_bytes

    def failing(file):
        if file.name == "b.jsonl":
            raise compression.Damaged("unreadable_file", os.strerror(5))
        return real(file)

    with monkeypatch.context() as patched:
        patched.setattr(compression, "stored_bytes", failing)
        assert run(corpus, tmp_path / "out") == ExitCode.GATE_FAILED
    assert manifest(tmp_path / "out")["counts"]["kept"] == 18
    assert run(corpus, tmp_path / "out") == ExitCode.DONE
    assert manifest(tmp_path / "out")["counts"]["kept"] == 27
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize(("compression", "slack"), [("lz4", 0), (None, 8)])
def test_a_damaged_stream_of_arrow_has_lost_all_bytes_behind_the_damage(tmp_path, compression, slack):
    """Damage to a header may look like an end mark (8 bytes), which is no end where something stands behind it."""
    table = pa.table({"text": [prose(at) for at in range(5 * ROWS)]})
    file, begins = tmp_path / "a.arrows", 0
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with file.open("wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        for at in range(5):
            begins = sink.tell() if at <= 2 else begins
            writer.write_table(table.slice(at * ROWS, ROWS))
    content = bytearray(file.read_bytes())
    damaged = begins + 600 if compression else begins
    content[damaged : damaged + 300] = bytes(300)
    file.write_bytes(content)
    assert run(file, tmp_path / "out") == ExitCode.GATE_FAILED
    found = manifest(tmp_path / "out")
    assert found["counts"]["kept"] == 2 * ROWS
    assert 0 <= len(content) - begins - found["counts"]["lost_bytes"] <= slack
    assert {gate["name"]: gate["passed"] for gate in found["gates"]}["max_lost_bytes"] is False
