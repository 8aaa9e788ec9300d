"""`curate sample` and the difference that it and `why` show."""

import json
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from rich.console import Console

from corpus_maker import prose
from curate.cli import command
from curate.cli.display.questions.difference import shown_difference
from curate.cli.session import Session
from curate.errors import ExitCode
from curate.report.judgments.judgments import ROW
from curate.report.samples import draw_key
from curate.text.core.difference import difference
from thorough import settings

WORDS = st.lists(st.sampled_from(["a", "b", "c", "[bold]", "<i>"]), max_size=12).map(" ".join)


@settings(deadline=None)
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


def test_labels_that_fall_for_their_score_are_told_and_shown_nearest_first(capsys, tmp_path):
    sentences = "It was the best of times. ", "Returns the handle of the window. ", "List all jobs and exit. "
    rows = [{"text": sentences[at % 3] * (at + 1), "source": f"s{at % 3}"} for at in range(60)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "out"
    Session([str(tmp_path / "in.jsonl")], str(out), assignments=["language.min_score=0.95"], skip=["near_dup"]).work()
    report = json.loads((out / "report.json").read_text())
    (alert,) = [alert for alert in report["alerts"] if "for a low score" in alert["title"]]
    (label,) = report["labels"]
    assert alert["title"].startswith(f"{round(100 * label['removed'] / 60)}") or "." in alert["title"]
    assert "of the documents labelled `en` were removed" in alert["title"]
    assert alert["level"] == "warning"
    assert alert["title"].endswith(f", most in {', '.join(f'`{source}`' for source in label['sources'])}")
    assert alert["command"] == f"curate sample {out.name} --reason language.low_score"
    shown = json.loads(said(capsys, out, "--reason", "low_score", "-n", 60, "--json")[1])["documents"]
    assert len(shown) == label["removed"]
    assert [one["value"] for one in shown] == sorted((one["value"] for one in shown), reverse=True)
    assert {(one["measure"], one["limit"], one["setting"]) for one in shown} == {
        ("language.score", 0.95, "language.min_score")
    }


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
        (["--kept", "--stage", "quality"], "`--kept` asks for documents that no stage removed"),
    ],
)
def test_wrong_questions_are_refused(capsys, run, flags, message):
    code, out, err = said(capsys, run, *flags)
    assert (code, out) == (ExitCode.USER_ERROR, "")
    assert message in err
    assert "hint:" in err


def test_two_seeds_overlap_by_chance_alone():
    rows = pl.DataFrame({ROW: range(1000)})
    draws = [set(rows.sort(draw_key(seed))[ROW].head(50)) for seed in range(40)]
    overlaps = [len(one & other) for one, other in combinations(draws, 2)]
    assert sum(overlaps) / len(overlaps) == pytest.approx(50 * 50 / 1000, rel=0.1)
    assert set(rows.sample(fraction=1, shuffle=True, seed=1).sort(draw_key(3))[ROW].head(50)) == draws[3]


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


def test_scripts_without_spaces_are_compared_letter_by_letter():
    old = "東京は日本の首都である。" * 2000
    new = old[:9000] + "変" + old[9001:]
    pieces = difference(old, new)
    assert [(piece.kind, piece.text) for piece in pieces if piece.kind != "same"] == [("old", old[9000]), ("new", "変")]
    assert len(shown_difference(Console(), pieces).plain) < 200


def test_a_shown_difference_is_bounded_whatever_the_texts_are():
    one_word, many_changes = "x" * 10**6, " ".join(f"w{at} same" for at in range(5000))
    for old, new in ((one_word, "y" * 10**6), (many_changes, many_changes.replace("w", "v"))):
        assert len(shown_difference(Console(), difference(old, new)).plain) < 10_000


def test_a_reason_is_asked_of_the_stage_that_is_named(capsys, run):
    asked = ("--reason", "too_few_words", "--stage")
    assert (
        said(capsys, run, *asked, "quality", "--json")[1]
        == said(capsys, run, "--reason", "quality.too_few_words", "--json")[1]
    )
    code, _, err = said(capsys, run, *asked, "near_dup")
    assert code == ExitCode.USER_ERROR
    assert "the stage `near_dup` does not give the reason `too_few_words`" in err


def test_survivors_say_what_they_stand_for(capsys, run):
    capsys.readouterr()
    assert command(["why", str(run), "near", "--color", "never"]) == ExitCode.DONE
    assert "near_dup kept it instead of 1 other\n" in capsys.readouterr().out


@pytest.mark.parametrize(("no_color", "shown"), [(True, "the [-red-] {+blue+} house"), (False, "the red blue house")])
def test_without_colour_a_terminal_shows_marks(no_color, shown):
    terminal = Console(force_terminal=True, color_system="standard", no_color=no_color)
    assert shown_difference(terminal, difference("the red house", "the blue house")).plain.strip() == shown


def test_a_pair_in_json_carries_its_proof_however_it_was_chosen(capsys, run):
    (pair,) = json.loads(said(capsys, run, "--reason", "near_duplicate", "--random", "--json")[1])["documents"]
    assert pair["jaccard"] == pytest.approx(0.9412, abs=1e-4)
    assert (pair["survivor"], pair["survivor_source"], pair["survivor_run"]) == ("near", "s0", None)
    assert {piece["kind"] for piece in pair["difference"]} == {"same", "old", "new"}
