"""What users can set about redaction: the ``[redact]`` section."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from curate.errors import nearest
from curate.settings.base import Limit, Settings, Unused
from curate.stages.redact.national import NATIONAL_IDS

KINDS = ("secret", "iban", "card", "national_id", "ip", "phone", "email")
"""What can be found. Where two overlap, the earlier one holds."""

PACKAGES = {
    "secret": ("detect_secrets", "detect-secrets"),
    "iban": ("stdnum", "python-stdnum"),
    "card": ("stdnum", "python-stdnum"),
    "national_id": ("stdnum", "python-stdnum"),
    "phone": ("phonenumbers", "phonenumberslite"),
}
"""Kind → the package that judges what is found, as ``import`` and as ``pip`` call it; the others need none."""


class RedactSettings(Settings, frozen=True):
    """What is replaced in texts, and by what."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"max_per_1000_characters"})

    kinds: tuple[str, ...] = KINDS
    """What to look for."""
    placeholders: dict[str, str] = msgspec.field(default_factory=dict)
    """What takes the place of a kind, where that is not ``<EMAIL>``, ``<IP>`` and so on."""
    phone_regions: tuple[str, ...] = ("US",)
    """Countries (ISO 3166) whose phone numbers are found without their ``+`` and country code."""
    national_ids: tuple[str, ...] = tuple(NATIONAL_IDS)
    """National numbers to look for, by country and name."""
    max_per_1000_characters: float | bool = False
    """Documents with more replacements than this for every 1,000 characters are removed; ``false`` keeps them."""

    max_looked_at: int = 8_000_000
    """Most bytes of a document that libraries look at, because they may be numbers or keys. Documents with more are
    removed without a look: what they cost depends on the text alone, and there is no time limit."""

    def __post_init__(self) -> None:
        if self.max_looked_at < 1:
            raise ValueError(f"`redact.max_looked_at` must be at least 1, but is {self.max_looked_at}")
        _check_names("kinds", self.kinds, KINDS)
        _check_names("placeholders", tuple(self.placeholders), KINDS)
        _check_names("national_ids", self.national_ids, tuple(NATIONAL_IDS))
        for kind, text in self.placeholders.items():
            if any(sign.isdigit() or sign in "@:" for sign in text) or len(text) > _LONGEST:
                raise ValueError(
                    f"`redact.placeholders` must have up to {_LONGEST} characters and no digit, `@` or `:`, "
                    f"but `{kind}` is `{text}`"
                )
        limit = self.max_per_1000_characters
        if limit is True or limit < 0:
            raise ValueError("`redact.max_per_1000_characters` must be a number of 0 or more, or `false`")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """Settings of kinds that are not looked for."""
        needed = {"phone_regions": "phone", "national_ids": "national_id"}
        needed |= {f"placeholders.{kind}": kind for kind in self.placeholders}
        for key, kind in needed.items():
            if kind not in self.kinds:
                yield Unused(key, f"`redact.kinds` does not name `{kind}`", f'put "{kind}" in redact.kinds')

    def limits(self) -> tuple[Limit, ...]:
        """The most replacements, if there is such a limit."""
        most = self.max_per_1000_characters
        found = Limit("max_per_1000_characters", "per_1000_characters", "max", most, "too_many_redactions")
        bytes_looked_at = Limit("max_looked_at", "looked_at", "max", self.max_looked_at, "too_much_to_look_at")
        return (bytes_looked_at,) if most is False else (found, bytes_looked_at)

    def placeholder(self, kind: str) -> str:
        """What takes the place of ``kind``."""
        return self.placeholders.get(kind, f"<{kind.upper()}>")


_LONGEST = 32


def _check_names(key: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"`redact.{key}` has no `{name}`; {nearest(name, known)}")
