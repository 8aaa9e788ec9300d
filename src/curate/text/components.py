"""Connected components of a graph whose edges are spread over many places: large-star and small-star.

Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, "Connected Components in MapReduce and Beyond" (SoCC 2014),
algorithms 2 and 3. Each operation sees one node with its neighbours at a time, so edges can be sent anywhere by node;
done in turn, they end after O(log² n) rounds in stars: every node points at the lowest of its component.
"""

import numpy as np
import numpy.typing as npt

Nodes = npt.NDArray[np.int64]


def large_star(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes]:
    """Connect all higher neighbours of every node to the lowest of its neighbourhood.

    Args:
        nodes: one end of each edge (int64); every edge of a node is here, in both directions.
        neighbours: the other end.

    Returns:
        New edges, once each: a node and a lower one.

    Example:
        >>> higher, lower = large_star(np.array([1, 2, 2, 3]), np.array([2, 1, 3, 2]))  # 1 - 2 - 3
        >>> higher.tolist(), lower.tolist()
        ([2, 3], [1, 1])
    """
    nodes, neighbours, lowest = _neighbourhoods(nodes, neighbours)
    higher = neighbours > nodes
    return _distinct(neighbours[higher], lowest[higher])


def small_star(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes]:
    """Connect every node and its lower neighbours to the lowest of them.

    Args:
        nodes: the higher end of each edge (int64); all edges that have a node as higher end are here.
        neighbours: the lower end.

    Returns:
        New edges, once each: a node and a lower one.

    Example:
        >>> higher, lower = small_star(np.array([3, 3]), np.array([1, 2]))  # 1 - 3 - 2
        >>> higher.tolist(), lower.tolist()
        ([2, 3], [1, 1])
    """
    nodes, neighbours, lowest = _neighbourhoods(nodes, neighbours)
    others = neighbours != lowest
    return _distinct(np.concatenate((nodes, neighbours[others])), np.concatenate((lowest, lowest[others])))


def _neighbourhoods(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes, Nodes]:
    """Edges in the order of nodes, and for each the lowest of its node and that node's neighbours."""
    if not len(nodes):
        return nodes, neighbours, nodes
    order = np.argsort(nodes, kind="stable")
    nodes, neighbours = nodes[order], neighbours[order]
    starts = np.flatnonzero(np.diff(nodes, prepend=nodes[0] - 1))
    lowest = np.minimum(np.minimum.reduceat(neighbours, starts), nodes[starts])
    return nodes, neighbours, np.repeat(lowest, np.diff(starts, append=len(nodes)))


def _distinct(higher: Nodes, lower: Nodes) -> tuple[Nodes, Nodes]:
    order = np.lexsort((lower, higher))
    higher, lower = higher[order], lower[order]
    new = np.ones(len(higher), np.bool_)
    new[1:] = (np.diff(higher) != 0) | (np.diff(lower) != 0)
    return higher[new], lower[new]
