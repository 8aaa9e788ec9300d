"""Kernels are compiled once, the user is told, and a folder that cannot be written stops nobody."""

import importlib
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numba
import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile

import curate.text
from curate.cache.kernels import choose_kernel_cache
from curate.events import Warned
from curate.pipeline import first_compile as compiling
from curate.pipeline.first_compile import announced_compiling
from curate.process import child
from curate.stages.quality import Quality, QualitySettings
from curate.text.core.hashes import mixed


def test_the_first_compile_is_announced_once():
    told = []
    with announced_compiling(told.append, []):
        assert numba.njit(lambda x: x + 1)(1) == 2
        assert numba.njit(lambda x: x + 2)(1) == 3
    with announced_compiling(told.append, []):
        pass
    assert [type(event) for event in told] == [Warned]
    assert "compiled for this machine" in told[0].message


def test_without_a_writable_folder_kernels_get_a_temporary_one(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    choose_kernel_cache(str(tmp_path / "__init__.py"))
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    choose_kernel_cache("/dev/null/curate/text/__init__.py")
    assert Path(os.environ.pop("NUMBA_CACHE_DIR")).parent == tmp_path


def test_a_cache_that_names_a_class_that_has_moved_is_made_anew(tmp_path):
    importlib.import_module("curate.text.core.kernel")
    cache = IndexDataCacheFile(str(tmp_path), "kernel", (1.0, 2))
    cache.save("types", "code")
    (index,) = tmp_path.glob("*.nbi")
    version = pickle.loads(index.read_bytes())
    index.write_bytes(pickle.dumps(version) + b"ccurate.where_it_was\nNamed\n.")
    assert cache.load("types") is None
    cache.save("types", "code again")
    assert cache.load("types") == "code again"


def test_a_kernel_that_is_kept_is_loaded_without_the_compiler_which_comes_when_it_is_needed():
    mixed(np.arange(2, dtype=np.uint64))
    subprocess.run([sys.executable, "-c", _LOADED_ALONE], check=True)
    folder = os.environ.get("NUMBA_CACHE_DIR") or Path(curate.text.__file__).parent
    kept = [file.read_bytes() for file in Path(folder).rglob("*.nbc")]
    assert kept
    assert not any(b"hashsecret" in code for code in kept)  # what machine code calls that comes with the compiler


def test_what_is_compiled_while_the_runtime_is_made_waits_until_it_is(tmp_path):
    """With an empty cache one thread makes the runtime, another compiles; they would meet in the middle."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", _SIDE_BY_SIDE], check=True, env=environment)


def test_a_process_that_helps_to_compile_and_is_stuck_is_ended(monkeypatch):
    def start_child(_target):
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE)

    monkeypatch.setattr(compiling, "start_child", start_child)
    monkeypatch.setattr(child, "IDLE_SECONDS", 0.5)
    told, stage, started = [], Quality(QualitySettings()), time.monotonic()
    with announced_compiling(told.append, [stage]) as ready:
        assert numba.njit(lambda x: x + 3)(1) == 4
        ready(stage)
        ready(stage)
    assert time.monotonic() - started < 30
    assert [event.message for event in told[1:]] == [
        "the process that helps to compile did nothing for 0.5 s and was ended"
    ]


@pytest.mark.slow
def test_what_the_second_process_compiles_is_not_compiled_again(monkeypatch, tmp_path):
    """Nor is a kernel compiled for one value of an argument alone."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    settings = msgspec.json.encode([("quality", QualitySettings(signals="all"))])
    command = [sys.executable, "-c", _COUNTED]
    counted = [subprocess.run(command, check=True, input=settings, stdout=subprocess.PIPE) for _ in range(2)]
    first, second = [one.stdout.decode().splitlines() for one in counted]
    assert any(line.startswith("document_signals._measure") for line in first)
    assert [line for line in first if "Literal[int]" in line] == []
    assert second == []


_LOADED_ALONE = """
import sys
import numpy as np
from curate.text.core.hashes import mixed
from numba import njit

assert len(mixed(np.arange(2, dtype=np.uint64))) == 2
assert sum(mixed.stats.cache_hits.values()) == 1
assert "numba.np.linalg" not in sys.modules

@njit
def ordered(values):
    found = {}
    for value in values:
        found[value] = np.sort(values).sum()
    return found[values[0]]

assert ordered(np.array([3, 1, 2])) == 6
"""

_SIDE_BY_SIDE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import curate.text
from curate.cache.kernels import load_runtime
from numba import njit

@njit
def filled(size):
    array = np.empty(size, np.uint64)
    array[:] = 7
    return array.sum()

sys.setswitchinterval(1e-5)
both = threading.Barrier(2)
with ThreadPoolExecutor(2) as pool:
    loading = pool.submit(lambda: (both.wait(), load_runtime()))
    compiling = pool.submit(lambda: (both.wait(), filled(3))[1])
    loading.result()
    assert compiling.result() == 21
"""

_COUNTED = """
from numba.core import event
from curate.pipeline.first_compile import compile_kernels

class Compiled(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("curate."):
            print(function.__module__.rpartition(".")[2] + "." + function.__name__, event.data["args"])
    def on_end(self, event):
        pass

event.register("numba:compile", Compiled())
compile_kernels()
"""
