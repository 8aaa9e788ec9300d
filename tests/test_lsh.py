import numpy as np
import pytest
from datasketch import lsh as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.text.lsh import Banding, choose_banding, meetings


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


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=30), st.integers(0, 10))
def test_documents_meet_in_buckets_that_hold_a_new_one_and_another(rows, least):
    rows = list(dict.fromkeys(rows))
    met = meetings(*(np.array(column) for column in ([row[0] for row in rows], [row[1] for row in rows])), least)
    buckets = {key: sorted(document for other, document in rows if other == key) for key, _ in rows}
    expected = {
        (document, key, members[0])
        for key, members in buckets.items()
        for document in members
        if len(members) > 1 and members[-1] >= least
    }
    found = list(zip(met.documents.tolist(), met.buckets.tolist(), met.owners.tolist(), strict=True))
    assert len(found) == len(expected)
    assert set(found) == expected
