"""Archives: members are files of the corpus under names of their own; what is wrong with one costs that one."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from any_format import WRITERS, read, records
from curate.cli.session import Session
from curate.corpus.archives import archive_file
from curate.corpus.discovery.discover import discover
from curate.corpus.input import InputSettings
from curate.corpus.stored import arrow_file
from curate.errors import InputError
from thorough import settings

ROWS = records(300)
TEXTS = [row["text"] for row in ROWS]
MEMBERS = {f"in/a{ending}": write(ROWS) for ending, write in WRITERS.items()}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


KINDS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "d.zip": zipped,
    "stored.zip": lambda members: zipped(members, zipfile.ZIP_STORED),
    "d.tar": tarred,
    "d.tar.gz": lambda members: tarred(members, "w:gz"),
    "d.tgz": lambda members: tarred(members, "w:gz"),
    "d.tar.xz": lambda members: tarred(members, "w:xz"),
}


@pytest.mark.parametrize("name", KINDS)
def test_members_are_read_as_files_are(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(KINDS[name](MEMBERS))
    found = read([tmp_path])
    assert sorted(found.formats) == sorted(f"{name}!{member}" for member in MEMBERS)
    assert not found.quarantined
    assert found.texts == TEXTS * len(MEMBERS)
    assert found.documents[0]["source"] == name.partition(".")[0]
    again = read([tmp_path], chunk_bytes=5_000, part_bytes=20_000)
    assert again.parts > len(MEMBERS)
    assert [one["id"] for one in again.documents] == [one["id"] for one in found.documents]


def test_a_member_can_be_read_after_many_other_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives are closed when many are open, but not while a member of theirs is read."""
    monkeypatch.setattr(archive_file, "_OPEN", 1)
    for number in range(3):
        table = {"a.parquet": WRITERS[".parquet"]([{"text": f"Table {number}"}])}
        (tmp_path / f"{number}.tar").write_bytes(tarred(table))
    first, *others = discover([str(tmp_path)], InputSettings()).files
    table = arrow_file(first)
    for file in others:
        archive_file.archive(archive_file.outer_of(file, ()))
    assert pq.read_table(table).to_pylist() == [{"text": "Table 0"}]


def test_archives_in_archives_two_deep_and_no_deeper(tmp_path: Path) -> None:
    inner = {"a.jsonl": WRITERS[".jsonl"](ROWS)}
    third = zipped({"x.tar": tarred({"y.zip": zipped(inner), **inner})})
    (tmp_path / "d.zip").write_bytes(zipped({"b.tar.gz": tarred(inner, "w:gz"), "c.zip": zipped(inner)}))
    (tmp_path / "deep.zip").write_bytes(third)
    found = read([tmp_path])
    assert sorted(found.formats) == ["d.zip!b.tar.gz!a.jsonl", "d.zip!c.zip!a.jsonl", "deep.zip!x.tar!a.jsonl"]
    assert found.texts == TEXTS * 3
    assert [(one.path, one.kind) for one in found.skipped] == [("deep.zip!x.tar!y.zip", "member")]


def test_what_is_wrong_with_a_member_costs_that_member(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"first " * 200, "b.txt": b"second " * 200, "c.jsonl": WRITERS[".jsonl"](ROWS)}))
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        info = made.getinfo("b.txt")
    at = data.index((zlib.crc32(b"second " * 200)).to_bytes(4, "little"), data.index(b"PK\x01\x02"))
    data[at] ^= 1  # the checksum in the directory
    (tmp_path / "d.zip").write_bytes(data)
    found = read([tmp_path])
    assert found.texts == ["first " * 200, *TEXTS]
    assert [(one["file"], one["reason"]) for one in found.quarantined] == [("d.zip!b.txt", "corrupt_file")]
    assert "CRC" in found.quarantined[0]["detail"]
    assert info.file_size == 1400


def test_links_paths_and_encryption(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, kind in (("link.txt", tarfile.SYMTYPE), ("pipe.txt", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
        for name in ("../../up.txt", "/absolute.txt", ".hidden.txt", "__MACOSX/._x.txt", "code.py"):
            info = tarfile.TarInfo(name)
            info.size = 5
            made.addfile(info, io.BytesIO(b"words"))
    (tmp_path / "d.tar").write_bytes(out.getvalue())
    encrypted = bytearray(zipped({"secret.txt": b"words"}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(magic) + at] |= 1
    (tmp_path / "e.zip").write_bytes(encrypted)
    found = read([tmp_path])
    assert sorted(one["id"] for one in found.documents) == ["d.tar!../../up.txt#1", "d.tar!/absolute.txt#1"]
    assert {(one.path, one.kind, one.why.partition(";")[0]) for one in found.skipped} == {
        ("d.tar!link.txt", "member", "a link inside an archive"),
        ("d.tar!pipe.txt", "member", "a device or a pipe inside an archive"),
        ("d.tar!.hidden.txt", "hidden", "hidden: its name begins with a dot"),
        ("d.tar!__MACOSX/._x.txt", "hidden", "hidden: its name begins with a dot"),
        ("d.tar!code.py", "text", "`.py` is not a suffix that is read as text"),
        ("e.zip!secret.txt", "member", "it is encrypted"),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.tar", "e.zip"]


def test_expansion_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "_FREE_BYTES", 100_000)
    (tmp_path / "d.zip").write_bytes(zipped({"a.txt": b"words", "b.txt": bytes(60_000_000)}))
    (tmp_path / "d.tar.gz").write_bytes(tarred({"a.txt": b"words", "b.txt": bytes(60_000_000)}, "w:gz"))
    found = read([tmp_path])
    assert found.texts == ["words", "words"]
    assert {(one.path, one.kind) for one in found.skipped} == {("d.zip!b.txt", "member"), ("d.tar.gz!b.txt", "member")}
    assert found.reasons == ["corrupt_file"]


@pytest.mark.parametrize("name", KINDS)
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), cut=st.booleans())
def test_damaged_archives_end_no_run(name: str, place: int, cut: bool, tmp_path: Path) -> None:
    data = KINDS[name]({"a.txt": b"first text " * 50, "b.jsonl": WRITERS[".jsonl"](ROWS[:40])})
    at = place % len(data)
    (tmp_path / name).write_bytes(data[:at] if cut else data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    try:
        found = read([tmp_path], text="text")
    except InputError:
        return
    assert len(found.documents) <= 41
    assert len(found.documents) + len(found.quarantined) + len(found.skipped) > 0


def test_a_run_over_an_archive(tmp_path: Path) -> None:
    (tmp_path / "d.zip").write_bytes(zipped({"a.jsonl": WRITERS[".jsonl"](ROWS), "b.csv": WRITERS[".csv"](ROWS)}))
    sets = ["pipeline.stages=['normalize']", "input.part_bytes=10000", "run.workers=2"]
    assert Session([str(tmp_path / "d.zip")], str(tmp_path / "out"), assignments=sets).work() == 0
    rows = [
        row
        for file in sorted((tmp_path / "out" / "documents").glob("*.parquet"))
        for row in pq.read_table(file).to_pylist()
    ]
    assert {row["origin"]["file"] for row in rows} == {"d.zip!a.jsonl", "d.zip!b.csv"}
    assert len(rows) == 600


def test_a_tar_of_which_a_header_is_hit_says_so_and_tars_in_a_row_are_all_read(tmp_path: Path) -> None:
    """The library takes both for the end."""
    members = {f"{n}.jsonl": WRITERS[".jsonl"](ROWS[n : n + 1]) for n in range(3)}
    whole = tarred(members)
    (tmp_path / "a.tar").write_bytes(whole + tarred({"other.jsonl": WRITERS[".jsonl"](ROWS[3:4])}))
    found = read([tmp_path])
    assert (found.texts, found.reasons, found.skipped) == (TEXTS[:4], [], ())
    for damaged in (whole[:1024] + b"\xa5" * 100 + whole[1124:], whole[:700] + whole[701:], whole + b"rubbish"):
        (tmp_path / "a.tar").write_bytes(damaged)
        found = read([tmp_path])
        assert "corrupt_file" in found.reasons
        assert len(found.texts) in {0, 1, 3}


def test_an_arrow_stream_with_more_behind_its_end_says_so(tmp_path: Path) -> None:
    stream = WRITERS["-stream.arrow"](ROWS)
    (tmp_path / "a.arrows").write_bytes(stream + bytes(64))
    assert read([tmp_path]).reasons == []
    (tmp_path / "a.arrows").write_bytes(stream + stream)
    found = read([tmp_path])
    assert (found.texts, found.reasons) == (TEXTS, ["corrupt_file"])
