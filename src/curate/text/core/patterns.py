r"""Patterns of characters as tables for kernels: a subset of regular expressions, compiled to automata.

A pattern is a sequence of characters and sets (``[a-z0-9]``, ``[^…]``, ``{name}`` for a named set), of groups with
alternatives (``(a|b)``), each followed by ``?``, ``*`` or ``+`` if need be; ``\`` takes the next character as it is.
It may begin with ``(?i)``, for letters of either case, and with what must stand before it, ``(?<=…)`` with one or two
sets or ``(?<!…)`` with one; it may end with what must stand behind, ``(?=…)`` or ``(?!…)`` with one. Of several matches
from one place the longest counts.

Every automaton reads one *class* of characters after the other; characters that no pattern tells apart are of one
class. What stands before and behind is read like the rest, so there is a class for the boundary of the text.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BOUNDARY = 0x110000
"""What stands before the first and behind the last character, as a code point."""

Ranges = tuple[tuple[int, int], ...]
"""A set of code points: first and last of each range, ascending."""

_ANY: Ranges = ((0, BOUNDARY),)
_EDGE: Ranges = ((BOUNDARY, BOUNDARY),)
_CONTEXT = 2
"""Characters before a pattern that are read."""


class Automata(NamedTuple):
    """Several automata in one table; state 0 is that of no match."""

    classes: npt.NDArray[np.uint16]
    """For each code point, and `BOUNDARY`, its class."""
    steps: npt.NDArray[np.uint16]
    """State and class → the next state."""
    accepts: npt.NDArray[np.bool_]
    """Whether what was read up to a state matches."""


class _Pattern(NamedTuple):
    """One pattern, taken apart."""

    before: tuple[Ranges, ...]
    body: "_Node"
    behind: Ranges | None


class _Node(NamedTuple):
    """A part of a pattern: ``set``, ``sequence``, ``choice``, or one of ``? * +`` of its only part."""

    kind: str
    parts: tuple["_Node", ...] = ()
    ranges: Ranges = ()


class Kind(NamedTuple):
    """How the patterns of an automaton are read."""

    forwards: bool = True
    context: bool = False
    """Whether two characters before the match are read first; backwards they are read last, always."""
    whole: bool = False
    """Whether a match must reach the boundary."""


PREFIX, INFIX, SUFFIX, WHOLE = Kind(), Kind(context=True), Kind(forwards=False), Kind(whole=True)


def compiled(
    wanted: Iterable[tuple[Kind, tuple[str, ...]]], named: Mapping[str, str]
) -> tuple[Automata, dict[tuple[Kind, tuple[str, ...]], int]]:
    r"""Automata for lists of patterns of which any may match.

    Args:
        wanted: how to read them, and the patterns.
        named: name of a set → its characters, written as between ``[`` and ``]``.

    Returns:
        The tables, and the first state of each list.

    Raises:
        ValueError: a pattern is no such pattern.

    Example:
        >>> key = (WHOLE, (r"[a-z]+\.?",))
        >>> automata, starts = compiled([key], {})
        >>> state = starts[key]
        >>> for character in [*map(ord, "etc."), BOUNDARY]:
        ...     state = automata.steps[state, automata.classes[character]]
        >>> bool(automata.accepts[state])
        True
    """
    lists = dict.fromkeys(wanted)
    sets: dict[str, Ranges] = {}
    for name, text in named.items():
        sets[name] = _Reader(text, sets).ranges_until(None)
    parsed = {key: [_Reader(pattern, sets).pattern() for pattern in key[1]] for key in lists}
    machines = {key: _machine(key[0], patterns) for key, patterns in parsed.items()}
    all_sets = {ranges for machine in machines.values() for edges in machine.edges for ranges, _ in edges}
    classes, members = _classes(all_sets)
    n_classes = int(classes.max()) + 1
    steps: list[npt.NDArray[np.uint16]] = [np.zeros((1, n_classes), np.uint16)]
    accepts: list[list[bool]] = [[False]]
    starts: dict[tuple[Kind, tuple[str, ...]], int] = {}
    total = 1
    for key, machine in machines.items():
        found, good = _determined(machine, members, n_classes, total)
        starts[key] = total
        total += len(good)
        steps.append(found)
        accepts.append(good)
    return Automata(
        classes, np.concatenate(steps), np.concatenate([np.array(one, np.bool_) for one in accepts])
    ), starts


def written_set(code_points: Iterable[int]) -> str:
    r"""A set of code points as it is written between ``[`` and ``]``.

    Example:
        >>> written_set([97, 98, 99, 45])
        '\\--\\-\\a-\\c'
    """
    ranges = _joined((one, one) for one in code_points)
    return "".join(f"\\{chr(first)}-\\{chr(last)}" for first, last in ranges)


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str, named: Mapping[str, Ranges]) -> None:
        self.text, self.named, self.at = text, named, 0
        self.any_case = self.takes("(?i)")

    def pattern(self) -> _Pattern:
        before: tuple[Ranges, ...] = ()
        if self.takes("(?<="):
            before = self.sets_in_brackets()
        elif self.takes("(?<!"):
            before = tuple(_others(ranges, edge=True) for ranges in self.sets_in_brackets())
        body = self.choice()
        behind = None
        if self.takes("(?="):
            (behind,) = self.sets_in_brackets()
        elif self.takes("(?!"):
            (inside,) = self.sets_in_brackets()
            behind = _others(inside, edge=True)
        if self.at < len(self.text) or len(before) > _CONTEXT:
            raise ValueError(f"no pattern: {self.text!r} at {self.at}")
        return _Pattern(before, body, behind)

    def choice(self) -> _Node:
        ways = [self.sequence()]
        while self.takes("|"):
            ways.append(self.sequence())
        return ways[0] if len(ways) == 1 else _Node("choice", tuple(ways))

    def sequence(self) -> _Node:
        parts = []
        while self.at < len(self.text) and self.text[self.at] not in ")|" and not self.stands("(?"):
            parts.append(self.repeated())
        return _Node("sequence", tuple(parts))

    def repeated(self) -> _Node:
        if self.takes("("):
            part = self.choice()
            self.expect(")")
        else:
            part = _Node("set", ranges=self.one_set())
        while self.at < len(self.text) and self.text[self.at] in "?*+":
            part = _Node(self.text[self.at], (part,))
            self.at += 1
        return part

    def sets_in_brackets(self) -> tuple[Ranges, ...]:
        sets = []
        while not self.takes(")"):
            sets.append(self.one_set())
        return tuple(sets)

    def one_set(self) -> Ranges:
        if self.takes("{"):
            return self.named_set()
        if self.takes("["):
            negative = self.takes("^")
            ranges = self.ranges_until("]")
            return _others(ranges) if negative else ranges
        return self.cased([self.character()])

    def named_set(self) -> Ranges:
        end = self.text.index("}", self.at)
        name, self.at = self.text[self.at : end], end + 1
        return self.named[name]

    def ranges_until(self, end: str | None) -> Ranges:
        """What stands in a set; ``{name}`` stands for all of that one."""
        found: list[tuple[int, int]] = []
        while self.at < len(self.text) and not (end and self.stands(end)):
            if self.takes("{"):
                found.extend(self.named_set())
                continue
            first = self.character()
            if self.stands("-") and self.at + 1 < len(self.text) and self.text[self.at + 1] != end:
                self.at += 1
                found.append((first, self.character()))
            else:
                found.extend(self.cased([first]))
        if end:
            self.expect(end)
        return _joined(found)

    def character(self) -> int:
        self.takes("\\")
        if self.at >= len(self.text):
            raise ValueError(f"no pattern: {self.text!r} ends too soon")
        self.at += 1
        return ord(self.text[self.at - 1])

    def cased(self, code_points: list[int]) -> Ranges:
        """Single characters, with their other case if need be."""
        if self.any_case:
            code_points += [
                ord(other) for one in code_points for other in (chr(one).lower(), chr(one).upper()) if len(other) == 1
            ]
        return _joined((one, one) for one in code_points)

    def stands(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def takes(self, text: str) -> bool:
        stands = self.stands(text)
        self.at += len(text) * stands
        return stands

    def expect(self, text: str) -> None:
        if not self.takes(text):
            raise ValueError(f"no pattern: {self.text!r} has no {text!r} at {self.at}")


def _joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _others(ranges: Ranges, *, edge: bool = False) -> Ranges:
    """All other code points; with ``edge`` the boundary, too."""
    edges = [(-1, -1), *ranges, (BOUNDARY + edge, BOUNDARY + edge)]
    return tuple((a[1] + 1, b[0] - 1) for a, b in pairwise(edges) if a[1] + 1 <= b[0] - 1)


class _Machine(NamedTuple):
    """A nondeterministic automaton; its first state is 0."""

    edges: list[list[tuple[Ranges, int]]]
    free: list[list[int]]
    """Where each state leads without reading."""
    accepting: int


def _machine(kind: Kind, patterns: list[_Pattern]) -> _Machine:
    machine = _Machine([[], []], [[], []], 1)

    def state() -> int:
        machine.edges.append([])
        machine.free.append([])
        return len(machine.edges) - 1

    def read(origin: int, ranges: Ranges) -> int:
        target = state()
        machine.edges[origin].append((ranges, target))
        return target

    for pattern in patterns:
        at = state()
        machine.free[0].append(at)
        context = (*(_ANY,) * (_CONTEXT - len(pattern.before)), *pattern.before)
        if kind.context:
            for ranges in context:
                at = read(at, ranges)
        at = _add(machine, state, read, pattern.body, at, kind.forwards)
        if not kind.forwards:
            for ranges in reversed(context):
                at = read(at, ranges)
        else:
            at = read(at, _EDGE if kind.whole else _ANY if pattern.behind is None else pattern.behind)
        machine.free[at].append(machine.accepting)
    return machine


def _add(
    machine: _Machine,
    state: Callable[[], int],
    read: Callable[[int, Ranges], int],
    node: _Node,
    origin: int,
    forwards: bool,
) -> int:
    """Append a part of a pattern; the state in which it has been read."""
    if node.kind == "set":
        return read(origin, node.ranges)
    if node.kind == "sequence":
        for part in node.parts if forwards else reversed(node.parts):
            origin = _add(machine, state, read, part, origin, forwards)
        return origin
    end = state()
    if node.kind == "choice":
        for part in node.parts:
            machine.free[_add(machine, state, read, part, origin, forwards)].append(end)
        return end
    begin = state()
    machine.free[origin].append(begin)
    done = _add(machine, state, read, node.parts[0], begin, forwards)
    machine.free[done].append(end)
    if node.kind in "?*":
        machine.free[begin].append(end)
    if node.kind in "*+":
        machine.free[done].append(begin)
    return end


def _classes(sets: Iterable[Ranges]) -> tuple[npt.NDArray[np.uint16], dict[Ranges, int]]:
    """The class of each code point, and for each set a bit for each class that is in it."""
    ordered = sorted(sets)
    cuts = sorted({0, BOUNDARY + 1, *(edge for one in ordered for first, last in one for edge in (first, last + 1))})
    signatures = [0] * (len(cuts) - 1)
    places = {cut: place for place, cut in enumerate(cuts)}
    for number, one in enumerate(ordered):
        for first, last in one:
            for place in range(places[first], places[last + 1]):
                signatures[place] |= 1 << number
    numbers = {signature: number for number, signature in enumerate(dict.fromkeys(signatures))}
    classes = np.repeat(np.array([numbers[one] for one in signatures], np.uint16), np.diff(cuts))
    members = dict.fromkeys(ordered, 0)
    for signature, number in numbers.items():
        for place, one in enumerate(ordered):
            if signature >> place & 1:
                members[one] |= 1 << number
    return classes, members


def _determined(
    machine: _Machine, members: Mapping[Ranges, int], n_classes: int, first: int
) -> tuple[npt.NDArray[np.uint16], list[bool]]:
    """The deterministic automaton, its states numbered from ``first`` on."""
    start = _closure(machine, {0})
    numbers = {start: first}
    waiting, rows, accepts = [start], [], []
    while waiting:
        states = waiting.pop(0)
        edges = [(members[ranges], target) for one in states for ranges, target in machine.edges[one]]
        row = np.zeros(n_classes, np.uint16)
        ways: dict[tuple[int, ...], int] = {}
        for number in range(n_classes):
            targets = tuple(target for classes, target in edges if classes >> number & 1)
            if not targets:
                continue
            if targets not in ways:
                reached = _closure(machine, targets)
                if reached not in numbers:
                    numbers[reached] = first + len(numbers)
                    waiting.append(reached)
                ways[targets] = numbers[reached]
            row[number] = ways[targets]
        rows.append(row)
        accepts.append(machine.accepting in states)
    return np.array(rows), accepts


def _closure(machine: _Machine, states: Iterable[int]) -> frozenset[int]:
    found, waiting = set(states), list(states)
    while waiting:
        for target in machine.free[waiting.pop()]:
            if target not in found:
                found.add(target)
                waiting.append(target)
    return frozenset(found)
