"""One segment through ftfy: its own steps in its own order, and an end to their number.

``ftfy.fix_and_explain`` repeats its steps until nothing changes any more. Text can be made that changes as often as it
has characters (``&amp;amp;amp;…`` loses one level at each turn), which makes ftfy quadratic. Real text takes a dozen
steps at most, so text that takes more than `MAX_STEPS` is *unsettled* and left as it came.
"""

import enum
import functools
import re
import unicodedata
from typing import Literal

import ftfy
from ftfy import TextFixerConfig

MAX_STEPS = 64
"""Steps of ftfy that change one segment; text misread three times over takes some 15."""


class Step(enum.IntFlag):
    """What ftfy did to a text; steps that undo a wrong decoding count as one."""

    ENTITIES = 1
    ENCODING = 2
    LIGATURES = 4
    WIDTH = 8
    QUOTES = 16
    LINE_BREAKS = 32
    ESCAPES = 64
    CONTROLS = 128
    NORMALIZATION = 256


_STEP_OF = {
    "unescape_html": Step.ENTITIES,
    "fix_latin_ligatures": Step.LIGATURES,
    "fix_character_width": Step.WIDTH,
    "uncurl_quotes": Step.QUOTES,
    "fix_line_breaks": Step.LINE_BREAKS,
    "remove_terminal_escapes": Step.ESCAPES,
    "remove_control_chars": Step.CONTROLS,
    "NFC": Step.NORMALIZATION,
    "NFKC": Step.NORMALIZATION,
}
_FIXERS = (  # behind entities and encoding, in ftfy's order
    "fix_c1_controls",
    "fix_latin_ligatures",
    "fix_character_width",
    "uncurl_quotes",
    "fix_line_breaks",
    "fix_surrogates",
    "remove_terminal_escapes",
    "remove_control_chars",
)


def fix_segment(text: str, config: TextFixerConfig) -> tuple[str, Step, bool]:
    """``ftfy.fix_and_explain`` of one segment; see `MAX_STEPS`.

    Args:
        text: what ftfy looks at in one go.
        config: the configuration of ftfy, ``normalization`` being NFC, NFKC or None.

    Returns:
        The text, the steps that changed something, and whether they came to an end; the text as it came where not.

    Example:
        >>> fix_segment("cafÃ©", TextFixerConfig())
        ('café', <Step.ENCODING: 2>, True)
        >>> fix_segment("&" + 100 * "amp;", TextFixerConfig())[2]
        False
    """
    if config.unescape_html == "auto" and "<" in text:
        config = config._replace(unescape_html=False)
    plan: list[str] = []
    fixed, before = text, None
    while fixed != before and len(plan) <= MAX_STEPS:
        before = fixed
        fixed = _once(before, config, plan)
    return _told(text, fixed, plan)


def fix_segment_with_ftfy(text: str, config: TextFixerConfig) -> tuple[str, Step, bool]:
    """The same by ftfy alone: the reference that `fix_segment` must equal."""
    fixed, plan = ftfy.fix_and_explain(text, config)
    return _told(text, fixed, [step.parameter for step in plan])


@functools.lru_cache(maxsize=16)  # a line in doubt is asked about more than once
def fix_encoding(text: str, config: TextFixerConfig) -> tuple[str, tuple[str, ...]]:
    """``ftfy.fix_encoding_and_explain``, with the names of its steps; it ends after `MAX_STEPS` of them, too.

    Example:
        >>> fix_encoding("cafÃ©", TextFixerConfig())
        ('café', ('latin-1', 'utf-8'))
    """
    plan: list[str] = []
    before = None
    while text != before and len(plan) <= MAX_STEPS:
        before = text
        text, steps = ftfy._fix_encoding_one_step_and_explain(before, config)  # noqa: SLF001 the public one has no end
        plan += [step.parameter for step in steps or ()]
    return text, tuple(plan)


def normalized(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    r"""``unicodedata.normalize``, in time that grows with the text and no faster.

    Python sorts combining marks by insertion: a letter with ten thousand of them takes a second. Long runs are sorted
    before it sees them.

    Args:
        form: of normalization.
        text: any text.

    Example:
        >>> ascii(normalized("NFC", "e" + 100 * "\u0301\u0327"))[:14]
        "'\\u0229\\u0327\\"
    """
    if unicodedata.is_normalized(form, text):
        return text
    return unicodedata.normalize(form, _marks()[0].sub(_in_canonical_order, text))


def _told(text: str, fixed: str, plan: list[str]) -> tuple[str, Step, bool]:
    if len(plan) > MAX_STEPS:
        return text, Step(0), False
    done = Step(0)
    if fixed != text:
        for name in plan:
            done |= _STEP_OF.get(name, Step.ENCODING)
    return fixed, done, True


def _once(text: str, config: TextFixerConfig, plan: list[str]) -> str:
    """One turn of ftfy's loop; ``plan`` gets the names of the steps that changed something."""
    if config.unescape_html:
        text = _applied("unescape_html", text, plan)
    if config.fix_encoding:
        text, steps = fix_encoding(text, config)
        plan += steps
    for name in _FIXERS:
        if getattr(config, name):
            text = _applied(name, text, plan)
    if config.normalization:
        before, text = text, normalized(config.normalization, text)
        if text != before:
            plan.append(config.normalization)
    return text


def _applied(name: str, text: str, plan: list[str]) -> str:
    fixed: str = ftfy.FIXERS[name](text)
    if fixed != text:
        plan.append(name)
    return fixed


# --- long runs of combining marks --------------------------------------------------------------------------------


@functools.cache
def _marks() -> tuple[re.Pattern[str], dict[int, str]]:
    """Runs of 32 marks and more, and what those marks are made of that come apart.

    Some marks have no combining class of their own, but come apart into such that have one.
    """
    decomposed = {code: unicodedata.normalize("NFD", chr(code)) for code in range(0x300, 0x1F000)}
    marks = {code: parts for code, parts in decomposed.items() if all(map(unicodedata.combining, parts))}
    apart = {code: parts for code, parts in marks.items() if parts != chr(code)}
    return re.compile(f"[{''.join(map(chr, marks))}]{{32,}}"), apart


def _in_canonical_order(run: re.Match[str]) -> str:
    return "".join(sorted(run.group().translate(_marks()[1]), key=unicodedata.combining))
