"""`curate view`: what its pages say, whom they answer, and that nothing in a document acts."""

import asyncio
import csv
import errno
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest

import curate
from corpus_maker import prose
from curate.cli import command
from curate.errors import DamagedFile, UserError
from curate.report.judgments.judgments import Judgments
from curate.runs.whatif import whatif
from curate.store.files import place, write_whole
from curate.store.objects.bucket import bucket
from curate.view.app import app_of, new_token
from curate.view.groups import Groups, Table
from curate.view.index import Index, Query, _nearest
from curate.view.marks import Mark, Marks
from curate.view.moved import moved
from curate.view.pages import MOST_COMPARED, _pieces
from curate.view.stored import RUNS, Stored
from fake_run import HOSTILE
from object_server import credentials, s3_server

HOST = "127.0.0.1:8000"
QUICK = {"tokenize": {"tokenizer": "bytes"}, "report": {"samples": 0}, "language": {"min_score": 0.0}}
NASTY = [
    HOSTILE[:400],
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "</pre></bdi><svg onload=document.title='owned'>",
    "{{ 7*7 }} {% raw %}",
    "javascript:document.title='owned'",
    "\u202eevil\u0000\x1b[31m",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    rows = [{"id": f"doc {at}", "text": prose(at, 120 + at), "source": f"s{at % 3}"} for at in range(60)]
    rows += [{"id": f"near {at}", "text": f"{prose(at, 120 + at)} Zyxquill.", "source": "copies"} for at in range(5)]
    rows += [{"id": f"short {at}", "text": prose(100 + at, 20 + at), "source": "short"} for at in range(9)]
    rows += [
        {"id": nasty, "text": f"{prose(200 + at, 90)} {nasty} {prose(300 + at, 20)}", "source": nasty, "title": nasty}
        for at, nasty in enumerate(NASTY)
    ]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return curate.run(folder / "in.jsonl", folder / "out", config=QUICK, input={"part_bytes": 20_000})


@pytest.fixture(scope="module")
def index(run):
    return Index(run.path)


def pressed(page):
    """Keys of the buttons that are pressed; the style sheet on the page speaks of them, too."""
    return re.findall(r'<button aria-pressed="true" data-key="(.)">', page)


class Browser:
    """Asks the application without a socket."""

    def __init__(self, index: Index) -> None:
        self.token = new_token()
        self.app = app_of(index, self.token, (HOST,))

    def __call__(self, path="", method="GET", host=HOST, token="", whole="", **headers: str):
        target = urlsplit(path)
        told = {"host": host, "content-length": "0", **{name.replace("_", "-"): v for name, v in headers.items()}}
        scope = {
            "type": "http", "method": method, "root_path": "",
            "path": whole or f"/{token or self.token}/{target.path}",
            "query_string": target.query.encode(), "headers": [(k.encode(), v.encode()) for k, v in told.items()],
            "scheme": "http", "server": ("127.0.0.1", 8000), "http_version": "1.1",
        }  # fmt: skip
        sent = []

        async def ask():
            async def receive():
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message):
                sent.append(message)

            await self.app(scope, receive, send)

        with ThreadPoolExecutor(1) as aside:  # Playwright has a loop of its own in this thread
            aside.submit(lambda: asyncio.run(ask())).result()
        headers_ = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return sent[0]["status"], headers_, b"".join(m.get("body", b"") for m in sent[1:]).decode()


@pytest.fixture
def browser(index):
    return Browser(index)


def test_facets_count_what_the_run_counted(run, index):
    facets = index.facets(Query())
    assert {one.value: one.documents for one in facets["reason"]} == {k: v for k, v in run.counts.reasons.items() if v}
    outcomes = {one.value: one.documents for one in facets["outcome"]}
    assert (outcomes["kept"], outcomes["removed"]) == (run.counts.kept, run.counts.removed)
    for reason, documents in run.counts.reasons.items():
        assert len(index.rows(Query(reason=reason))) == documents
    assert len(index.rows(Query(source="short", outcome="quality"))) == 9
    words = [index.value("quality.words", int(row)) for row in index.rows(Query(measure="quality.words", near=50))]
    assert [abs(value - 50) for value in words] == sorted(abs(value - 50) for value in words)
    ranged = index.rows(Query(measure="quality.words", least=words[3], most=words[3]))
    assert {index.value("quality.words", int(row)) for row in ranged} == {words[3]}


def test_pages_show_documents_facets_and_limits(run, index, browser):
    status, _, page = browser()
    assert status == 200
    assert f"{run.counts.kept + run.counts.removed:,} documents" in page
    assert "doc 0" in page
    status, _, page = browser("?" + urlencode({"reason": "quality.too_few_words", "measure": "quality.words"}))
    assert (status, page.count("data-item>")) == (200, 9)
    row = int(index.rows(Query(reason="quality.too_few_words"))[0])
    status, _, page = browser(f"document/{row}?reason=quality.too_few_words")
    assert status == 200
    assert "at least 50" in page
    assert 'rel="next"' in page
    near = int(index.rows(Query(reason="near_dup.near_duplicate"))[0])
    page = browser(f"document/{near}")[2]
    assert "Kept instead" in page
    survivor = int(re.search(r'/document/(\d+)"><bdi>', page)[1])
    assert f"document/{near}" in browser(f"document/{survivor}")[2]
    assert browser("document/999999")[0] == 404
    assert browser("?measure=nothing&least=x&start=zzz&near=nan")[0] == 200


def test_search_finds_text_wherever_it_is(browser, index):
    found = browser("?" + urlencode({"q": "ZYXQUILL."}))[2]
    assert found.count("data-item>") == sum("near" in one for one in re.findall(r"<b><bdi>(.*?)</bdi>", found)) == 5
    rows = index.rows(Query())
    once = index.search(rows, "zyxquill.", 0, 2)
    assert len(once[0]) == 2
    assert len(index.search(rows, "zyxquill.", once[1], 40)[0]) == 3


def test_thresholds_move(browser):
    page = browser("whatif?quality.min_words=130")[2]
    assert "Exactly" in page or "About" in page
    assert "would be removed: quality.too_few_words" in page
    status, _, page = browser("whatif?quality.min_words=-5")
    assert (status, "That cannot be shown" in page) == (400, True)


MOVES = [
    ["quality.min_words=130"],
    ["quality.min_words=10"],
    ["quality.min_words=false"],
    ["quality.max_words=150", "quality.min_words=100"],
    ["quality.min_stop_words=9", "near_dup.similarity=0.9"],
    ["language.min_score=0.9"],
    ['language.keep=["de"]', "quality.max_words=150"],
    ["near_dup.similarity=1.0"],
]


def test_moved_thresholds_are_told_from_the_index_as_from_the_judgments(run, index, tmp_path, monkeypatch):
    expected = [whatif(run.path, changes, examples=6) for changes in MOVES]
    monkeypatch.setattr("curate.view.moved.Rejudged", lambda *_: pytest.fail("every document was judged again"))
    assert [moved(index, changes, 6) for changes in MOVES] == expected
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("curate.view.stored.SMALL", 1)
    for opened in (Index(run.path), Index(run.path)):  # what is kept of the first is read by the second
        assert [moved(opened, changes, 6) for changes in MOVES] == expected


def test_only_this_machine_with_the_token_is_answered(browser):
    assert browser(token="x" * 32)[0] == 404
    assert browser(host="evil.example")[0] == 404
    assert browser(host="evil.example", whole="/favicon.ico")[0] == 404  # no redirection to where the request says
    assert (browser("", "HEAD")[0], browser("../../etc/passwd")[0]) == (200, 404)
    assert browser("mark/0?mark=right", "POST", sec_fetch_site="cross-site")[0] == 403
    assert browser("mark/0?mark=right", "POST", content_length="99999999")[0] == 413
    assert browser("mark/0?mark=right")[0] == 405
    headers = browser()[1]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_marks_are_kept_beside_the_run_and_counted(run, index, browser):
    rows = [int(row) for row in index.rows(Query(reason="quality.too_few_words"))]
    for row, mark in zip(rows[:4], ("right", "right", "right", "wrong"), strict=True):
        assert browser(f"mark/{row}?mark={mark}", "POST")[0] == 303
    browser(f"mark/{rows[4]}?mark=right", "POST")
    browser(f"mark/{rows[4]}?mark=", "POST")
    nasty = int(index.rows(Query(source=NASTY[1]))[0])
    browser(f"mark/{nasty}?mark=right", "POST")
    lines = list(csv.DictReader((run.path / "marks.csv").read_text("utf-8").splitlines()))
    assert sorted(line["mark"] for line in lines) == ["right"] * 4 + ["wrong"]
    again = {one.rule: one for one in Marks(run.path).precisions()}
    assert (again["quality.too_few_words"].right, again["quality.too_few_words"].wrong) == (3, 1)
    assert "75 %" in browser("marks")[2].replace("\u202f", " ").replace(".0", "")
    assert pressed(browser(f"document/{rows[0]}")[2]) == ["r"]
    before = (run.path / "marks.csv").read_bytes()
    again = curate.run(run.path.parent / "in.jsonl", run.path, config=QUICK, input={"part_bytes": 20_000})
    assert not again.warnings
    assert (run.path / "marks.csv").read_bytes() == before


def test_a_file_of_marks_loses_no_line(tmp_path):
    one = Mark("part-0", 3, "'quoted", "=s", ("quality.too_few_words",), "right")
    first, second = Marks(tmp_path), Marks(tmp_path)
    first.set(one)
    second.set(one._replace(row=4, mark="wrong"))  # as a second `curate view` does
    assert len(Marks(tmp_path)) == 2
    file = tmp_path / "marks.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))  # as spreadsheets save it
    Marks(tmp_path).set(one._replace(mark=""))
    assert file.read_text().splitlines()[1:] == ["part-0,4,''quoted,'=s,quality.too_few_words,wrong"]
    for text in ("part;row;id;source;reasons;mark\npart-0;3;a;s;;right\n", file.read_text() + "my notes\n"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"line \d of .* is not a mark"):
            Marks(tmp_path)
        with pytest.raises(UserError, match="is not a mark"):
            first.set(one)
        assert file.read_text() == text


def test_a_mark_names_rare_reasons_too(run, index, tmp_path, monkeypatch):
    monkeypatch.setattr("curate.view.index.MOST_REASONS", 1)
    few = Index(shutil.copytree(run.path, tmp_path / "out", ignore=shutil.ignore_patterns("marks.csv")))
    row = next(int(row) for row in index.rows(Query(outcome="removed")) if not few.reasons_of(int(row)))
    assert Browser(few)(f"mark/{row}?mark=right", "POST")[0] == 303
    [line] = csv.DictReader((tmp_path / "out" / "marks.csv").read_text("utf-8").splitlines())
    assert sorted(line["reasons"].split()) == sorted(index.reasons_of(row)) != []


def test_a_mark_that_cannot_be_written_is_not_shown_as_kept(run, tmp_path, monkeypatch):
    browser = Browser(Index(shutil.copytree(run.path, tmp_path / "out")))
    assert browser("mark/0?mark=right", "POST")[0] == 303

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("curate.view.marks.write_whole", read_only)
    status, _, page = browser("mark/1?mark=wrong", "POST")
    assert (status, "marks.csv` cannot be written: Read-only file system" in page) == (400, True)
    assert [pressed(browser(f"document/{row}")[2]) for row in (0, 1)] == [["r"], []]


def test_marks_of_several_at_once_are_all_kept(tmp_path):
    several = [Marks(tmp_path) for _ in range(8)]  # as many `curate view`; they share no lock of threads

    def mark(number):
        for row in range(5):
            several[number].set(Mark("part-0", 5 * number + row, "id", "s", (), "right"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(mark, range(8)))
    assert len(Marks(tmp_path)) == 40
    assert [file.name for file in tmp_path.iterdir()] == ["marks.csv"]


def test_a_run_that_changes_meanwhile_is_said_to(run, tmp_path):
    browser = Browser(Index(shutil.copytree(run.path, tmp_path / "out")))
    shutil.rmtree(tmp_path / "out" / "documents")
    for path, status in (("", 500), ("document/0", 400)):
        found, _, page = browser(path)
        assert (found, "That cannot be shown" in page) == (status, True)


def test_of_long_texts_it_is_said_how_much_was_not_compared():
    text = "one word " * (MOST_COMPARED // 9 + 1)
    unread = f"{len(text) - MOST_COMPARED} more characters, which were not compared"
    assert _pieces(text, text)[-1] == ("unread", unread)
    whole = text[:-18]
    assert {kind for kind, _ in _pieces(whole, f"Other {whole}")} == {"new", "same"}


def test_documents_are_escaped_on_every_page(index, browser):
    pages = [browser()[2], browser("?start=40")[2], browser("whatif?quality.min_words=150")[2]]
    pages += [browser(f"document/{int(row)}")[2] for nasty in NASTY for row in index.rows(Query(source=nasty))]
    fields = ("q", "source", "reason", "outcome", "language", "measure")
    pages += [browser("?" + urlencode(dict.fromkeys(fields, nasty)))[2] for nasty in NASTY]
    assert len(pages) >= 3 + 2 * len(NASTY) - 1
    for whole in pages:
        page = re.sub(r' value="[^"]*"', "", whole)  # what is sent again stays as it is
        assert page.count("<script") == whole.count("<script") == 1
        assert "<img" not in page
        assert "<svg" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page))


@pytest.fixture(scope="module")
def served(run):
    process = subprocess.Popen(
        [sys.executable, "-m", "curate", "view", str(run.path), "--no-open"], stdout=subprocess.PIPE, text=True
    )
    yield process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) in (0, 130)
    process.stdout.close()


def test_the_command_serves_until_it_is_asked_to_stop(served):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", served)
    with urllib.request.urlopen(served) as answer:
        assert b"documents</h1>" in answer.read()


def test_a_port_in_use_is_a_mistake_of_the_user(run, served):
    port = urlsplit(served).port
    assert command(["view", str(run.path), "--no-open", "--port", str(port)]) == 2
    assert command(["view", str(run.path.parent), "--no-open"]) == 2


@pytest.fixture(scope="module")
def kinds(index):
    """A page of each kind, those of documents that would act if they could among them."""
    near = int(index.rows(Query(reason="near_dup.near_duplicate"))[0])
    removed = int(index.rows(Query(reason="quality.too_few_words"))[0])
    hostile = [int(index.rows(Query(source=nasty))[0]) for nasty in NASTY[1:5]]
    return [
        "", "?start=50", "?reason=quality.too_few_words&measure=quality.words&near=50", "?q=nowhere+to+be+found",
        *(f"document/{row}" for row in (near, removed, *hostile)), "whatif", "whatif?quality.min_words=150", "marks",
        "whatif?quality.min_words=-5",
    ]  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_nothing_acts_and_anybody_can_read_it(served, kinds, chromium, width):
    """With the policy and without it nothing acts; nothing is fetched, logged or sticks out; axe-core finds nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for bypass in (False, True):  # the policy would keep axe out, too
        asked, said = [], []
        context = chromium.new_context(viewport={"width": width, "height": 900}, bypass_csp=bypass)
        page = context.new_page()
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append((message.location["url"], message.text)))
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for path in kinds if bypass else kinds[4:10]:
            page.goto(served + path)
            assert "owned" not in page.title().split("·")[-1]
            assert page.locator("img, svg, iframe").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") == width, path
            if bypass:
                found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
                assert [(path, one["id"], one["nodes"][0]["html"]) for one in found] == []
        context.close()
        assert [url for url in asked if not url.startswith(served) and not url.endswith("favicon.ico")] == []
        told = [(url, text) for url, text in said if not url.endswith("/favicon.ico") and url != served + kinds[-1]]
        assert told == []  # but for those two, which answer 404 and 400


@pytest.mark.browser
def test_in_a_browser_keys_go_from_document_to_document(served, chromium):
    page = chromium.new_page()
    page.goto(served)
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.href")
    page.keyboard.press("Enter")
    page.wait_for_url(first)
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("k")
    page.wait_for_url(first)
    page.close()


def test_what_was_read_once_is_found_again_until_a_file_changes(run, index, tmp_path, monkeypatch):
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("curate.view.stored.SMALL", 1)
    copy = shutil.copytree(run.path, tmp_path / "run")
    queries = [
        Query(), Query(outcome="kept"), Query(outcome="removed", source="short"), Query(reason="quality.too_few_words"),
        Query(measure="quality.words", near=50), Query(measure="quality.words", least=100, language="en"),
    ]  # fmt: skip
    for opened in (Index(copy), Index(copy)):
        for query in queries:
            assert opened.rows(query).tolist() == index.rows(query).tolist()
            assert opened.facets(query) == index.facets(query)
        for name, rows in index.survivors.items():
            assert opened.survivors[name].tolist() == rows.tolist()
    monkeypatch.setattr(Judgments, "_checked", lambda *_: pytest.fail("read again"))
    Index(copy)
    monkeypatch.undo()
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("curate.view.stored.SMALL", 1)
    file = next((copy / "quality").iterdir())
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(DamagedFile, match="quality"):
        Index(copy)


@pytest.mark.parametrize("different", [3, 40, 1_000_000])
@pytest.mark.parametrize("missing", [0.0, 0.5, 0.95, 1.0])
def test_the_nearest_of_many_are_those_of_a_whole_sort(monkeypatch, different, missing):
    dice = np.random.default_rng(1)
    monkeypatch.setattr("curate.view.index.NEAREST", 100)
    for size in (50, 100, 101, 5000):
        distance = dice.integers(0, different, size).astype(np.float32)
        distance[dice.random(size) < missing] = np.nan
        whole = np.argsort(distance, kind="stable")[: int((~np.isnan(distance)).sum())]
        assert _nearest(distance).tolist() == whole[:100].tolist()


@pytest.fixture
def in_bucket(run, tmp_path, monkeypatch):
    """The same run in a bucket."""
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "cache"))
    with s3_server("runs") as address:
        for name, value in credentials(address).items():
            monkeypatch.setenv(name, value)
        bucket.cache_clear()
        there = place("s3://runs/view")
        for file in run.path.rglob("*"):
            if file.is_file() and ".cache" not in file.parts and file.name != "marks.csv":
                write_whole(there / file.relative_to(run.path).as_posix(), file.read_bytes())
        yield there
        bucket.cache_clear()


def test_a_run_in_a_bucket_is_browsed_as_one_on_this_disk(run, index, in_bucket, monkeypatch):
    monkeypatch.setattr("curate.view.stored.SMALL", 1)
    (run.path / "marks.csv").unlink(missing_ok=True)
    near = int(index.rows(Query(reason="near_dup.near_duplicate"))[0])
    paths = ("", "?outcome=removed&measure=quality.words&near=50", f"document/{near}", "?q=zyxquill", "marks")
    here = Browser(index)
    for _ in range(2):
        there = Browser(Index(in_bucket))
        for path in paths:
            pages = [browser(path) for browser in (here, there)]
            assert pages[0][0] == pages[1][0] == 200
            assert pages[0][2].replace(here.token, "") == pages[1][2].replace(there.token, "").replace(
                "s3://runs/view", str(run.path)
            )
    assert there(f"mark/{near}?mark=right", "POST")[0] == 303
    assert pressed(Browser(Index(in_bucket))(f"document/{near}")[2]) == ["r"]


def test_of_the_cache_only_what_curate_wrote_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("curate.view.stored.SMALL", 1)
    (tmp_path / "view" / "photos").mkdir(parents=True)
    (tmp_path / "view" / "photos" / "a.npy").write_text("somebody's")
    made = Groups(np.zeros(3, np.int32), Table([-1], [0], [0], [0], [3], ["s"], ["en"]))
    for run in range(RUNS + 2):
        Stored([], [str(run)], 3).groups(lambda: made)
        for table in tmp_path.glob("view/*/groups.json"):
            (table.parent / "note.txt").write_text("somebody's, too")
            (table.parent / "tmp1.tmp").write_text("of a process that was killed")
    assert len([*tmp_path.glob("view/*/groups.json")]) == RUNS
    assert (tmp_path / "view" / "photos" / "a.npy").read_text() == "somebody's"
    assert len([*tmp_path.glob("view/*/note.txt")]) == RUNS + 2
    assert len([*tmp_path.glob("view/*/*.tmp")]) == RUNS
