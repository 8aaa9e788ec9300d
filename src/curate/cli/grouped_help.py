"""Help of a command with many options: in groups, by what they are about; and of commands: whole sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

OF_RUN: Mapping[str, Sequence[str]] = {
    "Input": ("limit", "sample", "against"),
    "Stages": ("recipe", "config", "assignments", "only", "skip", "seed"),
    "Machine": ("workers", "memory", "engine"),
    "Output": ("output", "dry_run", "fresh", "take_over", "form", "json", "open_page"),
    "Display": ("quiet", "verbose", "no_progress", "profile", "log_file", "color"),
}
"""Group → names of parameters; options in none of them are in the last group, `Other`."""


class RunCommand(TyperCommand):
    """``curate run``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by group."""
        group_of = {name: group for group, names in OF_RUN.items() for name in names}
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{name: [] for name in OF_RUN}, "Other": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                groups["Arguments" if is_argument else group_of.get(parameter.name or "", "Other")].append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


class CommandGroup(TyperGroup):
    """Commands, each with the first sentence of its help, which click cuts to one line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what each command does."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [
            (name, each.get_short_help_str(_LONGEST)) for name, each in commands if each is not None and not each.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(shown)


_LONGEST = 200
"""Characters of the first sentence of a help."""
