"""Row groups follow from the texts alone, and a long text lies by itself."""

import itertools
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline import row_group
from curate.pipeline.row_group import row_groups
from curate.store.footers import footer_of

LENGTHS = st.lists(st.sampled_from([0, 1, 3, 9, 10, 30]), max_size=30)


def groups(lengths: list[int], cuts: set[int]) -> list[list[int]]:
    """Lengths of the texts of each group, given in batches cut after so many rows."""
    texts = pa.RecordBatch.from_pydict({"text": pa.array(["x" * length for length in lengths], pa.large_string())})
    places = sorted({0, len(lengths), *(cut for cut in cuts if cut < len(lengths))})
    batches = [texts.slice(start, stop - start) for start, stop in itertools.pairwise(places)]
    with mock.patch.multiple(row_group, GROUP_BYTES=10, GROUP_ROWS=6):
        return [[len(text.as_py()) for text in batch.column("text")] for batch in row_groups(batches)]


@given(LENGTHS, st.sets(st.integers(1, 29)))
def test_groups_hold_all_rows_in_order_however_they_came(lengths, cuts):
    found = groups(lengths, cuts)
    assert [length for group in found for length in group] == lengths
    assert found == groups(lengths, set())


@given(LENGTHS, st.sets(st.integers(1, 29)))
def test_groups_end_where_they_are_full(lengths, cuts):
    found = groups(lengths, cuts)
    for group, following in itertools.pairwise(found):
        assert sum(group) >= 10 or len(group) == 6 or following[0] >= 10
        assert sum(group[:-1]) < 10
        assert len(group) <= 6
    assert all(len(group) == 1 for group in found if max(group) >= 10)


def test_a_footer_is_that_of_the_file_which_is_there_now(tmp_path):
    file = tmp_path / "some.parquet"
    for rows in (3, 5):
        pq.write_table(pa.table({"number": range(rows)}), tmp_path / "next")
        (tmp_path / "next").replace(file)
        assert footer_of(file).num_rows == rows
        assert footer_of(file) is footer_of(file)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        footer_of(file)
