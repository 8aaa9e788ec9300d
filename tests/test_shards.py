"""What is written can be read by everybody, depends on the documents alone, and cannot be damaged unseen."""

import json

import datasets
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError, PlanError, UserError
from curate.models.tokenizers import load_tokenizer
from curate.shards import formats
from curate.shards.convert import convert
from curate.shards.entry import At
from curate.shards.index import layout_of, read_index, write_index
from curate.shards.packing.cutting import Cutter, cut
from curate.shards.peek import peek
from curate.shards.provenance.locate import locate
from curate.shards.reader import read_shards
from curate.shards.settings import ShardSettings
from curate.shards.verify import verify
from curate.shards.writer import write_shard
from curate.store.checked_json import write_json
from curate.store.files import is_unfinished, unfinished
from fake_run import bare_manifest, part_name, write_rows

FORMATS = tuple(name for name, each in formats.FORMATS.items() if not each.has_loss)
TEXTS = [f"Document {number}: " + "größer, 日本語, <|endoftext|> and so on. " * (number % 7) for number in range(60)]
IDS = [f"file.jsonl#{number % 50}" for number in range(60)]  # ids repeat
SHARD_TOKENS = 2_000
PART_ROWS = 25


def encoded(name="bytes"):
    lists = load_tokenizer(name).encode(pa.array(TEXTS, pa.large_string()))
    return pa.record_batch({"id": pa.array(IDS), "input_ids": lists})


def write_run(run, shard_format, name="bytes", *, batch=7):
    """A small run: documents, the judgments of tokenize, and shards."""
    tokenizer, documents = load_tokenizer(name), encoded(name)
    options = ShardSettings(format=shard_format, shard_tokens=SHARD_TOKENS)
    n_tokens = np.diff(documents["input_ids"].offsets.to_numpy())
    shard, offset = cut(n_tokens, SHARD_TOKENS)
    entries = []
    for number in range(int(shard[-1]) + 1):
        rows = np.flatnonzero(shard == number)
        stop = int(rows[-1]) + 1
        batches = [documents[start : min(start + batch, stop)] for start in range(int(rows[0]), stop, batch)]
        places = {"first": place(int(rows[0])), "last": place(stop - 1)}
        entry = write_shard(run / "shards", number, batches, options, layout_of(options, tokenizer), **places)
        assert entry.is_whole(run / "shards")
        entries.append(entry)
    write_index(run / "shards", options, tokenizer, entries)
    _write_judgments(run, n_tokens, shard, offset)
    return run / "shards"


def place(document):
    """Each part begins with a document that was removed."""
    return At(document // PART_ROWS, document % PART_ROWS + 1)


def _write_judgments(run, n_tokens, shard, offset):
    judged = pa.table({"n_tokens": n_tokens, "shard": shard, "offset": offset})
    kept = pa.table({"id": IDS, "text": pa.array(TEXTS, pa.large_string())})
    removed = pa.table({"id": ["removed"], "text": pa.array(["out"], pa.large_string())})
    nothing = pa.table({name: pa.nulls(1, judged.schema.field(name).type) for name in judged.column_names})
    for name, table, extra in (("documents", kept, removed), ("tokenize", judged, nothing)):
        for part in range(-(-len(TEXTS) // PART_ROWS)):
            rows = pa.concat_tables([extra, table.slice(part * PART_ROWS, PART_ROWS)])
            write_rows(run / name / part_name(part), rows.combine_chunks(), group_rows=10)
    write_json(run / "run.json", bare_manifest(("tokenize",), -(-len(TEXTS) // PART_ROWS)))


counts = st.lists(st.integers(0, 30), max_size=60)


@given(counts, st.integers(1, 40))
def test_documents_fill_shards_in_order_and_are_never_split(n_tokens, limit):
    shard, offset = cut(np.array(n_tokens, np.int64), limit)
    current = filled = 0
    for row, size in enumerate(n_tokens):  # the rule, read aloud
        if filled and filled + size > limit:
            current, filled = current + 1, 0
        assert (shard[row], offset[row]) == (current, filled)
        filled += size
    assert (shard.dtype, offset.dtype) == (np.int32, np.int64)


@given(counts, st.integers(1, 40), st.integers(1, 9))
def test_cutting_piece_by_piece_is_cutting_at_once(n_tokens, limit, piece):
    cutter = Cutter(limit)
    pieces = [cutter.cut(np.array(n_tokens[i : i + piece], np.int64)) for i in range(0, len(n_tokens), piece)]
    whole = cut(np.array(n_tokens, np.int64), limit)
    for column in (0, 1):
        assert [value for each in pieces for value in each[column]] == whole[column].tolist()


@pytest.mark.parametrize("shard_format", FORMATS)
def test_bytes_do_not_depend_on_batches(tmp_path, shard_format, monkeypatch):
    monkeypatch.setattr("curate.shards.block.BLOCK_WEIGHT", 1_000)  # several row groups in a shard
    folders = [write_run(tmp_path / str(batch), shard_format, batch=batch) for batch in (1, 7, 1000)]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1] == files[2]
    index = read_index(folders[0])
    assert len(files[0]) == sum(len(entry.files) for entry in index.shards) + len(index.files) + 1
    assert len(read_index(folders[0]).shards) > 3
    table = next(folders[0].glob("*.parquet"))
    assert pq.ParquetFile(table).num_row_groups > 1


@pytest.mark.parametrize("shard_format", FORMATS)
@pytest.mark.parametrize("name", ["bytes", "cl100k_base"])
def test_documents_come_back(tmp_path, shard_format, name):
    folder = write_run(tmp_path, shard_format, name)
    documents = list(read_shards(folder))
    assert [document.id for document in documents] == IDS
    assert [document.tokens.tolist() for document in documents] == encoded(name)["input_ids"].to_pylist()
    report = verify(folder)
    assert report.problems == []
    index = read_index(folder)
    signed = shard_format in {"parquet", "megatron", "litdata"}
    small = shard_format != "parquet" and name == "bytes"
    assert index.dtype == ("uint16" if small else "int32" if signed else "uint32")
    assert (report.documents, report.tokens, report.shards) == (60, index.tokens, len(index.shards))
    assert (report.decoded, report.compared, report.traced) == (60, 60, 60)
    assert (index.shards[0].first, index.shards[-1].last) == (At(0, 1), At(2, 10))


def test_parquet_shards_load_as_a_hugging_face_dataset(tmp_path):
    folder = write_run(tmp_path, "parquet")
    files = [str(folder / entry.file) for entry in read_index(folder).shards]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"][:] == IDS
    assert loaded["input_ids"][:] == encoded()["input_ids"].to_pylist()
    assert loaded.features["input_ids"].feature.dtype == "int32"


def test_flat_shards_map_into_memory(tmp_path):
    folder = write_run(tmp_path, "bin")
    index = json.loads((folder / "index.json").read_text())
    tokens = np.memmap(folder / index["shards"][1]["file"], dtype=index["dtype"], mode="r")
    spans = pq.read_table(folder / index["shards"][1]["index_file"]).to_pylist()
    texts = [bytes(tokens[s["offset"] : s["offset"] + s["n_tokens"] - 1].astype(np.uint8)).decode() for s in spans]
    first = index["shards"][0]["documents"]
    assert texts == TEXTS[first : first + len(texts)]


@pytest.mark.parametrize("shard_format", FORMATS)
def test_a_shard_appears_only_when_whole(tmp_path, shard_format):
    def interrupted():
        yield encoded()
        raise KeyboardInterrupt

    options = ShardSettings(format=shard_format)
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path, 0, interrupted(), options, layout_of(options, load_tokenizer("bytes")))
    assert list(tmp_path.iterdir()) == []


def test_no_documents_give_an_empty_index(tmp_path):
    write_index(tmp_path, ShardSettings(), load_tokenizer("bytes"), [])
    assert verify(tmp_path).problems == []
    assert peek(tmp_path) == []


def test_shards_carry_the_users_own_tokenizer(tmp_path):
    ranks = tmp_path / "mine.tiktoken"
    ranks.write_bytes(b"".join(b"%s %d\n" % (_base64(byte), byte) for byte in range(256)))
    tokenizer = load_tokenizer(str(ranks), pattern=r"\w+|\W")
    batch = pa.record_batch({"id": ["a"], "input_ids": tokenizer.encode(pa.array(["grün"], pa.large_string()))})
    folder = tmp_path / "shards"
    write_index(
        folder,
        ShardSettings(),
        tokenizer,
        [write_shard(folder, 0, [batch], ShardSettings(), layout_of(ShardSettings(), tokenizer))],
    )
    ranks.unlink()
    assert verify(folder).problems == []
    assert peek(folder)[0] == ("a", 0, 0, 6, "grün", ())


def _base64(byte):
    import base64

    return base64.b64encode(bytes([byte]))


def test_peek_finds_documents(tmp_path):
    folder = write_run(tmp_path, "parquet")
    assert [(found.id, found.text) for found in peek(folder, 3)] == list(zip(IDS, TEXTS, strict=True))[:3]
    assert [found.text for found in peek(folder, id="file.jsonl#3")] == [TEXTS[3], TEXTS[53]]
    second = peek(folder, 1, shard=1)[0]
    assert (second.shard, second.offset, second.n_tokens) == (1, 0, len(second.text.encode()) + 1)
    with pytest.raises(InputError, match="there is no shard 99"):
        peek(folder, shard=99)


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _shard(folder, number):
    return folder / read_index(folder).shards[number].file


@pytest.mark.parametrize("shard_format", FORMATS)
@pytest.mark.parametrize(
    ("damage", "sentences"),
    [
        (lambda folder: _flip(_shard(folder, 1)), {"checksum is not the index's"}),
        (lambda folder: _shard(folder, 1).unlink(), {"The file is missing"}),
        (lambda folder: _shard(folder, 1).write_bytes(b""), {"checksum is not the index's", "cannot be read"}),
        (
            lambda folder: _shard(folder, 1).write_bytes(_shard(folder, 1).read_bytes()[:-40]),
            {"checksum is not the index's", "cannot be read"},
        ),
        (lambda folder: (folder / "shard-00099.bin").touch(), {"not in the index"}),
    ],
    ids=["flipped", "missing", "empty", "truncated", "extra"],
)
def test_damaged_files_are_problems_not_crashes(tmp_path, shard_format, damage, sentences):
    folder = write_run(tmp_path, shard_format)
    damage(folder)
    problems = verify(folder).problems
    for sentence in sentences:
        assert any(sentence in problem.sentence for problem in problems), problems
    named = {problem.file for problem in problems}
    assert len(named) == 1  # one damaged file does not make others look wrong


def _rewrite(folder, change, *, shard=1):
    """Write a shard again with changed ids, and an index that agrees with it."""
    index = read_index(folder)
    documents = list(read_shards(folder, shard=shard))
    lists = change([d.tokens.tolist() for d in documents])
    batch = pa.record_batch(
        {
            "id": [d.id for d in documents][: len(lists)],
            "input_ids": pa.array(lists, pa.large_list(pa.uint32())),
        }
    )
    entries = list(index.shards)
    options = ShardSettings(format=index.format)
    entries[shard] = write_shard(folder, shard, [batch], options, layout_of(options, load_tokenizer("bytes")))
    write_index(folder, options, load_tokenizer("bytes"), entries)


@pytest.mark.parametrize("shard_format", FORMATS)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lists: [lists[0][:-1], *lists[1:]], "does not end with the end mark"),
        (lambda lists: [[*lists[0][:3], 256, *lists[0][4:]], *lists[1:]], "end mark before its end"),
        (lambda lists: [[300, *lists[0][1:]], *lists[1:]], "outside the vocabulary of 257"),
        (lambda lists: [[], *lists[1:]], "has no tokens"),
        (
            lambda lists: [[*lists[0][:3], 33, *lists[0][4:]], *lists[1:]],
            "not the text of the run's document",
        ),
        (lambda lists: [[33, *lists[0]], *lists[1:]], "another span, at this place"),
        (lambda lists: lists[:-1], "1 more documents in this shard"),
    ],
    ids=["unended", "ended twice", "strange id", "no tokens", "other text", "other span", "document lost"],
)
def test_wrong_contents_are_found_although_hashes_agree(tmp_path, shard_format, change, sentence):
    folder = write_run(tmp_path, shard_format)
    _rewrite(folder, change)
    problems = verify(folder).problems
    assert any(sentence in problem.sentence for problem in problems), problems
    assert {problem.file for problem in problems} == {_shard(folder, 1).name}
    assert all(problem.document for problem in problems if "The document" in problem.sentence)


@pytest.mark.parametrize("name", [f"tokenize/{part_name(1)}", f"documents/{part_name(2)}", "run.json"])
def test_a_damaged_run_is_told_apart_from_damaged_shards(tmp_path, name):
    folder = write_run(tmp_path, "parquet")
    (tmp_path / name).write_bytes(b"PAR1")
    report = verify(folder)
    assert [problem.file for problem in report.problems] == [name]
    assert (report.documents, report.decoded, report.compared) == (60, 60, 0)


def test_an_index_that_lies_is_found(tmp_path):
    folder = write_run(tmp_path, "parquet")
    index = json.loads((folder / "index.json").read_text())
    index["tokens"] += 1
    index["shards"][0]["documents"] += 1
    index["shards"][1]["first"]["row"] += 1
    del index["checksum"]
    write_json(folder / "index.json", index)
    sentences = [problem.sentence for problem in verify(folder).problems]
    assert any("The index says" in sentence and "documents" in sentence for sentence in sentences)
    assert any("The index says" in sentence and "tokens" in sentence for sentence in sentences)
    assert any("lie elsewhere in the run" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "holds no shards"), ("{", "is not JSON"), ('{"format": 1}', "its checksum")],
)
def test_folders_without_an_index_are_the_users_mistake(tmp_path, content, message):
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(UserError, match=message):
        verify(tmp_path)


def test_another_tokenizer_is_refused(tmp_path):
    folder = write_run(tmp_path, "bin")
    index = json.loads((folder / "index.json").read_text())
    del index["checksum"]
    index["tokenizer"]["fingerprint"] = "0" * 64
    write_json(folder / "index.json", index)
    with pytest.raises(InputError, match="is not the one that wrote these shards"):
        peek(folder)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"shard_tokens": 0}, "`shards.shard_tokens` must be at least 1, but is 0"),
        ({"compression_level": 30}, "`shards.compression_level` must be between 1 and 22, but is 30"),
        ({"format": "csv"}, "Invalid enum value"),
    ],
)
def test_settings_are_checked(section, message):
    with pytest.raises(ValueError, match=message):
        msgspec.convert(section, ShardSettings)


@pytest.mark.parametrize("shard_format", FORMATS)
def test_a_conversion_has_the_bytes_of_a_run(tmp_path, shard_format):
    native = write_run(tmp_path / "native", shard_format)
    source = write_run(tmp_path / "run", "parquet" if shard_format != "parquet" else "mds")
    options = ShardSettings(format=shard_format, shard_tokens=SHARD_TOKENS)
    for _ in range(2):  # the second finds everything there
        convert(source, tmp_path / "out", options)
    index = read_index(tmp_path / "out")
    for name in {name for entry in index.shards for name in entry.files} | set(index.files):
        if name != "index.json" or shard_format not in {"parquet", "bin"}:
            assert (tmp_path / "out" / name).read_bytes() == (native / name).read_bytes(), name
    assert index.shards == read_index(native).shards
    assert verify(tmp_path / "out").problems == []


@pytest.mark.parametrize("shard_format", FORMATS)
def test_shards_of_another_size_lead_back_to_the_same_documents(tmp_path, shard_format):
    source = write_run(tmp_path / "run", "bin")
    out = tmp_path / "out"
    out.mkdir()
    unfinished(out / "shard-00000.bin").touch()  # of an attempt that was killed
    convert(source, out, ShardSettings(format=shard_format, shard_tokens=700))
    assert not [file for file in out.iterdir() if is_unfinished(file.name)]
    again = list(read_shards(out))
    assert [(one.id, one.tokens.tolist()) for one in again] == [
        (one.id, one.tokens.tolist()) for one in read_shards(source)
    ]
    assert len(read_index(out).shards) > 2 * len(read_index(source).shards)
    for document in again[::7]:
        found = locate(out, document.shard, document.offset + 1)
        assert (found.id, found.token, found.n_tokens) == (document.id, 1, len(document.tokens))
    report = verify(out, every=True)
    assert (report.problems, report.traced, report.compared) == ([], len(TEXTS), len(TEXTS))


def test_verify_follows_conversions_to_their_run(tmp_path):
    source = write_run(tmp_path / "run", "bin")
    convert(source, tmp_path / "a", ShardSettings(format="mds", shard_tokens=700))
    convert(tmp_path / "a", tmp_path / "c/b", ShardSettings(format="megatron", shard_tokens=1500))
    report = verify(tmp_path / "c/b", every=True)
    assert (report.problems, report.traced, report.compared) == ([], len(TEXTS), len(TEXTS))
    texts = tmp_path / "run/documents" / part_name(1)
    table = pq.read_table(texts)
    other = pa.array(["Another text."] * len(table), table["text"].type)
    write_rows(texts, table.set_column(1, "text", other).combine_chunks(), group_rows=10)
    assert "is not the text of the run's document" in verify(tmp_path / "c/b", every=True).problems[0].sentence
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    alone = verify(tmp_path / "c/b", every=True)
    assert (alone.problems, alone.traced, alone.compared) == ([], 0, 0)


@pytest.mark.parametrize("shard_format", FORMATS)
def test_every_flipped_bit_is_found_and_named(tmp_path, shard_format):
    folder = write_run(tmp_path, shard_format)
    index = read_index(folder)
    for name in [*index.shards[0].files, *index.files]:
        before = (folder / name).read_bytes()
        _flip(folder / name)
        assert name in {problem.file for problem in verify(folder).problems}
        (folder / name).write_bytes(before)
    assert verify(folder).problems == []


@pytest.mark.parametrize(
    ("shard_format", "dtype", "size", "found"),
    [
        ("bin", "auto", 65_536, "uint16"),
        ("bin", "auto", 65_537, "uint32"),
        ("bin", "uint16", 65_537, "up to 65,536, but this one has 65,537"),
        ("megatron", "auto", 65_499, "uint16"),
        ("megatron", "auto", 65_500, "int32"),
        ("megatron", "uint32", 100, "hold `uint16`, `int32`"),
        ("olmo", "auto", 256, "uint8"),
        ("litdata", "auto", 65_537, "int32"),
        ("parquet", "auto", 2**31 + 1, "holds vocabularies up to"),
    ],
)
def test_ids_have_the_type_that_the_reader_takes(shard_format, dtype, size, found):
    if " " in found:
        with pytest.raises(PlanError, match=found):
            formats.FORMATS[shard_format].dtype(size, dtype)
    else:
        assert formats.FORMATS[shard_format].dtype(size, dtype) == found


def test_the_header_of_llm_c(tmp_path):
    source = write_run(tmp_path / "run", "parquet")
    convert(source, tmp_path / "out", ShardSettings(format="bin", shard_tokens=SHARD_TOKENS, header="llm.c"))
    index = read_index(tmp_path / "out")
    file = tmp_path / "out" / index.shards[0].file
    header = np.fromfile(file, "<i4", 256)
    assert header[:4].tolist() == [20240520, 1, index.shards[0].tokens, 0]
    assert file.stat().st_size == 1024 + 2 * index.shards[0].tokens
    assert verify(tmp_path / "out").problems == []


def test_places_that_uint32_cannot_hold_are_refused_before_the_run():
    with pytest.raises(PlanError, match="less than 4 GiB"):
        layout_of(ShardSettings(format="mds", shard_tokens=3_000_000_000), load_tokenizer("bytes"))


@pytest.mark.parametrize("version", [1, 99])
def test_an_index_of_another_version_is_refused_with_what_to_type(version, tmp_path):
    folder = write_run(tmp_path, "parquet")
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "schema_version": version}))
    with pytest.raises(InputError, match=f"has version {version}; this curate reads 2 to 3") as raised:
        read_index(folder)
    assert ("pip install" in raised.value.hint) == (version == 99)
