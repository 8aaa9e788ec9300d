"""Lines on a terminal are broken between words, commands not at all; what is no terminal gets whole lines."""

import errno
import io
import json
import os
import shlex
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import given
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from curate.__main__ import escape_unknown_characters, open_closed_streams
from curate.cli import command
from curate.cli.display.console import WordConsole, broken
from curate.cli.display.notes import note, show_error
from curate.errors import UserError

WORDS = st.lists(st.text("abcdeé東`.-/", min_size=1, max_size=30), max_size=30)


@given(WORDS, st.integers(30, 100), st.sampled_from(["", "  ", "Input        ", "warning: "]))
def test_no_word_is_broken_and_none_is_lost(words, width, begins):
    text = begins + " ".join(words)
    lines = [line.plain for line in broken(Text(text), width)]
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert cell_len(line) <= width or len(line.split()) <= 2 or "`" in line


@given(
    st.lists(
        st.sampled_from(["-o", "--set", "x y", "it's", "a=[1, -2]", "--", "corpus/", "-- no flag", 'a"b']), min_size=1
    ),
    st.integers(30, 100),
    st.sampled_from(["hint: ", "", "  ", "  Next     "]),
)
def test_a_broken_command_is_the_same_command(words, width, begins):
    lines = [line.plain for line in broken(Text(f"{begins}curate {shlex.join(words)}"), width)]
    assert as_a_shell_reads(lines) == [*begins.split(), "curate", *words]
    assert all(cell_len(line) <= width or " -" not in line.strip().rstrip("\\") or "'" in line for line in lines)


def as_a_shell_reads(lines):
    return shlex.split("\n".join(lines).replace("\\\n", ""))


def printed(width, show, *, terminal):
    file = io.StringIO()
    show(WordConsole(file=file, width=width, force_terminal=terminal, color_system=None, highlight=False, markup=False))
    return file.getvalue()


HINT = 'curate run \'/a corpus/with/a/long/name\' -o curated --set \'language.keep=["en", "fr", "de"]\''


def test_commands_are_whole_for_a_shell_on_a_narrow_terminal():
    error = UserError("the file `sms-spam-collection.jsonl` of this corpus holds no field that is text", hint=HINT)
    lines = printed(40, lambda console: show_error(console, error), terminal=True).splitlines()
    begins = next(at for at, line in enumerate(lines) if line.startswith("hint: "))
    assert as_a_shell_reads(lines[begins:]) == ["hint:", *shlex.split(HINT)]
    assert lines[begins:] == [
        "hint: curate run '/a corpus/with/a/long/name' \\",  # nowhere to break it
        "      -o curated \\",
        '      --set \'language.keep=["en", "fr", "de"]\'',
    ]
    assert all(len(line) <= 40 for line in lines[:begins])
    assert any("`sms-spam-collection.jsonl`" in line for line in lines)
    again = printed(40, lambda console: note(console, "hint", f"make it again: {HINT}"), terminal=True).splitlines()
    assert again[0] == "hint: make it again:"
    assert as_a_shell_reads(again[1:]) == shlex.split(HINT)


def test_what_is_no_terminal_gets_whole_lines():
    message = "word " * 60
    assert printed(40, lambda console: note(console, "error", message), terminal=False) == f"error: {message}\n"


def test_a_table_in_a_file_is_as_wide_as_it_is_and_ends_where_its_text_ends():
    table = Table.grid(padding=(0, 2))
    for row in (("a" * 60, "b" * 30), ("c", "")):
        table.add_row(*row)
    assert printed(40, lambda console: console.print(table), terminal=False) == f"{'a' * 60}  {'b' * 30}\nc\n"
    assert max(map(len, printed(40, lambda console: console.print(table), terminal=True).splitlines())) <= 40


class NobodyReads(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_where_nobody_reads_results_end_and_messages_are_dropped():
    with pytest.raises(BrokenPipeError):
        WordConsole(file=NobodyReads()).print("a result")
    messages = WordConsole(file=NobodyReads(), stderr=True)
    messages.print("one")
    messages.print("another")


def test_results_that_nobody_reads_are_no_failure(capfd, monkeypatch):
    def nobody_reads(_text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("typer.echo", nobody_reads)
    kept = os.dup(1)
    try:
        assert command(["config", "--json"]) == 0
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_characters_that_an_encoding_lacks_are_escaped_as_in_json(monkeypatch):
    streams = [io.TextIOWrapper(io.BytesIO(), encoding) for encoding in ("latin-1", "utf-8")]
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(sys, name, stream)
    escape_unknown_characters()
    for stream in streams:
        stream.write('"é█🌍"')
        stream.flush()
    written = [stream.buffer.getvalue().decode(stream.encoding) for stream in streams]
    assert written == ['"é\\u2588\\ud83c\\udf0d"', '"é█🌍"']
    assert json.loads(written[0]) == "é█🌍"


def test_closed_streams_are_opened(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    open_closed_streams()
    with sys.stdin, sys.stdout, sys.stderr:
        assert sys.stdin.read() == ""
        sys.stdout.write("a result")
        sys.stderr.write("a message")
