"""A proxy: a small model whose loss is measured as it learns, in place of a large one that nobody trains twice."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from curate.errors import UserError, nearest
from curate.evidence.proxies.kneser_ney import KneserNey, Tokens
from curate.evidence.proxies.vocabulary import Pieces


class Evaluation(NamedTuple):
    """Documents to be scored: one piece each."""

    tokens: Tokens
    offsets: npt.NDArray[np.int64]


class Proxy(Protocol):
    """What a kind of proxy must do; one value serves all arms and seeds, on several threads."""

    name: str
    about: str
    """What it is, for people."""
    key: str
    """What its losses depend on besides what it is trained and scored on."""
    largest: int
    """Most tokens of the curated arm."""
    raw_most: float
    """How many times as many of the raw arm."""

    def losses(
        self, tokens: Tokens, budgets: Sequence[int], evaluations: Mapping[str, Evaluation], seed: int
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Bits of every document (columns) after each budget (rows), for each evaluation.

        Args:
            tokens: to learn from, in this order, at least as many as the largest budget.
            budgets: tokens after which to look, ascending.
            evaluations: by name.
            seed: of the model's own chance.
        """


class NgramProxy:
    """The 5-gram model of `curate.evidence.proxies.kneser_ney`."""

    name = "ngram"
    about = "5-gram model with Kneser-Ney smoothing, exact counts, 2,047 byte-level tokens"
    key = "ngram 1"
    largest = 2_000_000
    raw_most = 4.0

    def losses(
        self,
        tokens: Tokens,
        budgets: Sequence[int],
        evaluations: Mapping[str, Evaluation],
        seed: int,  # noqa: ARG002  (counting has no chance in it)
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Bits of every document after each budget; the model learns on from one to the next."""
        model, found, at = KneserNey(budgets[-1]), {name: list[npt.NDArray[np.float64]]() for name in evaluations}, 0
        for budget in budgets:
            model.train(tokens[at:budget])
            at = budget
            for name, evaluation in evaluations.items():
                found[name].append(model.bits(evaluation.tokens, evaluation.offsets))
        return {name: np.array(rows) for name, rows in found.items()}


def proxy_named(name: str) -> Proxy:
    """The proxy of that name.

    Raises:
        UserError: there is none, or what it needs is not installed.
    """
    if name == NgramProxy.name:
        return NgramProxy()
    if name == "transformer":
        from curate.evidence.proxies.transformer import TransformerProxy

        return TransformerProxy()
    raise UserError(f"there is no proxy `{name}`", hint=nearest(name, (NgramProxy.name, "transformer")))


def drawn(pieces: Pieces, chosen: npt.NDArray[np.int64], priorities: npt.NDArray[np.uint64], tokens: int) -> Tokens:
    """The chosen pieces with the smallest priorities, as many as make ``tokens``, none of them twice."""
    order = chosen[np.argsort(priorities, kind="stable")]
    lengths = np.diff(pieces.offsets)[order]
    order = order[: int(np.searchsorted(np.cumsum(lengths), tokens)) + 1]
    drawn = [pieces.tokens[pieces.offsets[piece] : pieces.offsets[piece + 1]] for piece in order.tolist()]
    return np.concatenate([np.empty(0, np.uint16), *drawn])[:tokens]
