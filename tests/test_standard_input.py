"""`-`: standard input is written down first, so that a run over it resumes as others do."""

import io
import json
import sys
from pathlib import Path

from any_format import WRITERS, records
from curate.cli import command

SETS = ["--set", "pipeline.stages=['normalize']", "--set", "input.part_bytes=20000", "-qq"]


def test_standard_input_is_read_and_gone_on_with(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)

    def curate(*words: str, data: bytes) -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return command(["run", "-", "-o", "out", *words])

    data = WRITERS[".jsonl"](records(500))
    assert curate(*SETS, data=b"") == 2
    assert "which is empty" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert curate("--dry-run", data=data) == 0
    told = capsys.readouterr()
    assert "stdin.jsonl" in told.err + told.out or not (tmp_path / "out").exists()
    assert curate(*SETS, data=data) == 0
    made = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (made["counts"]["read"], made["inputs"][0]["name"]) == (500, "stdin.jsonl")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "documents").iterdir()}
    assert len(files) > 1
    for more in (data, b""):  # the same again, or nothing: it goes on with what is there
        assert curate(*SETS, data=more) == 0
        assert {path: path.stat().st_mtime_ns for path in files} == files
