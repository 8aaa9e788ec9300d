"""Columns of a Parquet file as JSON text: one object a row, nothing lost.

Numbers, booleans and strings become JSON's own. Times become ISO 8601 strings, binary becomes base64;
decimals, NaN and infinities become strings: JSON has no other place for them.
"""

import math
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

_TEXT = pa.large_string()


def json_objects(columns: dict[str, pa.Array], rows: int) -> pa.Array:
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
        pieces += [_scalar(f"{',' if pieces else '{'}{key}:"), _json_values(values)]
    return pc.binary_join_element_wise(*pieces, _scalar("}"), _scalar(""))


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, _TEXT)


def _json_values(values: pa.Array) -> pa.Array:
    """Each value as JSON text; null as ``null``."""
    kind = values.type
    if types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if types.is_integer(kind) or types.is_boolean(kind):
        return pc.fill_null(values.cast(_TEXT), "null")
    if types.is_floating(kind):
        return _floats(values)
    if types.is_timestamp(kind):
        return _quoted(pc.replace_substring(values.cast(_TEXT), " ", "T", max_replacements=1))
    if types.is_date(kind) or types.is_time(kind) or types.is_decimal(kind):
        return _quoted(values.cast(_TEXT))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _encoded(valid_text(values))
    if types.is_binary(kind) or types.is_large_binary(kind):
        import polars as pl

        return _quoted(pl.Series(values.cast(pa.large_binary())).bin.encode("base64").to_arrow().cast(_TEXT))
    if _is_simple(kind) and _is_valid(values):
        return _encoded(values)
    return pa.array([_encoded_slowly(scalar) for scalar in values], _TEXT)


def valid_text(values: pa.Array) -> pa.Array:
    """``large_string`` of any kind of string; where a writer put other bytes into it, U+FFFD stands for them."""
    texts = values.cast(_TEXT)
    if _is_valid(texts):
        return texts
    raw = texts.cast(pa.large_binary()).to_pylist()
    return pa.array([value if value is None else value.decode(errors="replace") for value in raw], _TEXT)


def _is_valid(values: pa.Array) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_simple(kind: pa.DataType) -> bool:
    """Lists and objects of nothing but strings, integers and booleans."""
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_simple(kind.value_type)
    if types.is_struct(kind):
        return kind.num_fields > 0 and all(_is_simple(field.type) for field in kind)
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind) or types.is_boolean(kind)
    )


def _encoded(values: pa.Array) -> pa.Array:
    """JSON of simple values, by way of one-field objects of which the wrapping is cut off."""
    import polars as pl

    wrapped = pl.Series("v", values).to_frame().select(pl.struct("v").struct.json_encode()).to_series()
    return wrapped.str.strip_prefix('{"v":').str.strip_suffix("}").to_arrow().cast(_TEXT)


def _encoded_slowly(scalar: pa.Scalar) -> bytes:
    try:
        return msgspec.json.encode(_plain(scalar.as_py()), enc_hook=str)
    except UnicodeDecodeError:  # a string deep inside that is none: marked, since the document itself is sound
        return b'"\xef\xbf\xbd"'


def _quoted(texts: pa.Array) -> pa.Array:
    """Texts that need no escapes, in quotation marks."""
    return pc.fill_null(pc.binary_join_element_wise(_scalar('"'), texts, _scalar('"'), _scalar("")), "null")


def _floats(values: pa.Array) -> pa.Array:
    texts = values.cast(_TEXT)
    return pc.fill_null(pc.if_else(pc.is_finite(values), texts, _quoted(texts)), "null")


def _plain(value: Any) -> Any:
    """A nested value with what JSON cannot say (NaN, maps as pairs) turned into what it can."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
