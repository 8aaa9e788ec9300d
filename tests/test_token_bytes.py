"""Ids that a run keeps come back as they were: null rows, slices, any size."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.pipeline.step import TOKENS, scattered
from curate.shards.files.token_bytes import HIGH, LOW, as_lists, brought_together, split
from thorough import settings

LISTS = pa.large_list(pa.uint32())


@pytest.mark.parametrize("wide", [False, True])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
@example(data=None)
def test_ids_are_what_they_were_after_rows_were_removed_and_written(tmp_path_factory, wide, data):
    ids = st.integers(0, 2**32 - 1 if wide else 2**24 - 1)
    rows = data.draw(st.lists(st.lists(ids, max_size=5), max_size=8)) if data else []
    kept = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))) if data else []
    start = data.draw(st.integers(0, len(rows))) if data else 0
    lists = pa.array([[7], *rows], LISTS).slice(1)
    mask = np.array(kept, np.bool_)
    low, high = split(lists.filter(pa.array(mask)), wide=wide)
    path = tmp_path_factory.getbasetemp() / "ids.parquet"
    pq.write_table(pa.table({LOW: scattered(low, mask), HIGH: scattered(high, mask)}), path)
    table = pq.read_table(path).combine_chunks().slice(start)
    columns = [
        table.column(name).chunk(0) if len(table) else pa.array([], TOKENS.field(name).type) for name in (LOW, HIGH)
    ]
    found = as_lists(brought_together(*columns).filter(pa.array(mask[start:])))
    assert found.to_pylist() == [row for row, stays in list(zip(rows, kept, strict=True))[start:] if stays]
