"""Documents of a finished run to look at: one by its id, or a few that answer a question; nothing hidden is shown."""

from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from curate.errors import InputError, UserError
from curate.report.choice import Chosen, Question, choose_rows
from curate.report.judgments.judgments import Judgments
from curate.report.masking import Masks, masked_life
from curate.store.life import Life, life_at, lives_of, quarantined, similar_ids
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Manifest
from curate.store.run_directory import RunDirectory

MOST_OF_ONE_ID = 20


class Found(NamedTuple):
    """What a run knows of an id.

    Attributes:
        lives: every document that has it, as the stages saw it: hidden text is not masked.
        quarantined: what could not be read at ``file#position``, masked.
        masks: of the run.
        manifest: of the run.
    """

    lives: list[Life]
    quarantined: list[dict[str, Any]]
    masks: Masks
    manifest: Manifest


def find(run: Path, document: str) -> Found:
    """The documents with an id, in corpus order.

    Args:
        run: a finished run.
        document: an id; users' ids may repeat.

    Raises:
        InputError: no document has it.
    """
    manifest = read_manifest(run)
    lives = list(islice(lives_of(run, manifest, document), MOST_OF_ONE_ID))
    masks = Masks(manifest.stages, manifest.config)
    bad = [_masked_entry(entry, masks) for entry in quarantined(run, manifest, document)]
    if not lives and not bad:
        near = similar_ids(run, manifest, document)
        hint = f"ids like it: {', '.join(near)}" if near else f"curate sample {run}   # documents with their ids"
        raise InputError(f"no document of `{run}` has the id `{document}`", hint=hint)
    return Found(lives, bad, masks, manifest)


class Answer(NamedTuple):
    """Documents for a question, masked, in the order to show them; and how they were chosen."""

    lives: list[Life]
    chosen: Chosen


def sampled(run: Path, question: Question) -> Answer:
    """Documents that answer a question.

    Raises:
        UserError: the question contradicts itself.
        InputError: the run has no such stage, reason or source.
    """
    if question.kept and (question.reason or question.stage):
        raise UserError(
            "`--kept` asks for documents that no stage removed", hint="remove --kept, or --reason and --stage"
        )
    manifest = read_manifest(run)
    judgments = Judgments(RunDirectory.finished(run, manifest), manifest.stage_names)
    chosen = choose_rows(judgments, manifest, question)
    masks = Masks(manifest.stages, manifest.config)
    places = map(judgments.place, chosen.rows)
    lives = [masked_life(life_at(judgments.directory, manifest, place), masks) for place in places]
    return Answer(lives, chosen)


def _masked_entry(entry: dict[str, Any], masks: Masks) -> dict[str, Any]:
    """A quarantine entry with what it quotes as it may be shown."""
    if not masks.names:
        return entry
    kept = masks.shown(entry["bytes"].decode(errors="replace")).encode()
    return entry | {"detail": masks.shown(entry["detail"]), "bytes": kept}
