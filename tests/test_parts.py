"""Parts depend on the input alone, hold every document once, and are not moved by other files."""

import gzip
import json
import pickle
import random
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curate.corpus.discovery.discover import discover
from curate.corpus.input import InputFile, InputSettings, LineMark
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import Part, Strand, cut
from curate.corpus.reader import chunks
from thorough import settings

PART = 200_000


def file(name: str, size: int, content: str = "") -> InputFile:
    return InputFile(path=f"/{name}", name=name, format="jsonl", size=size, fingerprint=content or f"{name}:{size}")


def parts(files: list[InputFile], part_bytes: int = PART) -> list[Part]:
    return [part for strand in cut(files, part_bytes) for part in strand.parts]


def small_files(count: int, seed: int = 0) -> list[InputFile]:
    chance = random.Random(seed)
    return [file(f"f{i:05d}.jsonl", chance.randrange(1, 20_000)) for i in range(count)]


files_of_any_size = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 3 * PART)), max_size=60, unique_by=lambda pair: pair[0]
).map(lambda pairs: [file(f"f{name:03d}.jsonl", size) for name, size in pairs])


@given(files_of_any_size, st.randoms())
def test_parts_hold_every_file_once_whatever_the_order(files: list[InputFile], chance: random.Random) -> None:
    found = parts(files)
    assert [part.index for part in found] == list(range(len(found)))
    assert sorted(span.file.name for part in found for span in part.spans) == sorted(one.name for one in files)
    assert sum(part.bytes for part in found) == sum(one.size for one in files)
    chance.shuffle(files)
    assert parts(files) == found


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 399), st.sampled_from(["grown", "huge", "edited", "removed", "added"]), st.integers(0, 5))
def test_a_changed_file_moves_no_other_files_parts(at: int, change: str, seed: int) -> None:
    files = small_files(400, seed)
    changed = list(files)
    match change:
        case "grown":
            changed[at] = file(files[at].name, files[at].size + 30_000)
        case "huge":
            changed[at] = file(files[at].name, 5 * PART)
        case "edited":
            changed[at] = file(files[at].name, files[at].size, "other content")
        case "removed":
            del changed[at]
        case "added":
            changed.append(file(f"f{at:05d}-new.jsonl", 10_000))
    before, after = parts(files), parts(changed)
    redone = {part.fingerprint for part in after} - {part.fingerprint for part in before}
    reread = sum(part.bytes for part in after if part.fingerprint in redone and change != "huge")
    assert len(before) > 15
    # The part of the file itself; where a bound appears or vanishes, its neighbours up to the next bound.
    assert len(redone) <= 6
    assert reread < sum(one.size for one in changed) / 3
    if change == "edited":
        assert len(redone) == 1


@settings(max_examples=100, deadline=None)
@given(files_of_any_size, st.integers(0, 59), st.integers(1, 3 * PART))
def test_no_other_files_parts_are_called_otherwise(files: list[InputFile], at: int, size: int) -> None:
    names = {part.fingerprint: part.name for part in parts(files)}
    assert len(set(names.values())) == len(names)
    changed = [file("f000-new.jsonl", size), *files[:at], *files[at + 1 :]]
    for part in parts(changed):
        assert part.name == names.get(part.fingerprint, part.name)


def test_parts_of_one_origin_are_counted() -> None:
    found = [part.name for part in parts([file("a.jsonl", 3 * PART)])]
    assert len(found) > 1 or found == [f"{found[0][:17]}-0000.parquet"]
    marks = tuple(LineMark(at, at) for at in range(0, 3 * PART, 1000))
    large = msgspec.structs.replace(file("a.jsonl", 3 * PART), marks=marks)
    assert [part.name[17:] for part in parts([large])] == ["-0000.parquet", "-0001.parquet", "-0002.parquet"]
    assert len({part.name[:17] for part in parts([large])}) == 1
    twin = msgspec.structs.replace(large)  # two names that look the same once they are text
    assert len({part.name for part in parts([large, twin])}) == 6


def test_tiny_files_are_spread_over_parts_of_even_weight() -> None:
    found = parts([file(f"{i}.txt", 1_000) for i in range(100_000)], part_bytes=64_000_000)
    assert 10 <= len(found) <= 60
    assert max(part.bytes for part in found) < 10_000_000


def test_a_fingerprint_knows_all_that_makes_the_documents() -> None:
    one = file("a.jsonl", 10)
    changes: list[dict[str, object]] = [
        {"name": "b.jsonl"},
        {"fingerprint": "other"},
        {"text": "content"},
        {"id": "key"},
        {"source": "site"},
        {"max_document_bytes": 5},
        {"compression": "gzip"},
        {"format": "lines"},
    ]
    prints = {parts([msgspec.structs.replace(one, **change)])[0].fingerprint for change in [{}, *changes]}
    assert len(prints) == len(changes) + 1
    assert parts([msgspec.structs.replace(one, path="/elsewhere/a.jsonl")])[0].fingerprint in prints


def corpus(folder: Path) -> list[dict[str, object]]:
    """Random text, so that compressed files are large too; returns its records."""
    chance = random.Random(1)
    records = [
        {"id": i, "text": f"{i} " + chance.randbytes(chance.choice([5, 300, 3_000, 90_000])).hex()} for i in range(120)
    ]
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    (folder / "plain.jsonl").write_bytes(data)
    (folder / "gzip.jsonl.gz").write_bytes(gzip.compress(data, 1))
    (folder / "zstd.jsonl.zst").write_bytes(zstandard.compress(data, 1))
    pq.write_table(pa.Table.from_pylist(records), folder / "table.parquet", row_group_size=7)
    return records


def strands(folder: Path, part_bytes: int) -> tuple[Strand, ...]:
    section = InputSettings(part_bytes=part_bytes)
    return cut(inspect(discover([str(folder)], section).files, section, 2).files, part_bytes)


def rows_of(strand: Strand, wanted: frozenset[int], chunk_bytes: int) -> dict[int, list[tuple[str, int, str]]]:
    found: dict[int, list[tuple[str, int, str]]] = {index: [] for index in wanted}
    for chunk in chunks(strand, wanted, chunk_bytes):
        parsed = chunk.parse()
        assert parsed.quarantined.num_rows == 0
        for row in parsed.documents.to_pylist():
            found[chunk.part].append((row["id"], row["origin"]["position"], row["text"]))
    return found


@pytest.mark.parametrize("part_bytes", [150_000, 600_000])
def test_every_format_is_cut_into_parts_that_read_the_same_alone(part_bytes: int, tmp_path: Path) -> None:
    records = corpus(tmp_path)
    expected = [(str(record["id"]), i, record["text"]) for i, record in enumerate(records, 1)]
    found = strands(tmp_path, part_bytes)
    assert pickle.loads(pickle.dumps(found)) == found
    by_file: dict[str, list[tuple[str, int, str]]] = {}
    parts_of: dict[str, int] = {}
    for strand in found:
        name = strand.parts[0].spans[0].file.name
        everything = frozenset(part.index for part in strand.parts)
        together = rows_of(strand, everything, 50_000)
        for index in sorted(everything)[::3]:
            assert rows_of(strand, frozenset({index}), 1_000_000) == {index: together[index]}
        for index in sorted(everything):
            by_file.setdefault(name, []).extend(together[index])
        parts_of[name] = parts_of.get(name, 0) + len(strand.parts)
        assert len(strand.parts) == 1 or strand.parts[0].spans[0].file.compression
    assert by_file.keys() == {"plain.jsonl", "gzip.jsonl.gz", "zstd.jsonl.zst", "table.parquet"}
    assert all(rows == expected for rows in by_file.values())
    assert min(parts_of.values()) >= 5
    assert strands(tmp_path, part_bytes) == found


def test_parts_of_a_large_file_are_even(tmp_path: Path) -> None:
    corpus(tmp_path)
    for strand in strands(tmp_path, 1_000_000):
        for part in strand.parts[:-1]:
            assert part.bytes < 1_400_000
