"""``curate doctor --engine ray``: what the nodes of a cluster have, one line each, with a remedy."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.cli.display.doctor import Finding, show_findings
from curate.cli.display.format import size
from curate.errors import CurateError
from curate.store.files import place
from curate.store.objects.bucket import is_url
from curate.store.run_directory import RunDirectory


def show_cluster(output: str, *, json: bool) -> int:
    """Print what is found on each node; exit code 2 when something must be mended before a run.

    Args:
        output: folder that all nodes must read and write.
        json: print it as data.
    """
    try:
        findings = list(_findings(output))
    except CurateError as error:
        findings = [Finding("cluster", good=False, detail=error.message, remedy=error.hint)]
    return show_findings(findings, json=json)


@contextmanager
def _folder(output: str) -> Iterator[Path]:
    """Where nodes are asked to read and write: in a bucket the place itself, which is none before it holds anything."""
    if is_url(output):
        yield place(output)
        return
    Path(output).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".curate-probe-", dir=output) as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def _findings(output: str) -> Iterator[Finding]:
    from curate.engine.ray import RayEngine
    from curate.engine.ray_cluster import nodes
    from curate.pipeline.planning.config import load
    from curate.pipeline.planning.engines import engine_for
    from curate.pipeline.planning.nodes import Compile, problems_of
    from curate.pipeline.planning.plan import make_stages

    config = load(None, {"run.engine": "ray"}, [])
    engine, stages = engine_for(config), make_stages(config)
    assert isinstance(engine, RayEngine)
    yield Finding(
        "cluster", good=True, detail=f"{engine.workers} workers at a time at {os.environ.get('RAY_ADDRESS', 'auto')}"
    )
    with _folder(output) as folder:
        problems = list(problems_of(engine, stages, RunDirectory(folder), [], output))
        for node in nodes():
            own = [problem for problem in problems if problem.node == node.name]
            for problem in own:
                yield Finding(node.name, good=False, detail=problem.message, remedy=problem.hint)
            if not own:
                detail = f"{node.cpus:g} cores, {size(int(node.memory))} for tasks; packages, models, storage as here"
                yield Finding(node.name, good=True, detail=detail)
    if not problems:
        failed = {n.name: e for n, e in engine.everywhere(Compile(stages)).items() if isinstance(e, Exception)}
        for name, error in failed.items():
            yield Finding(
                name, good=False, detail=f"stages do not run: {error}", remedy="install the same packages there as here"
            )
        if not failed:
            yield Finding("kernels", good=True, detail="compiled on every node")
