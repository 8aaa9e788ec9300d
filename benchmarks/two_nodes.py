"""Run a command beside a Ray cluster of two nodes of one core each on this machine, which ``RAY_ADDRESS`` names.

Usage: python two_nodes.py COMMAND…

Nothing but Ray is imported, so any environment that has it can run this file.
"""

import os
import re
import subprocess
import sys

DAEMONS = re.compile(
    r"^(?!.*default_worker).*(raylet|gcs_server|ray/dashboard|monitor\.py|runtime_env|ray::\w*Agent)|two_nodes\.py|SPILL|RESTORE"
)
"""Finds the command lines of Ray's own processes and of this one; those of workers name their raylet, too."""
STORE_BYTES = 600 * 2**20


def main() -> None:
    """Start the nodes, run, end them."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    code = subprocess.run(sys.argv[1:], env={**os.environ, "RAY_ADDRESS": cluster.address}, check=False).returncode
    cluster.shutdown()
    sys.exit(code)


if __name__ == "__main__":
    main()
