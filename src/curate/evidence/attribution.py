"""What each stage or rule contributes: the kept text against what would be kept without it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from curate.evidence.arms import HEADLINE, Arms, Trained
from curate.evidence.looked import Mask, rules_of
from curate.evidence.multiplier import Curves, Floats, Interval
from curate.evidence.proxies.proxy import Proxy
from curate.store.manifest_entries import Manifest

STEPS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
"""Budgets of the text without a stage or rule, as parts of the largest curated one."""
LEAST_SHARE = 0.001
"""Share of the kept tokens: a rule that removes less cannot be distinguished from none."""
MOST = 40
"""Stages or rules measured, those that removed most."""


class Ablation(NamedTuple):
    """What would be kept without one stage or rule."""

    kind: str
    """``stage`` or ``rule``."""
    name: str
    """``stage``, ``stage.reason``, or ``stage.rule`` of one that edits."""
    arm: Mask
    documents: int
    """That come back."""
    edited: int
    """Documents kept either way, that have another text without it."""
    tokens: int
    """That come back, in the sample."""


class Contribution(NamedTuple):
    """What a stage or rule is worth, by evaluation text."""

    ablation: Ablation
    multipliers: dict[str, Interval]
    """Empty where too little comes back to be measured."""


def ablations(kinds: Sequence[str], arms: Arms, manifest: Manifest) -> list[Ablation]:
    """What can be switched off, in the order of the run: each with the documents that come back without it.

    Args:
        kinds: ``stage``, ``rule`` or both.
        arms: made of a pool that knows of removed documents what later stages say.
        manifest: ``run.json``.

    A document comes back without a stage that alone is against it, and without a rule that is the only reason. What a
    stage or rule cut out of documents comes back, too.
    """
    pool, found = arms.pool, list[Ablation]()
    for number, stage in enumerate(manifest.stage_names):
        if "stage" in kinds:
            added = pool.curated | (pool.spared & (pool.removed_by == number))
            found.append(_ablation("stage", stage, pool.ablated.get(("stage", stage), added), arms))
    for number, rule in enumerate(rules_of(manifest)):
        if "rule" in kinds:
            found.append(_ablation("rule", rule, pool.curated | (pool.spared & (pool.rules == number)), arms))
    found += [_ablation(kind, name, arm, arms) for (kind, name), arm in pool.ablated.items() if kind == "rule"]
    return [each for each in found if each.documents or each.edited]


def contributions(
    switched_off: Sequence[Ablation],
    arms: Arms,
    trained: Trained,
    proxy: Proxy,
    seeds: int,
    workers: ThreadPoolExecutor,
    progress: Callable[[int, int], None],
) -> list[Contribution]:
    """Train on the text without each stage or rule and compare with the kept text."""
    measured = sorted((each for each in switched_off if enough(each, arms)), key=lambda each: -each.tokens)[:MOST]
    budgets = [round(arms.largest * step) for step in STEPS]
    jobs = [(each, number) for each in measured for number in range(seeds)]

    def train(job: tuple[Ablation, int]) -> dict[str, Floats]:
        each, number = job
        return arms.one(proxy, each.arm, budgets, arms.salt(number), number)

    done = list[dict[str, Floats]]()
    for result in workers.map(train, jobs):
        done.append(result)
        progress(len(done), len(jobs))
    by_name = {}
    for at, each in enumerate(measured):
        own = done[at * seeds : (at + 1) * seeds]
        by_name[each.kind, each.name] = {
            name: Curves(
                budgets, arms.budgets, np.array([one[name] for one in own]), trained.curated[name], arms.sizes[name]
            ).multiplier(HEADLINE, arms.seed)
            for name in arms.evaluations
        }
    return [Contribution(each, by_name.get((each.kind, each.name), {})) for each in switched_off]


def enough(ablation: Ablation, arms: Arms) -> bool:
    """Whether enough comes back to be measured."""
    return ablation.tokens >= LEAST_SHARE * arms.tokens["curated"]


def _ablation(kind: str, name: str, arm: Mask, arms: Arms) -> Ablation:
    pool = arms.pool
    back, kept = pool.keys[arm & ~pool.curated], pool.keys[pool.curated]
    edited = np.isin(back, kept)
    tokens = arms.tokens_in(arm & ~pool.curated) - arms.tokens_in(pool.curated & ~arm)
    return Ablation(kind, name, arm, len(np.unique(back[~edited])), len(np.unique(back[edited])), max(0, tokens))
