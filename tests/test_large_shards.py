"""Shards beyond 4 GiB and 2³¹ tokens, on sparse files; vocabularies around 65,535."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest

import curate
from curate.errors import UserError
from curate.models.tokenizers import load_tokenizer
from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.files.uint32_offsets import require_room
from curate.shards.format import Layout, Target
from curate.shards.formats import FORMATS
from curate.shards.index import write_index
from curate.shards.provenance.locate import locate
from curate.shards.settings import ShardSettings

DOCUMENTS, TOKENS = 22, 100_000_000
WHOLE = DOCUMENTS * TOKENS  # 2.2 billion: more than 2³¹; as uint16 more than 4 GiB
FLAT = ("bin", "megatron", "olmo", "datatrove")


class _Sparse(io.RawIOBase):
    """A file of ids that takes no room: only the last bytes of each piece are written."""

    def __init__(self, path):
        self._file, self._size = path.open("wb"), 0

    def write(self, data):
        size = memoryview(data).nbytes
        self._file.seek(self._size + size - 4)
        self._file.write(memoryview(data)[-4:])
        self._size += size
        return size

    def xxh3(self):
        return ""

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self._file.close()


def blocks():
    for number in range(DOCUMENTS):
        tokens = np.zeros(TOKENS, np.uint16)
        tokens[-1] = number
        yield Block(pa.array([f"d{number}"]), tokens, np.array([0, TOKENS], np.int64))


@pytest.mark.parametrize("name", FLAT)
def test_more_than_4_gib_and_2_to_the_31_tokens(name, tmp_path, monkeypatch):
    monkeypatch.setattr("curate.shards.files.flat_file.hashed_file", _Sparse)
    options = ShardSettings(format=name, shard_tokens=3_000_000_000, dtype="uint16")
    layout = Layout(dtype="uint16")
    entry = FORMATS[name].write(Target(tmp_path, "shard-00000", layout, lambda _entry: None), blocks())
    assert (entry.documents, entry.tokens) == (DOCUMENTS, WHOLE)
    assert (tmp_path / entry.file).stat().st_size == 2 * WHOLE
    write_index(tmp_path, options, load_tokenizer("bytes"), [entry])
    last = WHOLE - TOKENS
    assert {
        "bin": lambda: np.load(tmp_path / "document_offsets.npy")[-2:],
        "megatron": lambda: (
            np.frombuffer((tmp_path / "shard-00000.idx").read_bytes(), "<i8", DOCUMENTS, 34 + 4 * DOCUMENTS)[-1:] // 2
        ),
        "olmo": lambda: np.array(
            gzip.decompress((tmp_path / "shard-00000.csv.gz").read_bytes()).split()[-1].split(b",")[:2], np.int64
        ),
        "datatrove": lambda: np.fromfile(tmp_path / "shard-00000.ds.index", "<u8")[-2:],
    }[name]().tolist() == ([last] if name == "megatron" else [last, WHOLE])
    found = locate(tmp_path, 0, WHOLE - 1)
    assert (found.id, found.token, found.n_tokens) == (f"d{DOCUMENTS - 1}", TOKENS - 1, TOKENS)
    loader = curate.load(tmp_path, sequence_length=TOKENS // 100)
    assert loader.windows == 100 * DOCUMENTS
    ends = loader._stream.windows(np.array([99, loader.windows - 1]), TOKENS // 100)[:, -1]
    assert ends.tolist() == [0, DOCUMENTS - 1]


def test_a_table_of_32_bits_says_what_it_cannot_hold(tmp_path):
    require_room(tmp_path / "shard-00000.mds", 2**32 - 1)
    with pytest.raises(UserError, match="4 GiB"):
        require_room(tmp_path / "shard-00000.mds", 2**32)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "sft"])
@pytest.mark.parametrize("size", [65_498, 65_500, 65_535, 65_536, 65_537])
def test_the_largest_id_of_a_vocabulary_comes_back(name, size, tmp_path):
    layout = Layout(dtype=FORMATS[name].dtype(size))
    tokens = np.array([size - 1, 0, size - 2], np.uint32)
    given = Block(pa.array(["a", "b"]), tokens, np.array([0, 2, 3], np.int64))
    target = Target(tmp_path, "shard-00000", layout, lambda _entry: None)
    entry = FORMATS[name].write(target, [given])
    counted = target._replace(stem="shard-00001", n_tokens=np.array([2, 1]))  # what stands first is written first
    assert FORMATS[name].write(counted, [given]).xxh3 == entry.xxh3
    (found,) = FORMATS[name].read(tmp_path, entry, layout)
    assert found.tokens.astype(np.int64).tolist() == tokens.tolist()
    assert found.offsets.tolist() == [0, 2, 3]


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.counts_first])
def test_documents_that_were_counted_otherwise_are_found(name, tmp_path):
    layout = Layout(dtype=FORMATS[name].dtype(300), header="llm.c")
    given = Block(pa.array(["a", "b"]), np.zeros(3, np.uint32), np.array([0, 2, 3], np.int64))
    target = Target(tmp_path, "shard-00000", layout, lambda _entry: None, np.array([2, 2]))
    with pytest.raises(DamagedShard, match="other documents than those that were counted"):
        FORMATS[name].write(target, [given])
    assert list(tmp_path.iterdir()) == []
