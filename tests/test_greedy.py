import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.text.greedy import Buckets, select_survivors

MEMBERS = st.sets(st.integers(1, 12), min_size=1, max_size=8)


def pack(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes = np.array([len(members) for members in sets], np.uint32)
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return np.array([member for members in sets for member in sorted(members)], np.uint64), starts, sizes


def buckets_of(labels: list[set[int]]) -> Buckets:
    numbers = [label for own in labels for label in sorted(own)]
    return Buckets(np.array(numbers, np.int32), np.cumsum([0, *map(len, labels)]).astype(np.int64))


def naive(
    sets: list[set[int]], labels: list[set[int]], fixed: list[bool], similarity: float, leaders: int
) -> list[tuple[int, float]]:
    """The definition: earlier first, against the last `leaders` kept members of every bucket."""
    kept: dict[int, list[int]] = {}
    decided = []
    for current, members in enumerate(sets):
        chains = [kept.setdefault(label, []) for label in sorted(labels[current])]
        near = sorted({other for chain in chains for other in chain[-leaders:]})
        found = [(len(members & sets[other]) / len(members | sets[other]), -other) for other in near]
        best, other = max(found, default=(0.0, 0))
        if found and best >= similarity and not fixed[current]:
            decided.append((-other, best))
            continue
        decided.append((-1, 0.0))
        for chain in chains:
            chain.append(current)
    return decided


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([0.3, 0.5, 0.6, 0.8, 1.0]), st.sampled_from([1, 2, 100]))
def test_selection_is_the_sequential_definition(data, similarity, leaders):
    sets = data.draw(st.lists(MEMBERS, min_size=1, max_size=12))
    labels = [data.draw(st.sets(st.integers(0, 5), max_size=4)) for _ in sets]
    fixed = [data.draw(st.booleans()) for _ in sets]
    found = select_survivors(buckets_of(labels), *pack(sets), similarity, np.array(fixed), leaders)
    expected = naive(sets, labels, fixed, similarity, leaders)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


def test_a_bucket_of_many_dissimilar_sets_costs_a_bounded_number_of_comparisons():
    count = 20_000
    sets = [{3 * at + 1, 3 * at + 2, 3 * at + 3} for at in range(count)]
    sets.append(sets[-1])
    survivors, _ = select_survivors(buckets_of([{0, 1}] * (count + 1)), *pack(sets), 0.8, leaders=16)
    assert survivors[:-1].max() == -1
    assert survivors[-1] == count - 1
