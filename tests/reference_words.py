"""How spaCy cuts words, written for reading: what the kernel is tested against. Slow.

The rules are those of ``word_rules.toml``, each compiled by ``re``: what is tested are automata and the kernel, not the
rules; what spaCy makes of real text is recorded in ``tests/cases/datatrove.jsonl``.
"""

import functools
import re
import tomllib
from importlib.resources import files
from itertools import pairwise

from curate.text.quality.words import word_rules

WRITTEN = tomllib.loads(files("curate.text.quality.words").joinpath("word_rules.toml").read_text("utf-8"))


def cut(text, language):
    """The words of a text."""
    return [word for chunk in text.split() for word in join(chunk_words(chunk, language), language)]


def chunk_words(chunk, language):
    singles = words(language)
    before, behind = [], []
    length = None
    while chunk and len(chunk) != length:
        if (len(chunk) <= 256 and matches(rules(language, "whole"), chunk)) or chunk in singles:
            break
        length = len(chunk)
        prefix = first(rules(language, "prefixes"), chunk, 0) or 0
        if prefix and chunk[prefix:] in singles:
            before.append(chunk[:prefix])
            chunk = chunk[prefix:]
            break
        suffix = last(rules(language, "suffixes"), chunk[prefix:])
        if suffix and chunk[:-suffix] in singles:
            behind.append(chunk[-suffix:])
            chunk = chunk[:-suffix]
            break
        if prefix:
            before.append(chunk[:prefix])
        if suffix:
            behind.append(chunk[-suffix:])
        chunk = chunk[prefix : len(chunk) - suffix]
    return before + inside(chunk, language) + behind[::-1]


def inside(chunk, language):
    if not chunk:
        return []
    if chunk in words(language):
        return words(language)[chunk]
    kept = len(chunk) <= 256 and matches(rules(language, "whole"), chunk)
    if kept or matches(rules("xx", "whole"), chunk):
        return [chunk]
    cuts, at = {0, len(chunk)}, 0
    while at < len(chunk):
        length = first(rules(language, "infixes"), chunk, at)
        if length is not None and at:
            cuts |= {at, at + length}
        at += max(length or 0, 1)
    places = sorted(cuts)
    return [chunk[a:b] for a, b in pairwise(places)]


def join(parts, language):
    """Single words out of parts that the rules have cut: the most parts first."""
    whole = "".join(parts)
    begins = [len("".join(parts[:i])) for i in range(len(parts) + 1)]
    taken, cuts = set(), set(begins)
    for size in range(min(len(parts), 32), 1, -1):
        for i in range(len(parts) - size + 1):
            word = whole[begins[i] : begins[i + size]]
            if word in words(language) and joins(word) and not {i, i + size - 1} & taken:
                taken.update(range(i, i + size))
                cuts -= set(begins[i + 1 : i + size])
                lengths = [len(part) for part in words(language)[word]]
                cuts |= {begins[i] + sum(lengths[:k]) for k in range(len(lengths))}
    places = sorted(cuts)
    return [whole[a:b] for a, b in pairwise(places)]


def joins(word):
    return any(not c.isalnum() and c not in "'’" for c in word) or word[0] in "'’" or word[-1] in "'’"


def first(patterns, chunk, at):
    """Length of the longest match from a place; None for none."""
    found = [match.end() - at for pattern in patterns if (match := pattern.match(chunk, at))]
    return max(found, default=None)


def last(patterns, chunk):
    """Length of the longest match at the end."""
    for length in range(len(chunk), 0, -1):
        if any(pattern.fullmatch(chunk, len(chunk) - length) for pattern in patterns):
            return length
    return 0


def matches(patterns, chunk):
    return any(pattern.fullmatch(chunk) for pattern in patterns)


@functools.cache
def words(language):
    cut = {}
    for word in word_rules._words(WRITTEN, WRITTEN["same"].get(language, language)):
        cut.setdefault(word.replace(" ", ""), []).append(word.split(" "))
    return {word: ways[-1] for word, ways in cut.items()}


@functools.cache
def rules(language, kind):
    own = WRITTEN[WRITTEN["same"].get(language, language)]
    items = own.get(kind, [] if kind == "whole" else WRITTEN["xx"][kind])
    if kind == "whole" and language != "xx":
        items = own.get("whole", [])
    return [re.compile(written(pattern)) for pattern in word_rules._spelt(WRITTEN, items)]


@functools.cache
def sets():
    return {**word_rules._sets(), **WRITTEN["sets"]}


def written(pattern):
    """A pattern in the words of ``re``."""
    done, at, bracket = [], 0, False
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\":
            done.append(re.escape(pattern[at + 1]))
            at += 2
            continue
        if sign == "{":
            end = pattern.index("}", at)
            members = members_of(pattern[at + 1 : end])
            done.append(members if bracket else f"[{members}]")
            at = end + 1
            continue
        if bracket:
            bracket = sign != "]"
            done.append(sign if sign in "]-^" else re.escape(sign))
        else:
            bracket = sign == "["
            done.append(sign if sign in "[]()|?*+" else re.escape(sign) if sign not in "<=!:i" else sign)
        at += 1
    return "".join(done)


@functools.cache
def members_of(name):
    body = written("[" + sets()[name] + "]")
    return body[1:-1]
