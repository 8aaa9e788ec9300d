"""Histograms: what the loops over all values count is what counting one value after another gives."""

import math

import numpy as np
import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tests.thorough import settings

from curate.report.judgments.looking import Documents
from curate.report.judgments.measures import Threshold, _Shape

ROUND = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 0.7, 1.0, 3.0, math.inf, -math.inf, math.nan])
WORDS = st.sampled_from([0.0, 1.0, 2.0, 7.0, 49.0, 50.0, 51.0, 52.5, 1e3, 1e5, 1e9, math.nan])
LIMITS = st.tuples(st.sampled_from([0.2, 0.5, 50.0]), st.sampled_from(["min", "max"]), st.booleans())


@given(
    st.lists(ROUND | WORDS | st.floats(-1, 2), max_size=1200), st.lists(LIMITS, max_size=3), st.booleans(), st.data()
)
@settings(max_examples=60)
def test_what_is_counted(values, limits, whole, data):
    values = [float(round(value)) if whole and math.isfinite(value) else value for value in values]
    values = [math.nan if whole and math.isinf(value) else value for value in values]
    number = len(values)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=number, max_size=number)), bool)
    tokens = np.arange(number) * 3
    lines = [Threshold(measure="a.x", value=at, side=side, at=level) for at, side, level in limits]
    sample = pl.Series("a.x", pa.array(values, pa.float64(), from_pandas=whole))  # NaN is null
    shape = _Shape(sample.cast(pl.Int64) if whole else sample, lines, None)
    piece = _piece(values, kept, tokens)
    found = shape.of(piece, nearest=2)
    edges, last = shape.edges, len(shape.edges) - 2
    bins = [min(max(int(np.searchsorted(edges, one, "right")) - 1, 0), last) for one in values]
    there = [place for place in range(number) if not math.isnan(values[place])]
    for place in range(last + 1):
        inside = [one for one in there if bins[one] == place]
        assert found.sums[:, place].tolist() == [len(inside), kept[inside].sum(), (tokens * kept)[inside].sum()]
    finite = [values[one] for one in there if math.isfinite(values[one])]
    assert found.totals.tolist() == [len(there), 0, max([0.0, *finite])]
    for at, line in enumerate(lines):
        beyond = [one for one in there if line.is_beyond(values[one])]
        near = shape._near(line.value)
        assert found.sides[:, at].tolist() == [len(beyond), sum(abs(values[one] - line.value) <= near for one in there)]
        for side, those in enumerate((beyond, [one for one in there if one not in set(beyond)])):
            apart = [(abs(values[one] - line.value), one) for one in those if math.isfinite(values[one])]
            by_distance = [one for _, one in sorted(apart)[:2]]
            assert found.rows[at, side][: len(by_distance)].tolist() == [one + 7 for one in by_distance]
            assert np.isfinite(found.distances[at, side]).sum() == len(by_distance)


def _piece(values, kept, tokens):
    measured = pa.array(values, pa.float64(), from_pandas=True)
    columns = {"a.x": measured, "tokenize.n_tokens": pa.array(tokens, pa.int64())}
    piece = Documents(7, len(values), {name: pa.chunked_array([column]) for name, column in columns.items()}, "")
    piece.kept = kept
    return piece
