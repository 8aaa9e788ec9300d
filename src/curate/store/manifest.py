"""``run.json``: what a run was, in one file that programs may rely on."""

import platform
import shlex
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import psutil

from curate import __version__
from curate.errors import DISTRIBUTION, DamagedFile, InputError
from curate.store.checked_json import CHECKSUM, BrokenJson, parsed, with_checksum, write_json
from curate.store.cost_entries import Machine
from curate.store.manifest_entries import Manifest
from curate.store.recorded_command import command_here
from curate.store.report_file import find_report
from curate.store.run_directory import LOCK, MANIFEST

SCHEMA_VERSION = 2
"""Of the run directory and of ``run.json``; 1 had numbered parts."""

PACKAGES = ("fastokens", "ftfy", "numba", "numpy", "polars", "pyarrow", "tiktoken", "tokenizers")
OF_EXTRAS = ("datasketch", "langdetect")
"""Reference libraries: recorded where they are installed."""

_NAMES = {"schema_version", "curate", "run_id", "command", "counts", CHECKSUM}
"""What every manifest has, but the first layout no checksum. Damage spoils one; another program's file lacks most."""

State = Literal["whole", "missing", "damaged", "foreign", "older", "newer"]


class Found(NamedTuple):
    """What stands where a manifest is looked for."""

    state: State
    content: Mapping[str, Any]
    """As far as it can be read."""
    manifest: Manifest | None = None
    """Where it is whole."""
    lacks: str = ""
    """Why this version does not read a manifest of its own layout."""


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest whole, with its checksum."""
    write_json(path, manifest.written())


def find_manifest(run: Path) -> Found:
    """The manifest in a folder, whatever its state."""
    try:
        content = parsed(run / MANIFEST)
    except FileNotFoundError:
        return Found("missing", {})
    except BrokenJson:
        return Found("damaged", {})
    layout, names = content.get("schema_version"), _NAMES - content.keys()
    if len(names) > 2:
        return Found("foreign", content)
    if not isinstance(layout, int) or names - {CHECKSUM}:
        return Found("damaged", content)
    if layout != SCHEMA_VERSION:
        if with_checksum({**content, "schema_version": SCHEMA_VERSION})[CHECKSUM] == content.get(CHECKSUM):
            return Found("damaged", content)
        return Found("older" if layout < SCHEMA_VERSION else "newer", content)
    if with_checksum(content)[CHECKSUM] != content.get(CHECKSUM):
        return Found("damaged", content)
    try:
        return Found("whole", content, msgspec.convert(content, Manifest))
    except msgspec.ValidationError as error:
        return Found("older", content, lacks=str(error))


def read_manifest(run: Path) -> Manifest:
    """The manifest of a finished run.

    Raises:
        InputError: the folder is not a run, its run is not finished, or another version wrote it.
        DamagedFile: the manifest is there and is not what was written.
    """
    found, file = find_manifest(run), run / MANIFEST
    if found.manifest:
        return found.manifest
    match found.state:
        case "missing" if not run.is_dir():
            what = "is a file" if run.exists() else "does not exist"
            raise InputError(f"`{run}` {what}", hint="name the folder given to `curate run … -o`")
        case "missing":
            raise InputError(f"`{run}` holds no finished run: there is no `{MANIFEST}`", hint=command_of(run))
        case "damaged":
            raise DamagedFile(f"`{file}` is damaged", hint=f"make it again: {command_of(run)}")
        case "foreign":
            raise InputError(f"`{file}` was not written by curate", hint="name a folder given to `curate run … -o`")
    raise other_layout(run, found)


def other_layout(run: Path, found: Found) -> InputError:
    """What to say of a run that an older or a newer version wrote."""
    command = command_here(str(found.content["command"]), run)
    if found.lacks:
        message = f"`{run}` was made by curate {found.content['curate']}, whose `{MANIFEST}` this version does not read"
        return InputError(f"{message}: {found.lacks}", hint=f"make it again: {command} --fresh")
    message = f"`{run}` has layout {found.content['schema_version']}, and this version reads layout {SCHEMA_VERSION}"
    if found.state == "newer":
        return InputError(message, hint=f"pip install '{DISTRIBUTION}>={found.content['curate']}'")
    return InputError(message, hint=f"make it again: {command} --fresh")


def command_of(run: Path) -> str:
    """The command that makes a run (again), as far as its folder tells."""
    for tell in (_of_lock, _of_report, _of_manifest):
        with suppress(OSError, ValueError, KeyError, BrokenJson):
            if command := tell(run):
                return command_here(command, run)
    return f"curate run PATH... -o {shlex.quote(str(run))}"


def _of_lock(run: Path) -> str:
    """While a run is not finished, its lock says which command it is."""
    return (run / LOCK).read_text("utf-8").partition("\n")[0].strip()


def _of_report(run: Path) -> str:
    return find_report(run).command


def _of_manifest(run: Path) -> str:
    return str(find_manifest(run).content["command"])


def machine() -> Machine:
    """What the run ran on."""
    return Machine(
        cpu=_cpu_name(),
        cores=psutil.cpu_count(logical=True),
        memory_bytes=psutil.virtual_memory().total,
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def versions() -> dict[str, str]:
    """Versions of everything that can change a result."""
    found = {"curate": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    for package in OF_EXTRAS:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
