"""Which documents the report shows."""

import numpy as np

from curate.report.judgments.looking import Documents, Given
from curate.report.samples import Search


def test_samples_of_a_large_run_come_from_the_same_stretches_as_far_as_they_go():
    """A row group is read for each: but a reason that is in one stretch alone shows as many documents as any other."""
    search = Search(["quality.often", "quality.rare"], 5, 1_000_000)
    pieces = [(0, [np.arange(1, 70_000, 3), [9_000, 9_001]]), (70_000, [np.arange(0, 70_000, 3), [*range(9), 6_000]])]
    answers = []
    for first, places in pieces:
        piece = Documents(first, 70_000, {}, "")
        codes = np.repeat([0, 1], list(map(len, places)))
        given = Given(["often", "rare"], codes, np.concatenate(places).astype(np.int64), codes, codes)
        piece._given["quality"] = given
        answers.append(search.of(piece))
    found = search.joined(*answers)
    assert [len(best.rows) for best in found.values()] == [5, 5, 5]
    kept, often = ({row // 4096 for row in found[code].rows.tolist()} for code in ("", "quality.often"))
    assert kept == often
    assert len(kept) == 5
    rare = set(found["quality.rare"].rows.tolist())
    assert rare >= {9_000, 70_000, 76_000}
    assert rare < {9_000, 9_001, 76_000, *range(70_000, 70_009)}
