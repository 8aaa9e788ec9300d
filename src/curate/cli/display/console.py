"""Consoles: stderr for what people read while they wait, stdout for results.

On a terminal lines are broken between words, behind what they begin with; commands begin on a line of their own and are
broken as a shell reads them, before a flag and with a backslash, so that they can be copied. What goes to a file or a
pipe keeps its lines.
"""

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

Color = Literal["auto", "always", "never"]

_WORD = re.compile(r"`[^`\n]*`\S*|\S+")
"""What is not broken: a word, or what stands in backticks."""
_LABEL = re.compile(r" *[^\s=]+(?: [^\s=]+)* {2,}")
"""With two blanks behind it."""
_LABELS = 3
"""That a line may begin with."""
_WIDEST_BEGINNING = 34
_COMMAND = re.compile(r"(?<=: )curate \S|(?<=: )--set |(?<=: )-o ")
_COMMAND_LINE = re.compile(r"(?:| {2,}|.*\S {2,}|hint: )curate \S|hint: -")
"""A line that is a command, or a label with one."""
_SHELL_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+""")
_FLAG = re.compile(r"--?[a-zA-Z]")
_COMMAND_HANG = 6
_NARROWEST = 20
_ANY_WIDTH = 10_000


class WordConsole(Console):
    """A console that breaks lines between words where they are printed with ``soft_wrap``.

    With ``no_wrap`` they are printed as they are, whatever their length: commands and files to copy.
    """

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """As `rich.console.Console.print`."""
        may_break = soft_wrap and not options.get("no_wrap")
        if may_break and self.is_terminal and len(objects) == 1 and isinstance(objects[0], str | Text):
            text = objects[0] if isinstance(objects[0], Text) else Text(objects[0])
            objects = (Text("\n").join(broken(text, self.width)),)
        elif not self.is_terminal and len(objects) == 1 and not isinstance(objects[0], str | Text):
            table = Console(file=io.StringIO(), width=_ANY_WIDTH, force_terminal=False, highlight=False, markup=False)
            with table.capture() as written:  # a file has room, and no need of the blanks that fill cells
                table.print(*objects, **options)
            objects = (Text("\n".join(line.rstrip() for line in written.get().split("\n")[:-1])),)
            soft_wrap = True
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def on_broken_pipe(self) -> None:
        """Where nobody reads any more: work goes on without messages; a result ends the command, which did its work.

        Raises:
            BrokenPipeError: nobody reads the results. rich would exit with 1 here, which says that a gate failed.
        """
        if not self.stderr:
            raise  # noqa: PLE0704  (rich calls this while it handles the error)
        self.quiet = True


def console(color: Color = "auto", *, stderr: bool = True) -> WordConsole:
    """A console that honours ``NO_COLOR`` and ``--color`` and never reads text as markup."""
    force = {"auto": None, "always": True, "never": False}[color]
    return WordConsole(
        stderr=stderr,
        force_terminal=force,
        no_color=True if color == "never" else None,
        highlight=False,
        markup=False,
    )


def broken(text: Text, width: int) -> list[Text]:
    """The lines of a text, broken between words.

    Example:
        >>> [line.plain for line in broken(Text("Input    12 files, 3.04 MB in three formats"), 30)]
        ['Input    12 files, 3.04 MB in', '         three formats']
        >>> [line.plain for line in broken(Text("hint: make it again: curate run corpus/ -o out"), 30)]
        ['hint: make it again:', '  curate run corpus/ -o out']
        >>> [line.plain for line in broken(Text("Input    12 files, 3.04 MB in three formats   and more"), 42)]
        ['Input    12 files, 3.04 MB in three', '         formats   and more']
    """
    return [piece for line in text.split("\n", allow_blank=True) for piece in _broken_line(line, width)]


def _broken_line(line: Text, width: int) -> list[Text]:
    if cell_len(line.plain) <= width:
        return [line]
    if _COMMAND_LINE.match(line.plain):
        return _broken_command(line, width)
    command = _COMMAND.search(line.plain)
    if command:
        head, tail = line.divide([command.start()])
        head.rstrip()
        return [*_broken_line(head, width), *_broken_line(Text("  ").append_text(tail), width)]
    hang = _hang(line.plain, min(_WIDEST_BEGINNING, width - _NARROWEST))
    breaks = [0]
    for word, end in _words(line.plain, width - hang):
        start = breaks[-1]
        used = cell_len(line.plain[start:end]) + (hang if start else 0)
        if used > width and word > max(start, hang):
            breaks.append(word)
    first, *others = line.divide(breaks[1:])
    pieces = [first, *(Text(" " * hang).append_text(piece) for piece in others)]
    for piece in pieces:
        piece.rstrip()
    return pieces


def _broken_command(line: Text, width: int) -> list[Text]:
    """A command, broken before flags alone; what is too wide even so is left to the terminal."""
    flags = [word.start() for word in _SHELL_WORD.finditer(line.plain) if _FLAG.match(word[0])]
    breaks, wide = [0], cell_len(" \\")
    for flag, end in pairwise([*flags, len(line.plain)]):
        used = cell_len(line.plain[breaks[-1] : end].rstrip()) + (_COMMAND_HANG if breaks[-1] else 0)
        if used > width - wide * (end < len(line.plain)) and line.plain[breaks[-1] : flag].strip() not in ("", "hint:"):
            breaks.append(flag)
    pieces = list(line.divide(breaks[1:]))
    for number, piece in enumerate(pieces):
        piece.rstrip()
        if number:
            pieces[number] = Text(" " * _COMMAND_HANG).append_text(piece)
        if number < len(pieces) - 1:
            pieces[number].append(" \\")
    return pieces


def _hang(line: str, most: int) -> int:
    """How far lines after the first are moved in: as its blanks, or as the labels that it begins with."""
    blanks = hang = len(line) - len(line.lstrip(" "))
    for _ in range(_LABELS):
        label = _LABEL.match(line, 0 if hang == blanks else hang)
        if not label or label.end() > most:
            break
        hang = label.end()
    return hang if hang <= most and (hang > blanks or _LABEL.match(line) is None) else 2


def _words(line: str, width: int) -> Iterator[tuple[int, int]]:
    """Where each word begins and ends; what stands in backticks is one, unless it is too wide for a line."""
    for word in _WORD.finditer(line):
        inside = re.finditer(r"\S+", word[0]) if cell_len(word[0]) > width else [re.match(r".*", word[0], re.DOTALL)]
        yield from ((word.start() + one.start(), word.start() + one.end()) for one in inside if one)
