"""Jinja as chat templates expect it, in a sandbox, and blind to the clock.

The environment is that of Hugging Face transformers (``trim_blocks``, ``lstrip_blocks``, loop controls, ``tojson``
without escapes, ``raise_exception``, ``{% generation %}``), with one difference: ``strftime_now`` tells of the date
that the settings name, and is not there where they name none, so that the same conversation has the same tokens
tomorrow. Templates that ask whether it is there take their own default.
"""

import datetime as dt
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

MARKS = "curate_marks"
"""Variable of a template: what is written before and behind what it marks as generated; without it, nothing is."""


class Raised(Exception):  # noqa: N818  (what the template did)
    """A template called ``raise_exception``: it does not take the conversation."""


def compiled(source: str, date: str = "") -> "tuple[jinja2.Template, bool]":
    """A template ready to be rendered, and whether it marks what the assistant generates.

    Args:
        source: Jinja.
        date: what ``strftime_now`` tells of, as ``2024-07-26``; empty: there is no such function.

    Raises:
        jinja2.TemplateError: it is no template.
    """
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.runtime import Context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    marks: list[int] = []

    class Generation(Extension):
        """``{% generation %}`` … ``{% endgeneration %}``."""

        tags = {"generation"}  # noqa: RUF012  (as jinja2 has it)

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            marks.append(line)
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_marked", [nodes.ContextReference()]), [], [], body).set_lineno(
                line
            )

        def _marked(self, context: Context, caller: Callable[[], str]) -> str:
            before, behind = context.get(MARKS, ("", ""))
            return f"{before}{caller()}{behind}"

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    if date:
        environment.globals["strftime_now"] = dt.date.fromisoformat(date).strftime
    return environment.from_string(source), bool(marks)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise Raised(message)
