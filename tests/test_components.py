import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.text.dedup.components import flatten, large_star, small_star, unite
from thorough import settings

EDGES = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda edge: edge[0] != edge[1]), max_size=30)


def lowest_reached(edges: list[tuple[int, int]]) -> dict[int, int]:
    """By walking: the lowest node that each node is connected with."""
    beside: dict[int, set[int]] = {}
    for one, other in edges:
        beside.setdefault(one, set()).add(other)
        beside.setdefault(other, set()).add(one)
    found = {}
    for node in beside:
        reached, waiting = {node}, [node]
        while waiting:
            new = beside[waiting.pop()] - reached
            reached |= new
            waiting += new
        found[node] = min(reached)
    return found


@settings(deadline=None)  # the first example compiles
@given(EDGES, st.randoms(use_true_random=False))
def test_stars_alternate_until_every_node_points_at_the_lowest_of_its_component(edges, draw):
    pairs, before = set(edges), None
    while pairs != before:
        before = pairs
        mixed = [edge for one, other in pairs for edge in ((one, other), (other, one))]
        draw.shuffle(mixed)
        pairs = applied(large_star, mixed)
        pairs = applied(small_star, [(max(edge), min(edge)) for edge in pairs])
    expected = {(node, lowest) for node, lowest in lowest_reached(edges).items() if node != lowest}
    assert pairs == expected
    shuffled = list(set(edges))
    draw.shuffle(shuffled)
    parents = np.arange(15)
    unite(*np.array(shuffled, np.int64).reshape(-1, 2).T.copy(), parents)
    flatten(parents)
    assert {(node, root) for node, root in enumerate(parents.tolist()) if node != root} == expected


def applied(star, edges) -> set[tuple[int, int]]:
    nodes, neighbours = np.array(edges, np.int64).reshape(-1, 2).T
    return set(zip(*(end.tolist() for end in star(nodes.copy(), neighbours.copy())), strict=True))
