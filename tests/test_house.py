"""Laws of the source: kernels open no file, files are short and named for what they hold."""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import curate
from curate import errors

SOURCE = Path(curate.__file__).parent
LONGEST = 400
LARGEST = 3000
"""Lines of a folder without its wings."""
OPENING = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "memmap", "fromfile"}
SYSTEM = {"os", "io", "pathlib", "shutil", "tempfile", "mmap", "subprocess", "socket"}
NOT_NAMES = {"utils", "util", "helpers", "common", "manager", "misc"}
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
ERRORS |= {"DamagedShard"}
NAMED_OTHERWISE = {"phonenumbers": "phonenumberslite", "sklearn": "scikit-learn", "stdnum": "python-stdnum"}
BROUGHT_BY = {"fastwarc": "resiliparse", "llvmlite": "numba", "markupsafe": "jinja2"}
"""What another package is made of and hands out; in its version that package has the say, not a bound of ours."""


def modules(wing: str = "") -> list[Path]:
    return sorted((SOURCE / wing).rglob("*.py"))


def reaching_out(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield from {name} & OPENING
        elif isinstance(node, ast.Import):
            yield from {alias.name.partition(".")[0] for alias in node.names} & SYSTEM
        elif isinstance(node, ast.ImportFrom):
            yield from {(node.module or "").partition(".")[0]} & SYSTEM


def test_what_reaches_out_is_seen():
    assert set(reaching_out(ast.parse("import os.path\nfrom io import x\nopen(a)\nb.read_text()"))) == {
        "os", "io", "open", "read_text",
    }  # fmt: skip


def test_kernels_open_no_file():
    files = modules("text")
    assert len(files) > 50
    found = {str(file.relative_to(SOURCE)): [*reaching_out(ast.parse(file.read_text("utf-8")))] for file in files}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_files_are_short_and_named_for_what_they_hold():
    lines = {file: file.read_bytes().count(b"\n") for file in modules()}
    assert {file.name: n for file, n in lines.items() if n > LONGEST} == {}
    folders = Counter[Path]()
    for file, n in lines.items():
        folders[file.parent] += n
    assert {folder.name: n for folder, n in folders.items() if n > LARGEST} == {}
    assert {file.stem for file in lines} & NOT_NAMES == set()


def endings(tree: ast.AST) -> Iterator[str]:
    """How the messages of errors that are made here end, where that is a constant."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and node.args
            and getattr(node.func, "attr", getattr(node.func, "id", "")) in ERRORS
        ):
            message = node.args[0]
            last = message.values[-1] if isinstance(message, ast.JoinedStr) else message
            yield from [str(last.value)[-40:]] if isinstance(last, ast.Constant) else []


def test_messages_of_errors_end_without_a_full_stop():
    found = [ending for file in modules() for ending in endings(ast.parse(file.read_text("utf-8")))]
    assert len(found) > 200
    assert [ending for ending in found if ending.endswith(".")] == []


def test_what_is_imported_is_declared():
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    listed = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    declared = {re.match(r"[\w-]+", each)[0].replace("_", "-") for each in listed}
    for name, by in BROUGHT_BY.items():
        assert by in declared
        assert [each for each in requires(by) if re.match(rf"{name}\b", each, re.IGNORECASE) and "extra" not in each]
    trees = [ast.parse(file.read_text("utf-8")) for file in modules()]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"curate", *BROUGHT_BY}
    assert {NAMED_OTHERWISE.get(name, name).replace("_", "-") for name in imported} - declared == set()
    assert len(project["dependencies"]) <= 27


def test_data_of_others_is_licensed_as_the_package_says():
    root = SOURCE.parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    beside = {str(file.relative_to(root)) for word in ("LICENSE", "ATTRIBUTION") for file in SOURCE.rglob(f"{word}*")}
    assert beside | {"LICENSE", "NOTICE"} == set(project["license-files"])
    said = set(re.findall(r"CC BY(?:-SA)? \d\.\d", (root / "NOTICE").read_text("utf-8"))) - {
        "CC BY-SA 4.0"
    }  # only counted
    names = {name.replace(" ", "-") for name in said} | {"Apache-2.0", "MIT", "CC0-1.0"}
    assert names == set(project["license"].split(" AND "))
