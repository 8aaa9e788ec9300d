"""Columns of a Parquet file as JSON text: one object a row, nothing lost.

Numbers, booleans and strings become JSON's own. Times become ISO 8601 strings, binary becomes base64;
decimals, NaN and infinities become strings: JSON has no other place for them. A value that nothing can be made of
(a day beyond the calendar, bytes in a string) is kept as far as possible: the document beside it is sound.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from curate.corpus.formats.tables.parquet_file import decoded_name, distinct

_TEXT = pa.large_string()
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def json_objects(columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """``large_string`` of one JSON object a row with every column; all null when there are no columns.

    Example:
        >>> json_objects({"n": pa.array([1]), "at": pa.array([0], pa.timestamp("s"))}, 1).to_pylist()
        ['{"n":1,"at":"1970-01-01T00:00:00"}']
    """
    if not columns:
        return pa.nulls(rows, _TEXT)
    pieces: list[pa.Array | pa.Scalar] = []
    for name, values in columns.items():
        key = msgspec.json.encode(name).decode()
        pieces += [_scalar(f"{',' if pieces else '{'}{key}:"), json_values(values)]
    return pc.binary_join_element_wise(*pieces, _scalar("}"), _scalar(""))


def json_values(values: pa.Array) -> pa.Array:
    """Each value as JSON text; null as ``null``.

    Example:
        >>> json_values(pa.array([1.5, None])).to_pylist()
        ['1.5', 'null']
    """
    try:
        return _json_values(storage(values))
    except (pa.ArrowException, ValueError, ArithmeticError):  # one value that has no such form
        return pa.array([_encoded_slowly(value) for value in values], _TEXT)


def storage(values: pa.Array) -> pa.Array:
    """The values themselves, in a layout that all kernels know, whatever type or encoding was put around them."""
    if isinstance(values, pa.ExtensionArray):
        return storage(values.storage)
    if types.is_dictionary(values.type):
        return storage(values.cast(values.type.value_type))
    if types.is_run_end_encoded(values.type):
        return storage(pc.run_end_decode(values))
    if types.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.large_binary()) if types.is_binary_view(values.type) else values


def valid_text(values: pa.Array) -> pa.Array:
    """``large_string`` of any kind of string; where a writer put other bytes into it, U+FFFD stands for them."""
    texts = values.cast(_TEXT)
    if _is_valid(texts):
        return texts
    raw = texts.cast(pa.large_binary()).to_pylist()
    return pa.array([value if value is None else value.decode(errors="replace") for value in raw], _TEXT)


def plain(value: pa.Scalar) -> Any:
    """A value as Python has it, with what Python cannot hold as text.

    Example:
        >>> plain(pa.array([{"a": [1.5, float("nan")]}])[0])
        {'a': [1.5, 'nan']}
    """
    if not value.is_valid:
        return None
    if isinstance(value, pa.ExtensionScalar):
        return plain(value.value)
    if isinstance(value, pa.DictionaryScalar | pa.RunEndEncodedScalar):
        return plain(value.value)
    if isinstance(value, pa.StructScalar):
        return _members(value)
    if types.is_nested(value.type):
        return [plain(item) for item in value.values]
    return _leaf(value)


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, _TEXT)


def _json_values(values: pa.Array) -> pa.Array:
    kind = values.type
    if types.is_integer(kind) or types.is_boolean(kind):
        return pc.fill_null(values.cast(_TEXT), "null")
    if types.is_floating(kind):
        return _floats(values)
    if types.is_timestamp(kind):
        return _quoted(_times(values))
    if types.is_date(kind) or types.is_time(kind) or types.is_decimal(kind):
        return _quoted(values.cast(_TEXT))
    if types.is_string(kind) or types.is_large_string(kind):
        texts = valid_text(values)
        return _quoted(texts) if _needs_no_escape(texts) else _encoded(texts)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        import polars as pl

        return _quoted(pl.Series(values.cast(pa.large_binary())).bin.encode("base64").to_arrow().cast(_TEXT))
    if _is_simple(kind) and _is_valid(values):
        return _encoded(values)
    return pa.array([_encoded_slowly(value) for value in values], _TEXT)


def _times(values: pa.Array) -> pa.Array:
    """ISO 8601; in UTC where no clock has the zone."""
    try:
        texts = values.cast(_TEXT)
    except pa.ArrowInvalid:
        naive = values.cast(pa.timestamp(values.type.unit)).cast(_TEXT)
        texts = pc.binary_join_element_wise(naive, _scalar("Z"), _scalar(""))
    iso = pc.replace_substring(texts, " ", "T", max_replacements=1)
    return pc.if_else(pc.starts_with(texts, "<"), texts, iso)  # <value out of range: …>


def _is_valid(values: pa.Array) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_simple(kind: pa.DataType) -> bool:
    """Lists and objects of nothing but strings, integers and booleans, under names of their own."""
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_simple(kind.value_type)
    if types.is_struct(kind):
        return 0 < kind.num_fields == len(_names(kind)) and all(_is_simple(field.type) for field in kind)
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind) or types.is_boolean(kind)
    )


def _names(kind: pa.StructType) -> dict[str, int]:
    """Names of the fields, each its own, and where they are; fewer than the fields where one is repeated or no text."""
    names = ((decoded_name(kind.field(number)), number) for number in range(kind.num_fields))
    return {name: number for name, number in names if name is not None}


def _members(value: pa.StructScalar) -> dict[str, Any]:
    names = [decoded_name(value.type.field(number)) for number in range(value.type.num_fields)]
    own = distinct(f"field {number}" if name is None else name for number, name in enumerate(names, 1))
    return {name: plain(value[number]) for number, name in enumerate(own)}


def _encoded(values: pa.Array) -> pa.Array:
    """JSON of simple values, by way of one-field objects of which the wrapping is cut off."""
    import polars as pl

    bare = pl.struct("v").struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.Series("v", values).to_frame().select(bare).to_series().to_arrow().cast(_TEXT)


def _needs_no_escape(texts: pa.Array) -> bool:
    """Whether no text has a character that JSON writes otherwise: quotes, backslashes, controls."""
    _, ends, data = texts.buffers()
    if data is None or not len(texts):
        return True
    places = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    written = np.frombuffer(data, np.uint8)[places[0] : places[-1]]
    return not ((written < ord(" ")).any() or (written == ord('"')).any() or (written == ord("\\")).any())


def _encoded_slowly(value: pa.Scalar) -> bytes:
    return msgspec.json.encode(plain(value), enc_hook=str)


def _quoted(texts: pa.Array) -> pa.Array:
    """Texts that need no escapes, in quotation marks."""
    return pc.fill_null(pc.binary_join_element_wise(_scalar('"'), texts, _scalar('"'), _scalar("")), "null")


def _floats(values: pa.Array) -> pa.Array:
    texts = values.cast(_TEXT)
    return pc.fill_null(pc.if_else(pc.is_finite(values), texts, _quoted(texts)), "null")


def _leaf(value: pa.Scalar) -> Any:
    """A value that holds no others."""
    try:
        found = value.as_py()
    except (ValueError, ArithmeticError, pa.ArrowException):
        return _as_text(value)
    if isinstance(found, int) and not -(2**63) <= found < 2**64:
        return str(found)
    return str(found) if isinstance(found, float) and not math.isfinite(found) else found


def _as_text(value: pa.Scalar) -> str:
    """A value beyond Python's calendar, or a string that is none."""
    if types.is_timestamp(value.type):
        return str(_times(pa.array([value.value], pa.int64()).cast(value.type))[0].as_py())
    kind = _TEXT if types.is_temporal(value.type) else pa.large_binary()
    try:
        found = value.cast(kind).as_py()
    except (pa.ArrowException, ValueError):
        return str(getattr(value, "value", _UNKNOWN))
    return found if isinstance(found, str) else str(found, "utf-8", "replace")
