"""Test sets as files: the texts of their items, whatever the format."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow.parquet as pq

from curate.errors import PlanError, nearest
from curate.stages.named_files import lines_of, named_files, text_of

SETTING = "decontaminate.benchmarks"
FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt")

_ID_NAMES = ("task_id", "question_id", "id", "idx")


class ItemText(NamedTuple):
    """A text of an item; an item with several fields has several."""

    benchmark: str
    """Name of the file without its ending."""
    item: str
    """The item's own id, else its number in the file, from 1."""
    text: str


def benchmark_texts(benchmarks: tuple[str, ...], fields: tuple[str, ...]) -> list[ItemText]:
    """All texts of all items.

    Args:
        benchmarks: paths, folders and globs.
        fields: fields to read where an item has them; none: all that hold text. A line of a ``.txt`` file is an item.

    Raises:
        PlanError: a file is not there, cannot be read, has no item, or lacks a field.
    """
    found: list[ItemText] = []
    for path in benchmark_files(benchmarks):
        name, ending = _name_and_ending(path)
        items = list(_items(path, ending, with_names=bool(fields)))
        _check_fields(path, fields, items)
        texts = [
            ItemText(name, _id(item, number), text)
            for number, item in enumerate(items, 1)
            for field in (fields if fields and "" not in item else item)
            for text in _strings(item.get(field))
        ]
        if not texts:
            raise PlanError(
                f"`{SETTING}` names `{path}`, which has no item with text", hint="check decontaminate.fields"
            )
        found += texts
    return found


def benchmark_files(benchmarks: tuple[str, ...]) -> list[Path]:
    """The files that the setting stands for; in a folder those of known formats.

    Raises:
        PlanError: nothing is there.
    """
    return named_files(SETTING, benchmarks, (*FORMATS, *(f"{ending}.gz" for ending in FORMATS)))


def _check_fields(path: Path, fields: tuple[str, ...], items: list[Mapping[str, Any]]) -> None:
    """At least one of ``fields`` must be in the file: test sets that are read together may differ."""
    names = {name for item in items for name in item}
    if fields and names and "" not in names and not names & set(fields):
        listed = ", ".join(fields)
        raise PlanError(
            f"`decontaminate.fields` is {listed}, and no item of `{path}` has it", hint=nearest(fields[0], names)
        )


def _name_and_ending(path: Path) -> tuple[str, str]:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if plain.suffix not in FORMATS:
        raise PlanError(
            f"`{SETTING}` names `{path}`, whose format is not known", hint=f"files that end in {', '.join(FORMATS)}"
        )
    return plain.stem, plain.suffix


def _items(path: Path, ending: str, *, with_names: bool) -> Iterator[Mapping[str, Any]]:
    """Items as fields; one field without a name where the file has none."""
    if ending == ".parquet":
        yield from _parquet_items(path)
        return
    text = text_of(SETTING, path)
    if ending == ".txt":
        yield from ({"": line} for line in lines_of(text) if line.strip())
    elif ending in {".csv", ".tsv"}:
        rows = _rows(path, text, "\t" if ending == ".tsv" else ",")
        names = next(rows, []) if with_names else []
        # Without names to look for, a head of names is one more item, too short to match anything.
        yield from (dict(zip(names or map(str, range(len(row))), row, strict=False)) for row in rows)
    else:
        yield from _json_items(path, text, lines=ending == ".jsonl")


def _rows(path: Path, text: str, delimiter: str) -> Iterator[list[str]]:
    """Rows of a table as text, of which a field may be as long as it likes."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        yield from rows
    except csv.Error as error:
        raise PlanError(
            f"line {rows.line_num:,} of `{path}` is not CSV: {error}", hint=f"`{SETTING}` names it"
        ) from error


def _parquet_items(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except Exception as error:  # whatever a damaged file makes the library raise
        raise PlanError(f"`{SETTING}` names `{path}`, which cannot be read as Parquet: {error}") from error


def _json_items(path: Path, text: str, *, lines: bool) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines_of(text) if lines else [text], 1):
        if not line.strip():
            continue
        try:
            value = _decoded(line)
        except (ValueError, RecursionError) as error:
            raise PlanError(
                f"line {number:,} of `{path}` is not JSON: {error}", hint=f"`{SETTING}` names it"
            ) from error
        for item in _listed(value):
            yield item if isinstance(item, dict) else {"": item}


def _decoded(line: str) -> Any:
    """The value in a line; NaN, Infinity and half a surrogate pair, which are no JSON, are written all the same."""
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:
        return json.loads(line)


def _listed(value: Any) -> list[Any]:
    """The items of a JSON file: a list, a list under some name, or the value itself."""
    if isinstance(value, list):
        return value
    lists = [inner for inner in value.values() if isinstance(inner, list)] if isinstance(value, dict) else []
    of_objects = [inner for inner in lists if inner and all(isinstance(item, dict) for item in inner)]
    return of_objects[0] if len(of_objects) == 1 else [value]


def _strings(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value.encode(errors="replace").decode()
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)


def _id(item: Mapping[str, Any], number: int) -> str:
    return next((str(item[name]) for name in _ID_NAMES if isinstance(item.get(name), str | int)), str(number))
