"""A line feed alone ends a line, in every file that is read by lines."""

import ast
import json
from pathlib import Path

import pytest

import curate
from curate.errors import ConfigError
from curate.pipeline.planning.config import load
from curate.stages.decontaminate.benchmarks import benchmark_texts
from curate.stages.named_files import entries_of, lines_of

SOURCE = Path(curate.__file__).parent

NO_LINE_ENDS = "\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029\r"
"""What `str.splitlines` or a file opened as text take for the end of a line, and JSON, TOML and lists do not."""

CUTTING = {"splitlines", "TextIOWrapper"}


def cutting_calls(tree: ast.AST) -> list[int]:
    """Lines of calls that end a line at more than a line feed: text mode translates lone carriage returns."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        opens_text = name == "open" and any(set(mode) <= set("rt+") for mode in modes)
        opens_default = name == "open" and not call.args and not call.keywords and "Path" in ast.unparse(call.func)
        if name in CUTTING or opens_text or opens_default:
            found.append(call.lineno)
    return found


def test_the_search_finds_what_cuts():
    assert cutting_calls(ast.parse('"a".splitlines()\nopen(x, "rt")\nPath(x).open("rb")\nPath(x).open()')) == [1, 2, 4]


def test_nothing_in_the_source_cuts_lines_elsewhere():
    found = {file.relative_to(SOURCE): cutting_calls(ast.parse(file.read_bytes())) for file in SOURCE.rglob("*.py")}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_lines_end_at_a_line_feed():
    inner = f"a{NO_LINE_ENDS}b"
    assert lines_of(f"{inner}\r\n{inner}\n\nc") == [inner, inner, "", "c"]


@pytest.mark.parametrize("sign", NO_LINE_ENDS)
def test_test_sets_and_lists_with_other_line_ends_are_read_whole(sign: str, tmp_path: Path):
    text = f"What follows the word{sign}here is one item still?"
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"question": text}, ensure_ascii=sign < " ") + "\n", "utf-8", newline=""
    )
    (tmp_path / "b.csv").write_text(f'question\n"{text}"\n', "utf-8", newline="")
    (tmp_path / "c.txt").write_text(f"{text}\r\n", "utf-8", newline="")
    for name in ("a.jsonl", "b.csv", "c.txt"):
        found = benchmark_texts((str(tmp_path / name),), ("question",))
        assert [item.text for item in found] == [text], name
    (tmp_path / "list.txt").write_text(f"# words\none{sign}word\r\n\nother\n", "utf-8", newline="")
    assert list(entries_of("toxicity.words", tmp_path / "list.txt")) == [(2, f"one{sign}word"), (4, "other")]


@pytest.mark.parametrize("sign", "\x85\u2028\u2029")
def test_settings_are_told_with_the_line_an_editor_shows(sign: str, tmp_path: Path):
    (tmp_path / "curate.toml").write_text(f"# a{sign}b\r\n[run]\r\nseeed = 3\r\n", "utf-8", newline="")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "curate.toml")
    assert "curate.toml:3" in caught.value.where
