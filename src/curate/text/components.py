"""Connected components of a graph whose edges are in one place (`stars`) or in many (large-star and small-star).

Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, "Connected Components in MapReduce and Beyond" (SoCC 2014),
algorithms 2 and 3. Each operation sees one node with its neighbours at a time, so edges can be sent anywhere by node;
done in turn, they end after O(log² n) rounds in stars: every node points at the lowest of its component.
"""

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

Nodes = npt.NDArray[np.int64]


def stars(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes]:
    """Connect every node to the lowest of its component, by union-find.

    Args:
        nodes: one end of each edge (int64); all edges are here.
        neighbours: the other end.

    Returns:
        Edges, once each: a node and the lowest of its component, which itself is left out.

    Example:
        >>> higher, lower = stars(np.array([5, 9, 7]), np.array([3, 5, 8]))  # 3 - 5 - 9, 7 - 8
        >>> higher.tolist(), lower.tolist()
        ([5, 8, 9], [3, 7, 3])
    """
    names, places = np.unique(np.concatenate((nodes, neighbours)), return_inverse=True)
    parents = np.arange(len(names))
    _unite(places[: len(nodes)], places[len(nodes) :], parents)
    higher = parents < np.arange(len(names))
    return names[higher], names[parents[higher]]


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
    nodes, neighbours, lowest = _neighbourhoods(nodes, neighbours)
    others = neighbours != lowest
    edges = {"higher": np.concatenate((nodes, neighbours[others])), "lower": np.concatenate((lowest, lowest[others]))}
    distinct = pl.DataFrame(edges).unique()
    return distinct["higher"].to_numpy(), distinct["lower"].to_numpy()


def _neighbourhoods(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes, Nodes]:
    """Edges in the order of nodes, and for each the lowest of its node and that node's neighbours."""
    if not len(nodes):
        return nodes, neighbours, nodes
    order = pl.Series(nodes).arg_sort().to_numpy()
    nodes, neighbours = nodes[order], neighbours[order]
    starts = np.flatnonzero(np.diff(nodes, prepend=nodes[0] - 1))
    lowest = np.minimum(np.minimum.reduceat(neighbours, starts), nodes[starts])
    return nodes, neighbours, np.repeat(lowest, np.diff(starts, append=len(nodes)))


@njit(nogil=True, cache=True)
def _unite(ones: Nodes, others: Nodes, parents: Nodes) -> None:
    """Union-find whose roots are the lowest of their components, flattened in the end."""
    for edge in range(len(ones)):
        one, other = ones[edge], others[edge]
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        while parents[other] != other:
            parents[other] = parents[parents[other]]
            other = parents[other]
        parents[max(one, other)] = min(one, other)
    for node in range(len(parents)):  # a parent is never higher, so it is flat already
        parents[node] = parents[parents[node]]
