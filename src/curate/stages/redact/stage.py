"""The stage ``redact``: edits that put a placeholder where personal data or a secret stands."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError, require
from curate.settings.base import Reason, Settings
from curate.stages.contract import Stage, reasons_where
from curate.stages.redact.numbers import as_ascii, cards, ibans, ip_address, national_ids
from curate.stages.redact.phones import phones
from curate.stages.redact.secrets import key_block, secrets_in
from curate.stages.redact.settings import KINDS, PACKAGES, RedactSettings
from curate.stages.redact.spans import Found, Place, apart, applied, composed, united, word_around
from curate.text.core.arrow import EDITS, edit_lists

if TYPE_CHECKING:
    from curate.text.search.sensitive import Spans

COUNTS = {kind: f"{kind}s" for kind in KINDS}
"""Kind → the measure that counts it."""

_LINE = 300
"""Bytes looked at on either side of a possible key, within its line."""

_LONGEST_LINE = 8_192
"""Longer words are data. It bounds expressions whose time grows with the square."""

_LONGEST_KEY = 16_384

_LOOKS = 4
"""Looks at one text after which what is found takes all that it is a part of: without end, each look finds one more."""

_UNSEEN = "<REDACTED>"
"""Takes the place of a text that was not looked at."""


class Redact(Stage):
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
    version: ClassVar[int] = 2
    hides: ClassVar[bool] = True
    """What its edits replace is never shown."""
    needs: ClassVar[tuple[str, ...]] = ("text",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        **dict.fromkeys(COUNTS.values(), pa.int32()),
        "per_1000_characters": pa.float64(),
        "looked_at": pa.int64(),
        "edits": EDITS,
    }
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("too_many_redactions", "Too much of it is personal data or secrets."),
        Reason(
            "too_much_to_look_at", "It has more numbers and keys than `redact.max_looked_at` allows to be examined."
        ),
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

        names = sorted({PACKAGES[kind][1] for kind in self.settings.kinds if kind in PACKAGES})
        return " ".join(f"{name} {version(name)}" for name in names)

    def warnings(self) -> list[str]:
        """Nothing to warn of.

        Raises:
            MissingExtra: a kind needs a package that is not installed.
            PlanError: a region has no phone numbers.
        """
        for kind in self.settings.kinds:
            if kind in PACKAGES:
                require(PACKAGES[kind][0], "redact", f'`redact.kinds` has "{kind}"')
        if "phone" not in self.settings.kinds:
            return []
        from phonenumbers import SUPPORTED_REGIONS

        for region in self.settings.phone_regions:
            if region not in SUPPORTED_REGIONS:
                raise PlanError(
                    f"`redact.phone_regions` has `{region}`, which is not a country code",
                    hint='codes of ISO 3166, such as redact.phone_regions = ["US", "DE"]',
                )
        return []

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """How many of each kind were replaced, how many a thousand characters, bytes looked at, and the edits."""
        from curate.text.search.sensitive import sensitive_spans

        texts = batch["text"]
        spans = sensitive_spans(texts)
        looked_at = _looked_at(spans, len(texts))
        unseen = looked_at > self.settings.max_looked_at
        found = self._settled(texts, spans, unseen)
        counts = {kind: np.zeros(len(texts), np.int32) for kind in KINDS}
        for row, of_row in found.items():
            for span in of_row:
                counts[span.kind][row] += 1
        total = np.sum(list(counts.values()), axis=0, dtype=np.float64)
        length = np.maximum(pc.utf8_length(texts).to_numpy(zero_copy_only=False), 1)
        columns = [pa.array(counts[kind]) for kind in COUNTS]
        columns += [pa.array(1000 * total / length), pa.array(looked_at), self._edits(found, texts, unseen)]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """``too_much_to_look_at``, and ``too_many_redactions`` where there is a limit and it is passed."""
        looked_at, share = (
            measures[name].to_numpy(zero_copy_only=False) for name in ("looked_at", "per_1000_characters")
        )
        rules = {"too_much_to_look_at": looked_at > self.settings.max_looked_at}
        limit = self.settings.max_per_1000_characters
        if limit is not False:
            rules["too_many_redactions"] = share > limit
        return reasons_where(rules, len(measures))

    def _edits(self, found: Mapping[int, Sequence[Found]], texts: pa.Array, unseen: npt.NDArray[np.bool_]) -> pa.Array:
        """The edits of each text; one that was not looked at is replaced whole, for nobody to see."""
        by_row = {
            row: [(span.start, span.stop, self.settings.placeholder(span.kind)) for span in spans]
            for row, spans in found.items()
        }
        for row in np.flatnonzero(unseen).tolist():
            by_row[row] = [(0, len(texts[row].as_py().encode()), _UNSEEN)]
        spans = [span for row in sorted(by_row) for span in by_row[row]]
        ends = np.zeros(len(texts), np.int64)
        for row, of_row in by_row.items():
            ends[row] = len(of_row)
        starts, stops = (_numbers(span[side] for span in spans) for side in (0, 1))
        replacements = pa.array([span[2] for span in spans], pa.string())
        return edit_lists(starts, stops, replacements, np.cumsum(ends))

    def _settled(self, texts: pa.Array, spans: "Spans", unseen: npt.NDArray[np.bool_]) -> dict[int, list[Found]]:
        """What to replace in each text that has anything, until the text with its placeholders has nothing."""
        settled: dict[int, list[Found]] = {}
        for row, found in self._found(texts, spans, unseen).items():
            text, edits, before, looks = texts[row].as_py().encode(), found, list[Found](), 1
            while edits != before:  # each look takes more of the text
                before, edits, looks = edits, self._with_more(text, edits, widely=looks >= _LOOKS), looks + 1
            settled[row] = edits
        return settled

    def _with_more(self, text: bytes, edits: list[Found], *, widely: bool) -> list[Found]:
        """The edits, and what is found in the text with their placeholders."""
        from curate.text.search.sensitive import sensitive_spans

        placeholders = [self.settings.placeholder(one.kind).encode() for one in edits]
        edited = pa.array([applied(text, edits, placeholders).decode()], pa.large_string())
        more = self._found(edited, sensitive_spans(edited), np.zeros(1, np.bool_), widely=widely).get(0, [])
        return composed(edits, more, [len(placeholder) for placeholder in placeholders])

    def _found(
        self, texts: pa.Array, spans: "Spans", unseen: npt.NDArray[np.bool_], *, widely: bool = False
    ) -> dict[int, list[Found]]:
        """Row → what one look finds, in order and without overlap; ``widely``: with all that it is a part of."""
        rows, firsts = np.unique(spans.rows, return_index=True)
        found = {}
        for row, first, last in zip(rows.tolist(), firsts, [*firsts[1:], len(spans.rows)], strict=False):
            if unseen[row]:
                continue
            if of_row := apart(self._seen(texts[row].as_py().encode(), spans, range(first, last), widely=widely)):
                found[row] = of_row
        return found

    def _seen(self, text: bytes, spans: "Spans", places: range, *, widely: bool) -> Iterator[Found]:
        """Everything that the finders see in the hinted spans of a text; overlaps are possible."""
        from curate.text.search.sensitive import Hint

        kinds, near_keys = self.settings.kinds, list[Place]()
        for place in places:
            start, stop, hint = int(spans.starts[place]), int(spans.stops[place]), int(spans.hints[place])
            if hint == Hint.NUMBER:
                for one in self._numbers_in(text, start, stop):
                    yield Found(min(start, one.start), max(stop, one.stop), one.kind) if widely else one
            elif hint == Hint.EMAIL and "email" in kinds:
                yield Found(start, stop, "email")
            elif hint in {Hint.IPV4, Hint.IPV6} and "ip" in kinds:
                yield from _as("ip", ip_address(text, start, stop))
            elif hint == Hint.TOKEN and "secret" in kinds:
                near_keys.append(_line_around(text, start, stop))
        for first, last in united(sorted(near_keys)):
            for one in _secrets(text, first, last):
                if text[one.start : one.stop] not in self._placeholders:  # where a password was, it looks like one
                    yield Found(*word_around(text, one.start, one.stop), one.kind) if widely else one

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
    if "PRIVATE KEY" in line:
        for head in re.finditer("-----BEGIN", line):
            first = start + head.start()
            size = key_block(as_ascii(text[first : first + _LONGEST_KEY]))
            if size:
                yield Found(first, first + size, "secret")
    yield from (Found(start + first, start + last, "secret") for first, last in secrets_in(line))


def _looked_at(spans: "Spans", rows: int) -> npt.NDArray[np.int64]:
    """For each text the bytes of what the libraries are asked about: a key counts as its word."""
    return np.bincount(spans.rows, spans.stops - spans.starts, rows).astype(np.int64)


def _line_around(text: bytes, start: int, stop: int) -> Place:
    first, far = max(0, start - _LINE), min(len(text), stop + _LINE, start + _LONGEST_LINE)
    before, behind = text.rfind(b"\n", first, start), text.find(b"\n", stop, far)
    return (first if before < 0 else before + 1), (far if behind < 0 else behind)


def _as(kind: str, spans: Iterator[tuple[int, int]]) -> Iterator[Found]:
    return (Found(start, stop, kind) for start, stop in spans)


def _numbers(values: Iterator[object]) -> npt.NDArray[np.int64]:
    return np.array(list(values), np.int64)
