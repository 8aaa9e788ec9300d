"""What a line must pass to stay in its document; apart from the kernels, which take a while to import."""

from typing import NamedTuple

CUTS = (
    "min_words", "max_word_length", "terminal_punctuation", "javascript", "policy", "citations", "max_uppercase",
    "max_digits", "counters", "banners", "max_line_feeds",
)  # fmt: skip
"""Fields of `LineRules` that cut something; the others say how."""


class LineRules(NamedTuple):
    """What a line must pass to stay; 0 and False switch a rule off.

    C4 trims the lines it keeps and drops blank ones; RefinedWeb and DCLM leave lines as they stand (``whole_lines``).
    """

    min_words: int = 0
    """Words between white space."""
    max_word_length: int = 0
    """Code points of its longest word."""
    terminal_punctuation: bool = False
    """It must end with one of ``end_marks`` and not with ``...``, see ``ellipsis_ends``."""
    end_marks: str = ".?!\"'"
    """ASCII signs. C4's paper and code have ``. ? ! "``, datatrove also ``'``."""
    ellipsis_ends: bool = False
    """``...`` may end it, too (Dolma)."""
    javascript: bool = False
    """It must not speak of JavaScript."""
    policy: bool = False
    """It must not speak of cookies, privacy policies or terms of use."""
    citations: bool = False
    """Marks such as ``[12]``, ``[edit]``, ``[citation needed]`` are cut out of lines that stay."""
    max_uppercase: float = 0.0
    """Share of upper-case letters in its code points, white space included (RefinedWeb, DCLM: 0.5)."""
    max_digits: float = 0.0
    """Share of digits (DCLM: 0.999999, which is: not digits alone)."""
    counters: bool = False
    """It must not be a counter such as ``1,024 likes``."""
    banners: bool = False
    """``items in cart``, ``Read more...`` at the end and ``Sign-in`` at the begin are cut out of lines of at most
    ten words; a line that held nothing else goes."""
    whole_lines: bool = False
    """Lines that stay keep the white space around them, and blank lines stay."""
    max_line_feeds: int = 0
    """Longer runs of line feeds are shortened; only with ``whole_lines``."""
    keep_code: bool = False
    """Lines of code, mathematics and poetry stay whatever they look like, and no signal of lines counts them
    (`curate.text.quality.lines.verbatim`)."""
