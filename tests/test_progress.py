"""Progress moves inside a part, and its speed and time left are those of work that is being done."""

import json
from itertools import accumulate

import pytest

from curate.cli import session
from curate.cli.display.run.quiet import QuietFace
from curate.events import Advanced, PassStarted, StageCounts
from curate.runs import progress
from curate.runs.progress import Progress
from small_run import run

ROWS = 40_000


@pytest.fixture
def heard(monkeypatch):
    """What faces hear."""
    events = []

    class Listening(QuietFace):
        def __call__(self, event):
            events.append(event)

    monkeypatch.setattr(session, "QuietFace", Listening)
    return events


def shares_done(events):
    """Of each pass, which share of its bytes was done after each event."""
    passes = {}
    for event in events:
        if isinstance(event, PassStarted):
            passes[event.number] = [event.total_bytes]
        elif isinstance(event, Advanced):
            passes[max(passes)].append(event.input_bytes)
    return [[done / total for done in accumulate(sizes)] for total, *sizes in passes.values()]


def test_a_pass_over_one_part_tells_how_far_it_is(tmp_path, heard):
    (tmp_path / "in").mkdir()
    rows = "\n".join(json.dumps({"text": f"number {at}"}) for at in range(ROWS))
    (tmp_path / "in" / "all.jsonl").write_text(rows)
    one_part = "input.part_bytes=64000000"
    run(tmp_path / "in", tmp_path / "out", one_part, skip=["quality"])
    passes = shares_done(heard)
    assert len(passes) == 2
    for shares in passes:
        assert shares[-1] == 1
        assert len({share for share in shares if 0.1 < share < 0.9}) >= 2  # row groups of 16,384 documents
    heard.clear()
    run(tmp_path / "in", tmp_path / "out", one_part, skip=["quality"])
    assert all(event.reused for event in heard if isinstance(event, Advanced) and event.input_bytes)


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def advance(at, size, documents, *, reused=False):
    at(Advanced(size, documents, reused=reused, stages={"normalize": StageCounts(documents, documents)}))


def test_speed_is_of_late_and_not_of_what_had_been_done(clock):
    at = Progress()
    at(PassStarted(1, 1, "", ("normalize",), 1000))
    advance(at, 500, 5000, reused=True)
    clock[0] = 1.0
    assert (at.fraction, at.documents_per_second, at.seconds_left) == (0.5, None, None)
    for second in range(2, 12):
        clock[0] = float(second)
        advance(at, 10, 100)
    assert at.documents_per_second == pytest.approx(1000 / 11)
    for second in range(12, 100):
        clock[0] = float(second)
        advance(at, 1, 7)
    assert at.documents_per_second == pytest.approx(7, rel=0.1)
    assert at.seconds_left == pytest.approx(1000 - at.bytes, rel=0.1)
    advance(at, 1000 - at.bytes, 0)
    assert at.seconds_left == 0


def test_a_later_pass_counts_its_own_documents(clock):
    at = Progress()
    for number in (1, 2):
        at(PassStarted(number, 2, "", ("normalize",), 100))
        clock[0] += 1
        at(Advanced(50, 10 if number == 1 else 0, stages={"normalize": StageCounts(10, 10)}))
        assert at.documents_per_second == pytest.approx(10)
    assert at.documents == 10
