"""What one stage says of the documents of a part, and what it would say if only limits of it moved."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.settings.base import Limit, same_value
from curate.stages.contract import Stage

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.integer]
_NONE = np.empty(0, np.int64)


class Was(NamedTuple):
    """A stage of the run, and the same with the settings of now."""

    then: Stage
    now: Stage
    changed: bool
    judges: bool
    """Whether it can give a reason at all."""


class Verdicts:
    """What one stage says of the documents of a part; reasons are kept of those alone that have some.

    Args:
        known: documents that came to the stage.
        names: its reasons.
        codes: place in ``names`` of each reason given, in order of document.
        rows: the documents they were given to.
    """

    def __init__(
        self, known: Mask, names: Sequence[str] = (), codes: Numbers = _NONE, rows: npt.NDArray[np.int64] = _NONE
    ) -> None:
        self.known, self.names, self.codes, self.rows = known, list(names), codes, rows
        self.fails: Mask = np.zeros(len(known), np.bool_)
        self.fails[rows] = True

    @classmethod
    def said(cls, reasons: pa.Array) -> "Verdicts":
        """Of lists of reasons, null where the stage did not judge."""
        number = pc.fill_null(pc.list_value_length(reasons), 0).to_numpy(zero_copy_only=False)
        given = pc.dictionary_encode(reasons.flatten())
        rows, known = np.repeat(np.arange(len(number)), number), reasons.is_valid()
        return cls(known.to_numpy(zero_copy_only=False), given.dictionary.to_pylist(), given.indices.to_numpy(), rows)

    def counted(self, which: Mask) -> Counter[str]:
        """How often each reason is given to some of the documents."""
        counts = np.bincount(self.codes[which[self.rows]], minlength=len(self.names))
        return Counter({name: int(count) for name, count in zip(self.names, counts, strict=True) if count})

    def given(self, reason: str) -> Mask:
        """The documents that a reason is given to."""
        found: Mask = np.zeros(len(self.known), np.bool_)
        if reason in self.names:
            found[self.rows[self.codes == self.names.index(reason)]] = True
        return found

    def replaced(self, rows: npt.NDArray[np.int64], reasons: pa.Array) -> "Verdicts":
        """The same, with other reasons of some documents; those it did not judge stay so."""
        new, rows = Verdicts.said(reasons.filter(pa.array(self.known[rows]))), rows[self.known[rows]]
        stay = ~np.isin(self.rows, rows)
        codes = np.concatenate((self.codes[stay], len(self.names) + new.codes))
        of = np.concatenate((self.rows[stay], rows[new.rows]))
        return Verdicts(self.known, *_named([*self.names, *new.names], codes), of)

    def turned(self, masks: Mapping[str, Mask], order: Sequence[str]) -> "Verdicts":
        """The same, with these reasons given to the documents of their masks alone; reasons are in ``order``."""
        others = ~np.isin(self.codes, [at for at, name in enumerate(self.names) if name in masks])
        place = {name: at for at, name in enumerate(order)}
        renumbered = np.array([place[name] for name in self.names], np.int64)
        rows = [self.rows[others], *(np.flatnonzero(mask) for mask in masks.values())]
        codes = [
            renumbered[self.codes[others]],
            *(np.full(len(r), place[m]) for m, r in zip(masks, rows[1:], strict=True)),
        ]
        row, code = np.concatenate(rows), np.concatenate(codes)
        sorted_ = np.lexsort((code, row))
        return Verdicts(self.known, order, code[sorted_], row[sorted_])

    def of(self, row: int) -> list[str]:
        """The reasons of one document."""
        return [self.names[code] for code in self.codes[self.rows == row].tolist()]


def _named(names: Sequence[str], codes: Numbers) -> tuple[list[str], Numbers]:
    """Each name once, and the codes that go with them."""
    once = list(dict.fromkeys(names))
    return once, np.array([once.index(name) for name in names], np.int64)[codes]


def moved_limits(one: Was) -> list[tuple[Limit, Limit]] | None:
    """Limits of then and of now that differ; None: something else differs too, or a reason hangs on more than one."""
    then, now = ({(limit.key, limit.reason): limit for limit in each.settings.limits()} for each in one[:2])
    pairs = [(then[key], now[key]) for key in then if key in now and then[key] != now[key]]
    limits = Counter(reason for _, reason in then)
    plain = all(
        a.decides
        and limits[a.reason] == 1
        and (a.measure, a.side) == (b.measure, b.side)
        and not (a.languages or b.languages)
        for a, b in pairs
    )
    moved = {limit.key for limit, _ in pairs}
    a, b = (each.settings for each in one[:2])
    same = all(same_value(getattr(a, name), getattr(b, name)) for name in a.__struct_fields__ if name not in moved)
    return pairs if plain and same and then.keys() == now.keys() else None


def beyond(values: npt.NDArray[np.float64], limit: Limit) -> Mask:
    """Which values a limit is against; NaN never."""
    if limit.side == "min":
        return np.asarray(values <= limit.value if limit.at else values < limit.value)
    return np.asarray(values >= limit.value if limit.at else values > limit.value)


def between(values: npt.NDArray[np.float64], given: Mask, then: Limit, now: Limit) -> Mask | None:
    """Whom the limit of now is against; None: the rule is more than the limit, for it gave its reason to others."""
    if (beyond(values, then) != given).any():
        return None
    if np.float32(now.value) != now.value and (values == np.float32(now.value)).any():
        return None  # who compares fewer digits may say something else
    return beyond(values, now)
