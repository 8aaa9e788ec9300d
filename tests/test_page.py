"""The page: self-contained, small, inert whatever the documents say, and right about its numbers."""

import base64
import hashlib
import html
import re
from contextlib import contextmanager
from html.parser import HTMLParser

import msgspec
import pytest

from curate.report.alerts.alert import Alert
from curate.report.conversations import Conversations
from curate.report.html import page as page_module
from curate.report.html.page import MAX_BYTES, render_page, visible, write_report
from curate.report.model import build_report
from curate.report.quantities import count, share
from curate.report.samples import Samples
from curate.settings.report import ReportSettings
from curate.store.cost_entries import Piece
from curate.store.manifest_entries import Against, Skipped
from fake_run import HOSTILE, write_fake_run

VOID = {"meta", "br", "link", "hr", "img", "input"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, documents=120, parts=2)
    return build_report(folder, ReportSettings(samples=120))


@pytest.fixture(scope="module")
def page(report):
    return render_page(report)


class Elements(HTMLParser):
    """Collects tags and attributes, and checks that every tag that opens closes in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page)


def test_hostile_text_is_shown_and_adds_no_element(page, elements):
    assert "&lt;img src=x onerror=" in page
    assert "␇ ␀" in page
    assert "⟦U+202E⟧" in page
    assert "&lt;b&gt;evil &amp; co&lt;/b&gt;" in page
    assert "img" not in elements.tags
    assert elements.tags.count("script") == 2
    assert elements.tags.count("style") == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_nothing_is_loaded_and_no_attribute_acts(elements):
    for tag, name, value in elements.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"src", "style", "srcset", "action"}, (tag, name)
        if name in {"href", "xlink:href"}:
            assert value.startswith("#")


def test_the_policy_allows_just_the_style_and_the_script_of_the_page(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none';")
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_links_and_ids_fit(elements, report):
    ids = [value for _, name, value in elements.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in elements.attributes if name == "href"} <= set(ids)
    numbers = dict.fromkeys(Conversations.__struct_fields__, 9)
    chats = Conversations(**numbers | {"compared": "whole"})
    page = render_page(msgspec.structs.replace(report, conversations=chats))
    contents = re.search(r"<nav.*?</nav>", page, re.DOTALL)[0]
    assert re.findall(r'<section id="(.*?)"', page) == re.findall(r'href="#(.*?)"', contents)


def test_the_page_begins_with_where_the_tokens_went(report, page):
    said = re.search(r'<p class="split">(.*?)</p>', page, re.DOTALL)[1]
    fall = report.waterfall
    lost = {kind: figure.value / fall.raw.value for kind, figure in fall.kinds.items() if figure.value}
    assert len(lost) >= 2
    assert all(share(one) in said for one in lost.values())
    assert all(
        f"<code>{', '.join(each.stage for each in fall.stages if each.kind == kind)}</code>" in said for kind in lost
    )


def test_a_run_that_removed_nothing_says_so_without_tables_of_zeros(tmp_path):
    write_fake_run(tmp_path, documents=30, parts=1, skip=("language", "near_dup", "quality"))
    report = build_report(tmp_path, ReportSettings())
    zero = msgspec.structs.replace(report.compute.share, value=0.0)
    page = render_page(msgspec.structs.replace(report, compute=msgspec.structs.replace(report.compute, share=zero)))
    text = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert "No document was removed." in text
    assert "it has no fewer tokens" in text
    assert "no token was removed" in text
    assert all(row not in text for row in ("GPU time", ">Money<", "0 were", "By reason"))


def test_only_what_is_nearest_to_a_similarity_is_open(report):
    nearest = []
    for one in report.samples.nearest:  # a duplicate is nearest to every limit
        twin = next(each for each in report.samples.removed["near_dup.near_duplicate"] if each.twin)
        nearest.append(msgspec.structs.replace(one, documents=(msgspec.structs.replace(twin, value=1.0),)))
    samples = msgspec.structs.replace(report.samples, nearest=tuple(nearest))
    page = render_page(msgspec.structs.replace(report, samples=samples))
    opened = re.findall(r"<details[^>]* open[^>]*><summary>Nearest to <code>([^<]*)</code>", page)
    assert opened == ["near_dup.similarity"]


def test_the_slowest_parts_are_named(report):
    pieces = tuple(
        Piece(step="pass 1", piece=f"part-{at}", started="", wall_seconds=at * 60, cpu_seconds=1, phases={})
        for at in range(1, 9)
    )
    manifest = msgspec.structs.replace(report.manifest, work=pieces)
    named = re.findall(r"<dt>pass 1, part-(\d)</dt>", render_page(msgspec.structs.replace(report, manifest=manifest)))
    assert named == list("87654")


def test_names_that_differ_at_their_end_stay_apart():
    names = [f"https://example.org/{'a' * 200}/{number}" for number in (1, 2)]
    for most in (24, 120):
        one, other = (page_module._short_name(name, most) for name in names)
        assert one != other
        assert len(one) == most


def test_numbers_of_the_model_are_on_the_page(report, page):
    for number in (report.summary.read, report.summary.kept, report.summary.removed, report.summary.tokens_kept):
        assert count(number) in page
    for reason in report.reasons:
        assert f"{reason.stage}.{reason.code}" in page
    for constant in report.compute.constants:
        assert constant.name in page


def test_every_chart_has_a_name_a_description_and_a_finding(page):
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) >= 10
    for figure in figures:
        assert re.search(r'<svg role="img" aria-label="[^"]+".*?><title>[^<]+</title><desc>[^<]+</desc>', figure)
        assert re.search(r"<figcaption>[^<]*\w\.", figure)


def test_the_matrix_of_sources_is_on_the_page(report, page):
    matrix = report.duplicates.matrix
    assert sum(map(sum, matrix.documents)) == report.duplicates.removed
    table = re.search(r"Between sources.*?</table>", page, re.DOTALL)[0]
    cells = re.findall(r'<td class="number">([^<]*)</td>', table)
    assert cells == [count(number) if number else "–" for row in matrix.documents for number in row]
    named = re.findall(r'<th scope="row"><bdi>(.*?)</bdi>', table)
    assert named == [html.escape(visible(name)) for name in matrix.sources]


def test_clusters_say_whose_documents_were_removed(report, page):
    largest = report.duplicates.largest
    assert all(sum(n for _, n in cluster.sources) == cluster.documents - 1 for cluster in largest)
    assert [sample.id for sample in report.samples.clusters] == [cluster.survivor for cluster in largest]
    assert page.count("Removed: ") == len(largest)


def test_the_audit_is_a_sentence_and_absent_without_twins(report, page):
    assert "near-duplicates about" not in page
    audit = {"documents": 9000, "twins": 400, "missed": 1, "share": 0.0025, "upper": 0.0118}
    audited = msgspec.structs.replace(report, duplicates=msgspec.structs.replace(report.duplicates, audit=audit))
    sentence = re.search(r'<p class="audit">(.*?)<span', render_page(audited))[1]
    assert "in a sample of 9,000 documents" in sentence
    assert "400 had a near-duplicate, of which 1 was missed" in sentence


def test_without_a_measurement_nothing_is_called_saved(page):
    text = re.sub(r"<script.*?</script>|<style.*?</style>|<pre.*?</pre>", "", page, flags=re.DOTALL)
    assert "compute saved" not in text.lower()
    assert "not a claim about equal quality" in text


def test_a_page_too_large_gets_shorter_samples_and_says_so(report, page, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_BYTES", len(page.encode()) - 1)
    shorter = render_page(report)
    assert len(shorter.encode()) < len(page.encode())
    assert "samples were cut to 600 characters" in shorter


def test_a_large_run_stays_in_the_budget(report):
    many = tuple(report.samples.removed["language.not_in_keep"]) * 60
    full = msgspec.structs.replace(report.samples, removed={"language.not_in_keep": many})
    assert len(render_page(msgspec.structs.replace(report, samples=full)).encode()) <= MAX_BYTES


def test_pages_of_every_shape_render(tmp_path):
    for number, skipped in enumerate([("tokenize",), ("language", "near_dup", "quality"), ("normalize",)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_fake_run(folder, documents=60, parts=1, skip=skipped)
        report = build_report(folder, ReportSettings(samples=0))
        json_path, html_path = write_report(folder, report)
        assert json_path.stat().st_size
        rendered = html_path.read_text()
        Elements(rendered)
        assert "The harbour was quiet" not in rendered


def test_visible_leaves_ordinary_text_of_every_script_alone():
    text = "naïve Zürich 東京 العربية हिन्दी 👩\u200d🔬 a\tb\nc"
    assert visible(text) == text
    assert len(visible("e" + "\u0301" * 5000)) < 10
    assert "\x1b" not in visible(HOSTILE)


def test_no_absolute_path_is_on_the_page(report):
    paths = {
        "command": "curate run '/srv/my corpora/june' -o /home/ada/out --set tokenize.tokenizer=/opt/t/tokenizer.json",
        "skipped": (Skipped(path="/srv/my corpora/june/a.docx", why="no reader"),),
        "against": (Against(path="/home/ada/may", run_id="1"),),
        "warnings": ("`/srv/my corpora/june/b.jsonl` is empty", "cannot read /var/lib/thing/x.bin"),
        "config": {**report.manifest.config, "tokenize": {"tokenizer": "/opt/t/tokenizer.json"}},
        "tokens": msgspec.structs.replace(report.manifest.tokens, tokenizer="/opt/t"),
    }
    manifest = msgspec.structs.replace(report.manifest, **paths)
    alerts = tuple(
        Alert(level="warning", title=text, command="curate sample /home/ada/out") for text in paths["warnings"]
    )
    page = render_page(msgspec.structs.replace(report, manifest=manifest, alerts=alerts))
    for private in ("/srv", "/home", "/opt/t", "/var/lib", "corpora/june/"):
        assert private not in page.replace("…/june/", "")
    assert "curate run &#39;…/june&#39; -o out" in page
    assert "curate sample out" in page


@pytest.fixture(scope="module")
def opened(chromium, report, tmp_path_factory):
    """Opens a page with few documents in a window; what it logs and asks for is noted."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    every = report.samples
    largest = (msgspec.structs.replace(report.duplicates.largest[0], sources=(("w" * 150, 1),)),)
    wide = msgspec.structs.replace(report.duplicates, largest=(*largest, *report.duplicates.largest[1:]))
    few = Samples(
        removed={code: group[:1] for code, group in every.removed.items()},
        kept=every.kept[:1],
        nearest=tuple(msgspec.structs.replace(one, documents=one.documents[:2]) for one in every.nearest),
        clusters=every.clusters[:2],
    )
    file.write_text(render_page(msgspec.structs.replace(report, samples=few, duplicates=wide)))

    @contextmanager
    def window(width=1280, height=900, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        view, heard = context.new_page(), []
        view.on("console", lambda said: heard.append(said.text))
        view.on("pageerror", lambda error: heard.append(str(error)))
        view.on("request", lambda asked: heard.append(asked.url))
        view.goto(file.as_uri())
        yield view
        assert heard == [file.as_uri()]
        context.close()

    return window


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "scheme", "rules"),
    [
        (1280, "light", {}),
        (390, "light", {"rules": {"color-contrast": {"enabled": False}}}),  # it takes longest, and colours are the same
        (1280, "dark", {"runOnly": ["color-contrast"]}),
    ],
    ids=["wide", "narrow", "dark"],
)
def test_in_a_browser_nothing_acts_and_anybody_can_read_it(opened, width, scheme, rules):
    """Nothing is fetched or logged, nothing sticks out, axe-core finds nothing with all of it open."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(width, color_scheme=scheme, bypass_csp=True) as view:  # the policy would keep axe out, too
        assert view.title().startswith("curate report")
        assert view.locator("#theme").is_visible()
        assert view.locator(".moved").count() >= 2
        assert view.locator("img").count() == 0
        if width == 1280:
            assert view.evaluate("document.documentElement.scrollHeight") <= 12_000
        assert view.evaluate("document.documentElement.scrollWidth") == width
        view.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert view.evaluate("document.documentElement.scrollWidth") == width
        if width == 1280:
            inside = view.locator(".numbers .scroll, .scroll:has(> .heat)")
            assert inside.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth).length") == 0
        numbers = view.locator("#reasons td:nth-child(2), #compute td:nth-child(2)")  # what people look for
        assert (
            numbers.evaluate_all(f"all => all.filter(one => one.getBoundingClientRect().right > {width}).length") == 0
        )
        found = axe.run(view, options={"resultTypes": ["violations"], **rules}).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


@pytest.mark.browser
def test_in_a_browser_with_a_keyboard_and_the_policy(opened):
    with opened() as view:
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.className") == "skip"
        slider, said = (view.locator(f".moved {each}:visible").first for each in ("input", "output"))
        before = said.text_content()
        slider.focus()
        view.keyboard.press("ArrowRight")
        assert said.text_content() != before
        assert re.search(r"documents kept|only a rerun", said.text_content())
        view.locator("#theme").press("Enter")
        assert view.evaluate("document.documentElement.dataset.theme") in {"light", "dark"}
    with opened(java_script_enabled=False) as view:
        assert view.locator("h1").is_visible()
        assert all(view.locator(name).is_hidden() for name in ("#theme", "#find", "#prices"))


@pytest.mark.browser
def test_in_a_browser_sliders_say_what_can_be_set(opened):
    """No further than values go, nothing "up to" where nothing comes back, and back to where they began."""
    with opened() as view:
        view.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = view.evaluate("""() => [...document.querySelectorAll('.moved')].flatMap(box => {
            const [said, button] = [box.querySelector('output'), box.querySelector('button')];
            return [...box.querySelectorAll('input')].map(input => {
                const [start, before] = [input.value, said.textContent];
                const move = (to) => {
                    input.value = to;
                    input.dispatchEvent(new Event('input'));
                    return said.textContent;
                };
                const ends = [input.min, input.max].map(to => [move(to), button.dataset.text]);
                return [before, move(start), ends];
            });
        })""")
    assert len(found) >= 6
    for before, after, ends in found:
        assert after == before
        for said, setting in ends:
            assert not said.partition(": ")[2].startswith("up to") or "(+" in said
            assert "score=" not in setting or float(setting.partition("=")[2]) <= 1


@pytest.mark.browser
def test_in_a_browser_the_page_is_searched_gone_through_and_asked(opened, report):
    with opened() as view:
        before = view.evaluate("document.documentElement.scrollHeight")
        sections = []
        for key in "jjjk":
            view.keyboard.press(key)
            sections.append(view.evaluate("document.activeElement.id"))
        assert sections[0] == "verdict"
        assert sections[1] == sections[3] != sections[2]
        view.keyboard.press("/")
        view.keyboard.type("QUALITY.too_few_words quality")
        rows = view.locator("#reasons tbody tr:visible").all_text_contents()
        assert rows
        assert all("quality.too_few_words" in row for row in rows)
        assert re.fullmatch(r"[1-9][0-9]* found", view.locator("#find output").text_content())
        view.keyboard.press("Escape")
        assert view.evaluate("document.documentElement.scrollHeight") == before
        prices, compute = view.locator("#prices"), report.compute
        figures = re.findall(r"[\d.]+(?: [kMBT])?(?= (?:GPU-hours|USD less))", prices.locator("output").text_content())
        assert float(figures[0]) == pytest.approx(compute.gpu_hours.value, rel=0.01)
        assert float(figures[1]) == pytest.approx(compute.money.value, rel=0.01)
        prices.locator("input").nth(2).focus()
        view.keyboard.press("Home")
        assert "report.price_per_gpu_hour=0.2" in prices.locator("button").get_attribute("data-text")


@pytest.mark.browser
def test_a_print_has_the_first_sections_on_four_sheets(opened):
    with opened() as view:
        sheets = view.pdf(prefer_css_page_size=True)
        assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", sheets)) <= 4
    with opened(color_scheme="dark") as view:
        view.evaluate("document.documentElement.dataset.theme = 'dark'")
        view.emulate_media(media="print")
        colours = "const s = getComputedStyle(document.body); [s.color, s.backgroundColor, s.colorScheme]"
        assert view.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)", "light"]
