"""What people are shown of a text when a stage of the run hides something: the text with that stage's edits.

The stage is asked again, since a document may have been out before it came to the stage, and the text shown may not be
the one that the stage saw.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from curate.stages import stage_class
from curate.stages.contract import Stage
from curate.store.life import Life
from curate.store.manifest_entries import StageEntry
from curate.text.chats.spans import moved_spans


class Hidden(NamedTuple):
    """Bytes of a text that are not shown, and what is shown for them."""

    start: int
    stop: int
    placeholder: str


class Masks:
    """Everything that the hiding stages of a run hide.

    Args:
        stages: of the run.
        config: their settings.

    Example:
        >>> Masks([StageEntry(name="redact", version=1, hides=True)], {}).shown("ann@mail.example!")
        '<EMAIL>!'
    """

    def __init__(self, stages: Iterable[StageEntry], config: Mapping[str, Any]) -> None:
        self.names = tuple(stage.name for stage in stages if stage.hides)
        self._stages = [_stage(name, config.get(name, {})) for name in self.names]

    def shown(self, text: str) -> str:
        """The text as it may be shown; ``text`` itself when nothing hides."""
        return self.piece(text.encode(), 0, len(text.encode())) if self._stages else text

    def piece(self, text: bytes, start: int, stop: int) -> str:
        """Bytes ``start`` to ``stop`` of a text as they may be shown; a placeholder stands for all that it touches."""
        pieces, at = [], start
        for hidden in self._hidden(text):
            if hidden.stop <= start or hidden.start >= stop:
                continue
            pieces += [text[at : hidden.start], hidden.placeholder.encode()]
            at = hidden.stop
        return b"".join([*pieces, text[at:stop]]).decode(errors="replace")

    def edits(self, text: bytes) -> list[dict[str, Any]]:
        """What `shown` does to a text, as edits."""
        hidden = self._hidden(text)
        return [{"start": one.start, "end": one.stop, "replacement": one.placeholder} for one in hidden]

    def _hidden(self, text: bytes) -> list[Hidden]:
        """In order, without overlap."""
        found: list[Hidden] = []
        if self._stages:
            batch = pa.record_batch({"text": pa.array([text.decode()], pa.large_string())})
            edits = [edit for stage in self._stages for edit in stage.measure(batch)["edits"][0].as_py()]
            for hidden in sorted(Hidden(edit["start"], edit["end"], edit["replacement"]) for edit in edits):
                if not found or found[-1].stop <= hidden.start:
                    found.append(hidden)
                else:
                    found[-1] = found[-1]._replace(stop=max(found[-1].stop, hidden.stop))
        return found


def masked_life(life: Life, masks: Masks) -> Life:
    """The life of a document with edits made, and texts and metadata as they may be shown."""
    turns = None if life.edited else life.document.get("turns")
    for verdict in life.verdicts if turns else ():
        turns = moved_spans(turns or (), verdict.measures.get("edits") or ())
    life = life._replace(document=life.document | {"text": life.text, "turns": turns}, edited=True)
    if not masks.names:
        return life
    if turns:
        life.document["turns"] = moved_spans(turns, masks.edits(life.document["text"].encode()))

    def masked(row: dict[str, Any]) -> dict[str, Any]:
        return row | {name: row[name] and masks.shown(row[name]) for name in ("text", "metadata")}

    return life._replace(document=masked(life.document), survivor=life.survivor and masked(life.survivor))


def _stage(name: str, settings: Mapping[str, Any]) -> Stage:
    kind = stage_class(name)
    own = {key: value for key, value in settings.items() if key in kind.settings_type.__struct_fields__}
    return kind(msgspec.convert(own, kind.settings_type))  # type: ignore[call-arg]
