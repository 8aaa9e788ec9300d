"""What a line must pass to stay in its document; apart from the kernels, which take a while to import."""

from typing import NamedTuple


class LineRules(NamedTuple):
    """What a line must pass to stay; 0 and False switch a rule off."""

    min_words: int = 0
    """Words between white space."""
    max_word_length: int = 0
    """Code points of its longest word."""
    terminal_punctuation: bool = False
    """It must end with ``. ? ! " '`` and not with ``...``."""
    javascript: bool = False
    """It must not speak of JavaScript."""
    policy: bool = False
    """It must not speak of cookies, privacy policies or terms of use."""
    citations: bool = False
    """Marks such as ``[12]``, ``[edit]``, ``[citation needed]`` are cut out of lines that stay."""
