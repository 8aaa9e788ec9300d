"""The arms of a measurement as tokens, the budgets that they allow, and proxies trained on them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from curate.evidence.held_out import HeldOut
from curate.evidence.looked import Mask, place
from curate.evidence.multiplier import Floats
from curate.evidence.pool import Pool
from curate.evidence.proxies.proxy import Evaluation, Proxy, drawn
from curate.evidence.proxies.vocabulary import Vocabulary

CURATED_STEPS = (1 / 4, 1 / 2, 1.0)
RAW_STEPS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
"""Budgets as parts of the largest curated one."""
HEADLINE = 1
"""Which of the curated budgets: there is room on the raw curve on both sides of it."""

Progress = Callable[[int, int], None]


class Trained(NamedTuple):
    """Bits by evaluation: seeds × budgets × documents."""

    raw: dict[str, Floats]
    curated: dict[str, Floats]
    control: dict[str, Floats]


class Arms:
    """Both arms as tokens, and the budgets that they allow.

    Args:
        pool: the documents.
        evaluations: texts to be scored on.
        proxy: says how many tokens it is trained on at most.
        seed: of all samples.
        part: the largest budget is no more than this part of the smaller arm: 4 is a quarter.
        most: the largest budget is no more than this; 0: what the proxy says.
    """

    def __init__(
        self, pool: Pool, evaluations: Sequence[HeldOut], proxy: Proxy, seed: int, part: int = 4, most: int = 0
    ) -> None:
        self.pool, self.seed = pool, seed
        order = np.argsort(place(pool.keys, f"vocabulary {seed}"), kind="stable").tolist()
        sides = [[pool.texts[row] for row in order if arm[row]] for arm in (pool.raw, pool.curated)]
        self.words = Vocabulary(sides)
        self.pieces = self.words.pieces(pool.texts)
        numbers = np.arange(len(self.pieces.texts)) - np.searchsorted(self.pieces.texts, self.pieces.texts)
        self._keys = pool.keys[self.pieces.texts] + numbers.astype(np.uint64)
        self.tokens = {"raw": self.tokens_in(pool.raw), "curated": self.tokens_in(pool.curated)}
        self.largest = min(proxy.largest, most or proxy.largest, min(self.tokens.values()) // part)
        self.budgets = [round(self.largest * step) for step in CURATED_STEPS]
        self.raw_budgets = [
            min(round(self.largest * step), self.tokens["raw"]) for step in RAW_STEPS if step <= proxy.raw_most
        ]
        self.evaluations, self.sizes = dict[str, Evaluation](), dict[str, Floats]()
        for each in evaluations:
            scored = self.words.pieces(each.texts, most=1)
            self.evaluations[each.name] = Evaluation(scored.tokens, scored.offsets)
            ends = np.concatenate([[0], np.cumsum(self.words.sizes(scored.tokens))])
            self.sizes[each.name] = np.diff(ends[scored.offsets]).astype(np.float64)

    def tokens_in(self, documents: Mask) -> int:
        """Tokens of some documents of the pool."""
        return int(np.diff(self.pieces.offsets)[documents[self.pieces.texts]].sum())

    def salt(self, number: int) -> str:
        """What the sample of a seed follows from; arms that share it share the pieces that both have."""
        return f"seed {number} of {self.seed}"

    def control_salt(self, number: int) -> str:
        """The same of the control's."""
        return f"control {number} of {self.seed}"

    def train(self, proxy: Proxy, seeds: int, workers: ThreadPoolExecutor, progress: Progress) -> Trained:
        """Train all seeds of both arms and of the control: raw text again, other samples of it."""
        jobs = [
            (arm, budgets, salt(number), number)
            for number in range(seeds)
            for arm, budgets, salt in (
                (self.pool.raw, self.raw_budgets, self.salt),
                (self.pool.curated, self.budgets, self.salt),
                (self.pool.raw, self.budgets, self.control_salt),
            )
        ]
        done = list[dict[str, Floats]]()
        for result in workers.map(lambda job: self.one(proxy, *job), jobs):
            done.append(result)
            progress(len(done), len(jobs))
        names = list(self.evaluations)
        return Trained(*({name: np.array([each[name] for each in done[at::3]]) for name in names} for at in range(3)))

    def one(self, proxy: Proxy, arm: Mask, budgets: Sequence[int], salt: str, number: int) -> dict[str, Floats]:
        """Train one proxy on one sample of an arm: bits by evaluation, budgets × documents."""
        rows = np.flatnonzero(arm[self.pieces.texts])
        tokens = drawn(self.pieces, rows, place(self._keys[rows], salt), budgets[-1])
        return proxy.losses(tokens, budgets, self.evaluations, number)
