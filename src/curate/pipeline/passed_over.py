"""Records of archives that are no documents by their nature, counted by reason: no document is lost with them."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from curate.corpus.quarantine import PASSED_OVER
from curate.store.manifest_entries import PassedOver
from curate.store.row_file import read_columns
from curate.store.run_directory import QUARANTINE, RunDirectory

MOST_DETAILS = 8
"""Kinds of a reason that are told apart; the others are counted together."""

_CODES = [reason.code for reason in PASSED_OVER]


def is_passed_over(reasons: pa.Array) -> pa.Array:
    """Which entries of the quarantine stand for such a record.

    Example:
        >>> is_passed_over(pa.array(["revisit", "bad_json"])).to_pylist()
        [True, False]
    """
    return pc.is_in(reasons, value_set=pa.array(_CODES))


def passed_over(directory: RunDirectory, parts: int) -> tuple[PassedOver, ...]:
    """How many records were passed over for each reason, and what they were; the most frequent first."""
    found: dict[str, Counter[str]] = {}
    for part in range(parts):
        entries = read_columns(directory.part(QUARANTINE, part), ["reason", "detail"])
        entries = entries.filter(is_passed_over(entries["reason"]))
        for entry in entries.group_by(["reason", "detail"]).aggregate([([], "count_all")]).to_pylist():
            found.setdefault(entry["reason"], Counter())[entry["detail"]] += entry["count_all"]
    counted = [
        PassedOver(reason=reason, records=details.total(), details=dict(_most(details)))
        for reason, details in sorted(found.items())
    ]
    return tuple(sorted(counted, key=lambda one: -one.records))


def _most(details: Counter[str]) -> list[tuple[str, int]]:
    return sorted(details.items(), key=lambda item: (-item[1], item[0]))[:MOST_DETAILS]
