"""Which files a run reads: each once, whatever lies beside them, and all that is passed over is named."""

import json
import os
import socket
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from corpus_maker import prose
from curate.cli.session import Session
from curate.corpus.discovery.discover import discover
from curate.corpus.discovery.notices import notices
from curate.corpus.input import InputSettings
from curate.errors import InputError

SETTINGS = InputSettings()


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"text": prose(len(name))}) + "\n")
    return folder


def found(*paths: Path | str, output: str = "") -> tuple[list[str], dict[str, str]]:
    discovery = discover([str(path) for path in paths], SETTINGS, output)
    return [file.name for file in discovery.files], {entry.path: entry.kind for entry in discovery.skipped}


def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = filled(tmp_path / "corpus", "a.jsonl")
    (corpus / "loop.jsonl").symlink_to("loop.jsonl")
    (corpus / "one.jsonl").symlink_to("other.jsonl")
    (corpus / "other.jsonl").symlink_to("one.jsonl")
    (corpus / "gone.jsonl").symlink_to("nowhere")
    (corpus / "up").symlink_to("..", target_is_directory=True)
    (corpus / "null.jsonl").symlink_to("/dev/null")
    os.mkfifo(corpus / "pipe.jsonl")
    (corpus / "folder.jsonl").mkdir()
    monkeypatch.chdir(corpus)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jsonl")
        names, skipped = found(corpus)
    assert names == ["a.jsonl"]
    expected = {"loop", "one", "other", "gone", "null", "pipe", "socket"}
    assert skipped == {**{f"{name}.jsonl": "irregular" for name in expected}, "folder.jsonl": "empty"}
    for name in sorted(expected):
        with pytest.raises(InputError, match=f"there is no file to read in .*{name}.jsonl. is skipped"):
            found(corpus / f"{name}.jsonl")


def test_files_are_excluded_by_name_or_pattern_and_named(tmp_path: Path) -> None:
    filled(tmp_path, "a.jsonl", "drafts/b.jsonl", "drafts/deep/c.jsonl", "[d].jsonl")
    with ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("drafts/f.jsonl", '{"text": "f"}')
        archive.writestr("g.jsonl", '{"text": "g"}')
    settings = InputSettings(exclude=("*drafts/*", "[d].jsonl"))
    discovery = discover([str(tmp_path)], settings)
    assert [file.name for file in discovery.files] == ["a.jsonl", "e.zip!g.jsonl"]
    assert {entry.path: entry.kind for entry in discovery.skipped} == dict.fromkeys(
        ("drafts/b.jsonl", "drafts/deep/c.jsonl", "[d].jsonl", "e.zip!drafts/f.jsonl"), "excluded"
    )
    assert notices(discovery.files, discovery.skipped) == []  # who excludes a file knows it; the record names it


def test_names_behind_a_link_do_not_depend_on_where_a_corpus_lies(tmp_path: Path) -> None:
    filled(tmp_path / "far", "away/b.jsonl")
    filled(tmp_path / "further", "c.jsonl")
    (tmp_path / "far" / "on").symlink_to(tmp_path / "further", target_is_directory=True)
    corpus = filled(tmp_path / "deep" / "corpus", "a.jsonl", "z/d.jsonl")
    (corpus / "link").symlink_to(tmp_path / "far", target_is_directory=True)
    (corpus / "again").symlink_to("z", target_is_directory=True)
    (tmp_path / "nothing").mkdir()
    (corpus / "empty").symlink_to(tmp_path / "nothing", target_is_directory=True)
    names = ["a.jsonl", "link/away/b.jsonl", "link/on/c.jsonl", "z/d.jsonl"]
    assert found(corpus) == (names, {"empty": "empty"})
    assert found(corpus / "*") == (names, {"empty": "empty"})
    assert found(corpus / "**/*.jsonl")[0] == names
    assert found(corpus / "**")[0] == names  # which matches the corpus itself, too
    assert found(*sorted(corpus.iterdir())) == (names, {"empty": "empty"})  # as a shell's `corpus/*`
    (tmp_path / "there").symlink_to(corpus.parent, target_is_directory=True)
    assert found(*sorted((tmp_path / "there" / "corpus").iterdir())) == (names, {"empty": "empty"})
    assert found(corpus / "link" / ".." / "deep" / "corpus" / "z", corpus / "a.jsonl")[0] == ["a.jsonl", "z/d.jsonl"]
    assert found(corpus / "link" / "away" / "b.jsonl", corpus / "z" / "d.jsonl")[0] == [
        "link/away/b.jsonl",
        "z/d.jsonl",
    ]
    assert [file.default_source for file in discover([str(corpus)], SETTINGS).files] == ["a", "link", "link", "z"]


def test_links_that_lead_in_circles_are_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = filled(
        tmp_path / "corpus", "a.jsonl", "sub/b.jsonl", "sub/deep/c.jsonl", ".hidden/d.jsonl", "sub/.e.jsonl"
    )
    for number in range(4):  # with `glob`, 4 ** 40 ways
        (corpus / f"round{number}").symlink_to(".", target_is_directory=True)
        (corpus / "sub" / f"round{number}").symlink_to("..", target_is_directory=True)
    every = ["a.jsonl", "sub/b.jsonl", "sub/deep/c.jsonl"]
    for pattern in ("", "**", "**/", "**/*", "**/*.jsonl", "**/**/*.jsonl", "../corpus/**"):
        assert found(corpus / pattern if pattern != "**/" else f"{corpus}/**/")[0] == every, pattern
    assert found(corpus / "**" / "sub" / "**" / "c.*")[0] == ["sub/deep/c.jsonl"]
    assert found(corpus / "s?b" / "*.jsonl")[0] == ["sub/b.jsonl"]
    assert found(corpus / "*" / ".[e]*")[0] == ["sub/.e.jsonl"]
    monkeypatch.chdir(corpus)
    assert found("**/*.jsonl")[0] == every


def test_folders_that_may_not_be_entered_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = filled(tmp_path / "corpus", "a.jsonl", "closed/b.jsonl", "listed/c.jsonl")

    scandir = os.scandir

    def listing(folder: str) -> object:
        return refused(folder) if folder.endswith("closed") else scandir(folder)

    def refused(folder: object) -> bool:
        raise PermissionError(13, f"{folder}: Permission denied")

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(sys.modules[discover.__module__], "is_run_directory", refused)
    assert found(corpus) == (["a.jsonl", "listed/c.jsonl"], {"closed": "irregular"})


def test_hidden_files_and_folders_are_counted_unless_they_are_named(tmp_path: Path) -> None:
    corpus = filled(tmp_path, "seen.jsonl", ".hidden.jsonl", ".more/x.jsonl", "sub/.git/y.jsonl")
    discovery = discover([str(corpus)], SETTINGS)
    assert [file.name for file in discovery.files] == ["seen.jsonl"]
    assert {entry.path for entry in discovery.skipped} == {".hidden.jsonl", ".more", "sub/.git"}
    [notice] = notices(discovery.files, discovery.skipped)
    assert notice.message == "3 hidden files or folders were skipped, such as `.hidden.jsonl`"
    assert found(corpus / ".hidden.jsonl", corpus / ".more") == ([".hidden.jsonl", ".more/x.jsonl"], {})


def run(paths: list[Path], output: Path) -> dict:
    stages = ["language", "near_dup", "quality", "tokenize"]
    Session([str(path) for path in paths], str(output), skip=stages).work(quiet=2)
    return json.loads((output / "run.json").read_bytes())


def test_run_directories_inside_the_input_are_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = filled(tmp_path / "corpus", "a.jsonl")
    for _ in range(2):
        own = run([corpus], corpus / "deep" / "out")
        assert own["counts"]["read"] == 1
    assert own["skipped"] == [{"path": "deep/out", "why": "the folder that this run writes to", "kind": "run"}]
    (corpus / "killed").mkdir()
    (corpus / "killed" / ".curate.lock").touch()
    (corpus / "other" / "run.json").parent.mkdir()
    (corpus / "other" / "run.json").write_text('{"text": "of another tool, and a document"}')
    elsewhere = run([corpus], tmp_path / "elsewhere")
    assert elsewhere["counts"]["read"] == 2
    assert {entry["path"] for entry in elsewhere["skipped"]} == {"deep/out", "killed"}
    names, skipped = found(corpus / "**" / "*.*")
    assert (names, skipped) == (["a.jsonl", "other/run.json"], {"deep/out": "run"})
    names, _ = found(corpus / "deep" / "out" / "documents")  # named, and so wanted
    assert len(names) == 1
    with pytest.raises(InputError, match="the folder of another run") as caught:
        found(corpus / "deep" / "out")
    assert "shards" in caught.value.hint
    capsys.readouterr()


def test_the_output_is_never_read(tmp_path: Path) -> None:
    corpus = filled(tmp_path / "corpus", "a.jsonl", "sub/b.jsonl")
    for path, output in (("", ""), ("sub", ""), ("sub/b.jsonl", ""), ("sub/*.jsonl", "sub"), ("a.jsonl", "../")):
        with pytest.raises(InputError, match="that the run would write to") as caught:
            found(corpus / path, output=str(corpus / output))
        assert caught.value.hint == "name another folder with -o"
    filled(tmp_path / "out", "c.jsonl")
    (corpus / "file.jsonl").symlink_to(tmp_path / "out" / "c.jsonl")
    (corpus / "folder").symlink_to(tmp_path / "out")
    names, skipped = found(corpus, output=str(tmp_path / "out"))
    assert names == ["a.jsonl", "sub/b.jsonl"]
    assert set(skipped.values()) == {"run"}


@pytest.mark.parametrize("path", ["", " ", "\0", "a" * 5000, "/" + "b/" * 3000])
def test_a_path_that_is_none_is_an_error(path: str) -> None:
    with pytest.raises(InputError) as caught:
        found(path)
    assert caught.value.hint


def test_a_pattern_that_matches_folders_alone_reads_what_is_in_them(tmp_path: Path) -> None:
    filled(tmp_path, "x/a.jsonl", "y/b.jsonl")
    assert found(tmp_path / "*")[0] == ["x/a.jsonl", "y/b.jsonl"]
    (tmp_path / "empty" / "one").mkdir(parents=True)
    with pytest.raises(InputError, match="there is no file to read in"):
        found(tmp_path / "empty" / "*")


def test_every_name_is_text_and_no_two_are_equal(tmp_path: Path) -> None:
    odd = [
        b"caf\xe9.txt",
        rb"caf\xe9.txt",
        "café.txt".encode(),
        b"a\nb.txt",
        b"a#1.txt",
        b"\xf0\x9f.txt",
        b"x" * 251 + b".txt",
    ]
    for name in odd:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("words")
    names, _ = found(tmp_path)
    assert len(set(names)) == len(odd)
    assert "".join(names).encode()
    assert r"caf\xe9.txt" in names


@pytest.mark.parametrize(("suffix", "tool"), [(".br", "brotli -d"), (".lz", "lzip -d"), (".7z", "7z x")])
def test_packed_files_say_what_unpacks_them(suffix: str, tool: str, tmp_path: Path) -> None:
    filled(tmp_path, "a.jsonl", f"b.jsonl{suffix}")
    [skipped] = discover([str(tmp_path)], SETTINGS).skipped
    assert skipped.why == f"curate reads gzip, zstd, bzip2, xz and lz4, not `{suffix}`; unpack it with `{tool}`"
