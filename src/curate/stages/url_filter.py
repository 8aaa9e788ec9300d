"""The stage ``url_filter``: documents whose address is on a block list, or holds banned words.

After RefinedWeb (Penedo et al. 2023, arXiv 2306.01116, appendix G.1): blocked domains and pages, words and parts of
words of which one is enough, and words of which it takes several. No list comes with it: each is named by its path.
"""

import functools
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from curate.errors import PlanError
from curate.settings.base import Limit, Mentions, Reason, Settings, Unused
from curate.stages.contract import Stage, reasons_where
from curate.stages.named_files import content_digest, entries_of, named_files

_LISTS = ("domains", "urls", "words", "subwords", "soft_words")


class UrlFilterSettings(Settings, frozen=True):
    """Which addresses are removed."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"max_soft_words", "keep_without_url"})

    domains: tuple[str, ...] = ()
    """Lists of domains, one on a line, or in the format of a hosts file; a domain stands for all below it."""
    urls: tuple[str, ...] = ()
    """Lists of addresses; each stands for that page, with or without ``http://``, ``www.`` and a ``/`` at the end."""
    words: tuple[str, ...] = ()
    """Lists of words: one of them, as a whole word of the address, is enough."""
    subwords: tuple[str, ...] = ()
    """Lists of parts: one of them anywhere in the address, without its punctuation, is enough."""
    soft_words: tuple[str, ...] = ()
    """Lists of words of which it takes more than ``max_soft_words``."""
    max_soft_words: int = 1
    """Most different soft words that an address may hold."""
    url_field: str = ""
    """Field of the document with its address, dots for nested ones; "" takes ``url``, else ``metadata.url``."""
    keep_without_url: bool = True
    """Whether documents without an address stay."""

    def __post_init__(self) -> None:
        if self.max_soft_words < 0:
            raise ValueError(f"`url_filter.max_soft_words` must be 0 or more, but is {self.max_soft_words}")

    def lacking(self) -> str:
        """A list."""
        return "" if any(getattr(self, key) for key in _LISTS) else "`url_filter` has no list"

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """The number of soft words if there are none."""
        if not self.soft_words:
            yield Unused("max_soft_words", "`url_filter.soft_words` names no list", 'url_filter.soft_words = ["PATH"]')

    def mentions(self) -> Iterator[Mentions]:
        """An address in some document, and what is on the lists in some address."""
        hint = "url_filter.url_field names the field with the address, dots for nested ones"
        yield Mentions("", measure="host", lacking="an address", hint=hint)
        found = {
            "domains": "blocked_domain",
            "urls": "blocked_url",
            "words": "banned_word",
            "soft_words": "soft_words",
        }
        for key, measure in found.items():
            if getattr(self, key):
                yield Mentions(key, measure=measure, lacking="an address with an entry of the lists")

    def limits(self) -> tuple[Limit, ...]:
        """The most soft words, where there are any."""
        most = Limit("max_soft_words", "soft_words", "max", self.max_soft_words, "too_many_soft_words")
        return (most,) if self.soft_words else ()


class UrlFilter(Stage):
    """Leave out documents by their address; the text is not looked at.

    Example:
        >>> metadata = pa.array(['{"url": "https://WWW.shop.example:443/a"}', None], pa.large_string())
        >>> stage = UrlFilter(UrlFilterSettings(keep_without_url=False))
        >>> measures = stage.measure(pa.record_batch({"metadata": metadata}))
        >>> measures["host"].to_pylist(), stage.judge(measures).to_pylist()
        (['www.shop.example', None], [[], ['no_url']])
    """

    name: ClassVar[str] = "url_filter"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("metadata",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "host": pa.string(),
        "blocked_domain": pa.string(),
        "blocked_url": pa.bool_(),
        "banned_word": pa.string(),
        "soft_words": pa.int32(),
    }
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("blocked_domain", "Its domain, or one above it, is on a block list."),
        Reason("blocked_url", "Its address is on a block list."),
        Reason("banned_word", "Its address holds a banned word."),
        Reason("too_many_soft_words", "Its address holds several words that are suspicious together."),
        Reason("no_url", "It has no address."),
    )
    about: ClassVar[str] = "Removes documents whose address is on a block list or holds banned words."
    settings_type: ClassVar[type[Settings]] = UrlFilterSettings
    settings: UrlFilterSettings

    def __init__(self, settings: UrlFilterSettings) -> None:
        self.settings = settings

    @functools.cached_property
    def fingerprint(self) -> str:
        """The content of the lists."""
        return " ".join(f"{key} {content_digest(self._files(key))}" for key in _LISTS)

    def warnings(self) -> list[str]:
        """Entries that can match nothing.

        Raises:
            PlanError: no list is named, or one cannot be used.
        """
        if missing := self.settings.lacking():
            raise PlanError(missing, hint='url_filter.domains = ["blocked/domains.txt"]')
        words = self._lists.words | self._lists.soft_words
        dead = sorted(entry for entry in words if not _WORD.fullmatch(entry))
        return (
            [f"{len(dead):,} banned words are not single words and match nothing, such as `{dead[0]}`"] if dead else []
        )

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Host of each document, the list's domain that covers it, and what else in its address is on a list."""
        urls = _urls(batch["metadata"], self.settings.url_field)
        known = {url: self._looked_up(url) for url in set(urls)}
        columns = [pa.array([known[url][place] for url in urls], kind) for place, kind in enumerate(self.adds.values())]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Every reason that the address gives."""
        soft = measures["soft_words"].to_numpy(zero_copy_only=False)
        rules = {
            "blocked_domain": _is_there(measures["blocked_domain"]),
            "blocked_url": measures["blocked_url"].to_numpy(zero_copy_only=False),
            "banned_word": _is_there(measures["banned_word"]),
            "too_many_soft_words": soft > self.settings.max_soft_words,
            "no_url": ~_is_there(measures["host"]) & (not self.settings.keep_without_url),
        }
        return reasons_where(rules, len(measures))

    def _looked_up(self, url: str | None) -> "_Address":
        address = parsed(url or "")
        if address is None:
            return _Address(None, None, blocked_url=False, banned_word=None, soft_words=0)
        host, page = address
        lists, words = self._lists, set(_WORD.findall(page))
        joined = "".join(_WORD.findall(page))
        banned = sorted(words & lists.words) or [part for part in lists.subwords if part in joined]
        return _Address(
            host,
            next((domain for domain in _with_parents(host) if domain in lists.domains), None),
            blocked_url=page in lists.urls,
            banned_word=banned[0] if banned else None,
            soft_words=len(words & lists.soft_words),
        )

    @functools.cached_property
    def _lists(self) -> "_Lists":
        return _Lists(
            Hashed(_domain(line) for line in self._entries("domains")),
            Hashed(page for entry in self._entries("urls") if (page := (parsed(entry) or ("", ""))[1])),
            frozenset(map(str.lower, self._entries("words"))),
            tuple(dict.fromkeys("".join(_WORD.findall(entry.lower())) for entry in self._entries("subwords"))),
            frozenset(map(str.lower, self._entries("soft_words"))),
        )

    def _files(self, key: str) -> list[Path]:
        return named_files(f"url_filter.{key}", getattr(self.settings, key))

    def _entries(self, key: str) -> Iterator[str]:
        for path in self._files(key):
            yield from (entry for _, entry in entries_of(f"url_filter.{key}", path))


class Hashed:
    """A set of texts in 8 bytes each, for lists of millions.

    Two texts share a 64-bit hash with probability 2⁻⁶⁴: a list of ten million takes one in 10¹² others for its own.

    Example:
        >>> "a.example" in Hashed(["a.example"]), "b.example" in Hashed(["a.example"])
        (True, False)
    """

    def __init__(self, texts: Iterable[str]) -> None:
        hashes = np.unique(np.fromiter(map(_hash, texts), np.uint64))
        self._hashes = array("Q", hashes.tobytes())  # bisected faster than NumPy looks one value up

    def __contains__(self, text: str) -> bool:
        hashed = _hash(text)
        place = bisect_left(self._hashes, hashed)
        return place < len(self._hashes) and self._hashes[place] == hashed


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


class _Lists(NamedTuple):
    domains: Hashed
    urls: Hashed
    words: frozenset[str]
    subwords: tuple[str, ...]
    soft_words: frozenset[str]


class _Address(NamedTuple):
    """The measures of one address."""

    host: str | None
    blocked_domain: str | None
    blocked_url: bool
    banned_word: str | None
    soft_words: int


_WORD = re.compile(r"[^\W_]+")


def parsed(url: str) -> tuple[str, str] | None:
    """Host and page of an address, in lower case, as they are compared; None when it has no host.

    The page has no scheme, user, ``www.``, port, fragment or last slash. International names are written as in DNS.

    Example:
        >>> parsed("HTTP://ann@www.Bücher.example:80/A/?q=1#top")
        ('www.xn--bcher-kva.example', 'xn--bcher-kva.example/a?q=1')
        >>> parsed("mailto:ann@mail.example") is None
        True
    """
    text = url.strip().lower()
    if not _SCHEME.match(text):
        text = f"//{text.removeprefix('//')}"
    try:
        parts = urlsplit(text)
        host = _in_dns(parts.hostname or "")
    except ValueError:
        return None
    if "." not in host:
        return None
    query = f"?{parts.query}" if parts.query else ""
    return host, f"{host.removeprefix('www.')}{parts.path.rstrip('/')}{query}"


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|(?:mailto|data|file|urn|javascript|tel):")


def _in_dns(host: str) -> str:
    """A host as it is written in DNS.

    Raises:
        ValueError: it cannot be.
    """
    return (host if host.isascii() else host.encode("idna").decode()).strip(".")


def _domain(line: str) -> str:
    """The domain on a line: by itself, as ``*.domain`` or ``||domain^``, or behind an address as in hosts files."""
    fields = line.partition("#")[0].split()
    name = fields[1] if len(fields) > 1 and _is_address(fields[0]) else fields[0]
    name = name.lower().lstrip("*|.").rstrip("^./")
    try:
        return _in_dns(name)
    except ValueError:  # no host can have this name
        return name


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r"[\d.]{7,15}|[\da-f:]*::[\da-f:%lo]*", text.lower()))


def _with_parents(host: str) -> Iterator[str]:
    """``a.b.c``, ``b.c``; hosts that are numbers have no parents."""
    yield host
    labels = host.split(".")
    if not labels[-1].isdigit():
        yield from (".".join(labels[place:]) for place in range(1, len(labels) - 1))


def _urls(metadata: pa.Array, field: str) -> list[str | None]:
    """The address of each document out of its metadata (JSON objects)."""
    import polars as pl

    objects = pl.Series("metadata", metadata, dtype=pl.String)
    paths = [field] if field else ["url", "metadata.url"]
    found = [objects.str.json_path_match("$" + "".join(f"['{name}']" for name in path.split("."))) for path in paths]
    return pl.select(pl.coalesce(found)).to_series().to_list()


def _is_there(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)
