"""Where a run works, and with how much: the engine that `run.engine`, `run.workers` and `run.memory` ask for."""

import os

import psutil

from curate.engine.base import Engine
from curate.engine.local import FLIGHT_BYTES, LocalEngine
from curate.errors import PlanError
from curate.pipeline.config import Config, memory_bytes
from curate.pipeline.plan import Plan
from curate.store.run_directory import RunDirectory

BASE_BYTES = 900_000_000
"""Resident memory of a run whatever is in flight: interpreter, kernels, tables, vocabulary, what allocators retain.
Measured: a corpus of 1 GB peaks at 0.88 GB with `--memory 1GB` and at 1.02 GB with all the memory it wants."""


def run_memory(config: Config) -> int:
    """Bytes that `run.memory` allows: the run on this machine, or each worker of a cluster.

    Raises:
        PlanError: they are too few for one row group in flight, or there is no cluster.
    """
    memory = memory_bytes(config.run.memory, _all_memory(config.run.engine))
    least = BASE_BYTES + 2 * FLIGHT_BYTES
    if memory < least:
        raise PlanError(
            f"`run.memory` is {memory // 1_000_000:,} MB, but one worker needs {least // 1_000_000} MB",
            hint=f"--memory {least // 1_000_000}MB",
        )
    return memory


def local_engine(config: Config) -> LocalEngine:
    """The engine that `run.workers` and `run.memory` ask for.

    Raises:
        PlanError: the memory is too small for one row group in flight.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = run_memory(config) - BASE_BYTES
    flights = memory // FLIGHT_BYTES
    workers = min(config.run.workers or cores, flights)
    lanes = max(1, min(workers, flights // 4))
    return LocalEngine(workers, lanes, max(1, min(workers + 1, flights // (2 * lanes))), memory)


def engine_for(config: Config) -> Engine:
    """The engine that `run.engine` names.

    Raises:
        PlanError: the memory is too small for one row group in flight, or there is no cluster.
    """
    if config.run.engine == "local":
        return local_engine(config)
    from curate.engine.ray import RayEngine

    return RayEngine(config.run.workers, run_memory(config), BASE_BYTES)


def require_able(engine: Engine, plan: Plan, directory: RunDirectory) -> None:
    """See that all machines of an engine can do their share of a run.

    Raises:
        PlanError: one cannot; says which, and what to do.
    """
    if isinstance(engine, LocalEngine):
        return
    from curate.engine.ray import RayEngine
    from curate.pipeline.nodes import require_nodes

    assert isinstance(engine, RayEngine)
    require_nodes(engine, plan, directory)


def _all_memory(engine: str) -> int:
    """What a percentage is of."""
    if engine == "local":
        return int(psutil.virtual_memory().total)
    from curate.engine.ray import connected, share_of_memory

    connected()
    return share_of_memory()
