"""The quality signals, written for reading: what the one-pass kernel is tested against.

Definitions: Gopher (arXiv:2112.11446), A1.1 and Table A1, in the sense of datatrove where the paper leaves
a choice. Slow.
"""

import math
import re
import statistics
import unicodedata
from collections import Counter

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
SIGNS = {"#", "...", "…", "(...)", "[...]", "(…)", "[…]"}
BULLETS = set("•‣▶◀◦■□▪▫\N{EN DASH}-*")
UNSPACED = re.compile(
    r"CJK (UNIFIED|COMPATIBILITY) IDEOGRAPH|IDEOGRAPHIC ITERATION MARK|HIRAGANA|(HALFWIDTH )?KATAKANA"
    r"|(THAI|LAO|KHMER|MYANMAR|TIBETAN|TAI|NEW TAI) "
)


def signals(text: str, *, english: bool, spaces: bool = False) -> dict[str, float]:
    """Every signal of whole documents; ``spaces``: words between white space alone."""
    cut = [(word, True) for word in text.split()] if spaces else _words(text)
    words = [word for word, _ in cut]
    worded = [word for word in words if not all(map(_is_symbol, word))]
    spaced = [word for word in worded if not any(map(_is_unspaced, word))]
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    paragraphs = _paragraphs(text)
    split_lines = text.removesuffix("\n").split("\n")
    size = len(text) if words else 0  # text without a word has nothing that could repeat
    found = {
        "characters": len(text),
        "words": len(worded),
        "lines": len(lines),
        "paragraphs": len(paragraphs),
        "mean_word_length": _ratio(sum(map(len, spaced)), len(spaced)),
        "symbol_ratio": _ratio(text.count("#"), len(words)),
        "ellipsis_ratio": _ratio(text.count("...") + text.count("…"), len(words)),
        "bullet_lines": _ratio(sum(line.lstrip()[0] in BULLETS for line in lines), len(lines)),
        "ellipsis_lines": _ratio(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_words": _ratio(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "stop_words": len({_core(word) for word in words} & STOP_WORDS) if english else math.nan,
        "duplicate_lines": _ratio(len(_copies(lines)), len(lines)),
        "duplicate_paragraphs": _ratio(len(_copies(paragraphs)), len(paragraphs)),
        "duplicate_line_characters": _ratio(sum(map(len, _copies(lines))), size),
        "duplicate_paragraph_characters": _ratio(sum(map(len, _copies(paragraphs))), size),
        **{f"top_{n}gram": _ratio(_most_frequent(cut, n), size) for n in (2, 3, 4)},
        **{f"duplicate_{n}gram": _ratio(_repeated(words, n), size) for n in range(5, 11)},
        **{f"most_common_{n}gram": _ratio(_most_common(words, n, " "), size) for n in (2, 3, 4)},
        "exact_stop_words": len(set(words) & STOP_WORDS) if english else math.nan,
        "all_bullet_lines": _ratio(
            sum(line.lstrip().startswith(("•", "-")) for line in split_lines), size and len(split_lines)
        ),
        "all_ellipsis_lines": _ratio(sum(line.endswith(("...", "…")) for line in lines), size and len(split_lines)),
    }
    if len(spaced) <= len(worded) - len(spaced):
        found["mean_word_length"] = math.nan
    return found | _details(text, cut, lines, paragraphs, english=english) | characters(text)


def _details(
    text: str, cut: list[tuple[str, bool]], lines: list[str], paragraphs: list[str], *, english: bool
) -> dict[str, float]:
    words = [word for word, _ in cut]
    cores = [_core(word) for word in words if not all(map(_is_symbol, word))]
    stops = sum(core in STOP_WORDS for core in cores)
    raw = text.split("\n")
    size = sum(map(len, words))
    sentences = _plain_sentences(cut)
    long_ones = [sentence for sentence in sentences if len(sentence) >= 12]
    frequent = {n: _most_frequent_ones(words, n) for n in (2, 3, 4)}
    tops = {n: [sum(map(len, ngram)) * count for ngram, count in found] or [0] for n, found in frequent.items()}
    return {
        "all_words": len(words),
        "mean_length_of_all_words": _ratio(size, len(words)),
        "median_word_length": statistics.median(map(len, words)) if words else math.nan,
        "longest_word": max(map(len, words)) if words else math.nan,
        "marked_words": _ratio(sum("#" in word or "…" in word for word in words), len(words)),
        "symbols_per_word": _ratio(text.count("#") + text.count("...") + text.count("…"), len(words)),
        "uppercase_words": _ratio(sum(map(_is_upper, words)), len(words)),
        "stop_word_count": stops if english else math.nan,
        "stop_word_share": _ratio(stops, len(cores)) if english else math.nan,
        "unique_words": _ratio(len(set(cores)), len(cores)),
        "word_entropy": -sum(n / len(cores) * math.log(n / len(cores)) for n in Counter(cores).values())
        if cores
        else math.nan,
        "plain_sentences": len(sentences),
        "list_case_sentences": _ratio(sum(2 * sum(sentence) > len(sentence) for sentence in long_ones), len(sentences)),
        "recurring_lines": _ratio(len(_recurring(lines)), len(lines) if words else 0),
        "recurring_paragraphs": _ratio(len(_recurring(paragraphs)), len(paragraphs) if words else 0),
        "recurring_line_characters": _ratio(sum(map(len, _recurring(lines))), sum(map(len, lines))),
        "recurring_paragraph_characters": _ratio(sum(map(len, _recurring(paragraphs))), sum(map(len, paragraphs))),
        "raw_bullet_lines": sum(line.startswith(("*", "-")) for line in raw) / len(raw),
        "raw_ellipsis_lines": sum(line.endswith("…") for line in raw) / len(raw),
        "raw_recurring_lines": len(_recurring(raw)) / len(raw),
        "raw_recurring_line_characters": _ratio(sum(map(len, _recurring(raw))), size),
        **{f"top_{n}gram_words": _ratio(tops[n][0], size) for n in tops},
        **{f"longest_top_{n}gram": _ratio(max(tops[n]), size) for n in tops},
        **{f"recurring_{n}gram": _ratio(_covered(words, n), size) for n in range(5, 11)},
        **{f"recurring_{n}gram_weight": _weight(words, n) if words else math.nan for n in range(5, 11)},
        **{f"most_common_{n}gram_words": _ratio(_most_common(words, n, ""), size) for n in (2, 3, 4)},
        "sign_words": _ratio(sum(word in SIGNS for word in words), len(words)),
        "bare_words": sum(not _is_symbol(word[0]) for word in words),
        **{f"copied_{n}gram": _ratio(_copied(words, n), len(text) if words else 0) for n in range(5, 11)},
        "exact_stop_word_count": sum(word in STOP_WORDS for word in words) if english else math.nan,
    }


def characters(text: str) -> dict[str, float]:
    links = re.findall(r"https?://[a-zA-Z0-9$-_!]+", text)
    return {
        "alphanumeric_characters": sum(map(str.isalnum, text)),
        "uppercase_characters": _ratio(sum(map(str.isupper, text)), len(text)),
        "digit_characters": _ratio(sum(unicodedata.category(c) == "Nd" for c in text), len(text)),
        "whitespace_characters": _ratio(sum(map(str.isspace, text)), len(text)),
        "parenthesis_characters": _ratio(sum(c in "()[]{}⟨⟩" for c in text), len(text)),
        "curly_bracket_characters": _ratio(sum(c in "{}" for c in text), len(text)),
        "unusual_characters": _ratio(len(re.findall(r"[^a-zA-Z0-9\n?!,.]", text)), len(text)),
        "url_characters": _ratio(sum(map(len, links)), len(text)),
        "regex_sentences": sum(any(c.isalnum() or c == "_" for c in sentence) for sentence in re.split(r"[.!?]", text)),
    }


def _is_upper(word: str) -> bool:
    return any(c.isupper() or c.istitle() for c in word) and not any(
        c.islower() and not (c.isupper() or c.istitle()) for c in word
    )


def _plain_sentences(cut: list[tuple[str, bool]]) -> list[list[bool]]:
    """For each sentence, for each word that is no symbol word, whether its first letter is a capital."""
    sentences: list[list[bool]] = [[]]
    for i, (word, _) in enumerate(cut):
        if inner := [character for character in word if not _is_symbol(character)]:
            sentences[-1].append(inner[0].isupper() or inner[0].istitle())
        if (i + 1 == len(cut) or cut[i + 1][1]) and word.endswith((".", "!", "?")) and sentences[-1]:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def _recurring(elements: list[str]) -> list[str]:
    counts = Counter(elements)
    return [element for element in elements if counts[element] > 1]


def _most_frequent_ones(words: list[str], n: int) -> list[tuple[tuple[str, ...], int]]:
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    most = max(counts.values(), default=0)
    return [(ngram, count) for ngram, count in counts.items() if count == most > 1]


def _most_common(words: list[str], n: int, between: str) -> int:
    """As datatrove and Dolma count: the first n-gram counts where none occurs twice."""
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return sum(len(between.join(ngram)) * count for ngram, count in counts.most_common(1))


def _covered(words: list[str], n: int) -> int:
    ngrams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    counts = Counter(ngrams)
    places = {k for i, ngram in enumerate(ngrams) if counts[ngram] > 1 for k in range(i, i + n)}
    return sum(len(words[k]) for k in places)


def _copied(words: list[str], n: int) -> int:
    """NeMo Curator's count of duplicate n-grams: words of later copies, with spaces."""
    seen: set[tuple[str, ...]] = set()
    characters = overlap = 0
    for i in range(len(words) - n + 1):
        ngram = tuple(words[i : i + n])
        if ngram in seen:
            characters += sum(map(len, ngram[overlap:])) + min(n - overlap, n - 1)
            overlap = n
        seen.add(ngram)
        overlap = max(overlap - 1, 0)
    return characters


def _weight(words: list[str], n: int) -> float:
    """Dolma's share of characters in duplicate n-grams."""
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    sizes = {ngram: count * sum(map(len, ngram)) for ngram, count in counts.items()}
    whole = sum(sizes.values())
    return sum(size for ngram, size in sizes.items() if counts[ngram] > 1) / whole if whole else 0.0


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else math.nan


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSC"


def _is_unspaced(character: str) -> bool:
    return character.isalpha() and bool(UNSPACED.match(unicodedata.name(character, "")))


def _words(text: str) -> list[tuple[str, bool]]:
    """Words, and whether white space comes before each."""
    words: list[tuple[str, bool]] = []
    for run in text.split():
        pieces: list[str] = []
        unspaced = False  # whether the last piece is a letter of a script without spaces
        for character in run:
            is_mark = unicodedata.category(character)[0] == "M"
            if pieces and (is_mark or not (unspaced or _is_unspaced(character))):
                pieces[-1] += character
            else:
                pieces.append(character)
                unspaced = _is_unspaced(character)
        words += [(piece, i == 0) for i, piece in enumerate(pieces)]
    return words


def _core(word: str) -> str:
    inner = [i for i, character in enumerate(word) if not _is_symbol(character)]
    core = word[inner[0] : inner[-1] + 1] if inner else ""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in core)


def _paragraphs(text: str) -> list[str]:
    """Paragraphs without the white space at the ends of their lines."""
    paragraphs: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            paragraphs[-1].append(line.rstrip())
        else:
            paragraphs.append([])
    return ["\n".join(lines) for lines in paragraphs if lines]


def _copies(elements: list[str]) -> list[str]:
    """Those that are equal to one before them."""
    seen: set[str] = set()
    copies = []
    for element in elements:
        if element in seen:
            copies.append(element)
        seen.add(element)
    return copies


def _most_frequent(cut: list[tuple[str, bool]], n: int) -> int:
    """Characters of the most frequent n-gram times its occurrences; the first one's spaces count."""
    counts = Counter(tuple(word for word, _ in cut[i : i + n]) for i in range(len(cut) - n + 1))
    if not counts:
        return 0
    ngram, count = counts.most_common(1)[0]
    if count == 1:
        return 0
    begin = next(i for i in range(len(cut)) if tuple(word for word, _ in cut[i : i + n]) == ngram)
    return count * (sum(map(len, ngram)) + sum(spaced for _, spaced in cut[begin + 1 : begin + n]))


def _repeated(words: list[str], n: int) -> int:
    """datatrove's ``find_all_duplicate``, with words kept apart."""
    seen: set[tuple[str, ...]] = set()
    characters = begin = 0
    while begin <= len(words) - n:
        ngram = tuple(words[begin : begin + n])
        if ngram in seen:
            characters += sum(map(len, ngram))
            begin += n
        else:
            seen.add(ngram)
            begin += 1
    return characters
