import numpy as np
import pytest
from datasketch import lsh as reference
from hypothesis import given
from hypothesis import strategies as st

from curate.text.dedup.bands import Banding, choose_banding, meetings
from curate.text.dedup.candidates import recurring
from thorough import settings


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


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=30), st.integers(0, 10))
def test_documents_meet_in_buckets_that_hold_a_new_one_and_another(rows, least):
    rows = list(dict.fromkeys(rows))
    keys, documents = np.array([row[0] for row in rows], np.uint64), np.array([row[1] for row in rows], np.int64)
    met = meetings(keys, documents, least)
    buckets = {key: sorted(document for other, document in rows if other == key) for key, _ in rows}
    expected = {
        (document, members[0]) for members in buckets.values() for document in members[1:] if members[-1] >= least
    }
    assert set(zip(met.documents.tolist(), met.owners.tolist(), strict=True)) == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20), max_size=200))
def test_keys_that_occur_more_than_once_are_never_left_out(keys):
    found = recurring(np.array(keys, np.uint64)).tolist()
    assert found == sorted(set(found))
    assert {place for place, key in enumerate(keys) if keys.count(key) > 1} <= set(found)


def test_of_keys_that_occur_once_most_are_left_out():
    assert len(recurring(np.random.default_rng(1).integers(0, 2**64, 100_000, np.uint64))) < 12_500
