"""A signal ends the command in time, whatever it is doing, says what is safe, and nothing is lost by it."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from corpus_maker import make_corpus, prose

CURATE = [sys.executable, "-P", "-m", "curate"]


def latest_seconds() -> float:
    """Two are promised; machines that test are busy, and some have more to do than cores."""
    return 5.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def contents(out: Path) -> dict[str, str]:
    files = [*out.glob("documents/*"), *out.glob("shards/*"), *out.glob("[a-z]*/part-*")]
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def ended(process: subprocess.Popen[str], number: int) -> tuple[float, str]:
    """Send a signal; how long it took, and what the process wrote to stderr. None of its children is left."""
    children = psutil.Process(process.pid).children(recursive=True)
    sent = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    took = time.monotonic() - sent
    assert psutil.wait_procs(children, timeout=10)[1] == []
    return took, said


@pytest.mark.slow
def test_terminated_at_any_moment_it_leaves_in_time_and_continues_to_the_same_bytes(tmp_path):
    corpus = make_corpus(tmp_path / "in", 30)
    (corpus / "long.jsonl").write_text(json.dumps({"text": " ".join(prose(n) for n in range(1000))}) + "\n")
    words = [*CURATE, "run", str(corpus), "-qq", "--set", "gates.max_quarantined=1", "--set", "input.part_bytes=20000"]
    started = time.monotonic()
    subprocess.run([*words, "-o", str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    whole, draw, out = time.monotonic() - started, random.Random(), tmp_path / "out"
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        process = subprocess.Popen([*words, "-o", str(out)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(0.3 + draw.uniform(0, whole))
        if process.poll() is None:
            took, said = ended(process, number)
            assert took < latest_seconds()
            assert process.returncode in {0, 130 if number == signal.SIGINT else 4}
            if process.returncode and "safe" in said:
                assert "the same command continues" in said
                assert f"hint: curate run {corpus} -o {out}" in said
        process.communicate()
    subprocess.run([*words, "-o", str(out)], check=True, stdout=subprocess.DEVNULL)
    assert contents(out) == contents(tmp_path / "whole")


def test_the_first_compile_is_left_in_time(tmp_path):
    corpus = make_corpus(tmp_path / "in", 20)
    words = [*CURATE, "run", str(corpus), "-o", str(tmp_path / "out"), "-v"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    for line in process.stderr:
        if "kernels are being compiled" in line:
            break
    time.sleep(1)
    took, said = ended(process, signal.SIGTERM)
    assert took < latest_seconds()
    assert process.returncode == 4
    assert "parts of documents are safe" in said


ENDLESS_LOOK = """
import time
from curate.__main__ import main
from curate.corpus.inspection import inspect

def look(*_):
    print("looking", flush=True)
    time.sleep(600)

inspect._inspected = look
main()
"""


def test_before_anything_was_read_it_says_so(tmp_path):
    """Looking at the corpus never ends."""
    asked = ["run", str(make_corpus(tmp_path / "in", 3)), "-o", str(tmp_path / "out"), "-v"]
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", ENDLESS_LOOK, *asked], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "looking\n"
    took, said = ended(process, signal.SIGTERM)
    assert took < latest_seconds()
    assert process.returncode == 4
    assert "stopped" in said
    assert not (tmp_path / "out").exists()


STUCK = """
import hashlib, os, signal, sys, time
from curate.process import stopping
from curate.errors import Stopped

stopping.GRACE_SECONDS = float(sys.argv[1])
stopping.listen()
with stopping.stoppable(lambda: Stopped("stopped; all is safe", hint="go on"), ask=lambda: None):
    os.write(1, b"ready")
    if sys.argv[2] == "computing":  # in one call of a function without Python's lock
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
    while True:
        sys.stderr.write("nobody reads this" * 999) if sys.argv[2] == "writing" else time.sleep(1)
"""


def stuck(grace: float, doing: str, **how) -> subprocess.Popen:
    words = [sys.executable, "-c", STUCK, str(grace), doing]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    assert process.stdout.read(5) == b"ready"
    return process


@pytest.mark.parametrize("doing", ["computing", "waiting"])
def test_who_does_not_stop_is_left_after_a_while_with_the_last_words_said(doing):
    process, sent = stuck(0.5, doing), time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert 0.5 < time.monotonic() - sent < latest_seconds()
    assert (process.returncode, said.decode()) == (4, "error: stopped; all is safe\nhint: go on\n")


def test_a_second_signal_does_not_wait():
    process = stuck(600, "computing")
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_nobody_has_to_read_the_last_words():
    process = stuck(0.1, "writing")
    time.sleep(0.5)  # the pipe is full by now
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 4
    process.communicate()


def test_an_ignored_signal_stays_ignored():
    process = stuck(0.1, "waiting", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 4
