"""`-`: standard input is written down first, so that a run over it resumes as others do."""

import json
import subprocess
import sys
from pathlib import Path

from any_format import WRITERS, records

SETS = ["--set", "pipeline.stages=['normalize']", "--set", "input.part_bytes=20000", "-qq"]


def curate(*words: str, data: bytes, folder: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "curate", "run", *words], input=data, cwd=folder, capture_output=True, check=False
    )


def test_standard_input_is_read_and_gone_on_with(tmp_path: Path) -> None:
    data = WRITERS[".jsonl"](records(500))
    nothing = curate("-", "-o", "out", *SETS, data=b"", folder=tmp_path)
    assert (nothing.returncode, b"nothing comes in" in nothing.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
    dry = curate("-", "-o", "out", "--dry-run", data=data, folder=tmp_path)
    assert (dry.returncode, b"stdin.jsonl" in dry.stderr + dry.stdout or not (tmp_path / "out").exists()) == (0, True)
    first = curate("-", "-o", "out", *SETS, data=data, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    made = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (made["counts"]["read"], made["inputs"][0]["name"]) == (500, "stdin.jsonl")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "documents").iterdir()}
    assert len(files) > 1
    for more in (data, b""):  # the same again, or nothing: it goes on with what is there
        again = curate("-", "-o", "out", *SETS, data=more, folder=tmp_path)
        assert again.returncode == 0, again.stderr
        assert {path: path.stat().st_mtime_ns for path in files} == files
