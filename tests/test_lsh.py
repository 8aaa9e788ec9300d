from itertools import pairwise

import numpy as np
import pytest
from datasketch import lsh as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.text.lsh import Banding, choose_banding, flatten, join_buckets, table_for


@settings(deadline=None)  # the first example compiles
@given(st.floats(0.3, 1.0), st.integers(16, 256), st.floats(0.5, 0.995))
def test_a_chosen_banding_keeps_its_promise_and_no_more_selective_one_does(similarity, permutations, recall):
    try:
        chosen = choose_banding(similarity, permutations, recall)
    except ValueError:
        assert Banding(permutations, 1).catch_probability(similarity) < recall
        return
    assert chosen.bands * chosen.rows <= permutations
    assert chosen.catch_probability(similarity) >= recall
    more_rows = chosen.rows + 1
    if permutations >= more_rows:
        assert Banding(permutations // more_rows, more_rows).catch_probability(similarity) < recall


@pytest.mark.parametrize("banding", [Banding(14, 8), Banding(9, 13), Banding(20, 5)])
def test_the_curve_is_that_of_datasketch(banding):
    points = np.linspace(0.8, 1.0, 20001)
    missed = 1 - np.array([banding.catch_probability(point) for point in points])
    area = np.trapezoid(missed, points)
    assert area == pytest.approx(reference._false_negative_probability(0.8, *banding), abs=1e-8)


@settings(deadline=None)  # the first example compiles
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), max_size=30),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([np.int32, np.int64]),
)
def test_buckets_and_components_are_those_of_a_dictionary(documents, slices, parts, index):
    spread = np.uint64(0x9E3779B97F4A7C15)
    keys = np.array([document[:2] for document in documents], np.uint64).reshape(-1, 2).T * spread
    takes_part = np.array([document[2] for document in documents], bool)
    parents = np.where(takes_part, np.arange(len(documents)), -1).astype(index)
    buckets = np.zeros((2, len(documents)), index)
    bounds = np.linspace(0, len(documents), parts + 1).astype(int)
    for band in range(2):
        table, owners = table_for(len(documents), index)
        for slice_of in range(slices):
            owners[:] = -1
            for first, last in pairwise(bounds):
                mine = np.ascontiguousarray(keys[band, first:last])
                join_buckets(mine, first, slice_of, slices, table, owners, buckets[band], parents)
    flatten(parents)

    def meet(one: int, other: int, band: int) -> bool:
        return bool(takes_part[one] and takes_part[other] and keys[band, one] == keys[band, other])

    everyone = range(len(documents))
    reached = {one: {one} for one in everyone if takes_part[one]}
    for _ in everyone:
        for one, known in reached.items():
            reached[one] = known | {b for a in known for b in everyone if meet(a, b, 0) or meet(a, b, 1)}
    assert {one: min(known) for one, known in reached.items()} == {
        one: int(parents[one]) for one in everyone if parents[one] >= 0
    }
    for band in range(2):
        for one in everyone:
            company = [other for other in everyone if other != one and meet(one, other, band)]
            assert (buckets[band, one] > 0) == bool(company)
            assert all(buckets[band, other] == buckets[band, one] for other in company)
