"""The documents that the arms are drawn from: a sample of a finished run, whole duplicate clusters at a time.

The raw arm holds one copy of each duplicate cluster, whatever else the run said of it, as `normalize` left it; the
curated arm what the run kept, with its edits. A row that an earlier stage removed before `near_dup` saw it is
compared with the others like it here. So both arms are deduplicated, and the difference between them is what the
filters did.

Which clusters are in the sample follows from their hash alone. Of a large corpus some parts are read, and memory is
bounded by `RAW_BYTES` and `CURATED_BYTES`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from curate.evidence.entries import Entry, Reader
from curate.evidence.looked import Keys, Looked, Mask, Numbers, editors, look, rules_of
from curate.evidence.scratch import EditAblation, Later
from curate.store.digest import digest
from curate.store.manifest_entries import Manifest
from curate.store.run_directory import RunDirectory
from curate.text.dedup.bands import choose_banding
from curate.text.dedup.minhash import band_keys, permutations, signatures

CURATED_BYTES = 24_000_000
RAW_BYTES = 48_000_000
LOOKED_AT_BYTES = 3_000_000_000
"""Of the corpus: of a larger one those parts are looked at that have the smallest hashes of their names."""

_SHINGLE_WORDS = 5
_SIMILARITY = 0.8


class Totals(NamedTuple):
    """An arm before sampling, as far as the run was looked at."""

    documents: int
    bytes: int


class Pool(NamedTuple):
    """Documents of both arms; one that the run edited is there twice, raw and curated, under one key.

    So is one that the run without an edit rule would keep with another text.
    """

    texts: list[str]
    keys: Keys
    raw: Mask
    curated: Mask
    removed_by: Numbers
    """Number of the stage that removed the document; -1: none."""
    rules: Numbers
    """See `Looked.rules`."""
    spared: Mask
    """Documents that were removed, and that all stages but the one that removed them would keep."""
    share: Mapping[str, float]
    """Of the clusters of an arm, how many are here."""
    totals: Mapping[str, Totals]
    parts: int
    """Parts looked at."""
    ablated: Mapping[tuple[str, str], Mask] = {}
    """``stage`` or ``rule`` and its name → the texts that would be kept without it, where it edits some."""

    def without(self, out: Mask) -> "Pool":
        """The pool without some documents."""
        stays = ~out
        texts = [text for text, here in zip(self.texts, stays, strict=True) if here]
        return self._replace(
            texts=texts,
            keys=self.keys[stays],
            raw=self.raw[stays],
            curated=self.curated[stays],
            removed_by=self.removed_by[stays],
            rules=self.rules[stays],
            spared=self.spared[stays],
            ablated={name: mask[stays] for name, mask in self.ablated.items()},
        )


Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def read_pool(
    directory: RunDirectory,
    manifest: Manifest,
    seed: int,
    later: Later | None = None,
    spread: Spread = map,
    say: Callable[[str], None] | None = None,
) -> Pool:
    """A sample of a finished run.

    Args:
        directory: of the run.
        manifest: its ``run.json``.
        seed: of the choice.
        later: where given, removed documents are looked at by the stages that did not see them (`Pool.spared`).
        spread: reads several parts at a time.
        say: hears before it how long ``later`` will take.
    """
    stages, rules = manifest.stage_names, rules_of(manifest)
    looked = list(spread(lambda part: look(directory, stages, part, rules), _chosen(manifest, seed)))
    totals = {"raw": _total(looked, [part.raw for part in looked])}
    totals["curated"] = _total(looked, [part.kept for part in looked])
    shares = {name: min(1.0, most / max(1, totals[name].bytes)) for name, most in _MOST.items()}
    shares["curated"] = min(shares.values())  # a kept document is in both arms, or what it teaches is taken for a gain
    if later:  # what is put back must be as dense in the sample as what was kept
        shares = dict.fromkeys(shares, min(shares.values()))
    reader = Reader(directory, stages, editors(directory, stages), shares, later, seed)
    if later:
        reader.ablations = later.ablations(reader.edited(looked))
        if say:
            sizes = [part.sizes * part.raw * shares["raw"] for part in looked]
            firsts = [part.first for part in looked]
            seconds = later.seconds(np.concatenate(sizes), np.concatenate(firsts), reader.ablations, manifest.timings)
            say(
                "stages look at documents that they did not see, or saw with other text, in the sample alone:"
                f" {math.ceil(seconds)} s at most"
            )
    read = list(spread(lambda part: list(reader.entries(part)), looked))
    return _pool([entry for part in read for entry in part], totals, shares, len(looked), reader.ablations)


def _chosen(manifest: Manifest, seed: int) -> list[int]:
    """Numbers of the parts that are looked at, ascending."""
    parts, chosen, left = manifest.parts, list[int](), LOOKED_AT_BYTES
    for part in sorted(range(len(parts)), key=lambda part: digest(seed, parts[part].name)):
        if left <= 0:
            break
        chosen.append(part)
        left -= parts[part].raw_bytes
    return sorted(chosen)


def _total(looked: Sequence[Looked], arm: Sequence[Mask]) -> Totals:
    documents = sum(int(np.count_nonzero(mask)) for mask in arm)
    return Totals(documents, sum(int(part.sizes[mask].sum()) for part, mask in zip(looked, arm, strict=True)))


_MOST = {"raw": RAW_BYTES, "curated": CURATED_BYTES}


def _pool(
    entries: Sequence[Entry],
    totals: Mapping[str, Totals],
    shares: Mapping[str, float],
    parts: int,
    ablations: Sequence[EditAblation],
) -> Pool:
    texts = [entry.text for entry in entries]
    unseen, raw, curated, spared = (
        np.array([getattr(entry, name) for entry in entries], np.bool_)
        for name in ("unseen", "raw", "curated", "spared")
    )
    keys = np.array([entry.key for entry in entries], np.uint64)
    pool = Pool(
        texts,
        keys,
        raw,
        curated,
        np.array([entry.first for entry in entries], np.int64),
        np.array([entry.rule for entry in entries], np.int64),
        spared,
        shares,
        totals,
        parts,
        {
            (each.kind, each.name): np.array([entry.without >> number & 1 for entry in entries], np.bool_)
            for number, each in enumerate(ablations)
        },
    )
    # An edited document is there twice; its raw and its edited text are compared among themselves.
    again = _repeated(texts, unseen & raw) | _repeated(texts, unseen & spared & ~raw)
    others = unseen & ~(raw | curated | spared)
    return pool.without((again & ~curated) | (others & np.isin(keys, keys[again & raw])))


def _repeated(texts: Sequence[str], among: Mask) -> Mask:
    """Which texts nearly repeat an earlier one, by agreement in a band of their MinHash signatures."""
    rows = np.flatnonzero(among)
    repeated = np.zeros(len(texts), np.bool_)
    if len(rows) > 1:
        banding = choose_banding(_SIMILARITY, permutations=112, recall=0.99)
        permuted = permutations(banding.bands * banding.rows, 1)
        sketches = signatures(
            pa.array([texts[row] for row in rows.tolist()], pa.large_string()), _SHINGLE_WORDS, permuted
        )
        for keys in band_keys(sketches.signatures, banding.bands, banding.rows):
            _, firsts, which = np.unique(keys, return_index=True, return_inverse=True)
            repeated[rows] |= firsts[which] != np.arange(len(rows))
    return repeated
