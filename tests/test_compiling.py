"""Kernels are compiled once, the user is told, and a folder that cannot be written stops nobody."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from curate.compiling import announced_compiling, compile_later_kernels
from curate.events import Warned
from curate.kernel_cache import choose_kernel_cache


def test_the_first_compile_is_announced_once(monkeypatch):
    monkeypatch.setenv("CURATE_COMPILING", "1")
    told = []
    with announced_compiling(told.append):
        assert numba.njit(lambda x: x + 1)(1) == 2
        assert numba.njit(lambda x: x + 2)(1) == 3
    with announced_compiling(told.append):
        pass
    assert [type(event) for event in told] == [Warned]
    assert "compiled for this machine" in told[0].message


def test_without_a_writable_folder_kernels_get_a_temporary_one(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    choose_kernel_cache(tmp_path)
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    choose_kernel_cache(Path("/dev/null/curate/text"))
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == tmp_path
    monkeypatch.delenv("NUMBA_CACHE_DIR")


@pytest.mark.slow
def test_the_second_process_compiles_what_later_passes_need(tmp_path):
    cache = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "CURATE_COMPILING": "1"}
    code = f"from {compile_later_kernels.__module__} import *; compile_later_kernels()"
    subprocess.run([sys.executable, "-c", code], env=cache, check=True, stdout=subprocess.DEVNULL)
    kept = {file.name.split(".")[0].split("-")[0] for file in tmp_path.rglob("*.nbc")}
    assert {"signals", "repetition", "minhash", "shingles", "components", "jaccard", "greedy"} <= kept
