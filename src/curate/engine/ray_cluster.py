"""What a Ray cluster has, and what its errors mean."""

import os
import re
import signal
import socket
from contextlib import suppress
from typing import Any, NamedTuple

from curate.errors import PlanError, Stopped, require


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
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # the first error is told, by us
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
        if "AuthToken" in f"{error} {error.__cause__} {error.__context__}":
            raise PlanError(
                f"the Ray cluster at `{address}` asks for a token",
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
    from ray._private.services import canonicalize_bootstrap_address

    place = None if "://" in address else canonicalize_bootstrap_address(address)
    if place:
        host, _, port = place.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise ConnectionError(f"{place} says: {error.strerror or error}") from error


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


def full_disk(error: Exception, node: str = "") -> Stopped | None:
    """What to say where a node has no room for what waits; None where that is not the trouble."""
    cause = getattr(error, "cause", error)
    if type(cause).__name__ not in ("OutOfDiskError", "ObjectStoreFullError"):
        return None
    found = re.search(r"ip=([\w.:]+)", str(error))
    node = node or (found[1] if found else "a node")
    return Stopped(
        f"the disk of {node} to which Ray spills is full",
        hint="make room, or ray start with --object-spilling-directory on a larger disk; then the same command goes on",
    )


def node_died(error: Exception) -> bool:
    """Whether work was lost with its node."""
    return "node" in str(error).lower() and "died" in str(error).lower()


def first_line(error: Exception) -> str:
    """Of what an error of Ray says, which goes on for pages."""
    return str(error).strip().split("\n")[0]
