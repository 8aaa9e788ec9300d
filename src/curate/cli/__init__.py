"""The command line: one file for each verb, no logic inside. Heavy imports wait until a verb runs."""

import copy
import functools
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from curate.cli import (
    check,
    config,
    demo,
    diff,
    doctor,
    explain,
    export,
    history,
    init,
    measure,
    quality,
    recipes,
    report,
    run,
    sample,
    shards,
    stages,
    tokenizer,
    tune,
    view,
    whatif,
    why,
)
from curate.cli.display.console import console
from curate.cli.display.notes import note, show_error
from curate.cli.grouped_help import CommandGroup, RunCommand
from curate.cli.options import version_option
from curate.errors import CurateError, ExitCode, Stopped, UserError
from curate.process.address_space import more_memory, out_of_memory
from curate.process.stopping import exit_code
from curate.store.objects.endpoint import Endpoint, look_for_endpoint

EXAMPLES = """From a folder of raw text to token shards, with a reason for every document removed.

\b
Examples:
  curate demo                         the whole job on a small corpus
  curate run corpus/ -o curated       clean, deduplicate, score, tokenize
  curate run corpus/ --dry-run        plan and estimate; write nothing
  curate run corpus/ --recipe gopher  a published pipeline
  curate why curated ID               what happened to a document, by stage
  curate init                         write a commented curate.toml to change
"""

app = typer.Typer(
    cls=CommandGroup,
    help=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
app.callback()(version_option)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("run", cls=RunCommand)(run.run)
app.command("init")(init.init)
app.command("config")(config.config)
app.add_typer(recipes.app, name="recipes")
app.command("stages")(stages.stages)
app.command("explain")(explain.explain)
app.command("why")(why.why)
app.command("sample")(sample.sample)
app.command("whatif")(whatif.whatif)
app.command("diff")(diff.diff)
app.command("history")(history.history)
app.command("view")(view.view)
app.command("report")(report.report)
app.command("export")(export.export)
app.add_typer(shards.app, name="shards")
app.add_typer(quality.app, name="quality")
app.add_typer(tokenizer.app, name="tokenizer")
app.command("measure")(measure.measure)
app.command("tune")(tune.tune)
app.command("doctor")(doctor.doctor)

_LOOP = "Symlink loop from"
"""How an error of `Path.resolve` begins, before Python 3.13."""


def command(arguments: Sequence[str], began: float | None = None) -> int:
    """Run one command line; returns the exit code (see `curate.errors.ExitCode`).

    Args:
        arguments: what was typed behind ``curate``.
        began: when the process began (`time.monotonic`), where somebody knows.
    """
    look_for_endpoint(_endpoint_in_settings)
    try:
        result = _verbs(arguments[0] if arguments else "").main(
            list(arguments), prog_name="curate", standalone_mode=False, obj=began
        )
        sys.stdout.flush()  # what cannot be written is an error here, not a remark at the end of the process
    except CurateError as error:
        show_error(console(), error)
        _as_json(arguments, error.exit_code, error.message, where=error.where, hint=error.hint)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return exit_code()
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # nobody reads the results any more, as behind `| head`; typer would leave with 1, which says that a gate failed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001  (the one place where the unexpected becomes an exit code)
        if known := _known(error, arguments):
            show_error(console(), known)
            _as_json(arguments, known.exit_code, known.message, hint=known.hint)
            return known.exit_code
        code = _unexpected(error)
        typed = hasattr(error, "format_message")
        _as_json(arguments, code, _refusal(error) if typed else f"{type(error).__name__}: {error}".rstrip("."))
        return code
    return result if isinstance(result, int) else ExitCode.DONE


@functools.cache
def _verbs(asked: str) -> Any:
    """The verb that is asked for, with its options; all of them where that is none: as for help, or a slip of the pen.

    To read the signatures of all takes longer than many a verb.
    """
    alone = copy.copy(app)
    alone.registered_commands = [one for one in app.registered_commands if one.name == asked]
    alone.registered_groups = [one for one in app.registered_groups if one.name == asked]
    return typer.main.get_command(alone if alone.registered_commands or alone.registered_groups else app)


def _endpoint_in_settings() -> Endpoint:
    """Of verbs that look at a run and take no settings themselves."""
    from curate.pipeline.planning.config import load

    file = os.environ.get("CURATE_CONFIG")
    return load(Path(file) if file else None).endpoint


def _as_json(arguments: Sequence[str], code: int, message: str, *, where: str = "", hint: str = "") -> None:
    """Where one JSON object was asked for, an error is one, too: on stdout, in the place of the result."""
    if "--json" in arguments or os.environ.get("CURATE_JSON", "").lower() in {"1", "true", "yes", "on"}:
        error = {"exit_code": int(code), "message": message, "where": where, "hint": hint}
        sys.stdout.write(json.dumps({"error": error}, ensure_ascii=False) + "\n")


def _known(error: Exception, arguments: Sequence[str] = ()) -> CurateError | None:
    """What a failure of the machine means, wherever it is met."""
    if short := out_of_memory(error):
        return Stopped(short, hint=more_memory())
    from curate.store.disk import full_disk

    if disk := full_disk(error, *_outputs(arguments)):
        return Stopped(disk, hint="make room, then run the same command again")
    if isinstance(error, RuntimeError) and str(error).startswith(_LOOP):
        return UserError(f"a link leads to itself:{str(error).removeprefix(_LOOP)}", hint="name another path")
    try:
        Path.cwd()
    except OSError:
        return UserError("the current folder is not there any more", hint="cd /, and name paths with all their folders")
    return None


def _outputs(arguments: Sequence[str]) -> list[Path]:
    """Folders on this machine that the command line names to be written to: of the output, else the run's own."""
    from curate.store.run_directory import MANIFEST

    joined = [word.partition("=")[2] for word in arguments if word.startswith("--output=")]
    named = [word for flag, word in pairwise(arguments) if flag in ("-o", "--output")]
    paths = [Path(word) for word in (*joined, *named) if "://" not in word]
    with suppress(OSError):  # a word may be too long for the name of a file
        if paths:
            return [path if path.is_dir() else path.parent for path in paths]
        return [Path(word) for word in arguments[1:] if (Path(word) / MANIFEST).is_file()]
    return []


def _refusal(error: Any) -> str:
    """What is wrong with a flag or argument that typer refused, with the value where it is a number."""
    try:
        found = error.__cause__.errors()[0]
        flag, wanted = max(error.param.opts, key=len), found.get("ctx", {})
    except (AttributeError, IndexError, TypeError):
        found, flag, wanted = {}, "", {}
    must = {
        "int_parsing": "a whole number",
        "greater_than_equal": f"at least {wanted.get('ge')}",
        "less_than_equal": f"at most {wanted.get('le')}",
    }.get(found.get("type", ""))
    if must:
        return f"`{flag}` must be {must}, but is {found['input']}"
    message: str = error.format_message()
    return message.rstrip(".").replace("Value error, ", "")


def _unexpected(error: Exception) -> int:
    message = getattr(error, "format_message", None)
    if message is not None and type(error).__name__ == "NoArgsIsHelpError":  # typer's own, not public
        sys.stderr.write(f"{message()}\n")
        return ExitCode.USER_ERROR
    if message is not None:  # a flag or argument that typer refused
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "curate"
        note(console(), "error", _refusal(error), f"{path} --help")
        return ExitCode.USER_ERROR
    where = ", ".join(getattr(error, "__notes__", ())) or "something went wrong inside curate"
    note(console(), "error", f"{where}: {type(error).__name__}: {error}")
    if os.environ.get("CURATE_DEBUG") or "-vv" in sys.argv:
        traceback.print_exception(error)
    else:
        note(
            console(),
            "hint",
            "finished parts are safe; run again with CURATE_DEBUG=1 to see where it happened",
        )
    return ExitCode.OUR_FAULT
