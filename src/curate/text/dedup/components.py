"""Connected components of a graph whose edges are seen in one place (`unite`) or in many (large-star and small-star).

Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, "Connected Components in MapReduce and Beyond" (SoCC 2014),
algorithms 2 and 3. Each operation sees one node with its neighbours at a time, so edges can be sent anywhere by node;
done in turn, they end after O(log² n) rounds in stars: every node points at the lowest of its component.
"""

import numpy as np
import numpy.typing as npt

from curate.text.core.kernel import kernel

Nodes = npt.NDArray[np.int64]
Parents = npt.NDArray[np.signedinteger]


def large_star(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes]:
    """Connect all higher neighbours of every node to the lowest of its neighbourhood.

    Args:
        nodes: one end of each edge (int64); every edge of a node is here, in both directions.
        neighbours: the other end.

    Returns:
        New edges, perhaps more than once: a node and a lower one.

    Example:
        >>> higher, lower = large_star(np.array([1, 2, 2, 3]), np.array([2, 1, 3, 2]))  # 1 - 2 - 3
        >>> higher.tolist(), lower.tolist()
        ([2, 3], [1, 1])
    """
    nodes, neighbours, lowest = _neighbourhoods(nodes, neighbours)
    higher = neighbours > nodes
    return neighbours[higher], lowest[higher]


def small_star(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes]:
    """Connect every node and its lower neighbours to the lowest of them.

    Args:
        nodes: the higher end of each edge (int64); all edges that have a node as higher end are here.
        neighbours: the lower end.

    Returns:
        New edges, once each: a node and a lower one, in no particular order.

    Example:
        >>> higher, lower = small_star(np.array([3, 3]), np.array([1, 2]))  # 1 - 3 - 2
        >>> sorted(zip(higher.tolist(), lower.tolist()))
        [(2, 1), (3, 1)]
    """
    import polars as pl

    nodes, neighbours, lowest = _neighbourhoods(nodes, neighbours)
    others = neighbours != lowest
    edges = {"higher": np.concatenate((nodes, neighbours[others])), "lower": np.concatenate((lowest, lowest[others]))}
    distinct = pl.DataFrame(edges).unique()
    return distinct["higher"].to_numpy(), distinct["lower"].to_numpy()


def _neighbourhoods(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes, Nodes]:
    """Edges in the order of nodes, and for each the lowest of its node and that node's neighbours."""
    if not len(nodes):
        return nodes, neighbours, nodes
    order = np.argsort(nodes)
    nodes, neighbours = nodes[order], neighbours[order]
    starts = np.flatnonzero(np.diff(nodes, prepend=nodes[0] - 1))
    lowest = np.minimum(np.minimum.reduceat(neighbours, starts), nodes[starts])
    return nodes, neighbours, np.repeat(lowest, np.diff(starts, append=len(nodes)))


@kernel
def unite(nodes: Nodes, neighbours: Nodes, parents: Parents) -> None:
    """Note edges in a union-find forest whose roots are the lowest of their components.

    Args:
        nodes: one end of each edge.
        neighbours: the other end.
        parents: an equal or lower node of the same component for every node, from ``arange`` on (int32 or int64).
    """
    for edge in range(len(nodes)):
        one, other = np.int64(nodes[edge]), np.int64(neighbours[edge])
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = np.int64(parents[one])
        while parents[other] != other:
            parents[other] = parents[parents[other]]
            other = np.int64(parents[other])
        parents[max(one, other)] = min(one, other)


@kernel
def flatten(parents: Parents) -> None:
    """Point every node at the root of its component.

    Example:
        >>> parents = np.arange(10)
        >>> unite(np.array([5, 9, 7]), np.array([3, 5, 8]), parents)  # 3 - 5 - 9, 7 - 8
        >>> flatten(parents)
        >>> parents.tolist()
        [0, 1, 2, 3, 4, 3, 6, 7, 7, 3]
    """
    for node in range(len(parents)):  # a parent is never higher, so it is flat already
        parents[node] = parents[parents[node]]
