"""Libraries do not import what nothing needs, and whoever needs it finds it."""

import importlib
import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from curate.process import unneeded


def test_it_is_hidden_while_the_library_is_imported_and_found_afterwards(tmp_path, monkeypatch):
    (tmp_path / "some_library.py").write_text(
        "try:\n    import some_other as found\nexcept ImportError:\n    found = None\n"
    )
    (tmp_path / "some_other.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    monkeypatch.setattr(unneeded, "UNNEEDED", {"some_library": ("some_other",)})
    unneeded.hide_unneeded()
    unneeded.hide_unneeded()
    assert importlib.import_module("some_library").found is None
    assert importlib.import_module("some_other")
    monkeypatch.delitem(sys.modules, "some_library")  # what is loaded is not hidden: it costs nothing
    assert importlib.import_module("some_library").found is sys.modules["some_other"]


GATE = "from threading import Event\ninside, go, ended = Event(), Event(), Event()\n"


def test_what_two_threads_import_at_once_is_found_by_both_afterwards(tmp_path, monkeypatch):
    (tmp_path / "some_gate.py").write_text(GATE)
    (tmp_path / "some_first.py").write_text("import some_gate\nsome_gate.inside.set()\nassert some_gate.go.wait(30)\n")
    (tmp_path / "some_second.py").write_text("import some_gate\nsome_gate.go.set()\nassert some_gate.ended.wait(30)\n")
    (tmp_path / "some_hidden.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    monkeypatch.setattr(unneeded, "UNNEEDED", {"some_first": ("some_hidden",), "some_second": ()})
    unneeded.hide_unneeded()
    gate = importlib.import_module("some_gate")
    with ThreadPoolExecutor(1) as other:
        first = other.submit(importlib.import_module, "some_first")
        first.add_done_callback(lambda _: gate.ended.set())
        assert gate.inside.wait(30)
        importlib.import_module("some_second")
        first.result()
        assert other.submit(importlib.import_module, "some_hidden").result()


ARROW = """
import sys
from curate.process.unneeded import hide_unneeded
hide_unneeded()
import pyarrow as pa
import numpy as np
pa.array([1]), pa.array(np.zeros(2))
assert "pandas" not in sys.modules
assert pa.array([1]).to_pandas().sum() == 1
assert "pandas" in sys.modules
"""


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="there is no pandas")
def test_arrow_gives_pandas_objects_all_the_same():
    subprocess.run([sys.executable, "-c", ARROW], check=True, timeout=60)
