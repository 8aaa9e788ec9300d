"""Write docs/reference/ and docs/glossary.md, or into FOLDER, from the code: python scripts/reference.py [FOLDER]."""

import inspect
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import typer

from curate import recipes
from curate.cache.tables import shipped
from curate.cli import app
from curate.cli.display.questions.explanation import all_reasons, changes_of
from curate.cli.display.setting_comments import setting_comments
from curate.cli.grouped_help import OF_RUN
from curate.corpus.formats.registry import formats
from curate.pipeline.planning.config import FILE_NAME, FIXED, settings_class
from curate.report.glossary import glossary
from curate.settings.file import as_toml
from curate.shards.formats import FORMATS
from curate.stages import stage_class, stage_names

DOCS = Path(__file__).parent.parent / "docs"
MADE = "<!-- Made from the code by scripts/reference.py: change the code, then run it. -->\n"


def pages() -> dict[str, str]:
    """Path in docs/ → what the page must say."""
    made = {
        "glossary.md": words(),
        "reference/cli.md": cli(),
        "reference/settings.md": settings(),
        "reference/stages.md": stages(),
        "reference/formats.md": input_and_shards(),
    }
    return {name: "\n".join(lines).rstrip() + f"\n\n{MADE}" for name, lines in made.items()}


def words() -> Iterator[str]:
    yield "# Glossary\n"
    yield "Terms as the command, the settings, the report and this documentation use them."
    yield "`curate explain TERM` says the same.\n"
    for term in glossary():
        see = f" {term.see}." if term.see else ""
        yield f"**{term.name}**: {term.text}{see}\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---'] * len(head))} |"
    for row in rows:
        yield f"| {' | '.join(' '.join(without_bars(one).split()) for one in row)} |"
    yield ""


def without_bars(cell: str) -> str:
    """A cell in which no bar is taken for the end of it, by GitHub and by Python-Markdown, which differ about code."""
    code = re.sub(r"`([^`]*\|[^`]*)`", lambda found: f"<code>{escape(found[1], quote=False)}</code>", cell)
    return code.replace("|", "&#124;")


def prose(text: str) -> str:
    """Text of help or a comment as Markdown: only its code spans mean anything."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(one if one.startswith("`") else re.sub(r"([\\*_<>\[\]])", r"\\\1", one) for one in parts)


def cli() -> Iterator[str]:
    yield "# Command line\n"
    yield "`curate COMMAND --help` says the same. [Exit codes](../concepts.md#exit-codes) are explained apart."
    yield "An option with a variable beside it takes that variable's value where the flag is not given.\n"
    yield from verbs(typer.main.get_command(app), "curate")


def verbs(command: Any, name: str) -> Iterator[str]:
    if name != "curate":
        yield f"## `{name}`\n"
        yield from told(command)
        yield from options(command)
    for each, one in getattr(command, "commands", {}).items():
        yield from verbs(one, f"{name} {each}")


def told(command: Any) -> Iterator[str]:
    text = inspect.cleandoc(command.help or "")
    about, examples = [*re.split(r"\x08\nExamples?:\n", text, maxsplit=1), ""][:2]
    yield prose(about.strip()) + "\n"
    if examples:
        yield "```console"
        lines = [line.strip() for line in examples.splitlines() if line.strip()]
        yield from (f"$ {line}" for line in lines if line.startswith("curate "))
        yield "```\n"
        yield from (f"{prose(line)}\n" for line in lines if not line.startswith("curate "))


def options(command: Any) -> Iterator[str]:
    rows = [(one, *row(command, one)) for one in command.params if row(command, one)]
    groups = OF_RUN if command.name == "run" else {}
    place = {name: group for group, names in groups.items() for name in names}
    arguments = [cells[:2] for one, *cells in rows if one.param_type_name == "argument"]
    yield from table(("argument", "meaning"), arguments) if arguments else ()
    for group in (*groups, ""):
        held = [cells for one, *cells in rows if one.param_type_name == "option" and place.get(one.name, "") == group]
        yield from table((group or "option", "meaning", "variable"), held) if held else ()


def row(command: Any, one: Any) -> tuple[str, str, str] | None:
    record = one.get_help_record(typer.Context(command))
    if record is None or one.name == "help":
        return None
    flags = re.sub(r"\s+", " ", record[0]).replace(" <list[str]>", "").replace("<int range>", "N").replace("<int>", "N")
    text = re.sub(r"\s*\[env var: [^\]]*?(; |\])", lambda found: "  [" if found[1] == "; " else "", record[1])
    return f"`{flags}`", prose(re.sub(r"\s+", " ", text).strip()), f"`{one.envvar}`" if one.envvar else ""


def settings() -> Iterator[str]:
    yield "# Settings\n"
    yield "Sections of `curate.toml`, which `curate init` writes. A flag wins over a `CURATE_*` variable, a variable"
    yield "over the file, the file over the recipe, the recipe over the defaults below. `curate config` shows each"
    yield "value in force and where it came from.\n"
    said, written = setting_comments(), tomllib.loads(shipped("curate", FILE_NAME))
    for section in sorted((*FIXED, *stage_names()), key=[*written, *stage_names()].index):
        kind = settings_class(section)
        about, *_ = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
        yield f"## {section}\n"
        yield " ".join((said.get(section) or about.replace("``", "`")).split()) + "\n"
        yield from keys(section, written.get(section, {}))


def keys(path: str, content: dict[str, Any]) -> Iterator[str]:
    said = setting_comments()
    plain = {key: value for key, value in content.items() if not isinstance(value, dict) or not value}
    rows = [(f"`{key}`", f"`{as_toml(value)}`", prose(said.get(f"{path}.{key}", ""))) for key, value in plain.items()]
    yield from table(("key", "default", "meaning"), rows) if rows else ()
    for key in (key for key in content if key not in plain):
        yield f"### {path}.{key}\n"
        if about := said.get(f"{path}.{key}"):
            yield prose(about) + "\n"
        yield from keys(f"{path}.{key}", content[key])


def stages() -> Iterator[str]:
    yield "# Stages and reasons\n"
    yield "In the order of `curate stages`. `curate explain REASON` has defaults, sources and examples.\n"
    reasons = all_reasons()
    for name in stage_names():
        kind = stage_class(name)
        stage = kind(kind.settings_type())
        yield f"## {name}\n"
        yield prose(stage.about) + "\n"
        yield f"Version {stage.version}. Needs {listed(stage.needs)}; adds {listed(stage.adds)}.\n"
        given = [(f"`{name}.{one.code}`", prose(one.sentence)) for one in kind.reasons]
        yield from table(("reason", "a document has it when"), given) if given else ()
        changes = [(f"`{code}`", prose(sentence)) for code, sentence in changes_of(name).items()]
        yield from table(("change", "what was done"), changes) if changes else ()
    yield "## Quarantine\n"
    yield "What could not be read; see [Inputs](../inputs.md).\n"
    unread = [(f"`{code}`", prose(one.sentence)) for code, one in reasons.items() if code.startswith("quarantine.")]
    yield from table(("reason", "meaning"), unread)


def listed(names: Any) -> str:
    found = [f"`{name}`" for name in names]
    return ", ".join(found) if found else "nothing"


def input_and_shards() -> Iterator[str]:
    yield "# Formats and recipes\n"
    yield "## Input\n"
    yield "More in [Inputs](../inputs.md).\n"
    rows = [
        (f"`{one.name}`", prose(one.about), " ".join(f"`{end}`" for end in one.suffixes)) for one in formats().values()
    ]
    yield from table(("format", "what it is", "suffixes"), rows)
    yield "## Shards\n"
    yield "More in [What trainers read](../trainers.md).\n"
    rows = [
        (f"`{name}`", prose(one.about), ", ".join(f"`{kind}`" for kind in one.dtypes), "yes" if one.has_loss else "")
        for name, one in FORMATS.items()
    ]
    yield from table(("format", "files and readers", "types", "loss mask"), rows)
    yield "## Recipes\n"
    yield "More in [Recipes](../recipes.md).\n"
    found = [recipes.recipe(name) for name in recipes.recipe_names()]
    yield from table(
        ("recipe", "what it is", "source"), [(f"`{one.name}`", prose(one.title), prose(one.source)) for one in found]
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    (folder / "reference").mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
