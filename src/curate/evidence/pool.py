"""The documents that the arms are drawn from: a sample of a finished run, whole duplicate clusters at a time.

The raw arm holds one copy of each duplicate cluster, whatever else the run said of it, as `normalize` left it; the
curated arm what the run kept, with its edits. A row that an earlier stage removed before `near_dup` saw it is
compared with the others like it here. So both arms are deduplicated, and the difference between them is what the
filters did.

Which clusters are in the sample follows from their hash alone. Of a large corpus some parts are read, and memory is
bounded by `RAW_BYTES` and `CURATED_BYTES`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.evidence.scratch import Later
from curate.store.digest import digest
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.edits import edited
from curate.text.core.hashes import mixed
from curate.text.dedup.bands import choose_banding
from curate.text.dedup.minhash import band_keys, permutations, signatures

CURATED_BYTES = 24_000_000
RAW_BYTES = 48_000_000
LOOKED_AT_BYTES = 3_000_000_000
"""Of the corpus: of a larger one those parts are looked at that have the smallest hashes of their names."""

DUPLICATES = "near_dup"
"""The stage whose clusters are sampled whole."""
_SHINGLE_WORDS = 5
_SIMILARITY = 0.8
_TO_ONE = 2.0**-64

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


class Looked(NamedTuple):
    """What the judgments say of one part, row for row."""

    part: int
    keys: Keys
    """Which duplicate cluster; unequal for unrelated documents."""
    raw: Mask
    kept: Mask
    unseen: Mask
    """Not compared with others by the run."""
    first: Numbers
    """Number of the stage that removed it; -1: none."""
    rules: Numbers
    """The reason, as a place in `curate.evidence.pool.rules_of`, where that stage gave only one; else -1."""
    sizes: Numbers
    """Bytes of the text as it was read."""


class Totals(NamedTuple):
    """An arm before sampling, as far as the run was looked at."""

    documents: int
    bytes: int


class Pool(NamedTuple):
    """Documents of both arms; one that the run edited is there twice, raw and curated, under one key."""

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
        )


Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def rules_of(manifest: Mapping[str, Any]) -> list[str]:
    """Every reason that the stages of a run can give, as ``stage.reason``."""
    return [f"{stage['name']}.{reason['code']}" for stage in manifest["stages"] for reason in stage["reasons"]]


def read_pool(
    directory: RunDirectory, manifest: Mapping[str, Any], seed: int, later: Later | None = None, spread: Spread = map
) -> Pool:
    """A sample of a finished run.

    Args:
        directory: of the run.
        manifest: its ``run.json``.
        seed: of the choice.
        later: where given, removed documents are looked at by the stages that did not see them (`Pool.spared`).
        spread: reads several parts at a time.
    """
    stages, rules = [stage["name"] for stage in manifest["stages"]], rules_of(manifest)
    looked = list(spread(lambda part: look(directory, stages, part, rules), _chosen(manifest, seed)))
    totals = {"raw": _total(looked, [part.raw for part in looked])}
    totals["curated"] = _total(looked, [part.kept for part in looked])
    shares = {name: min(1.0, most / max(1, totals[name].bytes)) for name, most in _MOST.items()}
    shares["curated"] = min(shares.values())  # a kept document is in both arms, or what it teaches is taken for a gain
    if later:  # what is put back must be as dense in the sample as what was kept
        shares = dict.fromkeys(shares, min(shares.values()))
    edits = [stage["name"] for stage in manifest["stages"] if _has_edits(directory, stage["name"])]
    reader = _Reader(directory, shares, edits, later, seed)
    read = list(spread(lambda part: list(reader.entries(part)), looked))
    return _pool([entry for part in read for entry in part], totals, shares, len(looked))


def look(directory: RunDirectory, stages: Sequence[str], part: int, rules: Sequence[str] = ()) -> Looked:
    """What the judgments say of a part; ``rules`` are those of `rules_of`."""
    sizes = read_columns(directory.checked(DOCUMENTS, part, ["raw_bytes"]), ["raw_bytes"])
    rows, place_of = len(sizes), {name: number for number, name in enumerate(rules)}
    own = (np.uint64(part) << np.uint64(40)) | np.arange(rows, dtype=np.uint64)
    keys, first, kept = own, np.full(rows, -1, np.int64), np.ones(rows, np.bool_)
    copy, unseen = np.zeros(rows, np.bool_), np.ones(rows, np.bool_)
    single = np.full(rows, -1, np.int64)
    for number, stage in enumerate(stages):
        columns = ["reasons", *(["survivor_at", "survivor_run"] if stage == DUPLICATES else [])]
        judged = read_columns(directory.checked(stage, part, columns), columns)
        given = pc.list_value_length(judged.column("reasons"))
        known = given.is_valid().to_numpy()
        some = known & (pc.fill_null(given, 0).to_numpy() > 0)
        newly = some & (first < 0)
        first[newly] = number
        alone = np.flatnonzero(newly & (pc.fill_null(given, 0).to_numpy() == 1))
        codes = pc.list_flatten(judged.column("reasons").take(pa.array(alone))).to_pylist()
        single[alone] = [place_of.get(f"{stage}.{code}", -1) for code in codes]
        kept &= known & ~some
        if stage == DUPLICATES:
            copy, unseen = some, ~known
            keys = _clusters(own, judged)
    return Looked(part, mixed(keys), ~copy, kept, unseen, first, single, sizes.column("raw_bytes").to_numpy())


def place(keys: Keys, salt: str) -> Keys:
    """Where documents stand in a random order that depends on their cluster and the salt alone."""
    return np.asarray(mixed(keys ^ np.uint64(int(digest(salt)[:16], 16))))


def _chosen(manifest: Mapping[str, Any], seed: int) -> list[int]:
    """Numbers of the parts that are looked at, ascending."""
    parts, chosen, left = manifest["parts"], list[int](), LOOKED_AT_BYTES
    for part in sorted(range(len(parts)), key=lambda part: digest(seed, parts[part]["name"])):
        if left <= 0:
            break
        chosen.append(part)
        left -= parts[part]["raw_bytes"]
    return sorted(chosen)


def _total(looked: Sequence[Looked], arm: Sequence[Mask]) -> Totals:
    documents = sum(int(np.count_nonzero(mask)) for mask in arm)
    return Totals(documents, sum(int(part.sizes[mask].sum()) for part, mask in zip(looked, arm, strict=True)))


_MOST = {"raw": RAW_BYTES, "curated": CURATED_BYTES}


class _Entry(NamedTuple):
    text: str
    key: int
    raw: bool
    curated: bool
    spared: bool
    unseen: bool
    first: int
    rule: int


def _clusters(own: Keys, judged: pa.Table) -> Keys:
    """The row of the survivor, for copies of one in this run; else the row itself."""
    survivor = judged.column("survivor_at").combine_chunks()
    inside = survivor.is_valid().to_numpy(zero_copy_only=False)
    inside &= judged.column("survivor_run").is_null().to_numpy()
    part, row = (pc.fill_null(pc.struct_field(survivor, name), 0).to_numpy() for name in ("part", "row"))
    theirs = (part.astype(np.uint64) << np.uint64(40)) | row.astype(np.uint64)
    return np.where(inside, theirs, own)


def _has_edits(directory: RunDirectory, stage: str) -> bool:
    return bool(directory.names) and "edits" in pq.read_schema(parquet_source(directory.part(stage, 0))).names


class _Reader:
    """Reads the sampled documents of a part."""

    def __init__(
        self,
        directory: RunDirectory,
        shares: Mapping[str, float],
        edits: Sequence[str],
        later: Later | None,
        seed: int,
    ) -> None:
        self.directory, self.shares, self.edits, self.later, self.seed = directory, shares, edits, later, seed

    def entries(self, looked: Looked) -> Iterator[_Entry]:
        at = place(looked.keys, f"pool {self.seed}") * _TO_ONE
        raw, curated = looked.raw & (at < self.shares["raw"]), looked.kept & (at < self.shares["curated"])
        wanted, part = raw | curated, looked.part
        if not wanted.any():
            return
        checked = self.directory.checked
        changes = [read_columns(checked(stage, part, ["edits"]), ["edits"]).column(0) for stage in self.edits]
        with pq.ParquetFile(parquet_source(checked(DOCUMENTS, part, ["text"]))) as file:
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                rows = start + np.flatnonzero(wanted[start:end])
                if len(rows):
                    column = file.read_row_group(group, columns=["text"], use_threads=False).column("text")
                    texts = after = column.combine_chunks().take(pa.array(rows - start))
                    for change in changes:
                        after = edited(after, change.take(pa.array(rows)).combine_chunks())
                    now, spared = after.to_pylist(), np.zeros(len(rows), np.bool_)
                    if self.later:
                        self._spare(looked, group, start, rows, after, now, spared)
                    for before, text, row, again in zip(texts.to_pylist(), now, rows.tolist(), spared, strict=True):
                        yield from _entries(looked, row, before, text, bool(raw[row]), bool(curated[row]), bool(again))
                start = end

    def _spare(
        self, looked: Looked, group: int, start: int, rows: Numbers, after: pa.Array, now: list[str], spared: Mask
    ) -> None:
        """Note of removed documents whether the stages behind would keep them, and with which edits."""
        assert self.later
        first = looked.first[rows]
        for stage in np.unique(first[(first >= 0) & looked.raw[rows]]).tolist():
            inside = np.flatnonzero((first == stage) & looked.raw[rows])
            found = self.later.settle(
                self.directory, looked.part, group, start, rows[inside], after.take(pa.array(inside)), stage
            )
            spared[inside] = found.kept
            for place, text in zip(inside.tolist(), found.texts.to_pylist(), strict=True):
                now[place] = text


def _entries(
    looked: Looked, row: int, before: str, now: str, raw: bool, curated: bool, spared: bool
) -> Iterator[_Entry]:
    about = (bool(looked.unseen[row]), int(looked.first[row]), int(looked.rules[row]))
    key, same, used = int(looked.keys[row]), before == now, curated or spared
    if raw or (used and same):
        yield _Entry(before, key, raw, curated and same, spared and same, *about)
    if used and not same:
        yield _Entry(now, key, False, curated, spared, *about)


def _pool(entries: Sequence[_Entry], totals: Mapping[str, Totals], shares: Mapping[str, float], parts: int) -> Pool:
    texts = [entry.text for entry in entries]
    unseen, raw, curated, spared = (
        np.array([getattr(entry, name) for entry in entries], np.bool_)
        for name in ("unseen", "raw", "curated", "spared")
    )
    pool = Pool(
        texts,
        np.array([entry.key for entry in entries], np.uint64),
        raw,
        curated,
        np.array([entry.first for entry in entries], np.int64),
        np.array([entry.rule for entry in entries], np.int64),
        spared,
        shares,
        totals,
        parts,
    )
    # An edited document is there twice; its raw and its edited text are compared among themselves.
    again = _repeated(texts, unseen & raw) | _repeated(texts, unseen & spared & ~raw)
    return pool.without(again & ~curated)


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
