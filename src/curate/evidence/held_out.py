"""Texts that proxies are scored on: independent clean text, held-out raw and held-out curated; none is trained on."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.errors import InputError
from curate.evidence.looked import Mask, place
from curate.evidence.pool import Pool
from curate.pipeline.planning.config import Config, load
from curate.store.digest import digest
from curate.text.search.grams import collection, find_grams, text_grams
from curate.training.examples import read_examples

HELD_OUT = 300
"""Documents of each arm; no more than a tenth of them."""
FEWEST = 10
"""Documents of an evaluation text."""
SHINGLE_WORDS = 13
MOST_SHARED = 0.2
"""Share of a document's shingles that may be in an arm."""
RAW, CURATED = "raw", "curated"
PUBLIC = "public domain"
"""Where the package's own texts are from."""


class HeldOut(NamedTuple):
    """One evaluation text."""

    name: str
    kind: str
    """``independent``, ``raw`` or ``curated``."""
    texts: tuple[str, ...]
    dropped: int = 0
    """Documents that were too much like some of an arm."""
    source: str = ""
    unread: int = 0
    """Records of it that could not be read."""

    @property
    def fingerprint(self) -> str:
        """Digest of its texts."""
        return digest(list(self.texts))


def bundled_languages() -> tuple[str, ...]:
    """Languages that the package carries clean text of.

    Example:
        >>> bundled_languages()
        ('en', 'fr')
    """
    return tuple(
        sorted(name for entry in _TEXTS.iterdir() if (name := entry.name.removesuffix(".jsonl")) != entry.name)
    )


def bundled(language: str) -> HeldOut:
    """The package's public-domain text in a language.

    Raises:
        InputError: there is none.
    """
    known = bundled_languages()
    if language not in known:
        raise InputError(
            f"the package carries no clean text in `{language}` to measure on, only in {', '.join(known)}",
            hint="name good text that the run never saw: --eval NAME=PATH",
        )
    rows = [json.loads(line) for line in (_TEXTS / f"{language}.jsonl").read_text("utf-8").split("\n") if line]
    return HeldOut(f"clean-{language}", "independent", tuple(row["text"] for row in rows), source=PUBLIC)


def own_text(name: str, path: str, config: Config) -> HeldOut:
    """A text that the user names, read as a run reads it.

    Args:
        name: what it is called in figures.
        path: folder, file or glob.
        config: its text field holds here, too.

    Raises:
        InputError: nothing there can be read, it has too few documents, or other texts have such a name.
    """
    if name in _HALVES or name.startswith(_RESERVED):
        raise InputError(
            f"`{name}` cannot be the name of `{path}`: curate uses that name itself", hint=f"--eval own-{name}={path}"
        )
    read = read_examples([path], load(flags={"input.text": config.input.text}, in_folder=False), seed=0, limit=HELD_OUT)
    if len(read.texts) < FEWEST:
        raise InputError(
            f"`{path}` has too few different documents to measure on: {len(read.texts)}, and {FEWEST} are needed",
            hint=f"name more text: --eval {name}=FOLDER",
        )
    texts = tuple(placed.text for placed in read.texts.values())
    return HeldOut(name, "independent", texts, source=path, unread=read.quarantined)


def split(pool: Pool, seed: int) -> tuple[Pool, list[HeldOut]]:
    """Documents set apart for scoring, whole clusters from both arms, and the pool without them."""
    order = np.argsort(place(pool.keys, f"held out {seed}"), kind="stable")
    found, keys = list[HeldOut](), list[np.uint64]()
    for name, arm in ((RAW, pool.raw), (CURATED, pool.curated)):
        inside = order[arm[order]]
        chosen = inside[: min(HELD_OUT, len(inside) // 10)]
        keys += pool.keys[chosen].tolist()
        found.append(HeldOut(f"held-out-{name}", name, tuple(pool.texts[row] for row in chosen)))
    return pool.without(np.isin(pool.keys, np.array(keys, np.uint64))), found


def decontaminated(evaluations: Sequence[HeldOut], pool: Pool) -> list[HeldOut]:
    """The evaluation texts without documents of whose 13-word shingles a fifth or more is in an arm.

    A shorter document has none; it is in an arm where a document there has the same words.
    """
    texts = [text for each in evaluations for text in each.texts]
    grams = [own for _, own in text_grams(pa.array(texts, pa.large_string()), SHINGLE_WORDS, SHINGLE_WORDS)]
    every = np.unique(np.concatenate([np.empty(0, np.uint64), *grams]))
    known = collection([SHINGLE_WORDS], every)
    seen = np.zeros(len(every), np.bool_)
    rows = np.flatnonzero(pool.raw | pool.curated)
    for start in range(0, len(rows), _BATCH):
        batch = pa.array([pool.texts[row] for row in rows[start : start + _BATCH]], pa.large_string())
        seen[find_grams(batch, known)[1].places] = True
    short = {_plain(text) for text, own in zip(texts, grams, strict=True) if not len(own)}
    there = short & {_plain(pool.texts[row]) for row in rows.tolist()} if short else short
    clean = [
        seen[np.searchsorted(every, own)].mean() < MOST_SHARED if len(own) else _plain(text) not in there
        for text, own in zip(texts, grams, strict=True)
    ]
    return _chosen(evaluations, np.array(clean, np.bool_))


def losses_of_text(evaluations: Sequence[HeldOut]) -> list[str]:
    """What of independent texts is not measured on, a sentence for each kind.

    Example:
        >>> losses_of_text([HeldOut("own", "independent", ("one", "two"), dropped=3, source="my/", unread=1)])
        ['1 record of own could not be read (curate check my/)', '3 of 5 documents of own are also in the corpus, and were not measured with']
    """  # noqa: E501
    found = []
    for each in evaluations:
        if each.unread:
            records = f"{each.unread:,} record{'s' if each.unread > 1 else ''}"
            found.append(f"{records} of {each.name} could not be read (curate check {each.source})")
        if each.dropped and each.kind == "independent":
            of = f"{each.dropped:,} of {each.dropped + len(each.texts):,} documents of {each.name}"
            found.append(f"{of} are also in the corpus, and were not measured with")
    return found


def _plain(text: str) -> str:
    """The words of a text, whatever white space is between them."""
    return " ".join(text.split())


def _chosen(evaluations: Sequence[HeldOut], clean: Mask) -> list[HeldOut]:
    found, start = [], 0
    for each in evaluations:
        mask = clean[start : start + len(each.texts)]
        start += len(each.texts)
        left = tuple(text for text, here in zip(each.texts, mask, strict=True) if here)
        found.append(each._replace(texts=left, dropped=each.dropped + len(mask) - len(left)))
    return found


_TEXTS = files("curate.evidence") / "texts"
_BATCH = 2000
_RESERVED = "clean-", "held-out-"
_HALVES = "choose", "confirm"
