"""Where a run works, and with how much: the engine that `run.engine`, `run.workers` and `run.memory` ask for."""

import gc
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from curate.engine.base import Engine
from curate.engine.child_worker import Setting
from curate.engine.local import FLIGHT_BYTES, LocalEngine
from curate.engine.processes import ProcessEngine
from curate.engine.turns import Turns
from curate.errors import PlanError
from curate.pipeline.planning.config import Config, memory_bytes
from curate.pipeline.planning.plan import Plan
from curate.process import machine
from curate.store.run_directory import RunDirectory

BASE_BYTES = 900_000_000
"""Resident memory of a run whatever is in flight: interpreter, kernels, tables, vocabulary, what allocators retain.
Measured: a corpus of 1 GB peaks at 0.88 GB with `--memory 1GB` and at 1.02 GB with all the memory it wants."""

PROCESS_BYTES = 450_000_000
"""What each further process takes of its own whatever is in flight."""
THREADS = 4
"""Threads of one process, where there are several."""
LEAST_WORKERS = 6
"""With fewer, one process is as quick."""
TEXT_FOR_A_PROCESS = 400_000_000
"""Bytes of text for which one more process is worth its start."""


def run_memory(config: Config) -> int:
    """Bytes that `run.memory` allows: the run on this machine, or each worker of a cluster.

    Raises:
        PlanError: they are too few for one row group in flight, or there is no cluster.
    """
    memory = memory_bytes(config.run.memory, _all_memory(config.run.engine))
    least = BASE_BYTES + 2 * FLIGHT_BYTES
    if memory < least:
        said = config.run.memory
        said += f" ({memory / 1e6:,.0f} MB)" * ("%" in said)
        raise PlanError(
            f"`run.memory` is {said}, but one worker needs {least // 1_000_000} MB",
            hint=f"--memory {least // 1_000_000}MB",
        )
    return memory


class Layout(NamedTuple):
    """How work is spread over this machine.

    Attributes:
        threads: of each process that compute, the first one's first.
        memory: bytes that tasks at work may take together in each process.
    """

    threads: tuple[int, ...]
    memory: tuple[int, ...]

    @property
    def workers(self) -> int:
        """Threads of all processes."""
        return sum(self.threads)


def layout(config: Config, plan: Plan | None = None, cores: int = 0) -> Layout:
    """The processes and threads that `run.workers`, `run.processes` and `run.memory` ask for.

    Args:
        config: of the run.
        plan: of the run; without one it is one process.
        cores: of this machine; 0: those that this process may use.

    Raises:
        PlanError: the memory is too small for one row group in flight.
    """
    cores = cores or machine.cores()
    memory = run_memory(config) - BASE_BYTES
    workers = min(config.run.workers or cores, memory // FLIGHT_BYTES)
    wanted = config.run.processes or (-(-workers // THREADS) if plan and workers >= LEAST_WORKERS else 1)
    text = len(plan.parts) * config.input.part_bytes if plan else 0
    worth = workers if config.run.processes else 1 + text // TEXT_FOR_A_PROCESS
    strands = len(plan.strands) if plan else 1
    room = (memory - workers * FLIGHT_BYTES) // PROCESS_BYTES + 1
    processes = max(1, min(wanted, worth, workers, room, strands))
    least, more = divmod(workers, processes)
    threads = tuple(least + (number < more) for number in range(processes))
    memory -= (processes - 1) * PROCESS_BYTES
    return Layout(threads, tuple(memory * each // workers for each in threads))


def processes_of(plan: Plan) -> int:
    """Over how many processes of this machine a run spreads; 1 where a cluster works.

    Raises:
        PlanError: the memory is too small for one row group in flight.
    """
    return len(layout(plan.config, plan).threads) if plan.config.run.engine == "local" else 1


def local_engine(config: Config, plan: Plan | None = None) -> LocalEngine | ProcessEngine:
    """The engine of this machine (see `layout`); nothing is started yet.

    Raises:
        PlanError: the memory is too small for one row group in flight.
    """
    spread = layout(config, plan)
    here, *others = (_setting(*one) for one in zip(spread.threads, spread.memory, strict=True))
    turns = Turns.new() if others else None
    engine = LocalEngine(here.threads, here.lanes, here.ahead, here.memory, turns)
    if not others:
        return engine
    hint = "use less at the same time: --set run.processes=1, or --workers and --memory"
    return ProcessEngine(engine, others, hint, turns)


def load() -> None:
    """What every task of a pass needs, loaded by a process before it has one."""
    import_module("curate.pipeline.passes")
    import_module("curate.cache.kernels").load_runtime()


def _setting(threads: int, memory: int) -> Setting:
    flights = max(1, memory // FLIGHT_BYTES)
    lanes = max(1, min(threads, flights // 4))
    ahead = max(1, min(threads + 1, flights // (2 * lanes)))
    return Setting(str(Path.cwd()), threads, lanes, ahead, memory, gc.get_threshold()[0], load)


def engine_for(config: Config, plan: Plan | None = None) -> Engine:
    """The engine that `run.engine` names.

    Args:
        config: of the run.
        plan: of the run; without one, an engine on this machine is one process.

    Raises:
        PlanError: the memory is too small for one row group in flight, or there is no cluster.
    """
    if config.run.engine == "local":
        return local_engine(config, plan)
    from curate.engine.ray import RayEngine

    return RayEngine(config.run.workers, run_memory(config), BASE_BYTES)


def require_able(engine: Engine, plan: Plan, directory: RunDirectory) -> None:
    """See that all machines of an engine can do their share of a run.

    Raises:
        PlanError: one cannot; says which, and what to do.
    """
    if isinstance(engine, LocalEngine | ProcessEngine):
        return
    from curate.engine.ray import RayEngine
    from curate.pipeline.planning.nodes import require_nodes

    assert isinstance(engine, RayEngine)
    require_nodes(engine, plan, directory)


def _all_memory(engine: str) -> int:
    """What a percentage is of."""
    if engine == "local":
        return machine.all_memory()
    from curate.engine.ray_cluster import connected, share_of_memory

    connected()
    return share_of_memory()
