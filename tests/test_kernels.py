"""What kernels alone may call is called by kernels alone: from Python it would crash."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from pathlib import Path

from numba.core.dispatcher import Dispatcher

import curate.text

ROOT = Path(__file__).parents[1]
SOURCES = [file for part in ("src", "tests", "benchmarks") for file in (ROOT / part).rglob("*.py")]
FILES = {file: ast.parse(text) for file in SOURCES if "curate.text" in (text := file.read_text())}
BARE = {"inner", "inlined", "maker"}
COMPILED = {*BARE, "kernel", "njit"}


def test_functions_without_a_wrapper_are_called_by_compiled_code_alone():
    bare = {(file.stem, one.name) for file, tree in FILES.items() for one in functions(tree, BARE)}
    assert ("pieces", "cut_words") in bare
    for file, tree in FILES.items():
        imported = origins(tree)
        called = {imported.get(name, (file.stem, name)) for name in called_from_python(tree)}
        assert called & bare == set(), file


def test_functions_that_do_not_count_who_holds_an_array_return_none():
    """The caller would give back what was never counted, and the array would be freed while others use it."""
    uncounted = [function for function in dispatchers() if function.targetoptions.get("_nrt") is False]
    assert len(uncounted) > 50
    for function in uncounted:
        hints = typing.get_type_hints(function.py_func)
        assert not holds_array(hints["return"]), function


def dispatchers() -> Iterator[Dispatcher]:
    for found in pkgutil.walk_packages(curate.text.__path__, "curate.text."):
        for value in vars(importlib.import_module(found.name)).values():
            if isinstance(value, Dispatcher):
                yield value


def holds_array(hint: typing.Any) -> bool:
    if inspect.isclass(hint) and hasattr(hint, "_fields"):
        return any(map(holds_array, typing.get_type_hints(hint).values()))
    return "ndarray" in str(hint) or any(map(holds_array, typing.get_args(hint)))


def functions(tree: ast.AST, decorators: set[str]) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and decorators & {
            name.id for one in node.decorator_list for name in ast.walk(one) if isinstance(name, ast.Name)
        }:
            yield node


def called_from_python(tree: ast.Module) -> Iterator[str]:
    compiled = {id(node) for one in functions(tree, COMPILED) for node in ast.walk(one)}
    examples = [
        example.source for node in ast.walk(tree) for example in doctest.DocTestParser().get_examples(told(node))
    ]
    for code in (tree, *map(ast.parse, examples)):
        for node in ast.walk(code):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and id(node) not in compiled:
                yield node.func.id


def told(node: ast.AST) -> str:
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    return (ast.get_docstring(node) or "") if documented else ""


def origins(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """For each imported name the module that it is from, and what it is called there."""
    return {
        alias.asname or alias.name: ((node.module or "").rpartition(".")[2], alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
