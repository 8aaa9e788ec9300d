"""Every format read by its trainer's own reader, token by token. Needs no curate: run it where the readers are.

    python tests/readers/read_back.py FOLDER FORMAT

FOLDER holds one folder of shards a format, all of the same documents: ``bin/`` is what the others are compared with.
Prints one line of JSON: reader, version, tokens compared, what was compared.
"""

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

WINDOW = 512


class Expected:
    """The stream of tokens of all shards, where documents begin, and where shards end."""

    def __init__(self, folder):
        self.index = json.loads((folder / "index.json").read_text())
        files = [folder / shard["file"] for shard in self.index["shards"]]
        self.shards = [np.fromfile(file, self.index["dtype"]).astype(np.int64) for file in files]
        self.tokens = np.concatenate(self.shards)
        self.offsets = np.load(folder / "document_offsets.npy")
        assert self.offsets[-1] == len(self.tokens)
        self.end = self.index["tokenizer"]["end_of_document_id"]

    def documents(self):
        return [self.tokens[a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    def windows(self, size):
        """Windows cut in each shard; its tail is dropped."""
        return [shard[at : at + size] for shard in self.shards for at in range(0, len(shard) - size + 1, size)]


def _equal(found, wanted):
    assert len(found) == len(wanted), (len(found), len(wanted))
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(np.asarray(one, np.int64), other)
    return sum(map(len, wanted))


def bin(folder, expected):
    return (
        "numpy",
        _equal(
            [np.memmap(folder / s["file"], dtype=expected.index["dtype"]) for s in expected.index["shards"]],
            expected.shards,
        ),
        "shards",
    )


def megatron(folder, expected):
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    found, boundaries = [], []
    for file in sorted(folder.glob("*.idx")):
        data = IndexedDataset(str(file.with_suffix("")))
        boundaries.append(data.document_indices)
        assert data.document_indices.tolist() == list(range(len(data) + 1))
        found += [np.array(data[at]) for at in range(len(data))]  # views of a map that closes with the data set
    return "megatron-core", _equal(found, expected.documents()), "documents and boundaries"


def olmo(folder, expected):
    from olmo_core.data import NumpyFSLDatasetConfig, TokenizerConfig
    from olmo_core.data.utils import iter_document_indices

    files = sorted(folder.glob("shard-?????.npy"))
    tokenizer = TokenizerConfig(
        vocab_size=expected.index["tokenizer"]["vocabulary_size"], eos_token_id=expected.end, pad_token_id=expected.end
    )
    with tempfile.TemporaryDirectory() as work:
        config = NumpyFSLDatasetConfig(
            paths=[str(file) for file in files],
            label_mask_paths=[str(file.with_suffix(".mask.npy")) for file in files],
            sequence_length=WINDOW,
            tokenizer=tokenizer,
            work_dir=work,
        )
        data = config.build()
        data.prepare()
        assert all(bool(data[at]["label_mask"].all()) for at in range(len(data)))
        tokens = _equal([data[at]["input_ids"] for at in range(len(data))], expected.windows(WINDOW))
    start, spans = 0, []
    for file, shard in zip(files, expected.shards, strict=True):
        spans += [start + end for _, end in iter_document_indices(str(file))]
        start += len(shard)
    assert spans == expected.offsets[1:].tolist()
    return "ai2-olmo-core", tokens, f"windows of {WINDOW}, masks, document spans"


def datatrove(folder, expected):
    from datatrove.utils.dataset import DatatroveFolderDataset

    index = json.loads((folder / "index.json").read_text())
    data = DatatroveFolderDataset(
        str(folder), seq_len=WINDOW, token_size=np.dtype(index["dtype"]).itemsize, return_positions=True
    )
    rows = [data[at] for at in range(len(data))]
    tokens = _equal([row["input_ids"] for row in rows], expected.windows(WINDOW + 1))
    found = np.concatenate([np.flatnonzero(row["positions"] == 0) + at * (WINDOW + 1) for at, row in enumerate(rows)])
    begins = np.setdiff1d(found, np.arange(len(rows)) * (WINDOW + 1))  # every window begins at 0
    starts = np.flatnonzero(tokens_of(rows)[:-1] == expected.end) + 1
    assert np.array_equal(begins, np.setdiff1d(starts, np.arange(len(rows)) * (WINDOW + 1)))
    return "datatrove", tokens, f"windows of {WINDOW + 1}, positions"


def tokens_of(rows):
    return np.concatenate([row["input_ids"] for row in rows])


def litdata(folder, expected):
    from litdata import StreamingDataset, TokensLoader

    data = StreamingDataset(str(folder), item_loader=TokensLoader(block_size=WINDOW), shuffle=False)
    return "litdata", _equal([data[at] for at in range(len(data))], expected.windows(WINDOW)), f"windows of {WINDOW}"


def mds(folder, expected):
    from transformers.feature_extraction_utils import BatchFeature  # noqa: F401  (looks for the real torchvision)

    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = MagicMock()  # 6 GB that only its data sets of pictures need
    sys.modules["torchvision.datasets"].VisionDataset = object
    from streaming import StreamingDataset

    data = StreamingDataset(local=str(folder), shuffle=False, batch_size=1)
    found = [data[at]["tokens"] for at in range(len(data))]
    return "mosaicml-streaming", _equal(found, expected.documents()), "documents"


def parquet(folder, expected):
    import datasets

    with tempfile.TemporaryDirectory() as cache:
        files = [str(file) for file in sorted(folder.glob("shard-*.parquet"))]
        data = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
        return "datasets", _equal(data["input_ids"][:], expected.documents()), "documents"


def arrayrecord(folder, expected):
    import grain

    kind = json.loads((folder / "index.json").read_text())["dtype"]
    source = grain.sources.ArrayRecordDataSource([str(file) for file in sorted(folder.glob("*.arrayrecord"))])
    data = grain.MapDataset.source(source).map(lambda record: np.frombuffer(record, kind))
    return "grain", _equal([data[at] for at in range(len(data))], expected.documents()), "documents"


READERS = {read.__name__: read for read in (bin, megatron, olmo, datatrove, litdata, mds, parquet, arrayrecord)}


def main(folder, name):
    package, tokens, compared = READERS[name](folder / name, Expected(folder / "bin"))
    result = {"format": name, "reader": package, "version": version(package), "tokens": tokens, "compared": compared}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"  # before a reader is imported
    main(Path(sys.argv[1]), sys.argv[2])
