import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text.dedup.greedy import Selection, Sets
from thorough import settings

MEMBERS = st.sets(st.integers(1, 12), min_size=1, max_size=8)


class Bounds(NamedTuple):
    similarity: float
    leaders: int
    followers: int = 0
    pairs: int = 32
    listed: int = 16


class Decided(NamedTuple):
    survivors: list[tuple[int, float]]
    pairs: set[tuple[int, int, float]]
    listed: list[int]
    more: list[bool]


def selected(
    sets: list[set[int]],
    labels: list[set[int]],
    bounds: Bounds,
    fixed: list[bool] | None = None,
    unfit: list[bool] | None = None,
    batches: tuple[int, ...] = (),
) -> Decided:
    """What the kernel decides, cut into batches after so many sets each."""
    room = np.empty(sum(map(len, sets)), np.uint64)
    how = bounds._asdict() | {"members": room, "sets": len(sets), "buckets": len(labels[0])}
    selection = Selection(**how)
    decided = Decided([], set(), [], [])
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
            unfit=np.array((unfit or [False] * len(sets))[start:stop]),
        )
        found = selection.take(batch)
        decided.survivors.extend(zip(found.survivors.tolist(), found.similarities.tolist(), strict=True))
        newcomers, others = (start + found.pairs.newcomers).tolist(), found.pairs.others
        assert newcomers == sorted(newcomers)
        decided.pairs.update(zip(newcomers, others.tolist(), found.pairs.similarities.tolist(), strict=True))
        decided.listed.extend(others[found.pairs.listed].tolist())
        decided.more.extend(found.more.tolist())
    return decided


def naive(
    sets: list[set[int]], labels: list[set[int]], bounds: Bounds, fixed: list[bool], unfit: list[bool]
) -> Decided:
    """The definition: earlier first, against the last `leaders` kept sets of every bucket, and the followers there."""
    held: dict[int, list[int]] = {}
    followers: dict[int, int] = {}
    is_kept: dict[int, bool] = {}
    decided = Decided([], set(), [], [])
    for current, members in enumerate(sets):
        chains = [held.setdefault(label, []) for label in sorted(labels[current])]
        near = {} if fixed[current] else {
            other: len(members & sets[other]) / len(members | sets[other])
            for chain in chains
            for other in within_reach(chain, is_kept, bounds.leaders)
        }  # fmt: skip
        alike = {other: found for other, found in near.items() if found >= bounds.similarity}
        decided.pairs.update((current, other, found) for other, found in alike.items())
        best, other = max(((found, -other) for other, found in alike.items() if is_kept[other]), default=(0.0, 1))
        decided.survivors.append((-other, best))
        remembered = not unfit[current] and (best == 0.0 or followers.get(-other, 0) < bounds.followers)
        decided.more.append(not remembered)
        if remembered:
            is_kept[current] = best == 0.0
            followers[-other] = followers.get(-other, 0) + 1
            for chain in chains:
                chain.append(current)
    return decided


def within_reach(chain: list[int], is_kept: dict[int, bool], leaders: int) -> list[int]:
    """The newest of a bucket, down to the last but so many of those kept."""
    kept = [place for place, one in enumerate(chain) if is_kept[one]]
    return chain[kept[-leaders] if len(kept) >= leaders else 0 :]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([0.3, 0.5, 0.6, 0.8, 1.0]), st.sampled_from([1, 2, 100]), st.integers(0, 3))
def test_selection_is_the_sequential_definition_however_it_is_cut_into_batches(data, similarity, leaders, followers):
    sets = data.draw(st.lists(MEMBERS, min_size=1, max_size=12))
    bands = data.draw(st.integers(1, 3))
    labels = [data.draw(st.sets(st.integers(0, 5), min_size=bands, max_size=bands)) for _ in sets]
    fixed, unfit = ([data.draw(st.booleans()) for _ in sets] for _ in range(2))
    unfit = [one and not other for one, other in zip(unfit, fixed, strict=True)]
    batches = tuple(data.draw(st.sets(st.integers(1, 11))))
    bounds = Bounds(similarity, leaders, followers)
    expected = naive(sets, labels, bounds, fixed, unfit)
    assert selected(sets, labels, bounds, fixed, unfit, batches)._replace(listed=[]) == expected


@pytest.mark.parametrize(("pairs", "listed"), [(32, 16), (2, 1)])
def test_no_more_pairs_are_told_than_asked_for_and_the_survivor_always(pairs, listed):
    count = 40
    core = set(range(1000, 1100))
    sets = [core | {at} for at in range(1, count + 1)]
    decided = selected(sets, [{0}] * count, Bounds(0.9, 256, count, pairs, listed))
    assert decided.survivors == [(-1, 0.0), *[(0, 100 / 102)] * (count - 1)]
    told = [sum(newcomer == at for newcomer, *_ in decided.pairs) for at in range(count)]
    assert told == [min(at, pairs) for at in range(count)]
    assert {(at, 0, 100 / 102) for at in range(1, count)} <= decided.pairs
    assert decided.more == [at > pairs for at in range(count)]
    assert {decided.listed.count(at) for at in range(count - listed - 1)} <= {*range(listed + 1)}
    assert decided.listed.count(0) == listed


def test_a_bucket_of_many_dissimilar_sets_costs_a_bounded_number_of_comparisons():
    count = 20_000
    sets = [{3 * at + 1, 3 * at + 2, 3 * at + 3} for at in range(count)]
    sets.append(sets[-1])
    *others, last = selected(sets, [{0, 1}] * (count + 1), Bounds(0.8, leaders=16)).survivors
    assert {survivor for survivor, _ in others} == {-1}
    assert last == (count - 1, 1.0)


def test_only_kept_sets_are_remembered_between_batches():
    alike = [{1, 2, 3, 4, 5, 6 + at} for at in range(5000)]
    room_for_one = np.empty(6, np.uint64)
    selection = Selection(0.7, room_for_one, sets=1, buckets=2)
    for start in range(0, len(alike), 500):
        some = alike[start : start + 500]
        hashes = np.array([member for members in some for member in sorted(members)], np.uint64)
        labels, no = np.arange(start, start + 500), np.zeros(500, np.bool_)
        buckets, sizes = np.zeros((500, 2), np.uint64), np.full(500, 6)
        batch = Sets(labels, buckets + np.arange(2, dtype=np.uint64), hashes, np.cumsum(sizes) - 6, sizes, no, no)
        assert set(selection.take(batch).survivors.tolist()) <= ({-1, 0} if start == 0 else {0})
    assert room_for_one.tolist() == [1, 2, 3, 4, 5, 6]
