"""What the tokenizer did not know of the kept text: how much of it, and an example to look at."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.engine.base import Engine, in_order
from curate.pipeline.step import Step, with_edits
from curate.stages.contract import Encoder
from curate.store.manifest_entries import Tokens, Unknown, UnknownExample
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.row_groups import group_of
from curate.store.run_directory import DOCUMENTS, RunDirectory

SHOWN = 8
"""Different characters that an example lists."""


class UnknownCharacters(NamedTuple):
    """Characters of the kept text that became the unknown token, or that no token stands for.

    Attributes:
        characters: of the kept text, with its edits.
        unknown: those of them that are unknown.
        documents: kept documents that hold any.
        example: the first of them.
    """

    characters: int
    unknown: int
    documents: int
    example: UnknownExample | None

    @property
    def share(self) -> float:
        """Of all characters."""
        return self.unknown / max(1, self.characters)

    @classmethod
    def recorded(cls, tokens: Tokens) -> "UnknownCharacters":
        """What ``tokens`` of a ``run.json`` say of it."""
        unknown = tokens.unknown
        return cls(tokens.characters, unknown.characters, unknown.documents, unknown.example)

    @property
    def entry(self) -> Unknown:
        """What ``run.json`` says of it."""
        return Unknown(characters=self.unknown, share=self.share, documents=self.documents, example=self.example)


def unknown_characters(
    encoder: Encoder, judges: tuple[Step, ...], directory: RunDirectory, parts: int, engine: Engine
) -> UnknownCharacters:
    """Add up what the encoder's judgments say.

    Args:
        encoder: the tokenizer stage.
        judges: all stages with verdicts.
        directory: the run; its shards are cut.
        parts: how many parts there are.
        engine: spreads reading.
    """
    counted = list(in_order(engine, partial(_counted, directory, encoder.name), range(parts)))
    characters, unknown, documents = (sum(one[column] for one in counted) for column in range(3))
    first = next(((part, row) for part, (*_, row) in enumerate(counted) if row >= 0), None)
    example = _example(encoder, judges, directory, *first) if first else None
    return UnknownCharacters(characters, unknown, documents, example)


def _counted(directory: RunDirectory, encoder: str, part: int) -> tuple[int, int, int, int]:
    """Characters, unknown ones, documents with some, and the row of the first of these (-1: none)."""
    counts = read_columns(directory.part(encoder, part), ["characters", "unknown"])
    met = pc.fill_null(pc.greater(counts["unknown"], 0), False)
    characters, unknown = (pc.sum(counts[name]).as_py() or 0 for name in ("characters", "unknown"))
    return characters, unknown, pc.sum(met).as_py() or 0, pc.index(met, True).as_py()


def _example(
    encoder: Encoder, judges: tuple[Step, ...], directory: RunDirectory, part: int, row: int
) -> UnknownExample:
    document = _row(directory, part, row)
    text = document["text"].combine_chunks().cast(pa.large_string())
    for step in judges:
        if step.edits:
            edits = read_columns(step.file(directory, part), ["edits"])["edits"].slice(row, 1).combine_chunks()
            text = with_edits(text, edits)
    seen = dict.fromkeys(_characters(str(text[0]), encoder))
    shown = list(seen)[:SHOWN]
    return UnknownExample(
        document=str(document["id"][0]),
        characters="".join(shown),
        code_points=tuple(f"U+{ord(character):04X}" for character in shown),
    )


def _characters(text: str, encoder: Encoder) -> Iterator[str]:
    return (text[place] for place in encoder.unknown_places(text))


def _row(directory: RunDirectory, part: int, row: int) -> pa.Table:
    with pq.ParquetFile(parquet_source(directory.part(DOCUMENTS, part))) as file:
        group = group_of(file.metadata, row)
        found = file.read_row_group(group.number, columns=["id", "text"], use_threads=False)
        return found.slice(row - group.start, 1)
