"""A document that would take more memory than there is goes to quarantine, and what large ones take is shared out."""

import gzip
import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.corpus.documents import Rows
from curate.corpus.formats.json_records.jsonl import parse
from curate.corpus.input import InputFile
from curate.corpus.lines import Lines
from curate.corpus.memory import for_one_document, needed, within_memory
from curate.engine.base import Interrupted
from curate.engine.memory_budget import MemoryBudget
from curate.errors import ExitCode
from small_run import contents, manifest, run

LARGE = "a b " * 1_300_000  # takes some 340 MB at work; `--memory 1GB` leaves 268 MB for one document
HERE = ("language", "near_dup", "quality", "tokenize")


def corpus(folder: Path, large: str = LARGE) -> Path:
    """One large document in each format, and small ones beside it."""
    folder.mkdir()
    texts = [prose(1), large, prose(2)]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (folder / "a.jsonl").write_text(lines)
    (folder / "b.jsonl").write_text('{"text": "broken\n' + lines)  # read line by line
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 1))
    pq.write_table(pa.table({"text": texts}), folder / "d.parquet")
    (folder / "e.txt").write_text(large)
    return folder


def refused(out: Path) -> set[tuple[str, int | None]]:
    tables = [pq.read_table(file).to_pylist() for file in sorted((out / "quarantine").iterdir())]
    return {(r["file"], r["position"]) for table in tables for r in table if r["reason"] == "too_little_memory"}


def test_a_document_that_takes_too_much_is_refused_and_let_in_by_more_memory(tmp_path: Path) -> None:
    folder, out = corpus(tmp_path / "corpus"), tmp_path / "out"
    assert run(folder, out, "run.memory=1GB", skip=HERE) == ExitCode.DONE
    places = {("a.jsonl", 2), ("b.jsonl", 3), ("c.jsonl.gz", 2), ("d.parquet", 2), ("e.txt", 1)}
    assert refused(out) == places
    counts = manifest(out)["counts"]
    assert (counts["read"], counts["kept"], counts["quarantined"]) == (14, 8, 6)

    before = contents(out)
    assert run(folder, out, "run.memory=1GB", skip=HERE) == ExitCode.DONE
    assert contents(out) == before

    assert run(folder, out, "run.memory=4GB", skip=HERE) == ExitCode.DONE
    assert refused(out) == set()
    assert run(folder, tmp_path / "fresh", "run.memory=4GB", skip=HERE) == ExitCode.DONE
    assert contents(out) == contents(tmp_path / "fresh")


def test_memory_is_no_part_of_a_run_without_large_documents(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "corpus", prose(3))
    for memory in ("1GB", "8GB"):
        assert run(folder, tmp_path / memory, f"run.memory={memory}", skip=HERE) == ExitCode.DONE
    assert contents(tmp_path / "1GB") == contents(tmp_path / "8GB")


def test_the_entry_says_how_large_it_is_and_what_would_do(tmp_path: Path) -> None:
    file = InputFile(path="", name="a.jsonl", format="jsonl", text="text", memory=3000)
    for text, size in (("a b " * 40, 160), ("x" * 400, 412)):  # parsed, or too long to be looked at
        rows = Rows()
        parse(Lines(file, 1, 0, json.dumps({"text": text}).encode() + b"\n"), rows)
        [entry] = within_memory(rows.parsed(), 3000).quarantined.to_pylist()
        assert entry["reason"] == "too_little_memory"
        assert entry["detail"].startswith(f"{size:,} bytes take about ")
        assert entry["detail"].endswith("`--memory 1GB` is enough")


@given(st.lists(st.text(max_size=60), max_size=9), st.integers(1, 6000))
def test_what_fits_stays_and_nothing_is_lost(texts: list[str], memory: int) -> None:
    rows, file = Rows(), InputFile(path="", name="a.jsonl", format="jsonl", text="text")
    data = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode(errors="replace") + b"\n" for text in texts)
    parse(Lines(file, 1, 0, data), rows)
    parsed = rows.parsed()
    kept, quarantined = within_memory(parsed, memory)
    before = parsed.documents["text"].to_pylist()
    assert kept["text"].to_pylist() == [text for text in before if needed(text.encode()) <= memory]
    assert quarantined["position"].to_pylist() == [
        at for at, text in enumerate(before, 1) if needed(text.encode()) > memory
    ]


@given(st.integers(10**9, 10**12), st.integers(0, 10**9))
def test_more_memory_lets_in_no_less(memory: int, more: int) -> None:
    assert 0 < for_one_document(memory) <= for_one_document(memory + more) < memory + more


@given(st.lists(st.integers(1, 150), min_size=1, max_size=20))
def test_a_budget_is_never_exceeded_and_everyone_gets_a_turn(sizes: list[int]) -> None:
    budget, held, most, lock = MemoryBudget(100, lambda: False), [0], [0], threading.Lock()

    def work(size: int) -> None:
        with budget.taken(size):
            with lock:
                held[0] += min(size, 100)
                most[0] = max(most[0], held[0])
            time.sleep(0)
            with lock:
                held[0] -= min(size, 100)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, sizes))
    assert most[0] <= 100
    assert budget.free == 100


def test_who_waits_for_memory_hears_that_the_engine_was_stopped() -> None:
    budget = MemoryBudget(100, lambda: True)
    with budget.taken(60), pytest.raises(Interrupted), budget.taken(60):
        pass
    assert budget.free == 100


@pytest.mark.slow
def test_a_document_of_100_mb_stays_within_the_memory(tmp_path: Path) -> None:
    """Refused under 1 GB; under 5 GB worked on, and more such at once by several workers."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=5)) for _ in range(9999)]
    with (tmp_path / "big.jsonl").open("w") as file:
        for size in (16_000_000, 5_000_000, 5_000_000, 5_000_000):
            file.write(json.dumps({"text": " ".join(rng.choices(words, k=size))}) + "\n")
    for memory, quarantined in (("1GB", 4), ("5GB", 0)):
        command = [sys.executable, "-m", "curate", "run", "big.jsonl", "-o", memory, "-qq", "--memory", memory]
        more = ["quality.max_words=99999999", "gates.max_quarantined=1", "gates.min_documents=0"]
        sets = [word for one in more for word in ("--set", one)]
        subprocess.run([*command, "--workers", "2", "--skip", "language", *sets], cwd=tmp_path, check=True)
        made = manifest(tmp_path / memory)
        assert made["counts"]["quarantined"] == quarantined
        assert made["timings"]["peak_rss_bytes"] < int(memory[0]) * 10**9
