"""No code from the current folder runs, however curate is started and whatever lies there."""

import ast
import functools
import json
import os
import pickle
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import packages_distributions
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from corpus_maker import prose
from curate.cache.kernels import choose_kernel_cache, user_cache_folder
from curate.cli import command
from curate.process.child import start_child
from curate.process.search_path import leave_current_folder, search_path
from curate.store.manifest import read_manifest

SCRIPT = Path(sysconfig.get_path("scripts")) / "curate"
BY_SCRIPT = [str(SCRIPT)]
BY_MODULE = [sys.executable, "-m", "curate"]
BY_SAFE_MODULE = [sys.executable, "-P", "-m", "curate"]
HOME = Path(curate.__file__).parent
FOLDERS = {"curate", "numba", "tiktoken_ext", "json"}
"""Packages rather than files; ``tiktoken_ext`` is searched for plug-ins by a library."""


@functools.cache
def modules() -> set[str]:
    """All that may be imported, found out by who asks: it takes a second."""
    installed = (name for name in packages_distributions() if "/" not in name)
    return {*sys.stdlib_module_names, *installed, "sitecustomize", "usercustomize", "conftest"}


started_by_script = pytest.mark.skipif(not SCRIPT.exists(), reason="curate is not installed here")


def folder_of_traps(folder: Path, without: set[str] = frozenset()) -> Path:
    """A folder whose every file says so when it is run: it leaves its name in the folder ``ran`` beside it."""
    ran = folder.parent / "ran"
    ran.mkdir()
    folder.mkdir()
    for name in sorted((modules() | FOLDERS) - without):
        trap = f"open({str(ran / name)!r}, 'w').close()\n"
        if name in FOLDERS:
            (folder / name).mkdir()
            for file in ("__init__", "__main__", "plugin"):
                (folder / name / f"{file}.py").write_text(trap)
        else:
            (folder / f"{name}.py").write_text(trap)
    (folder / "trap.pth").write_text(f"import os; open({str(ran / 'pth')!r}, 'w').close()\n")
    plugin = folder / "trap-1.0.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: trap\nVersion: 1.0\n")
    points = "[curate.stages]\ntrap = json:Trap\n[numba_extensions]\ninit = json:init\n[curate]\ntrap = json:trap\n"
    (plugin / "entry_points.txt").write_text(points)
    (folder / ".numba_config.yaml").write_text("cache_dir: kernels\ndisable_jit: 1\n")
    (folder / ".env").write_text("PYTHONPATH=.\nPYTHONSTARTUP=json.py\nNUMBA_CACHE_DIR=kernels\nCURATE_SKIP=quality\n")
    (folder / "sample.jsonl").write_text("".join(json.dumps({"text": prose(n)}) + "\n" for n in range(40)))
    return folder


def start(started: list[str], *words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CURATE", "NUMBA"))}
    given = {"NUMBA_CACHE_DIR": str(cwd.parent / "kernels"), **environment}
    return subprocess.run(
        [*started, *words], cwd=cwd, env={**own, **given}, capture_output=True, text=True, check=False, timeout=600
    )


def loaded_by_python(started: list[str], folder: Path, **environment: str) -> set[str]:
    """What Python itself imports before the first line of curate has run."""
    said = start(started, "--version", cwd=folder, PYTHONPROFILEIMPORTTIME="1", **environment)
    names = re.findall(r"\|\s+([\w.]+)$", said.stderr, re.MULTILINE)
    return {name.partition(".")[0] for name in names[: names.index("curate.process.search_path")]}


RUN = ("run", "sample.jsonl", "-o", "../out", "--set", "gates.max_quarantined=1", "--set", "quality.min_words=5")


@pytest.mark.slow
@started_by_script
def test_a_whole_first_run_in_a_folder_of_traps_runs_none(tmp_path):
    """With nothing compiled yet, so that the process that helps to compile is started."""
    folder = folder_of_traps(tmp_path / "folder")
    done = start(BY_SCRIPT, *RUN, "--only", "normalize", "--only", "quality", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "kernels are being compiled" in done.stderr
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()
    assert list((tmp_path / "kernels").rglob("document_signals.*.nbi"))
    assert sorted(path.name for path in (tmp_path / "ran").iterdir()) == []
    assert not (folder / "kernels").exists()


VERBS = (
    (*RUN, "--set", 'pipeline.stages=["normalize","language","near_dup","line_dup","quality","redact","tokenize"]'),
    ("stages",),
    ("recipes",),
    ("config",),
    (*RUN, "--dry-run"),
    ("why", "../out", "sample.jsonl#1"),
    ("sample", "../out"),
    ("report", "../out"),
    ("shards", "verify", "../out"),
    ("quality", "train", "--good", "good.jsonl", "--bad", "bad.jsonl", "-o", "../model"),
)
SHORT = (*RUN, "--only", "normalize", "--only", "quality")
BLANK = {"PYTHONPATH": ":/opt/no/such/folder"}
"""What `PYTHONPATH=$PYTHONPATH:/opt/no/such/folder` makes where it was not set before."""


@pytest.mark.parametrize(
    ("started", "environment", "verbs"),
    [
        pytest.param(BY_SCRIPT, {}, VERBS, marks=[started_by_script, pytest.mark.slow]),
        pytest.param(BY_SCRIPT, BLANK, [SHORT], marks=started_by_script),
        pytest.param(BY_SAFE_MODULE, {}, [SHORT], marks=pytest.mark.slow),
        (BY_MODULE, {}, [SHORT]),
    ],
    ids=["script", "script-blank-pythonpath", "safe-module", "module"],
)
def test_no_verb_runs_a_trap(tmp_path, started, environment, verbs):
    """Under ``python -m``, and where ``PYTHONPATH`` has a blank entry, all that Python does not load before curate."""
    (tmp_path / "clean").mkdir()
    early = (
        loaded_by_python(started, tmp_path / "clean", **environment) if started is BY_MODULE or environment else set()
    )
    folder = folder_of_traps(tmp_path / "folder", early)
    for side, word in (("good", "sun"), ("bad", "rain")):
        texts = [{"text": f"{word} {prose(n)}"} for n in (range(60) if side == "good" else range(60, 120))]
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    for words in verbs:
        done = start(
            started, *words, cwd=folder, **{"NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""), **environment}
        )
        assert done.returncode == 0, (words, done.stderr)
        assert sorted(path.name for path in (tmp_path / "ran").iterdir()) == [], words
        assert "trap" not in done.stdout


def test_a_child_process_finds_curate_and_none_of_the_current_folder(tmp_path, monkeypatch):
    """Wherever the parent found it: entries of its search path are handed on, but for the current folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(folder_of_traps(tmp_path / "folder"))
    monkeypatch.setattr(sys, "path", ["", ".", str(tmp_path / "folder"), str(elsewhere), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "folder"))
    assert "" not in search_path()
    assert str(tmp_path / "folder") not in search_path()
    assert str(elsewhere) in search_path()
    process = start_child("curate.html.serving:serve", stdout=subprocess.PIPE)
    answer, _ = process.communicate(b'["pdf", {}, 9]\n', timeout=60)
    assert answer == b"ready\n"
    assert list((tmp_path / "ran").iterdir()) == []


def test_where_the_current_folder_is_where_curate_is_it_stays(monkeypatch):
    monkeypatch.chdir(HOME.parent)
    monkeypatch.setattr(sys, "path", [str(HOME.parent), "/usr/lib/python3"])
    leave_current_folder(by_module=True)
    assert str(HOME.parent) in sys.path
    assert str(HOME.parent) in search_path()


@pytest.mark.parametrize("given", ["", ".", "lib", "lib:/opt/lib", ":/opt/lib", "/opt/lib:"])
def test_blank_and_relative_entries_of_pythonpath_do_not_count(monkeypatch, tmp_path, given):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", given)
    entries = given.split(":") if given else []
    monkeypatch.setattr(sys, "path", [*(str(tmp_path / entry) for entry in entries), "/usr/lib/python3"])
    leave_current_folder(by_module=False)
    assert sys.path == [*(entry for entry in entries if entry.startswith("/")), "/usr/lib/python3"]


def test_a_relative_cache_folder_is_no_cache_folder(monkeypatch, tmp_path):
    """A folder ``cache/numba`` of a corpus would hold code that is run, one of ``cache/curate`` tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    assert user_cache_folder() == tmp_path / "home" / ".cache"
    choose_kernel_cache(Path("/dev/null/curate/text"))
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "home" / ".cache" / "numba")
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")  # the user's own word
    choose_kernel_cache(HOME / "text")
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "mine")


class Trap:
    """What runs when it is unpickled."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_no_file_of_a_run_is_unpickled(tmp_path):
    """Parquet may carry pickled types, NumPy's files pickled arrays, and models of other tools are pickles."""
    pickled = pickle.dumps(Trap(tmp_path / "ran"))
    kind = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickled}
    fields = [pa.field("text", pa.string(), metadata=kind), pa.field("more", pa.binary(), metadata=kind)]
    rows = {"text": [prose(n) for n in range(9)], "more": [b"x"] * 9}
    pq.write_table(pa.table(rows, pa.schema(fields)), tmp_path / "in.parquet")
    (tmp_path / "model.bin").write_bytes(pickled)
    run = ["run", str(tmp_path / "in.parquet"), "-o", str(tmp_path / "out"), "-qq"]
    assert command([*run, "--only", "normalize"]) == 0
    assert read_manifest(tmp_path / "out").counts.read == 9
    model = ["--set", f"classify.model={tmp_path / 'model.bin'}", "--set", "classify.label=good"]
    for more in (
        ["--only", "classify", *model],
        ["--set", f"tokenize.tokenizer={tmp_path / 'model.bin'}"],
        ["--set", f"pipeline.recipe={tmp_path / 'model.bin'}"],
        ["-c", str(tmp_path / "model.bin")],
    ):
        assert command([*run, "--fresh", *more]) == 2
    assert not (tmp_path / "ran").exists()


# ---- the law in the code itself -----------------------------------------------------------------------------------

RUNS_CODE = re.compile(
    r"(builtins\.)?(eval|exec|compile|__import__|breakpoint)"
    r"|os\.(system|popen|startfile|fork\w*|exec\w+|spawn\w+|posix_spawn\w*)"
    r"|subprocess\.(Popen|run|call|check_\w+|get\w+)"
    r"|(importlib\.util\.)?(spec_from_file_location|spec_from_loader|module_from_spec)|importlib\.reload"
    r"|asyncio\.create_subprocess\w*|concurrent\.futures\.ProcessPoolExecutor|ProcessPoolExecutor"
    r"|(ctypes\.)?(CDLL|PyDLL|cdll\.LoadLibrary)|\w+\.unsafe_load"
)
"""Names that run a program, a file or a text as code; calls of them are found."""
MODULES_THAT_DO = {
    "pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "multiprocessing", "multiprocess", "pty",
    "runpy", "code", "codeop", "imp", "yaml", "torch", "dbm",
}  # fmt: skip
ALLOWED = {
    ("process/child.py", "subprocess.Popen"),  # isolated: the one way to start a process
    ("engine/unused_memory.py", "ctypes.CDLL"),  # of the process itself: no file
    ("engine/child_process.py", "pickle"),  # tasks of the parent process and what becomes of them, over pipes
    ("engine/child_worker.py", "pickle"),
    ("engine/processes.py", "pickle"),
    ("engine/ray_worker.py", "pickle"),  # tasks of the run's own driver, over the cluster that the user named
    ("pipeline/dangerous.py", "pickle"),  # a task of the parent process, over a pipe
    ("evidence/proxies/transformer.py", "torch"),  # trains a model of its own and loads none
    ("evidence/proxies/transformer.py", "torch.nn.functional"),
    ("shards/loading/torch_loader.py", "torch"),  # tensors of the token files
    ("shards/loading/torch_loader.py", "torch.utils.data"),
}


def code_runners(source: str) -> list[str]:
    """What in a file could run something else: calls by name, imports of modules that unpickle or start processes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if RUNS_CODE.fullmatch(name):
                found.append(name)
            if any(given.arg == "allow_pickle" and ast.unparse(given.value) != "False" for given in node.keywords):
                found.append(f"{name}(allow_pickle)")
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [name for name in names if name.partition(".")[0] in MODULES_THAT_DO]
        if isinstance(node, ast.ImportFrom) and node.module in {"subprocess", "os", "builtins"}:
            found += [f"{node.module}.{alias.name}" for alias in node.names]  # under a name that would not be found
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess; subprocess.run(['ls'])",
        "from subprocess import Popen",
        "import os; os.system('ls')",
        "import os; os.posix_spawnp('ls', [], {})",
        "import pickle",
        "from multiprocessing import pool",
        "eval('1')",
        "import numpy as np; np.load('a', allow_pickle=True)",
        "import concurrent.futures; concurrent.futures.ProcessPoolExecutor()",
    ],
)
def test_the_law_sees(source):
    assert code_runners(source)


def test_a_process_is_started_in_one_place_and_nothing_is_unpickled():
    found = {
        (file.relative_to(HOME).as_posix(), name)
        for file in HOME.rglob("*.py")
        for name in code_runners(file.read_text("utf-8"))
    }
    assert found == ALLOWED
