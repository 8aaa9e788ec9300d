"""The URL filter: lists as people publish them, addresses as crawls hold them."""

import gzip
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.cli import command
from curate.errors import PlanError
from curate.stages.url_filter import Hashed, UrlFilter, UrlFilterSettings, parsed

HOSTS = """\
# a hosts file
127.0.0.1 localhost
0.0.0.0 ads.example   # comment
::1 six.example

plain.example
*.star.example
||adblock.example^
Bücher.example
203.0.113.9
"""


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "hosts").write_text(HOSTS)
    (tmp_path / "pages.txt.gz").write_bytes(gzip.compress(b"http://www.news.example/gossip/\nshop.example/a?id=1\n"))
    (tmp_path / "words").write_text("casino\n")
    (tmp_path / "subwords").write_text("xx-free\n")
    (tmp_path / "soft").write_text("buy\ncheap\npills\n")
    return tmp_path


def stage_of(lists, **given) -> UrlFilter:
    names = {"domains": "hosts", "urls": "*.gz", "words": "words", "subwords": "subwords", "soft_words": "soft"}
    return UrlFilter(UrlFilterSettings(**{key: (str(lists / name),) for key, name in names.items()}, **given))


def reasons(stage, *metadata):
    measures = stage.measure(pa.record_batch({"metadata": pa.array(metadata, pa.large_string())}))
    return stage.judge(measures).to_pylist()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ads.example/x", ["blocked_domain"]),
        ("https://a.b.ADS.example:8080/x#y", ["blocked_domain"]),
        ("six.example", ["blocked_domain"]),
        ("//plain.example./", ["blocked_domain"]),
        ("http://star.example", ["blocked_domain"]),
        ("http://user:pw@sub.adblock.example", ["blocked_domain"]),
        ("https://bücher.example/", ["blocked_domain"]),
        ("https://xn--bcher-kva.example/", ["blocked_domain"]),
        ("http://203.0.113.9/x", ["blocked_domain"]),
        ("http://1.203.0.113.9.example", []),
        ("https://bads.example", []),
        ("https://news.example/gossip", ["blocked_url"]),
        ("http://news.example/gossip/page", []),
        ("https://www.shop.example/a?id=1", ["blocked_url"]),
        ("https://shop.example/a?id=2", []),
        ("https://best-casino.example/", ["banned_word"]),
        ("https://casinos.example/", []),
        ("https://movies.example/maxx_free", ["banned_word"]),
        ("https://shop.example/buy/pills", ["too_many_soft_words"]),
        ("https://shop.example/buy/buy", []),
        ("https://casino.plain.example/buy-cheap-pills", ["blocked_domain", "banned_word", "too_many_soft_words"]),
        ("http://[::1", []),
        ("mailto:a@ads.example", []),
        ("", []),
    ],
)
def test_addresses_meet_the_lists(lists, url, expected):
    assert reasons(stage_of(lists), json.dumps({"url": url})) == [expected]


def test_the_address_is_found_where_crawls_put_it(lists):
    nested = json.dumps({"metadata": {"url": "ads.example"}})
    assert reasons(stage_of(lists), nested, None, "{}") == [["blocked_domain"], [], []]
    other = stage_of(lists, url_field="warc.uri", keep_without_url=False)
    assert reasons(other, json.dumps({"warc": {"uri": "ads.example"}}), nested) == [["blocked_domain"], ["no_url"]]


@given(st.text())
def test_any_text_is_an_address_or_none(text):
    found = parsed(text)
    assert found is None or "." in found[0]


@given(st.sets(st.text(max_size=5)), st.sets(st.text(max_size=5)))
def test_a_hashed_set_is_a_set(members, others):
    hashed = Hashed(members)
    assert all(text in hashed for text in members)
    assert not any(text in hashed for text in others - members)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "which is empty"),
        (b"# only\n", "which has no entry"),
        (b"\x89PNG\r\n\x1a\n\xff", "which is not text"),
        (b"a\0b", "null bytes"),
    ],
)
def test_lists_that_cannot_be_used_are_named(tmp_path, data, message):
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(PlanError, match=message):
        UrlFilter(UrlFilterSettings(domains=(str(tmp_path / "list.txt"),))).warnings()


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(PlanError, match="`url_filter` has no list"):
        UrlFilter(UrlFilterSettings()).warnings()
    with pytest.raises(PlanError, match="`url_filter.urls` names .*which is not there"):
        UrlFilter(UrlFilterSettings(urls=(str(tmp_path / "none"),))).warnings()
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8bno gzip")
    with pytest.raises(PlanError, match="which cannot be read"):
        UrlFilter(UrlFilterSettings(urls=(str(tmp_path / "a.gz"),))).warnings()
    (tmp_path / "words").write_text("two words\n")
    (found,) = UrlFilter(UrlFilterSettings(words=(str(tmp_path / "words"),))).warnings()
    assert found == "1 banned words are not single words and match nothing, such as `two words`"


def test_a_run_leaves_them_out_and_a_changed_list_is_noticed(lists, tmp_path):
    urls = ["https://ads.example/1", "https://fine.example/2", "https://casino.example/3"]
    rows = [{"id": str(i), "text": prose(i), "url": url} for i, url in enumerate(urls)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ['pipeline.stages=["normalize","url_filter","tokenize"]', f'url_filter.domains=["{lists / "hosts"}"]']
    words.append("url_filter.words=" + json.dumps([str(lists / "words")]))
    run = ["run", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out"), "-qq", *(f"--set={word}" for word in words)]

    def removed():
        assert command(run) == 0
        return json.loads((tmp_path / "out" / "run.json").read_text())["counts"]["removed"]["url_filter"]

    assert removed() == {"documents": 2, "reasons": {"blocked_domain": 1, "banned_word": 1}}
    (lists / "hosts").write_text("fine.example\n")
    assert removed() == {"documents": 2, "reasons": {"blocked_domain": 1, "banned_word": 1}}
    (lists / "hosts").write_text("other.example\n")
    assert removed() == {"documents": 1, "reasons": {"banned_word": 1}}
    (lists / "hosts").unlink()
    assert command(run) == 2
