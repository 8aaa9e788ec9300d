"""The command line as people meet it: what it prints, where, and with which exit code."""

import errno
import hashlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from inline_snapshot import snapshot

import curate
from corpus_maker import make_corpus
from curate import __version__
from curate.cli import _known, app, command
from curate.cli.display.questions.explanation import all_reasons, changes_of
from curate.cli.display.run.markdown import as_markdown
from curate.errors import ExitCode
from curate.shards.reader import read_shards
from curate.stages import stage_names
from curate.store import disk

SAMPLE = Path(__file__).parent.parent / "sample_data"


@pytest.fixture(autouse=True)
def frozen_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "100", "LINES": "30", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    out = folder / "out"
    assert (
        command(["run", str(make_corpus(folder / "in")), "-o", str(out), "-qq", "--set", "gates.max_quarantined=1"])
        == 0
    )
    return out


def said(capsys, *words: str) -> tuple[int, str, str]:
    code = command([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_begins_with_examples(capsys):
    code, out, _ = said(capsys, "--help")
    assert code == 0
    assert out.index("curate run corpus/ -o curated") < out.index("Options")
    for verb in ("run", "init", "config", "stages", "explain", "why", "report", "recipes", "shards", "doctor"):
        assert re.search(rf"^  {verb} ", out, re.MULTILINE)


def commands(group, *path):
    for name, one in group.commands.items():
        yield (*path, name), one
        yield from commands(one, *path, name) if hasattr(one, "commands") else ()


def test_every_verb_has_examples_and_a_whole_sentence(capsys):
    for path, verb in commands(typer.main.get_command(app)):
        code, out, _ = said(capsys, *path, "--help")
        assert code == 0
        assert re.search(rf"Examples?:\n +curate {path[0]}\b", out), path
        assert "..." not in out.partition("Commands:")[2]
        assert verb.get_short_help_str(200).endswith("."), path
        assert max(map(len, out.splitlines())) <= 80, path
    whole = said(capsys, "--help")[1]
    assert "..." not in whole.partition("Commands:")[2]
    assert max(map(len, whole.splitlines())) <= 80


def test_every_flag_of_run_has_a_variable():
    options = [p for p in typer.main.get_command(app).commands["run"].params if p.param_type_name == "option"]
    assert [o.opts[0] for o in options if not o.envvar and o.name != "help"] == []


def test_help_loads_nothing_heavy():
    heavy = "{'polars', 'pyarrow', 'numba', 'numpy', 'jinja2', 'ftfy'}"
    code = f"import sys; from curate.cli import command; command(['--help']); assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_profile_accounts_for_the_work(capsys, tmp_path):
    corpus = make_corpus(tmp_path / "in", 60)
    assert "profile" in json.loads(run_json(capsys, corpus, "plain"))
    profile = json.loads(run_json(capsys, corpus, "profiled", "--profile"))["profile"]
    steps = {step["name"]: step for step in profile["steps"]}
    assert list(steps) == ["pass 1", "near_dup", "pass 2", "shards"]
    phases = {phase["name"]: phase for phase in steps["pass 1"]["phases"]}
    assert set(phases) == {"read", "parse", "extract", "normalize", "language", "quality", "near_dup", "write"}
    assert phases["language"]["documents"] == phases["parse"]["documents"] > 0
    assert all(0 <= phase["cpu_seconds"] <= phase["wall_seconds"] + 0.05 for phase in phases.values())
    assert '<section id="profile">' in Path("profiled/report.html").read_text()


def run_json(capsys, corpus, out, *flags):
    said(capsys, "run", corpus, "-o", out, "-qq", "--set", "gates.max_quarantined=1", *flags)
    return Path(out, "run.json").read_text()


def test_stdout_carries_the_run_directory_alone(capsys, tmp_path):
    corpus = make_corpus(tmp_path / "in", 30)
    code, out, err = said(capsys, "run", corpus, "-o", "out", "--set", "gates.max_quarantined=1")
    assert (code, out) == (0, "out\n")
    table = "\n".join(
        line.rstrip() for line in err.splitlines() if line.startswith("  ") and not line.startswith("   ")
    )
    table = re.sub(r"[\d.]+s, of which [\d.]+s on the text · .*", "[TIME]", table)
    assert table.split("  Report")[0].rstrip() == snapshot(
        """\
  stage        in    kept    removed              main reason
  extract      25      25          0       0 %    —
  normalize    25      25          0       0 %    —
  language     25      24          1     4.0 %    not_in_keep
  quality      24      23          1     4.2 %    too_few_stop_words
  near_dup     23      17          6    26.1 %    near_duplicate
  tokenize     17      17          0       0 %    —
  Kept 17 of 30 documents (56.7 %) · 3,093 tokens · 1 shard
  Removed 8, each with its reason · quarantined 5
  Near-duplicates missed: about 0.0 % of them, at most 43.8 % (sample of 23 documents)
  One training pass costs 27.6 % less than over the raw 4,272 tokens
  [TIME]\
"""
    )


def test_json_is_one_object(capsys, tmp_path):
    corpus = make_corpus(tmp_path / "in", 30)
    code, out, err = said(capsys, "run", corpus, "-o", "out", "-qq", "--json", "--set", "gates.max_quarantined=1")
    assert code == 0
    assert err == ""
    summary = json.loads(out)
    assert summary["kept"] + summary["removed"] + summary["quarantined"] == summary["read"]
    assert (summary["run"], summary["report"]) == ("out", "out/report.html")
    assert ("warning", "5 records could not be read") in [(one["level"], one["title"]) for one in summary["alerts"]]
    assert set(summary["reasons"]) <= set(all_reasons())


def test_dry_run_writes_nothing(capsys, tmp_path):
    corpus = make_corpus(tmp_path / "in", 30)
    code, out, err = said(capsys, "run", corpus, "-o", "out", "--dry-run", "--set", "near_dup.similarity=0.7")
    assert code == 0
    assert out == ""
    assert not (tmp_path / "out").exists()
    assert "17 bands × 4 rows" in err
    assert "Estimate     about" in err
    assert "near_dup.similarity = 0.7" in err
    spread = ("--set", "run.workers=3", "--set", "run.processes=2", "--set", "input.part_bytes=4096", "--json", "-qq")
    _, out, err = said(capsys, "run", corpus, "-o", "out", "--dry-run", *spread)
    plan = json.loads(out)
    assert err == ""
    assert (plan["workers"], plan["processes"], plan["parts"] > 1) == (3, 2, True)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ["run", "corpsu"],
            snapshot("error: `corpsu` does not exist"),
        ),
        (
            ["run", "corpus", "--set", "language.min_score=65"],
            snapshot("error: `language.min_score` must be between 0 and 1, but is `65.0`"),
        ),
        (
            ["run", "corpus", "--skip", "langauge"],
            snapshot("error: there is no stage `langauge`"),
        ),
        (
            ["run", "corpus", "--memory", "1MB"],
            snapshot("error: `run.memory` is 1MB, but one worker needs 1000 MB"),
        ),
        (
            ["run", "corpus", "--wrokers", "3"],
            snapshot("error: No such option: --wrokers (Possible options: --fresh, --workers)"),
        ),
        (
            ["run", "corpus", "--workers", "three"],
            snapshot("error: `--workers` must be a whole number, but is three"),
        ),
        (
            ["sample", "nowhere", "-n", "-1"],
            snapshot("error: `--number` must be at least 1, but is -1"),
        ),
        (
            ["why", "nowhere", "x"],
            snapshot("error: `nowhere` does not exist"),
        ),
        (
            ["explain", "quality.too_few_wrods"],
            snapshot("error: nothing is called `quality.too_few_wrods`"),
        ),
        (
            ["run", "corpus", "--set", "tokenize.tokenizer=nope.json"],
            snapshot("error: `tokenize.tokenizer` = `nope.json` is neither a built-in tokenizer nor a file"),
        ),
    ],
)
def test_mistakes_are_one_sentence_and_a_hint(capsys, tmp_path, words, shown):
    make_corpus(tmp_path / "corpus", 10)
    code, out, err = said(capsys, *words)
    assert code == 2
    assert out == ""
    assert err.splitlines()[0] == shown
    assert "hint: " in err
    assert "Traceback" not in err


def test_a_setting_without_its_section_is_told_where_it_belongs(capsys):
    assert "hint: --set near_dup.similarity=0.9\n" in said(capsys, "config", "--set", "similarity=0.9")[2]


def test_a_folder_of_other_files_is_not_written_to(capsys, tmp_path):
    make_corpus(tmp_path / "corpus", 10)
    (tmp_path / "out" / "documents").mkdir(parents=True)
    (tmp_path / "out" / "thesis.docx").write_text("precious")
    code, _, err = said(capsys, "run", "corpus", "-o", "out", "--fresh")
    assert code == 2
    assert "holds files that no run of curate wrote" in err
    assert (tmp_path / "out" / "thesis.docx").exists()


def test_why_shows_the_twin(capsys, finished):
    lines = json.loads(said(capsys, "why", finished, "doc-3", "--json")[1])["documents"]
    assert any(verdict["reasons"] for life in lines for verdict in life["verdicts"])
    code, out, _ = said(capsys, "why", finished, "doc-3")
    assert code == 0
    assert "removed by near_dup" in out
    assert "kept instead  doc-" in out
    code, _, err = said(capsys, "why", finished, "doc-99999")
    assert code == 2
    assert "no document of" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["why", "nowhere", "x", "--json"], 2, "`nowhere` does not exist"),
        (["run", "corpus", "--json", "--wrokers", "3"], 2, "No such option: --wrokers"),
        (["explain", "--json", "nothing_of_that_name"], 2, "nothing is called `nothing_of_that_name`"),
    ],
)
def test_an_error_is_one_json_object_where_that_was_asked_for(capsys, words, code, message):
    done, out, err = said(capsys, *words)
    error = json.loads(out)["error"]
    assert (done, error["exit_code"]) == (code, code)
    assert error["message"].startswith(message)
    assert error["message"] in " ".join(err.split())


def test_help_of_run_is_in_groups(capsys):
    out = said(capsys, "run", "--help")[1]
    headings = [line for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[-7:] == ["Arguments:", "Input:", "Stages:", "Machine:", "Output:", "Display:", "Other:"]
    assert out.split("Other:")[1].split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("curate run --recipe fineweb-", ["fineweb-code", "fineweb-paper"]),
        ("curate run --skip near", ["near_dup"]),
        ("curate run --set near_dup.sim", ["near_dup.similarity="]),
        ("curate sample r --reason language.", ["language.low_score", "language.not_in_keep"]),
        ("curate sample RUN --source ", ["s0", "s1", "s2", "sub"]),
        ("curate sample nowhere --source ", []),
        ("curate explain too", []),
        ("curate explain config.nea", ["config.near_dup"]),
        ("curate config nea", ["near_dup"]),
        ("curate run --engine l", ["local"]),
        ("curate recipes diff gopher fineweb-", ["fineweb-code", "fineweb-paper"]),
        ("curate shards convert r --to m", ["mds", "megatron"]),
        ("curate tokenizer compare cl", ["cl100k_base"]),
        ("curate diff a b --fail-on language.", ["language.low_score", "language.not_in_keep"]),
        ("curate explain quality.too_few_words", ["quality.too_few_words", "quality.too_few_words_in_all"]),
    ],
)
def test_a_shell_is_offered_values(capsys, monkeypatch, finished, typed, offered):
    words = typed.replace("RUN", str(finished)).split(" ")
    asked = {"_CURATE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        command([])
    assert capsys.readouterr().out.split() == offered


COMMAND = re.compile(
    r"(?:^| )(curate (?:run|sample|why|whatif|explain|report|diff|history|stages|config|doctor|recipes) .+)$"
)
ASKED = (
    ["doctor", "RUN"],
    ["whatif", "RUN", "--set", "quality.min_words=80"],
    ["whatif", "RUN", "--set", "tokenize.tokenizer=o200k_base"],
    ["sample", "RUN", "--reason", "near_duplicate", "-n", "1"],
    ["sample", "RUN", "--reason", "near_duplicat"],
    ["why", "RUN", "ID"],
    ["explain", "quality"],
    ["explain", "quality.too_few_words"],
    ["stages"],
    ["config", "nothing"],
    ["report", "nowhere"],
)


def test_commands_that_are_printed_work(capsys, finished):
    def meant(words):
        return [word.replace("RUN", str(finished)).replace("ID", "doc-3") for word in words]

    found = set()
    for words in ASKED:
        _, out, err = said(capsys, *meant(words))
        lines = (out + err).splitlines()
        found |= {shlex.join(meant(shlex.split(line[1], comments=True))) for line in map(COMMAND.search, lines) if line}
    warnings = json.loads((finished / "report.json").read_text())["alerts"]
    found |= {shlex.join(meant(shlex.split(one["command"]))) for one in warnings if one["command"]}
    assert len(found) > 6
    for line in sorted(found):
        words = shlex.split(line)[1:]
        if "..." in line or "…" in line:  # a place for what only the user knows
            continue
        assert said(capsys, *words, *["--dry-run"] * (words[0] == "run"))[0] in {0, 1}, line


BY_DEFAULT = ("normalize", "language", "near_dup", "tokenize")


def test_every_reason_stage_and_section_is_explained(capsys):
    for code in [*all_reasons(), *stage_names(), "config.run", "config.quality", "gates.min_kept"]:
        assert said(capsys, "explain", code)[0] == 0
    page = json.loads(said(capsys, "explain", "too_few_words", "--json")[1])
    assert (page["name"], page["default"]) == ("quality.too_few_words", "quality.min_words = 50")
    assert "gopher" in page["recipes"]
    assert page["example"] == {"removed:": "words 49", "kept:": "   words 50"}
    assert "curate sample RUN --reason quality.too_few_words" in page["look"]
    left = said(capsys, "explain", "line_dup.too_short_after_cutting")[1]
    assert "words_left:" not in left  # the signal of that name is of another stage
    assert "--set 'language.keep=[\"en\"]'" in said(capsys, "explain", "language.keep")[1]
    for change in changes_of("normalize"):
        assert "A change made to a document" in said(capsys, "explain", f"normalize.{change}")[1]


@pytest.mark.parametrize("name", [name for name in all_reasons() if name.partition(".")[0] in BY_DEFAULT])
def test_a_reason_has_an_example_of_what_it_removes_and_what_stays(capsys, name):
    assert len(json.loads(said(capsys, "explain", name, "--json")[1])["example"]) == 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("config.langauge", "config.language"),
        ("langauge", "language"),
        ("too_few_wrods", "too_few_words"),
        ("quality.too_few_wrods", "quality.too_few_words"),
        ("quality.min_wrods", "quality.min_words"),
        ("near_dup.similarty", "near_dup.similarity"),
        ("gates.min_keptt", "gates.min_kept"),
    ],
)
def test_what_is_misspelt_is_answered_with_its_own_kind(capsys, typed, meant):
    code, _, err = said(capsys, "explain", typed)
    assert code == 2
    assert f"hint: did you mean `{meant}`?" in err


def test_one_name_of_two_stages_is_asked_back(capsys):
    code, _, err = said(capsys, "explain", "low_score")
    assert code == 2
    assert "hint: name one: " in err
    assert "language.low_score" in err


def test_init_writes_a_file_that_loads_and_is_not_overwritten(capsys):
    assert said(capsys, "init")[:2] == (0, "curate.toml\n")
    assert said(capsys, "init")[0] == 2
    assert said(capsys, "config", "quality")[0] == 0


@pytest.mark.parametrize("place", ["folder", "file/curate.toml", "/proc/curate.toml"])
def test_a_hint_names_no_option_that_the_command_lacks(capsys, tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    code, _, err = said(capsys, "init", tmp_path / place)
    assert (code, err.splitlines()[-1]) == (2, "hint: curate init ~/curate.toml")
    (tmp_path / "curate.toml").mkdir()
    code, _, err = said(capsys, "check", tmp_path / "file", "--write")
    assert (code, err.splitlines()[-1]) == (2, "hint: curate check without --write shows the lines to add")


def test_shards_verify_finds_a_flipped_byte(capsys, finished, tmp_path):
    subprocess.run(["cp", "-r", str(finished), str(tmp_path / "out")], check=True)
    assert said(capsys, "shards", "verify", tmp_path / "out")[0] == 0
    assert "tokens" in said(capsys, "shards", "peek", tmp_path / "out", "-n", "1")[1]
    file = next((tmp_path / "out" / "shards").glob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    code, _, err = said(capsys, "shards", "verify", tmp_path / "out")
    assert code == 1
    assert file.name in err


def test_report_is_drawn_again_with_other_prices(capsys, finished):
    words = ["report", finished, "--set", "report.price_per_gpu_hour=99", "--no-samples"]
    code, out, _ = said(capsys, *words)
    assert (code, out) == (0, f"{finished}/report.html\n")
    assert "99" in (finished / "report.html").read_text()


REFUSED = {
    "does not change a report": (
        ["report", "RUN", "--set", "quality.min_words=3"],
        "curate whatif RUN --set quality.min",
    ),
    "quality` lies in": (["shards", "convert", "RUN", "--to", "bin", "-o", "RUN/quality"], "name another: RUN-quality"),
    "new` lies in": (["shards", "convert", "RUN", "--to", "bin", "-o", "RUN/shards/new"], "name another: RUN-new"),
    "kept.jsonl` lies in": (["export", "RUN", "-o", "RUN/documents/kept.jsonl"], "name another: RUN-kept.jsonl"),
    "texts` lies in": (["export", "RUN", "-o", "RUN/texts", "--to", "nanochat"], "name another: RUN-texts"),
    "t.json` lies in": (["tokenizer", "train", "RUN", "-o", "RUN/t.json", "--force"], "name another: RUN-t.json"),
    "nested` lies in": (["run", "RUN/documents", "-o", "RUN/nested"], "name another: RUN-nested"),
    "is a folder; name a shard": (["shards", "locate", "RUN/shards", "5"], "ls RUN/shards"),
    "`some` is not a share": (["run", "RUN", "--sample", "some"], "curate run --help"),
    "'--format': 'html' is not one of": (["run", "RUN", "--format", "html"], "curate run --help"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_mistake_is_named_with_something_to_type(capsys, finished, why):
    words, hint = REFUSED[why]
    code, out, err = said(capsys, *(word.replace("RUN", str(finished)) for word in words))
    assert (code, out) == (2, "")
    message, advice = err.splitlines()
    assert why in message.replace(" (env var: 'CURATE_FORMAT')", "")
    assert advice.startswith(f"hint: {hint.replace('RUN', str(finished))}")


def test_doctor_finds_this_machine_ready(capsys):
    code, out, _ = said(capsys, "doctor", "--json")
    assert code == 0
    assert all(finding["good"] for finding in json.loads(out))


def test_ctrl_c_stops_and_the_same_command_continues(tmp_path):
    corpus = make_corpus(tmp_path / "in", 120)
    words = [sys.executable, "-m", "curate", "run", str(corpus), "-o", "out", "--workers", "1", "-v"]
    words += ["--set", "input.part_bytes=3000", "--set", "gates.max_quarantined=1"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(Path("out/documents").glob("part-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the run was faster than the interrupt")
    assert process.returncode == 130
    assert "the same command continues" in err
    assert f"hint: curate run {corpus} -o out" in err
    assert command(words[3:]) == 0


def test_the_live_display_leaves_only_the_record(tmp_path):
    corpus = make_corpus(tmp_path / "in", 30)
    parent, child = pty.openpty()
    words = [sys.executable, "-m", "curate", "run", str(corpus), "-o", "out", "--set", "gates.max_quarantined=1"]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(words, stderr=child, stdout=subprocess.DEVNULL, env=environment)
    os.close(child)
    shown = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(parent)
    assert process.wait() == 0
    assert b"Pass" in shown
    assert b"Kept" in shown


def test_the_sample_corpus_gives_the_pinned_counts(capsys, tmp_path):
    code, _, _ = said(capsys, "run", SAMPLE, "-o", "out", "-qq")
    assert code == 0
    counts = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    assert {stage: removed["documents"] for stage, removed in counts["removed"].items()} == snapshot(
        {"extract": 0, "normalize": 0, "language": 686, "quality": 565, "near_dup": 166, "tokenize": 0}
    )
    assert (counts["read"], counts["kept"], counts["quarantined"]) == snapshot((2460, 1035, 8))
    index = json.loads((tmp_path / "out" / "shards" / "index.json").read_text())
    assert index["tokens"] == snapshot(831225)
    ids = hashlib.sha256(
        b"".join(shard.tokens.astype("<u4").tobytes() for shard in read_shards(tmp_path / "out" / "shards"))
    )
    assert ids.hexdigest()[:16] == snapshot("87bd51d551afbcd7")


def test_every_verb_is_in_the_documentation():
    text = (Path(__file__).parent.parent / "README.md").read_text()
    for verb in app.registered_commands:
        assert f"curate {verb.name}" in text or f"`{verb.name}`" in text, verb.name


def test_the_version_and_the_help_need_no_verb(capsys):
    assert command(["--version"]) == ExitCode.DONE
    assert capsys.readouterr().out == f"curate {__version__}\n"
    assert command([]) == ExitCode.USER_ERROR
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Usage: curate")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_result_that_cannot_be_written_is_no_success():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "curate", "--version"], stdout=full, stderr=subprocess.PIPE, check=False, text=True
        )
    assert done.returncode == ExitCode.STOPPED
    assert "`/dev` is full" in done.stderr


def test_a_full_disk_is_that_of_the_output_where_the_error_names_no_file(monkeypatch, tmp_path):
    monkeypatch.setattr(disk, "_free", lambda folder: 0 if folder == tmp_path else 10**9)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (tmp_path / "run.json").touch()
    for typed in (
        [str(tmp_path)],
        ["-o", str(tmp_path / "kept.jsonl")],
        [f"--output={tmp_path}"],
        ["--output", str(tmp_path / "new")],
    ):
        known = _known(full, ["export", "run", *typed])
        assert (known.exit_code, known.message) == (ExitCode.STOPPED, f"the disk of `{tmp_path}` is full")


def test_a_log_has_everything_and_markdown_goes_to_the_page_of_a_job(capsys, tmp_path):
    corpus, log = make_corpus(tmp_path / "in", 30), tmp_path / "run.log"
    log.write_text("what was there\n")
    words = ["run", str(corpus), "-o", "out", "-qq", "--log-file", str(log)]
    code, out, err = said(capsys, *words, "--format", "markdown", "--set", "gates.min_kept=0.99")
    assert (code, err) == (1, "")
    assert out.startswith("## curate: a gate failed\n")
    assert "❌ `min_kept`" in out
    assert out == as_markdown(curate.open("out").report)
    assert said(capsys, *words, "--format", "markdown", "--set", "gates.min_kept=0.99")[1] == out  # nothing is redone
    first, *lines = log.read_text().splitlines()
    assert first == "what was there"
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S| {20}\S|\S+Z +\S", line) for line in lines)
    told = "\n".join(line[21:] for line in lines)
    for part in (
        f"curate run {corpus}",
        "Plan ",
        "pass=1/2",
        "quarantined",
        "warning: ",
        "Report ",
        "error: The gate `min_kept` failed",
    ):
        assert part in told, part
    assert said(capsys, "run", "nowhere", "-o", "out2", "--log-file", str(log))[0] == 2
    assert "`nowhere` does not exist" in log.read_text().splitlines()[-2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--log-file", "in/run.log"], "would be read as a text of the corpus"),
        (["--log-file", "out/run.log"], "holds only files of the run"),
        (["--log-file", "s3://bucket/run.log"], "is not a file on this machine"),
        (["--log-file", "nowhere/run.log"], "cannot be written: No such file or directory"),
        (["--log-file", "run.log", "--dry-run"], "`--dry-run` makes none"),
    ],
)
def test_a_log_lies_where_it_harms_nothing(capsys, tmp_path, words, message):
    make_corpus(tmp_path / "in", 3)
    code, _, err = said(capsys, "run", "in", "-o", "out", *words)
    assert code == 2
    assert message in " ".join(err.split())
    assert not Path("out").exists()
    assert not Path("run.log").exists()


@pytest.mark.parametrize(
    "words", [["init", "link"], ["init", "link/a.toml"], ["run", ".", "-o", "out", "--log-file", "link"]]
)
def test_a_link_to_itself_is_said(words, capsys):
    Path("link").symlink_to("link")
    code, _, err = said(capsys, *words)
    assert code == ExitCode.USER_ERROR
    assert "link" in err
    assert "inside curate" not in err


def test_a_current_folder_that_is_gone_is_said(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert command(["run", "corpus", "-o", "out"]) == ExitCode.USER_ERROR
    assert "error: the current folder is not there any more" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
