"""The command that does again what a program or a user asked for; ``run.json`` and hints have it."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curate.settings.file import as_toml, toml_key


def command_line(
    paths: Sequence[str],
    output: str,
    *,
    config_file: str | None = None,
    assignments: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    limit: int | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> str:
    r"""``curate run`` with everything that was given; for the arguments see `curate.runs.job.Job`.

    Example:
        >>> command_line(["a b/"], "out", arguments={"quality": {"min_words": 30, "max_symbol_ratio": False}})
        "curate run 'a b/' -o out --set quality.min_words=30 --set quality.max_symbol_ratio=false"
        >>> command_line(["in"], "out", arguments={"mix": {"weights": {"a.com": 2}}})
        'curate run in -o out --set \'mix.weights={ "a.com" = 2 }\''
    """
    words = ["curate", "run", *paths, "-o", output]
    if config_file:
        words += ["-c", config_file]
    for assignment in assignments:
        words += ["--set", assignment]
    for key, value in _assigned(arguments or {}):
        if value != {}:
            words += ["--set", f"{key}={as_toml(value)}"]
    for key, value in (flags or {}).items():
        for one in value if isinstance(value, list) else [value]:
            words += ["--" + key.partition(".")[2], str(one)] if one is not None else []
    if limit:
        words += ["--limit", str(limit)]
    for flag, names in (("--only", only), ("--skip", skip)):
        for name in names:
            words += [flag, name]
    return os.fsencode(shlex.join(words)).decode("utf-8", "backslashreplace")  # names may be no text


def _assigned(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``section.key`` and value; a table is one value where ``--set`` would take a name in it for several."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value and all(toml_key(name) == name for name in value):
            yield from _assigned(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
