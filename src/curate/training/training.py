"""The whole training: two sides of documents in, a model with its figures out."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow.compute as pc

from curate.errors import UserError, require
from curate.models.ngram_model import NgramModel, probability
from curate.pipeline.planning.config import Config
from curate.training.examples import Examples, read_examples
from curate.training.figures import Figures, figures
from curate.training.fit import fit_model, margins
from curate.training.informative_ngrams import Telling, telling
from curate.training.split import FEW, Split, split

LIMIT = 20_000
"""Documents of a side used unless more are asked for."""
PRIOR = 0.5
_COIN = 0.5


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the documents of one side."""

    paths: tuple[str, ...]
    read: int
    quarantined: int
    empty: int
    repeated: int
    shared: int
    fit: int
    measure: int


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """A trained model and all that is known of it."""

    good: Side
    bad: Side
    prior: float
    seed: int
    figures: Figures
    telling: tuple[Telling, ...]
    warnings: tuple[str, ...]


def train(
    good: Sequence[str],
    bad: Sequence[str],
    config: Config,
    *,
    prior: float = PRIOR,
    seed: int = 42,
    limit: int = LIMIT,
    group: str = "",
) -> tuple[NgramModel, Training]:
    """A model that tells the documents under ``good`` from those under ``bad``; equal input gives equal models.

    Args:
        good: folders, files or globs.
        bad: the same for the other side.
        config: how documents are read and cleaned.
        prior: share of good documents where the model will be used: what its scores assume.
        seed: of the split, and of the choice where a side has more than ``limit`` documents.
        limit: most documents of a side that are used.
        group: metadata field; documents with equal values are fitted on or measured on together, on both sides.

    Raises:
        MissingExtra: scikit-learn is not installed.
        UserError: the sides share a file or too many documents, have too few, or the prior is no share.
    """
    require("sklearn", "train", "a model is fitted")
    if not 0 < prior < 1:
        raise UserError(f"`--prior` is the share of good documents, between 0 and 1, but is {prior:g}")
    sides = [read_examples(paths, config, seed=seed, limit=limit, group=group) for paths in (good, bad)]
    shares = split(*sides)
    model = fit_model(shares.fit, prior=prior)
    held_out = shares.measure
    scores = probability(margins(model.weights, held_out.texts), model.facts.slope, model.facts.intercept)
    lengths = np.asarray(pc.binary_length(held_out.texts).to_numpy(zero_copy_only=False), np.int64)
    found = figures(scores, held_out.good, lengths, prior=prior)
    words = telling(model, shares.fit)
    training = Training(
        good=_side(good, sides[0], shares, good=True),
        bad=_side(bad, sides[1], shares, good=False),
        prior=prior,
        seed=seed,
        figures=found,
        telling=words,
        warnings=tuple(_warnings(sides, shares, found, words)),
    )
    facts = msgspec.structs.replace(model.facts, trained=_kept(training))
    return NgramModel(model.weights, facts), training


def _side(paths: Sequence[str], examples: Examples, shares: Split, *, good: bool) -> Side:
    sizes = [int((share.good == good).sum()) for share in (shares.fit, shares.measure)]
    return Side(
        paths=tuple(paths),
        read=examples.read,
        quarantined=examples.quarantined,
        empty=examples.empty,
        repeated=examples.repeated,
        shared=shares.shared,
        fit=sizes[0],
        measure=sizes[1],
    )


def _kept(training: Training) -> dict[str, Any]:
    """What the model file says of its origin: sizes and figures, neither paths nor words."""
    facts: dict[str, Any] = msgspec.to_builtins(training)
    for side in ("good", "bad"):
        facts[side].pop("paths")
    facts["figures"].pop("bins")
    return {key: facts[key] for key in ("good", "bad", "seed", "figures")}


def _warnings(sides: Sequence[Examples], shares: Split, found: Figures, words: Sequence[Telling]) -> Iterator[str]:
    for name, side in zip(("--good", "--bad"), sides, strict=True):
        if side.quarantined:
            yield f"records of `{name}` that could not be read: {side.quarantined:,}"
        if len(side.texts) < FEW:
            yield f"`{name}` has {len(side.texts):,} different documents: figures are rough below {FEW:,}"
    if shares.shared:
        yield f"documents on both sides, not used: {shares.shared:,}"
    if found.auc < _COIN:
        yield "worse than chance: where versions of one text are on both sides, keep them together with `--group FIELD`"
    giveaways = [word for word in words if word.giveaway]
    if giveaways:
        first = giveaways[0]
        yield (
            f"`{first.ngram}` is in {first.in_good:.0%} of the good and {first.in_bad:.0%} of the bad documents: "
            "the model may tell where documents come from, not how good they are"
        )
    elif found.length_auc > found.auc:
        yield f"length alone tells the sides apart better (AUC {found.length_auc:.3f}) than the model does"
