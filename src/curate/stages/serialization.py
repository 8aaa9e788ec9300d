"""How stages travel to another process: as their class and settings, from which the same stage is made there.

What a stage has loaded (models, tokenizers, kernels) stays where it is. Made again, it is kept: whoever gets the same
stage with a thousand tasks loads it once.
"""

import copyreg
import functools
from typing import Any

import msgspec

from curate.settings.base import Settings
from curate.stages.contract import Stage

_KEPT = 64


def made_again(kind: type[Stage]) -> None:
    """Have stages of a class travel like that."""
    copyreg.pickle(kind, _reduced)


class _Settings:
    """Settings that are equal when they say the same; tables in them keep them from being hashed."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self._said = settings, msgspec.json.encode(settings)

    def __hash__(self) -> int:
        return hash(self._said)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Settings) and self._said == other._said


def _reduced(stage: Stage) -> tuple[Any, ...]:
    return _arrived, (type(stage), stage.settings)


def _arrived(kind: type[Stage], settings: Settings) -> Stage:
    return _made(kind, _Settings(settings))


@functools.lru_cache(_KEPT)
def _made(kind: type[Stage], settings: _Settings) -> Stage:
    return kind(settings.settings)  # type: ignore[call-arg]  # not part of the protocol
