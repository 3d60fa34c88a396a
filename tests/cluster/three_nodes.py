"""A Ray cluster of three nodes on this machine, as a program of its own.

Prints its address. Then it reads lines: `kill` ends the second node at once, `add` starts another
one in its place, and the end of the input ends the cluster.
"""

from __future__ import annotations

import sys
from typing import Any

from ray.cluster_utils import Cluster

ALPHA: dict[str, Any] = {"num_cpus": 1, "labels": {"attnbench-kind": "alpha"}}
BETA: dict[str, Any] = {"num_cpus": 1, "labels": {"attnbench-kind": "beta"}}


def main() -> None:
    cluster: Any = Cluster(initialize_head=True, head_node_args=ALPHA)
    second: Any = cluster.add_node(**ALPHA)
    cluster.add_node(**BETA)
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(second, allow_graceful=False)
        elif line.strip() == "add":
            second = cluster.add_node(**ALPHA)
        sys.stdout.write(line)
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
