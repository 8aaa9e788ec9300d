"""Lines cut by rule: the kernel against its oracle, edits that give the same text, one document or many."""

import heapq
import inspect
import itertools
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference_lines as reference
from curate.text.core.arrow import EDITS, edit_lists, utf8_view
from curate.text.core.edits import edited
from curate.text.quality.lines.line_rules import COLUMNS, line_signals
from curate.text.quality.lines.line_settings import LineRules
from thorough import settings

C4 = LineRules(3, 1000, terminal_punctuation=True, javascript=True, policy=True, citations=True)
FINEWEB = C4._replace(terminal_punctuation=False)
DOLMA = LineRules(terminal_punctuation=True, ellipsis_ends=True)
SHORT_WORDS = FINEWEB._replace(max_word_length=6, citations=False)

pieces = st.sampled_from(
    [
        *(
            "word ",
            "and ",
            "A sentence ends here. ",
            "Does it? ",
            "\n",
            "\n\n",
            " \n",
            "\t",
            "x",
            "é",
            "中文。",
            "…",
            "...",
            ".",
        ),
        *(
            "[12]",
            "[]",
            "[edit]",
            "[Citation needed]",
            "[a]",
            "[",
            "]",
            "{",
            "JavaScript ",
            "java[1]script ",
            "a long, long line of prose",
        ),
        *(
            "terms of use ",
            "Privacy Policy",
            "uses cookies",
            "use of cookies ",
            "Use cookies",
            "cookies ",
            "lorem ipsum ",
            "Lorem  ipsum",
        ),
        *(
            "e.g. ",
            "J. ",
            'said "no." ',
            "(yes!) ",
            "\u00a0",
            "\u3000",
            "K",
            "ﬁ",
            "donaudampfschiff ",
            "The same line, twice over.\n",
        ),
    ]
)
texts = st.lists(st.lists(pieces, max_size=25).map("".join), min_size=1, max_size=4)


def measured(documents, rules):
    array = pa.array(documents, pa.large_string())
    found, cuts = line_signals(*utf8_view(array), rules)
    replacements = pa.array(["\n" * n for n in range(99)]).take(pa.array(cuts.newlines))
    edits = edit_lists(cuts.starts, cuts.stops, replacements, cuts.ends)
    assert edits.type == EDITS
    rows = [dict(zip(found, row, strict=True)) for row in zip(*(found[name].tolist() for name in COLUMNS), strict=True)]
    return rows, edited(array, edits).to_pylist(), edits


@settings(max_examples=400, deadline=None)
@given(texts, st.sampled_from([None, C4, FINEWEB, SHORT_WORDS, DOLMA]))
def test_kernel_equals_the_oracle(documents, rules):
    found, left, edits = measured(documents, rules)
    for text, signals, rest, cuts in zip(documents, found, left, edits.to_pylist(), strict=True):
        expected = reference.signals(text, rules)
        same = {k: signals[k] == v or (math.isnan(v) and math.isnan(signals[k])) for k, v in expected.items()}
        assert all(same.values()), (text, signals, expected)
        assert rest == (text if rules is None else reference.left(text, rules))
        assert all(a["end"] <= b["start"] for a, b in itertools.pairwise(cuts))


@settings(max_examples=100, deadline=None)
@given(texts)
def test_what_is_left_passes_again(documents):
    _, left, _ = measured(documents, SHORT_WORDS)
    assert measured(left, SHORT_WORDS)[1] == left


def test_text_without_edits_is_the_same_array():
    array = pa.array(["one", "two"], pa.large_string())
    assert edited(array, pa.array([[], None], EDITS)) is array


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("One. Two! Three? Four", 4),
        ("e.g. this, i.e. that, costs 3.50 at J. Smith's.", 1),
        ('"Stop." He said (quietly!) no more...', 3),
        ("これは文です。次の文！", 2),
        ("", 0),
    ],
)
def test_sentences(line, sentences):
    assert measured([line], None)[0][0]["sentences"] == sentences


CODE = inspect.getsource(heapq.merge)
MATHEMATICS = r"""\begin{align}
  \int_0^1 x^2 \, dx &= \frac{1}{3} \\
  \sum_{k=1}^n k &= \frac{n(n+1)}{2}
\end{align}"""
POEM = """Tyger Tyger, burning bright,
In the forests of the night;
What immortal hand or eye,
Could frame thy fearful symmetry?"""
PROSE = """The road from the station follows the river for two miles, and then turns north into the hills.
There is an inn at the bend. It closes at nine."""


LONG_LINES = """Out of the cradle endlessly rocking,
Out of the mocking-bird's throat, the musical shuttle,
Over the sterile sands and the fields beyond, where the child leaving his
    bed wander'd alone,
Down from the shower'd halo,

I, chanter of pains and joys,
Reminiscent of them all.

A reminiscence sing."""
MENU = """Home
About the project
News and events

Our latest articles
How to join us
Contact and imprint

Read more about cookies
Accept all of them
Privacy, terms and conditions"""
WRAPPED = """The quick way to find out what a page holds,
without reading it, is to look at its lines:
In most of them, a sentence goes on where the
line ends, since a program broke them."""


@pytest.mark.parametrize("text", [MATHEMATICS, POEM, LONG_LINES])
def test_lines_of_mathematics_and_verse_stay_as_they_are(text: str) -> None:
    assert left(text, C4) != text
    assert left(text, C4._replace(keep_code=True)) == text.replace("\n\n", "\n")


def test_most_lines_of_real_code_stay() -> None:
    lines = [line for line in CODE.split("\n") if line.strip()]
    stays = left(CODE, C4._replace(keep_code=True)).split("\n")
    assert len(left(CODE, C4).split("\n")) < len(lines) / 2 < len(stays)


def test_lines_of_prose_are_not_taken_for_code() -> None:
    for text in (PROSE, MENU, WRAPPED):
        assert signals_of(text, LineRules(keep_code=True))["verbatim_lines"] == 0


def left(text: str, rules: LineRules) -> str:
    texts = pa.array([text], pa.large_string())
    _, cuts = line_signals(*utf8_view(texts), rules)
    feeds = pa.array(["\n" * count for count in cuts.newlines.tolist()], pa.string())
    return edited(texts, edit_lists(cuts.starts, cuts.stops, feeds, cuts.ends))[0].as_py()


def signals_of(text: str, rules: LineRules) -> dict[str, float]:
    found, _ = line_signals(*utf8_view(pa.array([text], pa.large_string())), rules)
    return {name: float(values[0]) for name, values in found.items()}
