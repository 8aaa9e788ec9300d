import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.text.greedy import Selection, Sets

MEMBERS = st.sets(st.integers(1, 12), min_size=1, max_size=8)


def selected(
    sets: list[set[int]],
    labels: list[set[int]],
    similarity: float,
    leaders: int,
    fixed: list[bool] | None = None,
    batches: tuple[int, ...] = (),
) -> list[tuple[int, float]]:
    """Survivors by the kernel, cut into batches after so many sets each."""
    selection = Selection(similarity, np.empty(sum(map(len, sets)), np.uint64), len(sets), len(labels[0]), leaders)
    decided = []
    for start, stop in itertools.pairwise(sorted({0, len(sets), *(cut for cut in batches if cut < len(sets))})):
        some = sets[start:stop]
        sizes = np.array([len(members) for members in some], np.int64)
        batch = Sets(
            labels=np.arange(start, stop),
            buckets=np.array([sorted(own) for own in labels[start:stop]], np.uint64).reshape(len(some), -1),
            hashes=np.array([member for members in some for member in sorted(members)], np.uint64),
            starts=np.cumsum(sizes) - sizes,
            sizes=sizes,
            fixed=np.array((fixed or [False] * len(sets))[start:stop]),
        )
        decided += zip(*(column.tolist() for column in selection.take(batch)), strict=True)
    return decided


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
def test_selection_is_the_sequential_definition_however_it_is_cut_into_batches(data, similarity, leaders):
    sets = data.draw(st.lists(MEMBERS, min_size=1, max_size=12))
    bands = data.draw(st.integers(1, 3))
    labels = [data.draw(st.sets(st.integers(0, 5), min_size=bands, max_size=bands)) for _ in sets]
    fixed = [data.draw(st.booleans()) for _ in sets]
    batches = tuple(data.draw(st.sets(st.integers(1, 11))))
    expected = naive(sets, labels, fixed, similarity, leaders)
    assert selected(sets, labels, similarity, leaders, fixed, batches) == expected


def test_a_bucket_of_many_dissimilar_sets_costs_a_bounded_number_of_comparisons():
    count = 20_000
    sets = [{3 * at + 1, 3 * at + 2, 3 * at + 3} for at in range(count)]
    sets.append(sets[-1])
    *others, last = selected(sets, [{0, 1}] * (count + 1), 0.8, leaders=16)
    assert {survivor for survivor, _ in others} == {-1}
    assert last == (count - 1, 1.0)


def test_only_kept_sets_are_remembered_between_batches():
    alike = [{1, 2, 3, 4, 5, 6 + at} for at in range(5000)]
    room_for_one = np.empty(6, np.uint64)
    selection = Selection(0.7, room_for_one, sets=1, buckets=2)
    for start in range(0, len(alike), 500):
        some = alike[start : start + 500]
        hashes = np.array([member for members in some for member in sorted(members)], np.uint64)
        labels, fixed = np.arange(start, start + 500), np.zeros(500, np.bool_)
        buckets, sizes = np.zeros((500, 2), np.uint64), np.full(500, 6)
        batch = Sets(labels, buckets + np.arange(2, dtype=np.uint64), hashes, np.cumsum(sizes) - 6, sizes, fixed)
        survivors, _ = selection.take(batch)
        assert set(survivors.tolist()) <= ({-1, 0} if start == 0 else {0})
    assert room_for_one.tolist() == [1, 2, 3, 4, 5, 6]
