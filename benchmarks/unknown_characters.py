"""What tokenizers do not know of text in their own language and in others.

    python -m benchmarks.unknown_characters CORPORA

Five kinds of small tokenizers are trained on English novels and documentation (CORPORA/prose, CORPORA/langid) and
tried on text that they have not seen, as Markdown: the share of its characters that became the unknown token or none.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from curate.text.tokenizers import Tokenizer, load_tokenizer

SIZE = 8000
TRIED = (
    ("prose/eltec_chapters", "en"),
    ("langid/react_dev", "en"),
    ("langid/manpages", "en"),
    ("langid/tldr", "en"),
    *(("langid/lingua_sentences", language) for language in ("de", "fr", "pl", "ru", "zh")),
    ("langid/react_dev", "zh"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    corpora = parser.parse_args().corpora
    sets = {(file, language): texts(corpora, file, language) for file, language in TRIED}
    seen = [text for (_, language), some in sets.items() if language == "en" for text in some[::2]]
    print(
        "| unknown characters, % | " + " | ".join(f"{file.split('/')[1]} {language}" for file, language in sets) + " |"
    )
    print("| --- |" + " ---: |" * len(sets))
    with tempfile.TemporaryDirectory() as folder:
        for name, tokenizer in trained(seen, Path(folder)):
            cells = [f"{100 * unknown(tokenizer, some[1::2]):.3f}" for some in sets.values()]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def texts(corpora: Path, file: str, language: str) -> list[str]:
    """At most 600 texts of a language."""
    rows = pl.read_parquet(corpora / f"{file}.parquet", columns=["text", "lang"]).filter(lang=language)
    found: list[str] = rows["text"].to_list()
    random.Random(0).shuffle(found)
    return found[:600]


def unknown(tokenizer: Tokenizer, some: list[str]) -> float:
    """Share of the characters."""
    counted = tokenizer.encode_counting(pa.array(some, pa.large_string()))[1]
    return sum(counted.to_pylist()) / sum(map(len, some))


def trained(seen: list[str], folder: Path) -> Iterator[tuple[str, Tokenizer]]:
    """Tokenizers of several kinds and what they are."""
    options = {"vocab_size": SIZE, "show_progress": False}
    marks = ["<unk>", "</s>"]
    lower = tokenizers.Tokenizer(models.WordPiece(unk_token="<unk>"))
    lower.normalizer, lower.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    lower.train_from_iterator(seen, trainers.WordPieceTrainer(special_tokens=marks, **options))
    yield "WordPiece, lower case", saved(lower, folder / "lower")
    for letters in (10_000, 90):
        spelled = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
        spelled.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.BpeTrainer(special_tokens=marks, limit_alphabet=letters, **options)
        spelled.train_from_iterator(seen, trainer)
        name = "BPE over characters, " + ("all that were seen" if letters > 90 else f"{letters} of them")
        yield name, saved(spelled, folder / str(letters))
    by_bytes = tokenizers.Tokenizer(models.BPE())
    by_bytes.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    by_bytes.decoder = decoders.ByteLevel()
    by_bytes.train_from_iterator(seen, trainers.BpeTrainer(special_tokens=marks[1:], **options))
    yield "byte-level BPE, bytes that were seen", saved(by_bytes, folder / "bytes")
    cased = tokenizers.Tokenizer(models.WordPiece(unk_token="<unk>"))
    cased.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cased.train_from_iterator(
        [text.lower() for text in seen], trainers.WordPieceTrainer(special_tokens=marks, **options)
    )
    yield "WordPiece trained on lower case that does not lower it", saved(cased, folder / "cased")


def saved(tokenizer: tokenizers.Tokenizer, folder: Path) -> Tokenizer:
    """The same, as curate reads it."""
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return load_tokenizer(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
