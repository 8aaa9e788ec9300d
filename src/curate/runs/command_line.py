"""The command that does again what a program or a user asked for; ``run.json`` and hints have it."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from curate.settings.file import leaves


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
    """``curate run`` with everything that was given; for the arguments see `curate.runs.job.Job`.

    Example:
        >>> command_line(["a b/"], "out", arguments={"quality": {"min_words": 30, "max_symbol_ratio": False}})
        "curate run 'a b/' -o out --set quality.min_words=30 --set quality.max_symbol_ratio=false"
    """
    words = ["curate", "run", *paths, "-o", output]
    if config_file:
        words += ["-c", config_file]
    for assignment in assignments:
        words += ["--set", assignment]
    for key, value in leaves(arguments or {}):
        if value != {}:
            words += ["--set", f"{key}={json.dumps(value, ensure_ascii=False, default=str)}"]
    for key, value in (flags or {}).items():
        for one in value if isinstance(value, list) else [value]:
            words += ["--" + key.partition(".")[2], str(one)] if one is not None else []
    if limit:
        words += ["--limit", str(limit)]
    for flag, names in (("--only", only), ("--skip", skip)):
        for name in names:
            words += [flag, name]
    return os.fsencode(shlex.join(words)).decode("utf-8", "backslashreplace")  # names may be no text
