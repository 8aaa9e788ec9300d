"""How often each document goes into the shards, so that groups of them have the tokens that they were given."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from curate.errors import PlanError, listed, nearest
from curate.shards.mixture.settings import OTHERS, MixSettings

Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

_LEAST = 1e-12
"""Smaller shares are none."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one group has in the mixture.

    Attributes:
        group: its name.
        documents: kept ones.
        tokens: of these.
        epochs: how often its tokens are seen: ``mixed_tokens`` / ``tokens``.
        mixed_documents: documents in the mixture, repetitions counted.
        mixed_tokens: tokens in the mixture.
        share: of all tokens of the mixture.
    """

    group: str
    documents: int
    tokens: int
    epochs: float
    mixed_documents: int
    mixed_tokens: int
    share: float


def mixed(
    n_tokens: Int64, copies: Int64, groups: npt.NDArray[Any], names: Sequence[str], settings: MixSettings, seed: int
) -> tuple[Int64, list[Share]]:
    """How often each document is taken, and the table of all groups, in the order of their names.

    Fractions of an epoch are drawn by the seed among documents sorted by length, so that each group has its tokens to
    about a document.

    Args:
        n_tokens: of each document.
        copies: how many near-duplicates each stands for, itself included.
        groups: number of each document's group.
        names: of the groups.
        settings: weights, budgets or epochs.
        seed: of the draw.

    Raises:
        PlanError: a group is not there or not named, has no tokens, or would be repeated too often.

    Example:
        >>> settings = MixSettings(epochs={"wiki": 2.0})
        >>> times, table = mixed(np.array([5, 7]), np.ones(2, int), np.array([0, 1]), ["web", "wiki"], settings, 0)
        >>> times.tolist(), [(share.group, share.mixed_tokens) for share in table]
        ([1, 2], [('web', 5), ('wiki', 14)])
    """
    by_copies = _by_copies(copies, settings)
    kept = np.bincount(groups, n_tokens, len(names))
    available = np.bincount(groups, n_tokens * by_copies, len(names))
    epochs = _epochs(dict(zip(names, available.tolist(), strict=True)), settings)
    _check(names, np.asarray(kept, np.float64), available * epochs, settings)
    wanted = epochs[groups] * by_copies
    times = np.floor(wanted + 1e-9).astype(np.int64)
    rests = np.maximum(wanted - times, 0.0)
    rng = np.random.default_rng([seed, 1])
    for group in range(len(names)):
        drawn = np.flatnonzero((groups == group) & (rests > 1e-9))
        drawn = drawn[np.lexsort((rng.random(len(drawn)), n_tokens[drawn]))]
        sums = np.concatenate([[0.0], np.cumsum(rests[drawn])]) + rng.random()
        times[drawn] += np.diff(np.floor(sums)).astype(np.int64)
    if len(times) and not times.any():
        raise PlanError(
            f"the mixture takes none of the {len(times):,} kept documents: it asks for"
            f" {(available * epochs).sum():,.0f} tokens",
            hint=f"--set mix.total_tokens={kept.sum():.0f}"
            if settings.total_tokens
            else "--set 'mix.weights={\"*\" = 1}'",
        )
    return times, _table(n_tokens, times, groups, names)


def _by_copies(copies: Int64, settings: MixSettings) -> Floats:
    steps = sorted((int(least), times) for least, times in settings.copies.items())
    factors = np.array([1.0, *(times for _, times in steps)])
    return factors[np.searchsorted([least for least, _ in steps], copies, side="right")]


def check_named(available: Mapping[str, float], settings: MixSettings) -> None:
    """See that there are the groups that a mixture names.

    Raises:
        PlanError: one is not there.
    """
    plan = settings.weights or settings.tokens or settings.epochs
    unknown = [name for name in plan if name not in available and name != OTHERS]
    key = "weights" if settings.weights else "tokens" if settings.tokens else "epochs"
    if unknown:
        raise PlanError(
            f"`mix.{key}` names `{unknown[0]}`, and no kept document has that {settings.by}",
            hint=nearest(unknown[0], list(available)) or f"known: {listed(list(available))}",
        )


def check_numbered(available: Mapping[str, float], settings: MixSettings) -> None:
    """See that a mixture by weights has one for each group.

    Raises:
        PlanError: a group has none.
    """
    others = [name for name in available if name not in settings.weights]
    if settings.weights and others and OTHERS not in settings.weights:
        raise PlanError(
            f"`mix.weights` has no number for {settings.by} {listed(others)}",
            hint=f"--set mix.weights.{OTHERS}=0 excludes them",
        )


def asked_tokens(available: Mapping[str, float], settings: MixSettings) -> dict[str, float]:
    """Tokens of each group that a mixture asks for.

    Args:
        available: tokens of each group, each document as often as `MixSettings.copies` says; all groups of weights.
        settings: weights, budgets or epochs.

    Example:
        >>> asked_tokens({"books": 10.0, "web": 90.0}, MixSettings(weights={"books": 1.0, "web": 1.0}))
        {'books': 10.0, 'web': 10.0}
    """
    plan = settings.weights or settings.tokens or settings.epochs
    others = [name for name in available if name not in plan]
    of_others = sum(available[name] for name in others)
    asked = {}
    for name, tokens in available.items():
        if plan is settings.epochs:
            asked[name] = plan.get(name, plan.get(OTHERS, 1.0)) * tokens
        elif name in plan:
            asked[name] = plan[name]
        elif OTHERS in plan:
            asked[name] = plan[OTHERS] * tokens / of_others if of_others else 0.0
        else:
            asked[name] = tokens
    if settings.weights:
        largest = max(asked.values(), default=0.0) or 1.0  # a sum of the largest numbers would be infinite
        whole = sum(weight / largest for weight in asked.values()) or 1.0
        shares = {name: weight / largest / whole for name, weight in asked.items()}
        most = min((available[name] / share for name, share in shares.items() if share > _LEAST), default=0.0)
        asked = {name: (settings.total_tokens or most) * share for name, share in shares.items()}
    return asked


def _epochs(available: dict[str, float], settings: MixSettings) -> Floats:
    """Of each group, on top of what `MixSettings.copies` says."""
    check_named(available, settings)
    check_numbered(available, settings)
    asked = asked_tokens(available, settings)
    key = "weights" if settings.weights else "tokens"
    wanted = settings.weights or settings.tokens
    empty = [name for name, number in wanted.items() if number and not available.get(name, 1.0)]
    if empty:
        raise PlanError(
            f"`mix.{key}` asks for tokens of `{empty[0]}`, which has none", hint=f"--set mix.{key}.{empty[0]}=0"
        )
    return np.array([asked[name] / tokens if tokens else 0.0 for name, tokens in available.items()])


def _check(names: Sequence[str], kept: Floats, wanted: Floats, settings: MixSettings) -> None:
    """See that nothing is repeated too often."""
    often = np.divide(wanted, kept, out=np.zeros(len(names)), where=kept > 0)
    worst = int(np.argmax(often)) if len(names) else 0
    if len(names) and often[worst] > settings.max_epochs + 1e-9:
        raise PlanError(
            f"{settings.by} `{names[worst]}` has {kept[worst]:,.0f} kept tokens, and the mixture asks for"
            f" {wanted[worst]:,.0f}: {often[worst]:.1f} epochs, more than `mix.max_epochs` = {settings.max_epochs:g}",
            hint=too_often(often[worst]),
        )


def too_often(epochs: float) -> str:
    """What to type where a group would be repeated so often."""
    return f"less of it, or --set mix.max_epochs={np.ceil(epochs):.0f}"


def _table(n_tokens: Int64, times: Int64, groups: npt.NDArray[Any], names: Sequence[str]) -> list[Share]:
    documents, tokens = np.bincount(groups, minlength=len(names)), np.bincount(groups, n_tokens, len(names))
    mixed_documents = np.bincount(groups, times, len(names))
    mixed_tokens = np.bincount(groups, times * n_tokens, len(names))
    whole = float(mixed_tokens.sum())
    return [
        Share(
            group=name,
            documents=int(documents[at]),
            tokens=int(tokens[at]),
            epochs=float(mixed_tokens[at] / tokens[at]) if tokens[at] else 0.0,
            mixed_documents=int(mixed_documents[at]),
            mixed_tokens=int(mixed_tokens[at]),
            share=float(mixed_tokens[at] / whole) if whole else 0.0,
        )
        for at, name in sorted(enumerate(names), key=lambda each: each[1])
    ]
