"""The stage ``redact``: edits that put a placeholder where personal data or a secret stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

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
from curate.stages.redact.spans import Found, apart, applied, composed
from curate.text.arrow import EDITS, edit_lists

if TYPE_CHECKING:
    from curate.text.sensitive import Spans

COUNTS = {kind: f"{kind}s" for kind in KINDS}
"""Kind → the measure that counts it."""

_LINE = 300
"""Bytes looked at on either side of a possible key, within its line."""

_LONGEST_LINE = 8_192
"""Longer words are data. It bounds expressions whose time grows with the square."""

_LONGEST_KEY = 16_384


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
            text, edits, before = texts[row].as_py().encode(), spans, list[Found]()
            while edits != before:  # each round takes more of the text
                before, edits = edits, self._with_more(text, edits)
            settled[row] = edits
        return settled

    def _with_more(self, text: bytes, edits: list[Found]) -> list[Found]:
        """The edits, and what is found in the text with their placeholders."""
        placeholders = [self.settings.placeholder(one.kind).encode() for one in edits]
        edited = applied(text, edits, placeholders).decode()
        more = self._found(pa.array([edited], pa.large_string())).get(0, [])
        return composed(edits, more, [len(placeholder) for placeholder in placeholders])

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
            if of_row := apart(one for one in seen if text[one.start : one.stop] not in self._placeholders):
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
        size = key_block(as_ascii(text[start + head : start + head + _LONGEST_KEY]))
        if size:
            yield Found(start + head, start + head + size, "secret")
    yield from (Found(start + first, start + last, "secret") for first, last in secrets_in(line))


def _line_around(text: bytes, start: int, stop: int) -> tuple[int, int]:
    first = max(text.rfind(b"\n", 0, start) + 1, start - _LINE)
    last = text.find(b"\n", stop)
    return first, min(len(text) if last < 0 else last, stop + _LINE, start + _LONGEST_LINE)


def _as(kind: str, spans: Iterator[tuple[int, int]]) -> Iterator[Found]:
    return (Found(start, stop, kind) for start, stop in spans)


def _numbers(values: Iterator[object]) -> npt.NDArray[np.int64]:
    return np.array(list(values), np.int64)
