"""Cut lines from end to end: gone from shards and from what later stages see, shown by `why`, the same however run."""

import hashlib
import json
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.cli import command
from curate.models.tokenizers.tokenizer import load_tokenizer
from curate.shards.reader import read_shards
from curate.store.life import edited_text

PROSE = "\n".join(
    f"It was in the year {year} that the people of the town built the {year}th bridge over the river."
    for year in range(1800, 1812)
)
NOTICE = "You need JavaScript to see the rest of this page."
LATER_FIRST = 'pipeline.stages=["normalize","quality","language","near_dup","tokenize"]'
GIVEN = [
    "pipeline.recipe=c4-datatrove",
    'pipeline.stages=["normalize","language","near_dup","quality","tokenize"]',
    "language.min_score=0",
    "near_dup.similarity=0.99",
]


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    texts = {
        "plain": PROSE,
        "with-notice": f"Menu\n\n{PROSE.replace('18', '19').replace('bridge over', 'bridge[12] over')}\n{NOTICE}\n",
        "twin": f"{PROSE}\n{NOTICE}\nWe use cookies to make this site better for you and for all the others.",
        "code": f"{PROSE.replace('town', 'village')}\nint main(int argc, char **argv) {{ return 0; }} is a program.",
    }
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return folder


def run(corpus, out, *flags, settings=()):
    words = [word for one in (*GIVEN, *settings) for word in ("--set", one)]
    assert command(["run", str(corpus), "-o", str(out), "-qq", *words, *flags]) == 0
    return json.loads((out / "run.json").read_text())


def tokens_of(out):
    tokenizer = load_tokenizer("cl100k_base")
    return {document.id: tokenizer.decode(document.tokens) for document in read_shards(out / "shards")}


def bytes_of(out):
    files = sorted(file for file in out.rglob("*.parquet"))
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_what_is_cut_is_in_no_shard_and_shown_by_why(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    manifest = run(corpus, out)
    found = tokens_of(out)
    assert set(found) == {"plain", "with-notice", "twin"}
    assert found["plain"] == PROSE
    assert found["with-notice"] == PROSE.replace("18", "19")
    assert manifest["counts"]["removed"]["quality"]["documents"] == 1
    capsys.readouterr()
    assert command(["why", str(out), "with-notice"]) == 0
    shown = capsys.readouterr().out
    assert "cut  Menu⏎⏎" in shown
    assert "cut  [12]" in shown
    assert NOTICE in shown
    assert command(["shards", "verify", str(out)]) == 0


def test_raw_tokens_count_what_was_cut(corpus, tmp_path):
    tokenizer = load_tokenizer("cl100k_base")
    tokens = run(corpus, tmp_path / "out")["tokens"]
    texts = [json.loads(line)["text"].strip() for line in (corpus / "a.jsonl").read_text().splitlines()]
    ids = tokenizer.encode(pa.array(texts, pa.large_string()))
    assert tokens["raw"]["value"] == len(ids.flatten()) > tokens["kept"]


def test_stages_of_a_later_pass_see_the_edited_text(corpus, tmp_path):
    manifest = run(corpus, tmp_path / "out", settings=(LATER_FIRST,))
    assert manifest["counts"]["removed"]["near_dup"]["reasons"] == {"exact_duplicate": 1}
    assert set(tokens_of(tmp_path / "out")) == {"plain", "with-notice"}
    assert tokens_of(tmp_path / "out")["with-notice"] == PROSE.replace("18", "19")


@pytest.mark.parametrize("flags", [("--workers", "2"), ("--workers", "1")])
def test_bytes_do_not_depend_on_workers_or_on_being_done_again(corpus, tmp_path, flags):
    run(corpus, tmp_path / "a")
    run(corpus, tmp_path / "b", *flags)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    run(corpus, tmp_path / "b", settings=("quality.cut_lines=false",))
    assert "JavaScript" in "".join(tokens_of(tmp_path / "b").values())
    run(corpus, tmp_path / "b", *flags)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_cutting_can_be_switched_off(corpus, tmp_path):
    run(corpus, tmp_path / "out", settings=("quality.cut_lines=false",))
    assert NOTICE in tokens_of(tmp_path / "out")["with-notice"]


def cuts(text):
    """Edits at every second word of a text, each taking it away or marking it."""
    spans = [match.span() for match in re.finditer(r"\S+", text)][::2]
    at = [(len(text[:start].encode()), len(text[:stop].encode())) for start, stop in spans]
    return [{"start": a, "end": b, "replacement": "" if a % 2 else "<…>"} for a, b in at]


@given(st.text(alphabet="aé語 \n", max_size=80), st.integers(0, 80))
def test_edits_of_two_stages_on_the_beginning_of_a_text_make_the_beginning(text, length):
    once = cuts(text)
    twice = cuts(edited_text(text, once))
    whole = edited_text(edited_text(text, once), twice)
    assert whole.startswith(edited_text(edited_text(text[:length], once), twice))
