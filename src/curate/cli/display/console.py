"""Consoles: stderr for what people read while they wait, stdout for results."""

from typing import Literal

from rich.console import Console

Color = Literal["auto", "always", "never"]


def console(color: Color = "auto", *, stderr: bool = True) -> Console:
    """A console that honours ``NO_COLOR`` and ``--color`` and never reads text as markup."""
    force = {"auto": None, "always": True, "never": False}[color]
    return Console(
        stderr=stderr,
        force_terminal=force,
        no_color=True if color == "never" else None,
        highlight=False,
        markup=False,
    )
