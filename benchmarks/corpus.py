"""Benchmark corpora: the same documents at several sizes, as 8 JSONL.gz shards and as Parquet, and one tokenizer.json.

A corpus is a function of its input alone: documents are ordered by a hash of their id and taken until the size is
reached. Input smaller than that is used again in copies whose text is salted, so that a copy is no near-duplicate.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import xxhash

SHARDS = 8
SALT_EVERY = 8  # words: two copies then share about 0.3 of their 5-word shingles
VOCABULARY = 32_768
TRAINING_MB = 10
_NOTHING = pl.DataFrame(schema={"id": pl.String, "text": pl.String})


def make(documents: pl.DataFrame, folder: Path, sizes: list[int]) -> None:
    """Write ``folder/s<MB>/{jsonl,parquet}`` for each size that is missing, and the tokenizer.

    Args:
        documents: as `read` gives them.
        folder: of this input alone.
        sizes: in 10^6 bytes of text.
    """
    print_of = fingerprint(documents)
    mark = folder / "source.txt"
    if mark.exists() and mark.read_text() != print_of:
        raise SystemExit(f"{folder} was made from another input: remove it, or give --name")
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(print_of)
    for size in sizes:
        if not (folder / f"s{size}" / "done.json").exists():
            write(documents, folder / f"s{size}", size)
    if not (folder / "tokenizer.json").exists():
        train(taken(documents, TRAINING_MB), folder / "tokenizer.json")


def read(source: Path) -> pl.DataFrame:
    """The columns ``id`` and ``text`` of Parquet or JSONL(.gz) files, in the order of a hash of both."""
    pattern = re.compile(r"\.(parquet|jsonl(\.gz)?)$")
    files = sorted(file for file in source.rglob("*") if pattern.search(file.name)) if source.is_dir() else [source]
    frames = [_read_parquet(file) if file.suffix == ".parquet" else _read_jsonl(file) for file in files]
    if not sum(map(len, frames)):
        raise SystemExit(f"{source}: no document with a `text` in .parquet, .jsonl or .jsonl.gz")
    documents = pl.concat(frames).drop_nulls("text").filter(pl.col("text") != "")
    keys = [xxhash.xxh3_64_hexdigest(f"{name}\0{text}".encode()) for name, text in documents.iter_rows()]
    return documents.with_columns(key=pl.Series(keys, dtype=pl.String)).sort("key", maintain_order=True).drop("key")


def fingerprint(documents: pl.DataFrame) -> str:
    """SHA-256 of ids and texts in order."""
    digest = hashlib.sha256()
    for name, text in documents.iter_rows():
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:16]


def taken(documents: pl.DataFrame, megabytes: float) -> Iterator[tuple[str, str]]:
    """Ids and texts until ``megabytes`` (10^6 bytes) of text are reached; salted from the second copy on."""
    left, copy = megabytes * 1e6, 0
    while True:
        for name, text in documents.iter_rows():
            own = salted(text, copy)
            left -= len(own.encode())
            yield (f"{name}~{copy}" if copy else str(name)), own
            if left <= 0:
                return
        copy += 1


def salted(text: str, copy: int) -> str:
    """The text with a word of its copy's own after every ``SALT_EVERY`` words; copy 0 is the text itself.

    >>> salted("a b c d e f g h i", 1)
    'a b c d e f g h saltb i'
    """
    if not copy:
        return text
    word = "salt" + "".join(chr(97 + int(digit)) for digit in str(copy))
    return re.sub(rf"(?:\S+[ \n]+){{{SALT_EVERY}}}", lambda found: f"{found[0]}{word} ", text)


def write(documents: pl.DataFrame, folder: Path, megabytes: int) -> None:
    """Write both forms, documents dealt to the shards in turn, and ``done.json`` with the sizes."""
    for form in ("jsonl", "parquet"):
        (folder / form).mkdir(parents=True, exist_ok=True)
    # Fixed time and no name in the header: the same input gives the same bytes.
    paths = [folder / "jsonl" / f"{index:04}.jsonl.gz" for index in range(SHARDS)]
    shards = [gzip.GzipFile("", "wb", 6, path.open("wb"), mtime=0) for path in paths]
    count = size = 0
    for count, (name, text) in enumerate(taken(documents, megabytes), 1):
        size += len(text.encode())
        row = {"id": name, "text": text, "source": "benchmark"}
        shards[count % SHARDS].write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    for path, shard in zip(paths, shards, strict=True):
        under = shard.fileobj
        shard.close()
        under.close()
        _read_jsonl(path).write_parquet(folder / "parquet" / path.name.replace(".jsonl.gz", ".parquet"))
    (folder / "done.json").write_text(json.dumps({"documents": count, "text_mb": size / 1e6}) + "\n")


def train(documents: Iterator[tuple[str, str]], path: Path) -> None:
    """A byte-level BPE; merges are written as strings, the form that every release of tokenizers reads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((text for _, text in documents), trainer)
    content = json.loads(bpe.to_str())
    content["model"]["merges"] = [
        merge if isinstance(merge, str) else " ".join(merge) for merge in content["model"]["merges"]
    ]
    path.write_text(json.dumps(content, ensure_ascii=False))


def _read_parquet(file: Path) -> pl.DataFrame:
    table = pl.read_parquet(file)
    name = pl.col("id").cast(pl.String) if "id" in table.columns else pl.int_range(pl.len()).cast(pl.String)
    return table.select(id=name, text="text") if "text" in table.columns else _NOTHING


def _read_jsonl(file: Path) -> pl.DataFrame:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        rows = []
        try:
            rows.extend(row for row in map(_record, lines) if row)
        except (EOFError, OSError, zlib.error) as error:
            print(f"{file}: only {len(rows)} documents: {error}")
    names = [str(row.get("id", index)) for index, row in enumerate(rows)]
    return pl.DataFrame({"id": names, "text": [row["text"] for row in rows]}, schema=_NOTHING.schema)


def _record(line: bytes) -> dict[str, str] | None:
    """None for what is no document: every tool gets only input that it can read."""
    try:
        row = json.loads(line)
        row["text"].encode()
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return row
