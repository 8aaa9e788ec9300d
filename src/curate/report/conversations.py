"""What a run did to conversations: how many there are by prompt, what is learnt, what is like a benchmark's item."""

import msgspec
import polars as pl

from curate.report.judgments.judgments import Judgments
from curate.report.judgments.looking import REASONS
from curate.store.manifest_entries import Manifest

COLUMNS = (REASONS, "prompt", "turns")
"""Columns that are read of the stages, whichever has them."""


class Conversations(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations of a run.

    Attributes:
        read: conversations that the stage `chat` looked at.
        kept: of these, how many came through every stage.
        prompts: different prompts (all before the first answer) among the kept ones.
        compared: what near_dup compared: ``whole`` conversations or their ``prompt``; empty: nothing did.
        exact: removed because what was compared is the same as that of a kept one.
        near: removed because it is nearly the same, proven by Jaccard similarity.
        contaminated: removed because a turn overlaps with an item of a benchmark; None: nobody looked.
        tokens: of the shards, padding not among them.
        loss_tokens: of these, how many are learnt.
    """

    read: int
    kept: int
    prompts: int
    compared: str
    exact: int
    near: int
    contaminated: int | None
    tokens: int
    loss_tokens: int

    @property
    def repeated_prompts(self) -> int:
        """Kept conversations whose prompt another kept one has too, the first of each not among them."""
        return self.kept - self.prompts


def find_conversations(manifest: Manifest, judgments: Judgments) -> Conversations | None:
    """None where the stage `chat` did not run, or met no conversation."""
    if not judgments.has("chat.prompt"):
        return None
    chats, kept = pl.col("chat.turns").is_not_null(), judgments.kept()
    counted = judgments.frame.select(
        read=chats.sum(),
        kept=(chats & kept).sum(),
        prompts=pl.col("chat.prompt").filter(chats & kept).n_unique(),
    ).collect(engine="streaming")
    read, staying, prompts = counted.row(0)
    if not read:
        return None
    removed = manifest.counts.removed
    duplicates, shards = manifest.counts.reasons_of("near_dup"), manifest.shards
    return Conversations(
        read=read,
        kept=staying,
        prompts=prompts if staying else 0,
        compared=manifest.section("near_dup").get("conversation", "whole") if "near_dup" in removed else "",
        exact=duplicates.get("exact_duplicate", 0),
        near=duplicates.get("near_duplicate", 0),
        contaminated=removed["decontaminate"].documents if "decontaminate" in removed else None,
        tokens=shards.tokens - (shards.padding or 0) if shards else 0,
        loss_tokens=(shards.loss_tokens or 0) if shards else 0,
    )
