"""A Parquet file opened for reading, whatever its writer put into it: columns by place, under names that are text.

Names may be repeated or be no UTF-8, and the schema that Arrow keeps in the footer may be damaged or lie; nothing of
that keeps the values from being read.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from curate.corpus.input import InputFile, RowGroup
from curate.corpus.quarantine import Damaged
from curate.corpus.stored import arrow_file
from curate.errors import CurateError

_READ_BUFFER = 1024 * 1024  # streamed, so that a row group of any size fits in memory
_ROWS = 256
"""Rows decoded at a time: a dictionary of one long text makes much out of a page of a few bytes."""
_BATCH_BYTES = 32 * 1024 * 1024
_ARROW_SCHEMA = b"ARROW:schema"


class Column(NamedTuple):
    """A column as it is called here."""

    name: str
    """Unique, and text."""
    type: pa.DataType
    leaves: range
    """Places of its values among the columns of the file."""


class _File(pq.ParquetFile):  # type: ignore[misc]  # pyarrow has no types
    """Reads columns by their places, so names that are no text do no harm."""

    def _build_nested_paths(self) -> Any:
        try:
            return super()._build_nested_paths()
        except UnicodeDecodeError:
            return {}


class ParquetTable:
    """An open file.

    Args:
        file: a Parquet file; where its size is known, it must still have it.
        arrow_schema: whether types are those that Arrow's own schema in the footer tells.

    Raises:
        Damaged: it cannot be opened, is no Parquet, or has another size now.
    """

    def __init__(self, file: InputFile, *, arrow_schema: bool = True) -> None:
        self._source = arrow_file(file)
        try:
            self._file = _parquet(self._source) if arrow_schema else _parquet_as_stored(self._source)
            self.columns = _columns(self._file)
            self.repeated = repeated_names(self._file.schema_arrow)
            self.row_groups = tuple(map(self._row_group, range(self._file.metadata.num_row_groups)))
        except (CurateError, Damaged):
            self._source.close()
            raise
        except Exception as error:  # whatever a damaged footer makes the library raise
            self._source.close()
            raise Damaged("corrupt_file", f"not readable as Parquet: {shortly(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._source.close()

    def batches(self, group: int, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a row group, some at a time.

        Args:
            group: number of the row group.
            names: of the columns wanted; None: all.
        """
        wanted = [column for column in self.columns if names is None or column.name in names]
        leaves = [leaf for column in wanted for leaf in column.leaves]
        mean = self.row_groups[group].bytes // max(1, self.row_groups[group].rows)
        rows = max(1, min(_ROWS, _BATCH_BYTES // max(1, mean)))
        for batch in self._file.reader.iter_batches(rows, row_groups=[group], column_indices=leaves, use_threads=False):
            yield batch.rename_columns([column.name for column in wanted])

    def _row_group(self, number: int) -> RowGroup:
        """Rows and bytes. Nothing is asked of its columns: of a damaged footer, that would end the process."""
        meta = self._file.metadata.row_group(number)
        return RowGroup(max(0, meta.num_rows), max(0, meta.total_byte_size))


def named_columns(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The columns under names that are text, each its own.

    Example:
        >>> list(named_columns(pa.schema([("a", pa.int8()), ("a", pa.int8())])))
        ['a', 'a_2']
    """
    return dict(zip(_own_names(schema), schema.types, strict=True))


def decoded_name(field: pa.Field) -> str | None:
    """The name of a field; None where it is no UTF-8."""
    try:
        return str(field.name)
    except UnicodeDecodeError:
        return None


def shortly(error: Exception) -> str:
    """The first line of what a library says, bounded; a name of its kind where it says nothing."""
    return (str(error).partition("\n")[0] or type(error).__name__)[:300]


def _parquet(source: Any) -> pq.ParquetFile:
    try:
        return _File(source, buffer_size=_READ_BUFFER, pre_buffer=False, coerce_int96_timestamp_unit="us")
    except (CurateError, Damaged):
        raise
    except Exception as error:  # noqa: BLE001  (whatever a damaged footer makes the library raise)
        try:
            return _parquet_as_stored(source)
        except Exception:  # noqa: BLE001  (the first error says more)
            raise error from None


def _parquet_as_stored(source: Any) -> pq.ParquetFile:
    metadata = _without_arrow_schema(source)
    return _File(
        source, metadata=metadata, buffer_size=_READ_BUFFER, pre_buffer=False, coerce_int96_timestamp_unit="us"
    )


def _without_arrow_schema(source: Any) -> pq.FileMetaData | None:
    """The footer with the key of Arrow's own schema renamed; None where it has none."""
    source.seek(max(0, source.size() - 8))
    tail = source.read(8)
    size = struct.unpack("<I", tail[:4])[0] if len(tail) == 8 else 0
    if not 0 < size <= source.size() - 8:
        return None
    source.seek(source.size() - 8 - size)
    footer = source.read(size)
    if _ARROW_SCHEMA not in footer:
        return None
    renamed = footer.replace(_ARROW_SCHEMA, _ARROW_SCHEMA.lower())
    return pq.read_metadata(pa.BufferReader(b"PAR1" + renamed + tail))


def _columns(file: pq.ParquetFile) -> tuple[Column, ...]:
    schema, found, first = file.schema_arrow, list[Column](), 0
    for name, kind in zip(_own_names(schema), schema.types, strict=True):
        leaves = _leaves(kind)
        found.append(Column(name, kind, range(first, first + leaves)))
        first += leaves
    if first != file.metadata.num_columns:
        raise ValueError(f"{file.metadata.num_columns} columns, but the schema has {first}")
    return tuple(found)


def repeated_names(schema: pa.Schema) -> frozenset[str]:
    """Names that more than one column has."""
    names = [_name(schema.field(number), number) for number in range(len(schema))]
    return frozenset(name for name, count in Counter(names).items() if count > 1)


def _name(field: pa.Field, number: int) -> str:
    name = decoded_name(field)
    return f"column {number + 1}" if name is None else name


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type can be texts: strings or bytes, whatever type or encoding is put around them."""
    if isinstance(kind, pa.BaseExtensionType):
        return is_text(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


def texts_in(name: str, kind: pa.DataType) -> Iterator[str]:
    """The fields of text in a column: itself, or those in its objects, under dotted names.

    Example:
        >>> list(texts_in("page", pa.struct({"body": pa.string(), "n": pa.int8()})))
        ['page.body']
    """
    if is_text(kind):
        yield name
    elif types.is_struct(kind) and "." not in name.rpartition(".")[2]:
        members = [kind.field(number) for number in range(kind.num_fields)]
        names = [decoded_name(member) for member in members]
        for inner, member in zip(names, members, strict=True):
            if inner is not None and "." not in inner and names.count(inner) == 1:
                yield from texts_in(f"{name}.{inner}", member.type)


def has_field(columns: Mapping[str, pa.DataType], path: str) -> bool:
    """Whether there is a column of a name, or an object with a member of it at a dotted path.

    Example:
        >>> columns = {"page": pa.struct({"id": pa.int8()})}
        >>> [has_field(columns, path) for path in ("page", "page.id", "page.url")]
        [True, True, False]
    """
    first, dot, rest = path.partition(".")
    kind = columns.get(first)
    if path in columns or not dot or kind is None or not types.is_struct(kind):
        return path in columns
    members = [kind.field(number) for number in range(kind.num_fields)]
    return has_field({decoded_name(member) or "": member.type for member in members}, rest)


def distinct(names: Iterable[str]) -> list[str]:
    """The names in their order, with a number behind those that are taken already.

    Example:
        >>> distinct(["url", "url_2", "url", "url"])
        ['url', 'url_2', 'url_3', 'url_4']
    """
    found, counts = dict[str, None](), dict[str, int]()
    for name in names:
        own = name
        while own in found:
            counts[name] = counts.get(name, 1) + 1  # never from 2 on again: a name may have thousands of columns
            own = f"{name}_{counts[name]}"
        found[own] = None
    return list(found)


def _own_names(schema: pa.Schema) -> list[str]:
    return distinct(_name(schema.field(number), number) for number in range(len(schema)))


def _leaves(kind: pa.DataType) -> int:
    """How many columns of values a type is stored as."""
    if isinstance(kind, pa.BaseExtensionType):
        return _leaves(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _leaves(kind.value_type)
    if types.is_map(kind):
        return _leaves(kind.key_type) + _leaves(kind.item_type)
    if types.is_struct(kind):
        return sum(_leaves(kind.field(number).type) for number in range(kind.num_fields))
    return _leaves(kind.value_type) if types.is_nested(kind) else 1
