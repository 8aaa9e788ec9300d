"""What a mixture will come to, from some pieces of the input, before anything is written."""

import msgspec

from curate.errors import PlanError
from curate.pipeline.planning.extrapolation import Guess
from curate.pipeline.planning.plan import Plan
from curate.pipeline.planning.trial import Trial, tried
from curate.shards.mixture.shares import asked_tokens, check_named, check_numbered, too_often
from curate.stages.contract import Deduplicating
from curate.store.run_directory import RunDirectory


class GroupForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What one group will have.

    Attributes:
        group: its name.
        tokens: of its kept documents, before near-duplicates are removed.
        mixed_tokens: that the mixture asks for.
        epochs: how often these tokens are seen then: more often where near-duplicates are removed.
        share: of all tokens of the mixture.
    """

    group: str
    tokens: Guess
    mixed_tokens: float
    epochs: float
    share: float


class MixForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The table of a mixture as far as it can be known.

    Attributes:
        documents: that were tried.
        whole: whether these are all of the input, so that numbers are exact but for near-duplicates.
        groups: those that were seen, by name.
        unseen: groups that the settings name and no tried document has.
    """

    documents: int
    whole: bool
    groups: list[GroupForecast]
    unseen: list[str]


def forecast(plan: Plan, trial: Trial | None = None) -> MixForecast | None:
    """From what a plan came to on pieces of its input; None where there is no mixture to tell of.

    Raises:
        PlanError: the mixture cannot be made, whatever the rest of the input holds.
    """
    settings = plan.config.mix
    if not settings.active or not plan.encoder or plan.limit is not None:
        return None
    trial = trial or tried(plan)
    tokens = {name: guess.value for name, guess in trial.mixed_tokens.items() if guess.value}
    named = settings.weights or settings.tokens or settings.epochs
    unseen = [name for name in named if name not in tokens and name != "*"]
    if trial.whole or not unseen:
        _check(plan, trial.mixed_tokens, tokens, whole=trial.whole)
    asked = asked_tokens(tokens, settings) if tokens else {}
    together = sum(asked.values())
    groups = [
        GroupForecast(
            group=name,
            tokens=trial.mixed_tokens[name],
            mixed_tokens=wanted,
            epochs=wanted / tokens[name],
            share=wanted / together if together else 0.0,
        )
        for name, wanted in asked.items()
    ]
    return MixForecast(documents=trial.documents, whole=trial.whole, groups=groups, unseen=unseen)


def foretold(plan: Plan, directory: RunDirectory) -> str | None:
    """The table in one line; None where the run itself soon knows it, as tokens were counted before.

    Raises:
        PlanError: see `forecast`.
    """
    encoder = plan.encoder
    if encoder is None or all(directory.cached(encoder.name, one.index).exists() for one in plan.parts):
        return None
    found = forecast(plan)
    if found is None:
        return None
    groups = (f"{one.group} {one.mixed_tokens:,.0f} ({one.epochs:.2f} ×)" for one in found.groups)
    named = f"; not seen yet: {', '.join(found.unseen)}" if found.unseen else ""
    about = "" if found.whole else "about "
    return f"tokens of the mixture, {about}from {found.documents:,} documents: {', '.join(groups)}{named}"


def _check(plan: Plan, guesses: dict[str, Guess], tokens: dict[str, float], *, whole: bool) -> None:
    """Refuse what is certain: near-duplicates only make fewer tokens, and so more epochs."""
    settings = plan.config.mix
    removes_more = any(isinstance(stage, Deduplicating) for stage in plan.stages)
    if whole:
        check_named(tokens, settings)
    if not removes_more:  # a group of which nothing is kept needs no number
        check_numbered(tokens, settings)
    if not settings.tokens and not settings.total_tokens:
        return
    most = {name: guess.value + guess.error for name, guess in guesses.items() if guess.error is not None}
    most = {name: value for name, value in most.items() if value and name in tokens}
    if len(most) < len(tokens):
        return
    for name, asked in asked_tokens(most, settings).items():
        if asked / most[name] > settings.max_epochs:
            about = "" if whole else "at most about "
            raise PlanError(
                f"{settings.by} `{name}` has {about}{most[name]:,.0f} tokens, and the mixture asks for {asked:,.0f}:"
                f" {asked / most[name]:.1f} epochs, more than `mix.max_epochs` = {settings.max_epochs:g}",
                hint=too_often(asked / most[name]),
            )
