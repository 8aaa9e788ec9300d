"""Which of NeMo Curator's English heuristic filters remove a document.

    python nemo_decisions_job.py DOCUMENTS.jsonl OUT.jsonl

The filters and their limits are those of heuristic_filter_english_pipeline.yaml, each by itself. The package is
installed without what it needs for clusters, so its modules are loaded past its ``__init__``. For each document the
filters that remove it, those of n-grams with their size.
"""

import importlib
import json
import sys
import types
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml


def main() -> None:
    documents, out = sys.argv[1:]
    found = find_spec("nemo_curator")
    assert found is not None
    assert found.origin is not None
    home = Path(found.origin).parent
    _bare("nemo_curator", home)
    for name in ("stages", "stages.text", "stages.text.filters", "stages.text.utils"):
        _bare(f"nemo_curator.{name}", home.joinpath(*name.split(".")))
    filters = dict(_filters(home / "config" / "text" / "heuristic_filter_english_pipeline.yaml"))
    with Path(documents).open() as lines, Path(out).open("w") as written:
        for line in lines:
            text = json.loads(line)["text"]
            removed = [name for name, one in filters.items() if not one.keep_document(one.score_document(text))]
            written.write(json.dumps(removed) + "\n")


def _bare(name: str, folder: Path) -> None:
    """A package of which nothing is run but the modules that are asked for."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def _filters(config: Path) -> Iterator[tuple[str, Any]]:
    for stage in yaml.safe_load(config.read_text())["stages"]:
        if "filter_obj" not in stage:
            continue
        arguments = dict(stage["filter_obj"])
        module, name = arguments.pop("_target_").rsplit(".", 1)
        size = f" {arguments['n']}" if "n" in arguments else ""
        yield name + size, getattr(importlib.import_module(module), name)(**arguments)


if __name__ == "__main__":
    main()
