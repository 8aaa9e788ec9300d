"""What a Ray cluster has, and what its errors mean."""

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from curate.errors import PlanError, Stopped, require

PULSE_SECONDS = 2.0
GONE_SECONDS = 25.0
"""A head node that is restarted has so long."""
NODE_SECONDS = 1.5 * PULSE_SECONDS
"""Of the node of this machine: one look that fails by chance ends nothing. Ray ends the process after 14."""


class Node(NamedTuple):
    """A node that can work."""

    id: str
    name: str
    cpus: float
    memory: float


def connected() -> Any:
    """Ray, connected to a cluster.

    Raises:
        MissingExtra: it is not installed.
        PlanError: there is no cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # curate reports the first error
    # no task asks for an accelerator, and what Ray hides from them is not ours to say
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    require("ray", "ray", "`run.engine` is `ray`")
    import ray

    if ray.is_initialized():
        return ray
    address, handler = os.environ.get("RAY_ADDRESS") or "auto", signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        ray.init(address=address, logging_level="ERROR", log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        found = re.findall(r"Ray: (\S+)\s+Python: (\S+)", str(error))
        if len(found) == 2:
            (ray_there, python_there), (ray_here, python_here) = found
            raise PlanError(
                f"the Ray cluster at `{address}` has Ray {ray_there} and Python {python_there}, and here are Ray"
                f" {ray_here} and Python {python_here}",
                hint="start curate where Python and Ray have the cluster's versions: on its head node, or in its image",
            ) from error
        if "AuthToken" in f"{error} {error.__cause__} {error.__context__}":
            raise PlanError(
                f"the Ray cluster at `{address}` requires a token",
                hint="export RAY_AUTH_MODE=token, and copy ~/.ray/auth_token of its head node to this machine",
            ) from error
        raise PlanError(
            f"no Ray cluster answers at `{address}`: {first_line(error)}",
            hint="ray start --head, or export RAY_ADDRESS=host:6379; RAY_ADDRESS=local starts one for this run",
        ) from error
    finally:
        with suppress(ValueError):  # not the main thread: then Ray has not touched it either
            signal.signal(signal.SIGTERM, handler)
    return ray


def _knock(address: str) -> None:
    """Ray waits for ever for a host that is silent, and the file it keeps may name a cluster that is gone.

    Raises:
        ConnectionError: nobody listens there.
    """
    place = "" if "://" in address else _last_started() if address == "auto" else address
    host, _, port = place.rpartition(":")
    if host and port.isdecimal():
        try:
            _connect(place)
        except OSError as error:
            raise ConnectionError(f"{place} says: {error.strerror or error}") from error


def _connect(place: str) -> None:
    host, _, port = place.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class Place(NamedTuple):
    """Something that a driver cannot do without: what it is, its address, and seconds in which it may be restarted."""

    what: str
    address: str
    patience: float

    def trouble(self) -> str:
        """Why nobody is there; empty: somebody is."""
        try:
            _connect(self.address)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def needed() -> list[Place]:
    """The head node, and the node of this machine."""
    import ray

    context = ray.get_runtime_context()
    own = next(node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
    return [
        Place("the head node of the Ray cluster", context.gcs_address, GONE_SECONDS),
        Place("the Ray node of this machine", f"{own['NodeManagerAddress']}:{own['NodeManagerPort']}", NODE_SECONDS),
    ]


def watched(places: Sequence[Place], closed: threading.Event, gone: Callable[[str], None]) -> None:
    """Until ``closed``, look whether places are there; when one has not been for a while, say why it is ``gone``.

    Whoever asks Ray for anything then waits, and soon Ray ends the process with exit code 1.
    """
    seen = dict.fromkeys(places, time.monotonic())
    while not closed.wait(PULSE_SECONDS):
        for place in places:
            trouble = place.trouble()
            if not trouble:
                seen[place] = time.monotonic()
            elif time.monotonic() - seen[place] > place.patience:
                gone(f"{place.what} at {place.address} is gone ({trouble})")
                return


def _last_started() -> str:
    """The cluster that `ray.init` finds by itself, from the file that its documentation names; empty: none."""
    own = os.environ.get("TMPDIR") if sys.platform.startswith("linux") else None
    folder = os.environ.get("RAY_TMPDIR") or own or "/tmp"  # noqa: S108  (as Ray does)
    with suppress(OSError):
        return Path(folder, "ray", "ray_current_cluster").read_text("utf-8").strip()
    return ""


def nodes() -> list[Node]:
    """The nodes of the cluster that have cores, in the order of their ids."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    found = [
        Node(
            node["NodeID"],
            f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})",
            node["Resources"]["CPU"],
            node["Resources"].get("memory", 0.0),
        )
        for node in alive
    ]
    return sorted(found)


def share_of_memory() -> int:
    """Bytes for each core of the node that has least of them.

    Raises:
        PlanError: no node has a core.
    """
    shares = [node.memory / node.cpus for node in nodes()]
    if not shares:
        raise PlanError("no node of the Ray cluster has a core", hint="ray status")
    return int(min(shares))


def require_memory(each: int) -> None:
    """See that a worker with so many bytes has a place: Ray would wait for a node that is large enough.

    Raises:
        PlanError: no node has that much.
    """
    most = int(max((node.memory for node in nodes()), default=0))
    if each > most:
        raise PlanError(
            f"`run.memory` is {each / 1e9:,.1f} GB for each worker, and no node of the Ray cluster has more than"
            f" {most / 1e9:,.1f} GB",
            hint="omit --memory: workers then share the memory of their node",
        )


def full_disk(error: Exception, node: str = "") -> Stopped | None:
    """What to say where a node has no room for what waits; None where that is not the trouble."""
    cause = getattr(error, "cause", error)
    if type(cause).__name__ not in ("OutOfDiskError", "ObjectStoreFullError"):
        return None
    found = re.search(r"ip=([\w.:]+)", str(error))
    node = node or (found[1] if found else "a node")
    return Stopped(
        f"the disk of {node} to which Ray spills is full",
        hint="make room, or ray start with --object-spilling-directory on a larger disk; the same command continues",
    )


def lost_work(error: Exception) -> Stopped:
    """What to say where Ray cannot make again what is gone."""
    return Stopped(
        f"the cluster lost work: {first_line(error)}",
        hint="curate doctor --engine ray; then the same command continues",
    )


def node_died(error: Exception) -> bool:
    """Whether work was lost with its node."""
    return "node" in str(error).lower() and "died" in str(error).lower()


def first_line(error: Exception) -> str:
    """Of what an error of Ray says, which goes on for pages."""
    return str(error).strip().split("\n")[0]
