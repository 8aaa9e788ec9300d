"""Entities are unescaped in prose, once; text about markup and code keeps them."""

import html
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text.repair.entities import unescape_prose
from hostile_fragments import fuzzed, nasty

PROSE = {
    "Tom &amp; Jerry": "Tom & Jerry",
    "P&eacute;rez, BUNDESSTRA&SZLIG;E": "Pérez, BUNDESSTRASSE",
    "America&#8217;s Most Wanted&#133;": "America’s Most Wanted…",
    "Fresh peppercorns &#151; purchased": "Fresh peppercorns — purchased",
    "Windows PowerShell&reg; is a shell": "Windows PowerShell® is a shell",
    "He said &quot;no&quot; &amp; left": 'He said "no" & left',
    "leaves at  &lt;#&gt;, &lt;3": "leaves at  <#>, <3",
    "word&nbsp;word&nbsp; &nbsp;": "word\xa0word\xa0 \xa0",
    "&ldquo;the kingdom of God&rdquo; (19:8).": "“the kingdom of God” (19:8).",
    "x.yyye&#177;zz (&pound;)": "x.yyye±zz (£)",
    "Smith, Jones, &amp; Sons\nAT&T": "Smith, Jones, & Sons\nAT&T",
    "http://a.b/?x=1&amp;y=2": "http://a.b/?x=1&y=2",
    "News &amp; Events | Contact": "News & Events | Contact",
    "1 &lt; 2 and 3 &gt; 2": "1 < 2 and 3 > 2",
    "&#1057;&#1083;&#1086;&#1074;&#1086;": "Слово",
    "日本&amp;韓国": "日本&韓国",
}
MEANT = [
    "To show bold, write &lt;b&gt;bold&lt;/b&gt; and &amp;amp; in your source.",
    "write &amp;amp; in your source",
    "it&amp;#8217;s",
    "The non-breaking space (&nbsp;) is wider",
    "the sign `&pound;' stands for it",
    "« &amp; »",
    "The ampersand must be written &amp;",
    "In HTML use &eacute; for é",
    "Use &nbsp; between words",
    "<p>Tom &amp; Jerry</p>",
    "Tom &amp; Jerry\n<br>",
    "the ampersand & is written &amp;",
    "if (a &lt; b &amp;&amp; c &gt; d) { return &quot;x&quot;; }",
    "uint32_t *p = &reg;",
    "    return &copy;",
    "f(&para;",
    "exists &sub;        # OK",
    "tm-&gt;when",
    "std::vector&lt;int&gt; v",
    "#include &lt;stdio.h&gt;",
    "a&lt;b",
    "`a &lt; b` in backquotes",
    "returns &null; or &true;",
    "AT&T, R&D",
    "&",
    "&#;",
]


def unescaped(*texts):
    result, done = unescape_prose(pa.array(texts, pa.large_string()))
    assert done.tolist() == [a != b for a, b in zip(texts, result.to_pylist(), strict=True)]
    return result.to_pylist()


@pytest.mark.parametrize("text", PROSE)
def test_prose(text):
    assert unescaped("", text, "&") == ["", PROSE[text], "&"]


@pytest.mark.parametrize("text", MEANT)
def test_what_is_meant_stays(text):
    assert unescaped(text) == [text]
    assert unescaped(f"Some prose.\n\n{text}\n") == [f"Some prose.\n\n{text}\n"]


@fuzzed
@given(st.lists(nasty, max_size=10))
def test_never_more_than_one_level_and_never_markup(texts):
    once = unescaped(*texts)
    assert unescaped(*once) == once
    for before, after in zip(texts, once, strict=True):
        if before != after:
            assert not re.search("<[A-Za-z/!?]", before + after)
        for a, b in zip(before.split("\n"), after.split("\n"), strict=True):
            assert b == a or "&" not in re.sub("&#?[0-9A-Za-z]{1,24};", "", a)
            assert b == a or html.unescape(a).isascii() or not b.isascii()
