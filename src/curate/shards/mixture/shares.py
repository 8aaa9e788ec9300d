"""How often each document goes into the shards, so that groups of them have the tokens that they were given."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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


class Lengths(NamedTuple):
    """How many documents there are of each group, step of `MixSettings.copies` and length: a row for each.

    Attributes:
        group: number of the group.
        step: of `MixSettings.copies` that is reached; 0: none.
        n_tokens: of each document.
        documents: how many are equal in all of these.
    """

    group: Int64
    step: Int64
    n_tokens: Int64
    documents: Int64

    @classmethod
    def of(cls, group: npt.NDArray[Any], step: npt.NDArray[Any], n_tokens: npt.NDArray[Any]) -> "Lengths":
        """Of documents."""
        columns = (each.astype(np.int64) for each in (group, step, n_tokens, np.ones(len(group))))
        return cls._make(columns).counted()

    def counted(self) -> "Lengths":
        """Equal rows as one, in order."""
        order = np.lexsort(self[2::-1])
        group, step, n_tokens, documents = (each[order] for each in self)
        differs = (np.diff(each, prepend=-1) != 0 for each in (group, step, n_tokens))
        starts = np.flatnonzero(functools.reduce(np.logical_or, differs))
        together = np.add.reduceat(documents, starts) if len(starts) else documents
        return Lengths(group[starts], step[starts], n_tokens[starts], together)


class Draw(NamedTuple):
    """How often each document is taken: `whole` times, and once more where the draw says so.

    Documents of a group stand in the order of their lengths, equal ones in that of the corpus, each with a share of a
    whole (in 2^-32); one is drawn where the sum of shares passes a whole. So each group has its tokens to about a
    document, and no documents need to be looked at together but for the sums of those of one length.

    Attributes:
        whole: times, by group and step of copies.
        share: of a further time.
        keys: groups and lengths, ascending.
        firsts: sum of the shares before the first document of each, without wholes.
    """

    whole: Int64
    share: Int64
    keys: Int64
    firsts: Int64

    def sums(self, lengths: Lengths) -> tuple[Int64, Int64]:
        """Places among `keys`, ascending, of documents, and the sum of their shares at each."""
        places = np.searchsorted(self.keys, _keys(lengths.group, lengths.n_tokens))
        found, inverse = np.unique(places, return_inverse=True)
        sums = np.zeros(len(found), np.int64)
        np.add.at(sums, inverse, lengths.documents * self.share[lengths.group, lengths.step])
        return found, sums

    def times(self, groups: npt.NDArray[Any], steps: npt.NDArray[Any], n_tokens: Int64, before: Int64) -> Int64:
        """How often each of some documents that follow each other in the corpus is taken.

        Args:
            groups: number of each document's group.
            steps: of copies.
            n_tokens: of each.
            before: sum of the shares before the first of them, for each group and length that they have, ascending.
        """
        keys = _keys(groups, n_tokens)
        order = np.argsort(keys, kind="stable")
        share = self.share[groups, steps][order]
        starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
        sums = np.cumsum(share) - share
        lengths = np.diff(np.append(starts, len(keys)))
        sums += np.repeat(before - sums[starts], lengths)
        times: Int64 = self.whole[groups, steps]
        times[order] += (sums + share) // _ONE - sums // _ONE
        return times


_ONE = 1 << 32
"""A whole, in shares: two billion of them, of documents of one length, are a number of 64 bits, added in any order."""


def _keys(groups: npt.NDArray[Any], n_tokens: npt.NDArray[Any]) -> Int64:
    keys: Int64 = (groups.astype(np.int64) << np.int64(32)) + n_tokens
    return keys


def mixed(lengths: Lengths, names: Sequence[str], settings: MixSettings, seed: int) -> tuple[Draw, list[Share]]:
    """How documents are taken, and the table of all groups, in the order of their names.

    Args:
        lengths: of all documents.
        names: of the groups.
        settings: weights, budgets or epochs.
        seed: of the draw.

    Raises:
        PlanError: a group is not there or not named, has no tokens, or would be repeated too often.

    Example:
        >>> settings, names = MixSettings(epochs={"wiki": 2.0}), ["web", "wiki"]
        >>> groups, steps, n_tokens = np.array([0, 1]), np.zeros(2, int), np.array([5, 7])
        >>> draw, table = mixed(Lengths.of(groups, steps, n_tokens), names, settings, 0)
        >>> [(share.group, share.mixed_tokens) for share in table]
        [('web', 5), ('wiki', 14)]
        >>> draw.times(groups, steps, n_tokens, draw.firsts).tolist()
        [1, 2]
    """
    group, step, n_tokens, documents = lengths
    tokens, factors = n_tokens * documents, np.array([1.0, *(times for _, times in _steps(settings))])
    kept = np.bincount(group, tokens, len(names))
    available = np.bincount(group, tokens * factors[step], len(names))
    epochs = _epochs(dict(zip(names, available.tolist(), strict=True)), settings)
    _check(names, np.asarray(kept, np.float64), available * epochs, settings)
    wanted = epochs[:, None] * factors
    whole = np.floor(wanted + 1e-9).astype(np.int64)
    rest = np.maximum(wanted - whole, 0.0)
    share = np.where(rest > 1e-9, np.rint(rest * _ONE), 0).astype(np.int64)
    keys, at = np.unique(_keys(group, n_tokens), return_inverse=True)
    sums, count = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
    np.add.at(sums, at, documents * share[group, step])
    np.add.at(count, at, documents * whole[group, step])
    of_key = keys >> 32
    begun = np.random.default_rng([seed, 1]).integers(0, _ONE, len(names))
    before = np.cumsum(sums) - sums
    firsts = (
        before - before[np.searchsorted(of_key, of_key)] + begun[of_key]
    ) % _ONE  # the rest alone decides who is drawn
    count += (firsts + sums) // _ONE - firsts // _ONE
    if len(keys) and not count.any():
        raise PlanError(
            f"the mixture takes none of the {documents.sum():,} kept documents: it asks for"
            f" {(available * epochs).sum():,.0f} tokens",
            hint=f"--set mix.total_tokens={kept.sum():.0f}"
            if settings.total_tokens
            else "--set 'mix.weights={\"*\" = 1}'",
        )
    return Draw(whole, share, keys, firsts), _table(lengths, (of_key, keys & (_ONE - 1), count), names)


def _steps(settings: MixSettings) -> list[tuple[int, float]]:
    return sorted((int(least), times) for least, times in settings.copies.items())


def steps_of(copies: Int64, settings: MixSettings) -> Int64:
    """Which step of `MixSettings.copies` documents reach that stand for so many near-duplicates."""
    return np.searchsorted([least for least, _ in _steps(settings)], copies, side="right").astype(np.int64)


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


def _table(lengths: Lengths, taken: tuple[Int64, Int64, Int64], names: Sequence[str]) -> list[Share]:
    """Of all groups.

    Args:
        lengths: of all documents.
        taken: group, length and how often documents of these are taken.
        names: of the groups.
    """
    many, (group, n_tokens, count) = len(names), taken
    documents = np.bincount(lengths.group, lengths.documents, many)
    tokens = np.bincount(lengths.group, lengths.documents * lengths.n_tokens, many)
    mixed_documents, mixed_tokens = np.bincount(group, count, many), np.bincount(group, count * n_tokens, many)
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
