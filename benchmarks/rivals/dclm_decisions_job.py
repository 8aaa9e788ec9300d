"""Which step of DCLM's refinedweb.yaml removes a document.

    python dclm_decisions_job.py DOCUMENTS.jsonl OUT.jsonl CHECKOUT

``CHECKOUT`` is one of the repository mlfoundations/dclm. The steps run in a row, without those on URLs of pages and on
language, and without what they import for other work. For each document the step that removes it, with its number, or
nothing.
"""

import functools
import json
import os
import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

LEFT_OUT = {"move_url_modifier", "url_substring_filter", "detect_lang_whole_page_enricher", "language_filter"}
STUBS = ("transformers", "justext", "lxml", "lxml.etree", "bs4", "blingfire")


def main() -> None:
    documents, out, checkout = sys.argv[1:]
    documents, out = str(Path(documents).resolve()), str(Path(out).resolve())
    os.chdir(checkout)
    sys.path[:0] = [checkout, f"{checkout}/baselines"]
    sys.modules |= {name: mock.MagicMock() for name in STUBS}
    for name in (
        "baselines",
        "baselines.core",
        "baselines.mappers",
        "baselines.mappers.enrichers",
        "baselines.mappers.filters",
        "core",
    ):
        module = types.ModuleType(name)
        module.__path__ = [str(Path(checkout, "baselines" if name == "core" else "", *name.split(".")))]
        sys.modules[name] = module
    from baselines.mappers import modifiers
    from baselines.mappers.enrichers import enrichers
    from baselines.mappers.filters import content_filters

    steps = []
    for step in yaml.safe_load(Path("baselines/baselines_configs/refinedweb.yaml").read_text())[0]["steps"]:
        name = step.pop("func")
        if name not in LEFT_OUT:
            steps.append((name, _made([content_filters, modifiers, enrichers], name, step)))
    with Path(documents).open() as lines, Path(out).open("w") as written:
        written.writelines(json.dumps(_removed_by(json.loads(line)["text"], steps)) + "\n" for line in lines)


def _made(modules: list[Any], name: str, arguments: dict[str, Any]) -> Any:
    function = next(getattr(module, name) for module in modules if hasattr(module, name))
    if hasattr(function, "_is_factory"):
        return function(**arguments)
    return functools.partial(function, **arguments)


def _removed_by(text: str, steps: list[tuple[str, Any]]) -> list[str]:
    page = {"text": text}
    for number, (name, step) in enumerate(steps):
        pages = step(page)
        if not pages:
            return [f"{number} {name}"]
        page = pages[0]
    return []


if __name__ == "__main__":
    main()
