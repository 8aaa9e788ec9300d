import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from curate.text.dedup.jaccard import (
    MARKS,
    capacity_for,
    fill,
    jaccard,
    least_shared,
    mark,
    may_share,
    shared_at_least,
    shared_with_sorted,
)
from thorough import settings

SETS = st.sets(st.integers(1, 40) | st.integers(2**64 - 20, 2**64 - 1))


def array(members: set[int]) -> np.ndarray:
    return np.array(sorted(members), np.uint64)


@settings(deadline=None)  # the first example compiles
@given(SETS, SETS)
def test_jaccard_is_that_of_sets(one, other):
    expected = len(one & other) / len(one | other) if one | other else 0.0
    assert jaccard(array(one), array(other)) == expected == jaccard(array(other), array(one))


@settings(deadline=None)  # the first example compiles
@given(SETS, SETS, st.integers(0, 50))
def test_counting_gives_up_only_when_the_number_is_out_of_reach(one, other, needed):
    table = np.full(capacity_for(len(one)), 77, np.uint64)
    fill(table, len(table), array(one))
    shared = len(one & other)
    expected = shared if shared >= needed else -1
    assert shared_at_least(table, len(table), array(other), needed) == expected
    if one:
        assert shared_with_sorted(array(one), array(other), needed) == expected
        assert shared_with_sorted(array(one), array(other)[::-1].copy(), needed) == expected


@njit
def marked_may_share(marks: np.ndarray, one: np.ndarray, other: np.ndarray, needed: int) -> bool:
    capacity = capacity_for(len(one))
    mark(marks, capacity, one)
    return may_share(marks, capacity, other, needed)


@settings(deadline=None)  # the first example compiles
@given(SETS, SETS, st.integers(-3, 50))
def test_a_look_at_the_marks_turns_nobody_away_who_shares_enough(one, other, needed):
    marks = np.full(len(one) * MARKS, 77, np.uint64)
    if len(one & other) >= needed:
        assert marked_may_share(marks, array(one), array(other), needed)


def test_a_look_at_the_marks_turns_sets_away_that_are_not_alike():
    draw, turned_away = np.random.default_rng(1), 0
    for size in range(5, 305):
        one, other = draw.integers(1, 2**64 - 1, (2, size), np.uint64)
        other[: size // 2] = one[: size // 2]
        marks = np.zeros(size * MARKS, np.uint64)
        turned_away += not marked_may_share(marks, one, other, least_shared(size, size, 0.8))
    assert turned_away > 290


@settings(deadline=None)  # the first example compiles
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.01, 1.0))
def test_the_least_number_to_share_is_never_overstated(one, other, similarity):
    below = least_shared(one, other, similarity) - 1
    assert below < 0 or below / (one + other - below) < similarity


def test_sets_that_reach_the_similarity_exactly_are_counted():
    for size in range(1, 500):
        shared = 4 * size  # 4 n of 5 n members in the union are shared
        assert least_shared(shared, 5 * size, 0.8) <= shared
