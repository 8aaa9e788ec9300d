"""`curate sample` and the difference that it and `why` show."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from corpus_maker import prose
from curate.cli import command
from curate.errors import ExitCode
from curate.session import Session
from curate.text.difference import difference

WORDS = st.lists(st.sampled_from(["a", "b", "c", "[bold]", "<i>"]), max_size=12).map(" ".join)


@given(WORDS, WORDS, st.integers(1, 20))
def test_a_difference_holds_both_texts(old, new, most):
    pieces = difference(old, new, most)
    for side, text in (("old", old), ("new", new)):
        told = "".join(piece.text for piece in pieces if piece.kind in ("same", side))
        if not any(piece.kind == "unread" for piece in pieces):
            assert told.split() == text.split()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    rows = [{"id": f"[bold]{at}", "text": prose(at, 60 + at), "source": f"s{at % 2}"} for at in range(40)]
    rows += [{"id": "near", "text": prose(3, 63) + " [red]extra[/red] words", "source": "s0"}]
    rows += [
        {"id": f"short-{n}", "text": " ".join(prose(200 + n).split()[: 4 * n]), "source": "s1"} for n in (3, 9, 11)
    ]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    session = Session([str(folder / "in.jsonl")], str(folder / "out"), assignments=["language.min_score=0"])
    assert session.work(quiet=2) == ExitCode.DONE
    return folder / "out"


def said(capsys, *words):
    capsys.readouterr()
    code = command(["sample", *map(str, words)])
    return code, *capsys.readouterr()


def test_pairs_show_what_differs(capsys, run):
    code, out, _ = said(capsys, run, "--reason", "near_duplicate")
    assert code == ExitCode.DONE
    assert out == snapshot("""\
[bold]3  s1  in.jsonl, position 4
  near_dup.near_duplicate   near_dup.jaccard = 0.9412, near_dup.similarity = 0.8
  kept instead  near  source s0, in.jsonl, position 41
  Jaccard 0.941; what only the kept one has, then what only this one has:
  … (59 words) … but with their make their were it may [-and. [red]extra[/red] words-]{+and.+}

1 of 1: near_dup.near_duplicate; nearest to near_dup.similarity first
""")


def test_documents_nearest_to_the_limit_come_first(capsys, run):
    out = json.loads(said(capsys, run, "--reason", "quality.too_few_words", "--json")[1])
    assert [(found["id"], found["value"], found["limit"]) for found in out["documents"]] == [
        ("short-11", 44, 50),
        ("short-9", 36, 50),
        ("short-3", 12, 50),
    ]


def test_random_choices_repeat_and_follow_the_seed(capsys, run):
    one, again, other = (
        said(capsys, run, "--kept", "--seed", seed, "-n", 4, "--source", "s1", "--json")[1] for seed in (1, 1, 2)
    )
    assert one == again != other
    assert {found["source"] for found in json.loads(one)["documents"]} == {"s1"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--reason", "too_few_word"], "no stage of the run gives the reason `too_few_word`"),
        (["--stage", "qualty"], "the run has no stage `qualty`"),
        (["--source", "s9"], "the run has no source `s9`"),
        (["--kept", "--stage", "quality"], "`--kept` asks for documents that no stage left out"),
    ],
)
def test_wrong_questions_are_refused(capsys, run, flags, message):
    code, out, err = said(capsys, run, *flags)
    assert (code, out) == (ExitCode.USER_ERROR, "")
    assert message in err
    assert "hint:" in err


def test_a_source_that_loses_too_much_fails_the_gate(tmp_path):
    rows = [{"id": str(at), "text": prose(at % 10), "source": "copied"} for at in range(40)]
    rows += [{"id": str(at), "text": prose(at), "source": "own"} for at in range(100, 140)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    session = Session(
        [str(tmp_path / "in.jsonl")],
        str(tmp_path / "out"),
        assignments=["gates.max_source_near_dup=0.5"],
        only=["near_dup"],
    )
    assert session.work(quiet=2) == ExitCode.GATE_FAILED
    (gate,) = [one for one in json.loads((tmp_path / "out" / "run.json").read_text())["gates"] if not one["passed"]]
    assert gate == {"name": "max_source_near_dup", "limit": 0.5, "value": 0.75, "passed": False, "source": "copied"}
