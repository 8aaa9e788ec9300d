"""What a run did to conversations: how many there are by prompt, what is learnt, what is like a benchmark's item."""

from collections.abc import Iterator
from functools import partial

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from curate.report.judgments.judgments import Judgments
from curate.report.judgments.looking import REASONS
from curate.stages.contract import addressed
from curate.store.manifest_entries import Judged, Shards

COLUMNS = (REASONS, "prompt", "turns")
"""Columns that are read of the stages, whichever has them."""
_PROMPTS = pa.schema({"prompt": pa.uint64()})


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


def find_conversations(manifest: Judged, judgments: Judgments) -> Conversations | None:
    """All but tokens; None where the stage `chat` did not run, or met no conversation."""
    if not judgments.has("chat.prompt"):
        return None
    chats = pl.col("chat.turns").is_not_null()
    counted = list(judgments.answers(chats.sum().alias("read"), (chats & judgments.kept()).sum().alias("kept")))
    read, staying = (sum(int(one[name][0]) for one in counted) for name in ("read", "kept"))
    if not read:
        return None
    removed, duplicates = manifest.counts.removed, manifest.counts.reasons_of("near_dup")
    return Conversations(
        read=read,
        kept=staying,
        prompts=sum(one["prompts"][0].as_py() for one in judgments.sent(partial(_send, judgments), _receive, _PROMPTS)),
        compared=manifest.section("near_dup").get("conversation", "whole") if "near_dup" in removed else "",
        exact=duplicates.get("exact_duplicate", 0),
        near=duplicates.get("near_duplicate", 0),
        contaminated=removed["decontaminate"].documents if "decontaminate" in removed else None,
        tokens=0,
        loss_tokens=0,
    )


def with_tokens(found: Conversations | None, shards: Shards | None) -> Conversations | None:
    """The same, with the tokens of shards that are written by now."""
    if not found or not shards:
        return found
    tokens = shards.tokens - (shards.padding or 0)
    return msgspec.structs.replace(found, tokens=tokens, loss_tokens=shards.loss_tokens or 0)


def _send(judgments: Judgments, part: int) -> Iterator[pa.RecordBatch]:
    """Different prompts of kept conversations, to where the same ones of other parts go."""
    kept = pl.col("chat.turns").is_not_null() & judgments.kept()
    asked = judgments.part(part, {"chat", judgments.stages[-1]}).filter(kept).select(pl.col("chat.prompt").unique())
    prompts = asked.collect().to_series().to_numpy()
    yield addressed(prompts % np.uint64(len(judgments.files)), prompt=prompts)


def _receive(_part: int, rows: pa.Table) -> pa.Table:
    return pa.table({"prompts": [len(rows.column("prompt").unique())]})
