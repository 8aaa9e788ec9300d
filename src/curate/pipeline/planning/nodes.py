"""Whether every node of a cluster is ready for a run: the same packages, the same models, the same files in sight.

Asked before the first document is read. Who answers also compiles the kernels of the run, once on each node.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import curate
from curate import __version__
from curate.engine.ray import RayEngine
from curate.engine.ray_cluster import Node, nodes
from curate.errors import PlanError
from curate.pipeline.first_compile import compile_stages
from curate.pipeline.planning.plan import Plan, measure_key
from curate.stages.contract import Stage
from curate.store.digest import digest
from curate.store.files import place, remove, write_whole
from curate.store.manifest import versions
from curate.store.objects.bucket import is_url
from curate.store.objects.store_path import StorePath
from curate.store.run_directory import CACHE, LOCK, RunDirectory


class Problem(NamedTuple):
    """What is wrong with a node, and what to do."""

    node: str
    message: str
    hint: str


class Seen(NamedTuple):
    """What one node says.

    Attributes:
        versions: of its packages.
        stages: what each stage measures with, as a digest; or why the stage cannot be made.
        probe: what it reads where the driver wrote a file; None: nothing.
        unwritable: why it cannot write beside it; empty where it can.
        missing: the first file of the input that is not there.
        code: digest of the installed source of curate: two builds may call themselves the same version.
    """

    versions: dict[str, str]
    stages: dict[str, str]
    probe: bytes | None
    unwritable: str
    missing: str
    code: str


@dataclass(frozen=True)
class Look:
    """What each node does to answer.

    Attributes:
        probe: file of the driver.
        inputs: files of the input.
        stages: of the run.
    """

    probe: Path
    inputs: tuple[str, ...]
    stages: tuple[Stage, ...]

    def __call__(self) -> Seen:
        """Look."""
        return Seen(
            versions(),
            {stage.name: measure_key("", stage) for stage in self.stages},
            _content(self.probe),
            _unwritable(self.probe),
            next((name for name in self.inputs if not place(name).exists()), ""),
            _code(),
        )


@dataclass(frozen=True)
class LookLater:
    """What a node does that joins a run: what is other there than with the driver, and what to type; None: nothing.

    Attributes:
        look: for the lock of the run in place of a probe.
        here: what the driver says.
        folder: of the run.
    """

    look: Look
    here: Seen
    folder: str

    def __call__(self) -> tuple[str, str] | None:
        """Look."""
        seen = self.look()
        return next(_differences(self.here, seen._replace(unwritable=""), seen.probe or b"", self.folder), None)


@dataclass(frozen=True)
class Compile:
    """Has a node compile the kernels of some stages, so that they lie in its cache."""

    stages: tuple[Stage, ...]

    def __call__(self) -> None:
        """Compile."""
        compile_stages(self.stages)


def require_nodes(engine: RayEngine, plan: Plan, directory: RunDirectory) -> None:
    """See that every node can do its share.

    Raises:
        PlanError: one cannot; says which, and what to do.
    """
    present = frozenset(node.id for node in nodes())  # who joins from here on, while kernels compile, is a late one
    problems = list(problems_of(engine, plan.stages, directory, [file.path for file in plan.files]))
    if problems:
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise PlanError(f"node {problems[0].node} {problems[0].message}{more}", hint=problems[0].hint)
    engine.everywhere(Compile(plan.stages))
    # it travels with each task: so it has one file of the input
    look = Look(directory.path / LOCK, tuple(file.path for file in plan.files[:1]), plan.stages)
    engine.looked_at(present, LookLater(look, look(), str(directory.path)))


def problems_of(
    engine: RayEngine, stages: Sequence[Stage], directory: RunDirectory, inputs: Sequence[str | Path], named: str = ""
) -> Iterator[Problem]:
    """All that is wrong with the nodes.

    Args:
        engine: knows the nodes.
        stages: of the run.
        directory: a folder that all nodes must read and write.
        inputs: files that all must read.
        named: what the user calls that folder; empty: its path.
    """
    named = named or str(directory.path)
    token = os.urandom(16)
    if isinstance(directory.path, StorePath):
        probe: Path = directory.path / CACHE / f"probe-{token.hex()}"
    else:
        probe = directory.new_scratch("probe")
    write_whole(probe, token)
    try:
        look = Look(probe, tuple(_to_look_for([os.fspath(file) for file in inputs])), tuple(stages))
        here = look()
        for node, seen in engine.everywhere(look).items():
            if isinstance(seen, Exception):
                yield _not_able(node, seen)
            else:
                yield from (Problem(node.name, *found) for found in _differences(here, seen, token, named))
    finally:
        remove(probe)


def _to_look_for(inputs: Iterable[str]) -> list[str]:
    """Files of a disk, and of each store one object: who sees one sees all, and each is a request.

    Example:
        >>> _to_look_for(["/in/a.txt", "/in/b.txt", "s3://bucket/a.txt", "s3://bucket/b.txt"])
        ['/in/a.txt', '/in/b.txt', 's3://bucket/a.txt']
    """
    by_store = {"/".join(name.split("/")[:3]) if is_url(name) else name: name for name in reversed(list(inputs))}
    return sorted(by_store.values())


def _differences(here: Seen, seen: Seen, token: bytes, folder: str) -> Iterator[tuple[str, str]]:
    other = [
        f"{name} {seen.versions.get(name, 'not installed')}"
        for name in here.versions
        if seen.versions.get(name) != here.versions[name]
    ]
    if other:
        names = [
            f"'{name}=={version}'" for name, version in here.versions.items() if seen.versions.get(name) != version
        ]
        yield (
            f"has {', '.join(other)}, and the driver has other versions",
            f"on that node: pip install {' '.join(names)}",
        )
    elif seen.code != here.code:
        yield (
            f"has other code of curate {__version__} than the driver, which calls itself the same version",
            "on that node: pip install --force-reinstall --no-deps the file or checkout that the driver has",
        )
    for name, key in here.stages.items():
        if seen.stages.get(name) != key:
            yield (
                f"measures differently in the stage `{name}`: another model or file",
                f"copy what `{name}` reads to it",
            )
    if seen.probe != token:
        yield (
            f"does not see `{folder}` as the driver does: the run directory must be where all nodes can read it",
            "-o /a/folder/that/all/nodes/share",
        )
    elif seen.unwritable:
        permitted = os.strerror(errno.EACCES) == seen.unwritable
        hint = f"chmod -R a+rwX {folder}" if permitted else f"on that node: make `{folder}` writable"
        yield f"cannot write to `{folder}`: {seen.unwritable}", hint
    if seen.missing:
        yield (
            f"does not see the input file `{seen.missing}`",
            "put the input where all nodes can read it, under the same path",
        )


def _not_able(node: Node, error: Exception) -> Problem:
    said = str(error).strip().split("\n")[-1]
    if isinstance(error, ModuleNotFoundError) or "ModuleNotFoundError" in said:
        return Problem(
            node.name, f"lacks a package: {said}", f"on that node: pip install 'curate-corpus[ray]=={__version__}'"
        )
    return Problem(node.name, f"cannot work: {type(error).__name__}: {said}", "ray status")


def _code() -> str:
    home = Path(curate.__file__).parent
    return digest([[str(file.relative_to(home)), file.read_bytes()] for file in sorted(home.rglob("*.py"))])


def _content(probe: Path) -> bytes | None:
    with suppress(OSError):
        return probe.read_bytes()
    return None


def _unwritable(probe: Path) -> str:
    file = probe.with_name(f"{probe.name}-{os.urandom(8).hex()}")
    try:
        write_whole(file, b"")
        remove(file)
    except OSError as error:
        return str(error.strerror or error)
    return ""
