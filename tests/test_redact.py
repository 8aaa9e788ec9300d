"""Redaction: what is planted is found, what is found is gone for good, and nobody is shown it again."""

import json
import random
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_maker import prose
from curate.cli import command
from curate.errors import PlanError
from curate.models.tokenizers.tokenizer import load_tokenizer
from curate.shards.reader import read_shards
from curate.stages.redact import Redact, RedactSettings
from curate.stages.redact import phones as phones_module
from curate.stages.redact import stage as stage_module
from curate.stages.redact.settings import KINDS
from curate.stages.redact.spans import united
from curate.text.core.edits import edited
from planted import MAKERS, planted
from thorough import settings

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
STAGE = Redact(RedactSettings())
AROUND = [
    ("Please write to me: ", " and wait."),
    ("(", "), he said"),
    ('"', '"\n'),
    ("zu 100 % ", ", ja"),
    ("年", "。"),
]


def texts_of(*texts: str) -> pa.Array:
    return pa.array(texts, pa.large_string())


def measured(*texts: str, stage=STAGE) -> pa.RecordBatch:
    return stage.measure(pa.record_batch({"text": texts_of(*texts)}))


def redacted(text: str, stage=STAGE) -> str:
    return edited(texts_of(text), measured(text, stage=stage)["edits"])[0].as_py()


@pytest.mark.parametrize("kind", list(MAKERS))
def test_everything_planted_is_found_exactly(kind):
    rng = random.Random(kind)
    texts, wanted = [], []
    for _ in range(150):
        context, value = planted(kind, rng)
        before, after = rng.choice(AROUND)
        texts.append(f"The old man sat there. {before}{context}{value}{after}")
        wanted.append(f"The old man sat there. {before}{context}<{kind.upper()}>{after}")
    found = measured(*texts)
    assert edited(texts_of(*texts), found["edits"]).to_pylist() == wanted
    assert found[f"{kind}s"].to_pylist() == [1] * 150


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1, 127.0.0.1, 192.168.1.7, 192.0.2.1, 255.255.255.0, 224.0.0.251 and ::1, fe80::1, 2001:db8::7",
        "version 96.0.46.110, v12.34.56.78, Chrome/96.0.64.110, section 4.12.13.14, OID 1.3.6.1.4.1.311, 2.5.29.37",
        "std::a::b 12:34:56 3000:: face::add 300.1.2.3 1.2.3 01.02.03.004.5",
        "git@github.com:curate/curate.git, a@b, @ann, x@1.2.3, ann@, a..@mail., user@host",
        "4111 1111 1111 1112, 1234567812345678, 2024-01-01 12:30:05, 2024010112300599, 3.141592653589793",
        "ISBN 978-3-16-148410-0, DE89 3704 0044 0532 0130 01, 000-12-3456, 666-45-6789, 12345678A",
        "1,234,567,890 people; 100-200-3000; 123456789; 0x7fffffffffffffff; 1 2 3 4 5 6 7 8 9 10 11 12",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "postgres://user:{{password}}@host/db, http://<user>:<pw>@host, -----BEGIN RSA PRIVATE KEY-----\n\nand so on",
        "CREATE_2D_TEXTURE_ARRAY_V2 get_element_by_id_2 the-old-man-and-the-sea-1952-first-edition",
    ],
)
def test_what_leads_to_nobody_stays(text):
    assert redacted(text) == text


@st.composite
def messes(draw) -> str:
    """Values, digits and signs run together, so that what is found makes and breaks its neighbours."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    piece = st.one_of(
        st.sampled_from(KINDS).map(lambda kind: "".join(planted(kind, rng))),
        st.text("0123456789", max_size=9),
        st.sampled_from([" ", "-", ".", "+", "(", ")", ":", "@", "/", "\n", "é", "字", "://u:p@", "SSN ", "BSN ", "<"]),
        st.text(max_size=3),
    )
    return "".join(draw(st.lists(piece, max_size=12)))


@settings(max_examples=400, deadline=None)
@given(messes(), st.sampled_from([{}, dict.fromkeys(KINDS, ""), {"phone": " ", "ip": "AKIA" + 16 * "A"}]))
def test_edits_are_apart_and_leave_nothing_to_redact(text, placeholders):
    stage = Redact(RedactSettings(placeholders=placeholders))
    raw, at = text.encode(), 0
    edits = measured(text, stage=stage)["edits"][0].as_py()
    for edit in edits:
        assert at <= edit["start"] < edit["end"] <= len(raw)
        raw[at : edit["start"]].decode()  # whole characters
        at = edit["end"]
    after = redacted(text, stage)
    assert measured(after, stage=stage)["edits"].to_pylist() == [[]]


def test_only_chosen_kinds_regions_and_numbers_are_looked_for():
    text = "ann@mail.example, 030 901820, (201) 555-0123, 12345678Z, 8.8.4.4"
    assert redacted(text, Redact(RedactSettings(kinds=("email",)))).startswith("<EMAIL>, 030")
    german = Redact(RedactSettings(phone_regions=("DE",), national_ids=(), placeholders={"email": "[mail]"}))
    assert redacted(text, german) == "[mail], <PHONE>, (201) 555-0123, 12345678Z, 8.8.4.4"


def test_numbers_in_a_row_are_found_one_by_one():
    assert redacted("(206) 987-1234 " * 9) == "<PHONE> " * 9
    assert redacted("415-555-2671 415-555-2672\t415.555.2673") == "<PHONE> <PHONE>\t<PHONE>"
    assert redacted("{phone:(206) 987-1234}") == "{phone:<PHONE>}"
    assert redacted("4111111111111111 4111111111111111") == "<CARD> <CARD>"


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"`redact.kinds` has no `emails`; did you mean `email`"):
        RedactSettings(kinds=("emails",))
    with pytest.raises(ValueError, match="no digit"):
        RedactSettings(placeholders={"email": "me@x.org"})
    with pytest.raises(PlanError, match="`UK`, which is not a country code"):
        Redact(RedactSettings(phone_regions=("UK",))).warnings()


def test_the_limit_is_a_threshold():
    found = measured("ann@mail.example", prose(1))
    assert STAGE.judge(found).to_pylist() == [[], []]
    strict = Redact(RedactSettings(max_per_1000_characters=10))
    assert strict.judge(found).to_pylist() == [["too_many_redactions"], []]


@pytest.mark.skipif(not CORPORA.exists(), reason="needs the shared corpora")
def test_novels_hold_nothing_to_redact():
    text = pq.read_table(CORPORA / "prose" / "eltec_chapters.parquet", columns=["text"])["text"]
    sample = text.slice(0, 400).combine_chunks().cast(pa.large_string())
    found = STAGE.measure(pa.record_batch({"text": sample}))
    assert sum(sum(found[f"{kind}s"].to_pylist()) for kind in KINDS) == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redact")
    secret = "Write to mary.jones@mail.example or call +44 20 7031 3000."
    notice = f"We use cookies; for questions {secret}"
    texts = {
        "twice": f"{prose(1)}\n{secret}",
        "again": f"{prose(1)}\n{secret}",
        "cut": f"{prose(2)}\n{notice}",
        "short": secret,
    }
    lines = [json.dumps({"id": i, "text": t, "by": secret}) for i, t in texts.items()]
    (folder / "in.jsonl").write_text("\n".join([*lines, f'{{"text": "{secret}']))
    out = folder / "out"
    cut = ["--set", "pipeline.recipe=c4-datatrove", "--set", "gates.max_quarantined=1"]
    stages = '["normalize","near_dup","quality","redact","tokenize"]'
    words = ["--set", f"pipeline.stages={stages}", *cut]
    assert command(["run", str(folder / "in.jsonl"), "-o", str(out), "-qq", *words]) == 0
    return out


def test_shards_hold_placeholders_and_the_books_balance(run):
    tokenizer = load_tokenizer("cl100k_base")
    found = {document.id: tokenizer.decode(document.tokens) for document in read_shards(run / "shards")}
    assert set(found) == {"again", "cut"}
    assert found["again"].endswith("Write to <EMAIL> or call <PHONE>.")
    counts = json.loads((run / "run.json").read_text())["counts"]
    assert counts["kept"] == 2
    assert counts["removed"]["near_dup"]["documents"] == 1
    assert command(["shards", "verify", str(run)]) == 0


@pytest.mark.parametrize("id_", ["twice", "again", "short", "cut", "in.jsonl#5"])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_why_never_shows_what_was_redacted(run, capsys, id_, flags):
    assert command(["why", str(run), id_, *flags]) == 0
    shown = capsys.readouterr().out
    if id_ != "twice":  # whose text is that of its survivor, and only the beginning is shown
        assert re.search(f"<EMAIL>|<PHONE>|{b'<EMAIL>'.hex()}|quarantined", shown)
    assert not re.search(f"mary|7031|{b'mary'.hex()}", shown)


def test_nothing_but_the_documents_holds_it(run):
    for file in run.rglob("*"):
        if file.is_file() and file.suffix != ".parquet":
            assert not re.search(rb"mary\.jones|7031 3000", file.read_bytes()), file
    judgments = pq.read_table(next((run / "redact").iterdir()))
    assert "mary" not in str(judgments.to_pylist())
    assert "&lt;EMAIL&gt;" in (run / "report.html").read_text()


ROWS = [
    "201 555 0123 ",
    "+1 201 555 0123 ",
    "4111 1111 1111 1111 ",
    "DE89370400440532013000 ",
    " ://u:p4ss@h",
    "AKIA",
    "BSN: 111222333 ",
]


@pytest.mark.parametrize("fragment", ROWS)
def test_work_grows_with_the_text(fragment, monkeypatch):
    asked: list[int] = []

    def counted(module, name):
        function = getattr(module, name)

        def counting(*given, **named):
            asked.append(len(given[0]) if name == "secrets_in" else 1)
            yield from function(*given, **named)

        monkeypatch.setattr(module, name, counting)

    counted(stage_module, "secrets_in")
    counted(phones_module, "_judged")
    looks = []
    found = Redact._found
    monkeypatch.setattr(Redact, "_found", lambda *given, **named: looks.append(1) or found(*given, **named))
    work = []
    for size in (8_000, 64_000):
        asked.clear()
        looks.clear()
        assert fragment not in redacted(fragment * (size // len(fragment)))[:-200]
        work.append(sum(asked))
        assert len(looks) <= 7
    assert work[1] <= 10 * work[0] + 1_000


def test_a_row_of_numbers_in_one_format_is_found_one_by_one():
    assert redacted("201 555 0123 " * 40) == "<PHONE> " * 40
    assert redacted("201 555 0123 45") == "201 555 0123 45"


def test_what_is_too_much_to_look_at_is_removed_and_hidden():
    stage = Redact(RedactSettings(max_looked_at=40))
    found = measured("4111 1111 1111 1111 " * 3, "card 4111 1111 1111 1111", "x" * 100, stage=stage)
    assert found["looked_at"].to_pylist() == [59, 19, 0]
    assert stage.judge(found).to_pylist() == [["too_much_to_look_at"], [], []]
    assert redacted("é 4111 1111 1111 1111 " * 3, stage) == "<REDACTED>"
    assert redacted("card 4111 1111 1111 1111", stage) == "card <CARD>"
    with pytest.raises(ValueError, match="`redact.max_looked_at` must be at least 1, but is 0"):
        RedactSettings(max_looked_at=0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 700)), max_size=40))
def test_united_places_hold_every_place_and_little_twice(places):
    places = sorted((start, start + length) for start, length in places)
    found = list(united(places))
    assert all(any(first <= start and stop <= last for first, last in found) for start, stop in places)
    covered = {byte for start, stop in places for byte in range(start, stop)}
    assert {byte for first, last in found for byte in range(first, last)} == covered
    assert sum(last - first for first, last in found) <= 2 * len(covered) + 1_400
