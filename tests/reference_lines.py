"""C4's and FineWeb's rules on lines, written for reading after datatrove 0.10.1: what the kernel is tested against.

Sentences are counted by the rule of `curate.text.quality.lines.line_rules`, since the splitter that datatrove uses is
a library of its own.
"""

import math
import re

import regex

CITATION = re.compile(r"\[[0-9]*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
CLOSING = "\"')]’”»"


def lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def cut(text, rules):
    """Lines that stay, cleaned; or all that are not blank when there are no rules."""
    kept = []
    for raw in text.split("\n"):
        line = raw.strip()
        words = line.split()
        if not words:
            continue
        if rules is None:
            kept.append(line)
            continue
        if rules.max_word_length and any(len(word) > rules.max_word_length for word in words):
            continue
        if len(words) < rules.min_words:
            continue
        if rules.citations:
            line = CITATION.sub("", line)
        if not line.strip():
            continue
        ends_well = line.endswith((".", "?", "!", '"', "'")) and (rules.ellipsis_ends or not line.endswith("..."))
        if rules.terminal_punctuation and not ends_well:
            continue
        if rules.javascript and "javascript" in lower(line):
            continue
        if rules.policy and any(phrase in lower(line) for phrase in POLICY):
            kept.append((line, "policy"))  # C4 sees a bracket before it sees a policy
            continue
        kept.append(line)
    return kept


def signals(text, rules):
    found = cut(text, rules)
    lines = [line for line in found if isinstance(line, str)]
    everything = [line if isinstance(line, str) else line[0] for line in found]
    dropped_by_javascript = 0
    if rules is not None and rules.javascript:
        dropped_by_javascript = sum("lorem ipsum" in lower(line) for line in _javascript_lines(text, rules))
    newlines = text.count("\n") if rules is None else max(len(lines) - 1, 0)
    characters = sum(map(len, lines))
    seen, repeated = set(), 0
    for line in lines:
        repeated += len(line) if line in seen else 0
        seen.add(line)
    share = (lambda part, whole: part / whole) if lines else (lambda _part, _whole: math.nan)
    return {
        "sentences": sum(map(sentences, lines)),
        "lorem_ipsum_lines": sum("lorem ipsum" in lower(line) for line in everything) + dropped_by_javascript,
        "curly_bracket_lines": sum("{" in line for line in everything),
        "terminal_lines": share(sum(bool(regex.search(r"\p{Sentence_Terminal}$", line)) for line in lines), len(lines)),
        "short_lines": share(sum(len(line) <= 30 for line in lines), len(lines)),
        "repeated_line_characters": share(repeated, characters),
        "newlines_per_word": share(newlines, sum(len(line.split()) for line in lines)),
    }


def left(text, rules):
    """The text that stays; white space that a citation mark leaves at the ends of a line stays too."""
    return "\n".join(line for line in cut(text, rules) if isinstance(line, str))


def sentences(line):
    count = 0
    rest = line.strip()
    done = 0
    for match in re.finditer(r"[。！？]|[.!?](?=[\"')\]’”»]*(?:\s|$))", rest):
        word = re.search(r"\S*$", rest[: match.start()]).group()
        if match.group() == "." and (not word or "." in word or re.fullmatch("[A-Z]", word)):
            continue
        count += 1
        done = match.end()
    return count + bool(rest[done:].strip(CLOSING))


def _javascript_lines(text, rules):
    without = rules._replace(javascript=False, policy=False)
    return [line for line in cut(text, without) if "javascript" in lower(line)]
