"""The stage ``redact``: edits that put a placeholder where personal data or a secret stands."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError
from curate.stages.contract import Reason, Settings, reasons_where
from curate.stages.redact.numbers import as_ascii, cards, ibans, ip_address, national_ids
from curate.stages.redact.phones import phones
from curate.stages.redact.secrets import key_block, secrets_in
from curate.stages.redact.settings import KINDS, RedactSettings
from curate.text.arrow import EDITS, edit_lists

if TYPE_CHECKING:
    from curate.text.sensitive import Spans

COUNTS = {kind: f"{kind}s" for kind in KINDS}
"""Kind → the measure that counts it."""

_LINE = 300
"""Bytes looked at on either side of a possible key, within its line."""

_LONGEST_LINE = 8_192
"""Longer words are data. It bounds expressions whose time grows with the square."""

_MAX_ROUNDS = 8
"""Text is at rest by the second round, but for texts made to go on."""


class Found(NamedTuple):
    """Something to replace: bytes of the text, and what they are."""

    start: int
    stop: int
    kind: str


class Redact:
    """Replace e-mail addresses, IP addresses, phone, card, account and national numbers, keys and passwords.

    What was replaced is written nowhere: an edit holds two offsets and a placeholder. The run directory's
    ``documents/`` still holds the text as it was read.

    Example:
        >>> batch = pa.record_batch({"text": pa.array(["Ask ann@mail.example."], pa.large_string())})
        >>> measures = Redact(RedactSettings()).measure(batch)
        >>> measures["emails"].to_pylist(), measures["edits"].to_pylist()
        ([1], [[{'start': 4, 'end': 20, 'replacement': '<EMAIL>'}]])
    """

    name: ClassVar[str] = "redact"
    version: ClassVar[int] = 1
    hides: ClassVar[bool] = True
    """What its edits replace is never shown."""
    needs: ClassVar[tuple[str, ...]] = ("text",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        **dict.fromkeys(COUNTS.values(), pa.int32()),
        "per_1000_characters": pa.float64(),
        "edits": EDITS,
    }
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("too_many_redactions", "Too much of it is personal data or secrets."),
    )
    about: ClassVar[str] = "Replaces personal data and secrets by placeholders such as <EMAIL>."
    settings_type: ClassVar[type[Settings]] = RedactSettings
    settings: RedactSettings

    def __init__(self, settings: RedactSettings) -> None:
        self.settings = settings
        self._placeholders = {settings.placeholder(kind).encode() for kind in KINDS}

    @property
    def fingerprint(self) -> str:
        """Versions of the libraries that decide what a number or a key is."""
        from importlib.metadata import version

        return " ".join(f"{name} {version(name)}" for name in ("detect-secrets", "phonenumberslite", "python-stdnum"))

    def warnings(self) -> list[str]:
        """Nothing to warn of.

        Raises:
            PlanError: a region has no phone numbers.
        """
        if find_spec("phonenumbers") and self.settings.phone_regions:
            from phonenumbers import SUPPORTED_REGIONS

            for region in self.settings.phone_regions:
                if region not in SUPPORTED_REGIONS:
                    raise PlanError(
                        f"`redact.phone_regions` has `{region}`, which is no country code",
                        hint='codes of ISO 3166, such as redact.phone_regions = ["US", "DE"]',
                    )
        return []

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """How many of each kind were replaced, how many a thousand characters, and the edits."""
        texts = batch["text"]
        found = self._settled(texts)
        counts = {kind: np.zeros(len(texts), np.int32) for kind in KINDS}
        for row, spans in found.items():
            for span in spans:
                counts[span.kind][row] += 1
        total = np.sum(list(counts.values()), axis=0, dtype=np.float64)
        length = np.maximum(pc.utf8_length(texts).to_numpy(zero_copy_only=False), 1)
        columns = [pa.array(counts[kind]) for kind in COUNTS]
        columns += [pa.array(1000 * total / length), self._edits(found, len(texts))]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """``too_many_redactions`` where there is a limit and it is passed."""
        limit = self.settings.max_per_1000_characters
        if limit is False:
            return reasons_where({}, len(measures))
        share = measures["per_1000_characters"].to_numpy(zero_copy_only=False)
        return reasons_where({"too_many_redactions": share > limit}, len(measures))

    def _edits(self, found: Mapping[int, Sequence[Found]], rows: int) -> pa.Array:
        spans = [span for row in sorted(found) for span in found[row]]
        ends = np.zeros(rows, np.int64)
        for row, of_row in found.items():
            ends[row] = len(of_row)
        starts, stops = (_numbers(span[side] for span in spans) for side in (0, 1))
        replacements = pa.array([self.settings.placeholder(span.kind) for span in spans], pa.string())
        return edit_lists(starts, stops, replacements, np.cumsum(ends))

    def _settled(self, texts: pa.Array) -> dict[int, list[Found]]:
        """What to replace in each text that has anything, until the text with its placeholders has nothing."""
        settled: dict[int, list[Found]] = {}
        for row, spans in self._found(texts).items():
            text, edits = texts[row].as_py().encode(), spans
            for _ in range(_MAX_ROUNDS):
                edited = self._applied(text, edits)
                more = self._found(pa.array([edited.decode()], pa.large_string())).get(0)
                if not more:
                    break
                edits = _composed(edits, more, [len(self.settings.placeholder(one.kind).encode()) for one in edits])
            settled[row] = edits
        return settled

    def _applied(self, text: bytes, edits: Sequence[Found]) -> bytes:
        pieces, at = [], 0
        for edit in edits:
            pieces += [text[at : edit.start], self.settings.placeholder(edit.kind).encode()]
            at = edit.stop
        return b"".join([*pieces, text[at:]])

    def _found(self, texts: pa.Array) -> dict[int, list[Found]]:
        """Row → what one look finds, in order and without overlap."""
        from curate.text.sensitive import sensitive_spans

        spans = sensitive_spans(texts)
        rows, firsts = np.unique(spans.rows, return_index=True)
        found = {}
        for row, first, last in zip(rows.tolist(), firsts, [*firsts[1:], len(spans.rows)], strict=False):
            text = texts[row].as_py().encode()
            seen = self._looked_at(text, spans, range(first, last))
            # A placeholder where a password was would be taken for a password.
            if of_row := _apart(one for one in seen if text[one.start : one.stop] not in self._placeholders):
                found[row] = of_row
        return found

    def _looked_at(self, text: bytes, spans: "Spans", places: range) -> Iterator[Found]:
        """Everything that the finders see in the hinted spans of a text; overlaps are possible."""
        from curate.text.sensitive import Hint

        kinds, lines = self.settings.kinds, set[tuple[int, int]]()
        for place in places:
            start, stop, hint = int(spans.starts[place]), int(spans.stops[place]), int(spans.hints[place])
            if hint == Hint.NUMBER:
                yield from self._numbers_in(text, start, stop)
            elif hint == Hint.EMAIL and "email" in kinds:
                yield Found(start, stop, "email")
            elif hint in {Hint.IPV4, Hint.IPV6} and "ip" in kinds:
                yield from _as("ip", ip_address(text, start, stop))
            elif hint == Hint.TOKEN and "secret" in kinds:
                line = _line_around(text, start, stop)
                if line not in lines:
                    lines.add(line)
                    yield from _secrets(text, *line)

    def _numbers_in(self, text: bytes, start: int, stop: int) -> Iterator[Found]:
        kinds = self.settings.kinds
        if "card" in kinds:
            yield from _as("card", cards(text, start, stop))
        if "iban" in kinds:
            yield from _as("iban", ibans(text, start, stop))
        if "national_id" in kinds:
            yield from _as("national_id", national_ids(text, start, stop, self.settings.national_ids))
        if "phone" in kinds:
            yield from _as("phone", phones(text, start, stop, self.settings.phone_regions))


def _secrets(text: bytes, start: int, stop: int) -> Iterator[Found]:
    line = as_ascii(text[start:stop])
    head = line.find("-----BEGIN")
    if head >= 0 and "PRIVATE KEY" in line:
        block = key_block(as_ascii(text), start + head)
        yield from _as("secret", iter([block] if block else []))
    yield from (Found(start + first, start + last, "secret") for first, last in secrets_in(line))


def _line_around(text: bytes, start: int, stop: int) -> tuple[int, int]:
    first = max(text.rfind(b"\n", 0, start) + 1, start - _LINE)
    last = text.find(b"\n", stop)
    return first, min(len(text) if last < 0 else last, stop + _LINE, start + _LONGEST_LINE)


def _as(kind: str, spans: Iterator[tuple[int, int]]) -> Iterator[Found]:
    return (Found(start, stop, kind) for start, stop in spans)


def _apart(found: Iterator[Found]) -> list[Found]:
    """Those that hold where some overlap: the kind first in `KINDS`, then the longest, then the first."""
    chosen: list[Found] = []
    for one in sorted(set(found), key=lambda one: (KINDS.index(one.kind), one.start - one.stop, one.start)):
        place = bisect_right(chosen, one)
        before_ends = place == 0 or chosen[place - 1].stop <= one.start
        if before_ends and (place == len(chosen) or one.stop <= chosen[place].start):
            chosen.insert(place, one)
    return chosen


def _composed(edits: Sequence[Found], more: Sequence[Found], sizes: Sequence[int]) -> list[Found]:
    """Edits of the first text, from its edits and those of the text that they led to.

    An edit that touches a placeholder takes the place of what that stood for.
    """
    result, waiting, shift = list[Found](), list(zip(edits, sizes, strict=True)), 0
    for late in more:
        while waiting and waiting[0][0].start + shift + waiting[0][1] <= late.start:
            edit, size = waiting.pop(0)
            result.append(edit)
            shift += size - (edit.stop - edit.start)
        start, stop = late.start - shift, late.stop - shift
        while waiting and waiting[0][0].start + shift < late.stop:
            edit, size = waiting.pop(0)
            start = min(start, edit.start)
            shift += size - (edit.stop - edit.start)
            stop = max(late.stop - shift, edit.stop)
        result.append(Found(start, stop, late.kind))
    return [*result, *(edit for edit, _ in waiting)]


def _numbers(values: Iterator[object]) -> npt.NDArray[np.int64]:
    return np.array(list(values), np.int64)
