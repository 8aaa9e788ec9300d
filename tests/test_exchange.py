"""Rows sent by key arrive whole and once, whether they wait in memory or on disk."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.engine import exchange
from curate.engine.local import LocalEngine
from curate.stages.contract import addressed
from curate.store.files import is_unfinished
from thorough import settings

SCHEMA = pa.schema([("key", pa.int64()), ("word", pa.string()), ("many", pa.list_(pa.int64()))])
RECEIVERS = 4
ROWS = st.lists(
    st.tuples(st.integers(0, RECEIVERS - 1), st.integers(0, 99), st.text(max_size=3), st.lists(st.integers(0, 9))),
    max_size=8,
)


@pytest.fixture(params=["memory", "disk"])
def budget(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(exchange, "WAITING_BYTES", 100)
        monkeypatch.setattr(exchange, "KEPT_BYTES", 0)
    return request.param


def sent(rows):
    yield addressed(
        pa.array([row[0] for row in rows], pa.int64()).to_numpy(),
        key=pa.array([row[1] for row in rows], pa.int64()),
        word=pa.array([row[2] for row in rows], pa.string()),
        many=pa.array([row[3] for row in rows], pa.list_(pa.int64())),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=5))
def check_every_row_reaches_its_receiver_once(batches):
    engine = LocalEngine(workers=2, lanes=1, ahead=2)
    with TemporaryDirectory() as folder:
        got = engine.exchange(
            lambda sender: sent(batches[sender]),
            len(batches),
            lambda _, rows: rows,
            RECEIVERS,
            SCHEMA,
            Path(folder) / "x",
        )
        found = [sorted(map(str, got[receiver].to_pylist())) for receiver in range(len(got))]
    engine.close()
    expected = [
        sorted(
            str({"key": key, "word": word, "many": many})
            for rows in batches
            for at, key, word, many in rows
            if at == to
        )
        for to in range(RECEIVERS)
    ]
    assert found == expected


def test_every_row_reaches_its_receiver_once(budget):
    check_every_row_reaches_its_receiver_once()


def test_what_waits_on_disk_is_removed_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "WAITING_BYTES", 100)
    boxes = exchange.Mailboxes(SCHEMA, tmp_path)
    for _ in range(20):
        for batch in sent([(1, 7, "seven", [7, 7])] * 5):
            boxes.put(batch)
    [file] = tmp_path.iterdir()
    assert file.stat().st_size > 0
    assert is_unfinished(file.name)
    assert len(boxes.take(1)) == 100
    assert len(boxes.take(0)) == 0
    boxes.remove()
    assert not list(tmp_path.iterdir())
