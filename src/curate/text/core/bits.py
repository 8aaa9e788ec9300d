"""Sixty-four bytes of text at once: one comparison answers for all of them, and the answers are the bits of an integer.

What numba has no name for and every processor has: vectors of bytes, reading eight bytes as one integer, counting bits.
The first byte is the lowest, as on all processors that are in use.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.extending import intrinsic

from curate.text.core.kernel import inlined

BLOCK = 64
"""Bytes that `between` compares."""
SETS = 16
"""Sets that `meeting` looks into."""

_BYTE, _INT32, _WORD = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, BLOCK)
_ROW = ir.VectorType(_WORD, SETS)


@intrinsic
def between(_context: Any, place: Any, low: Any, high: Any) -> Any:
    """Which of the 64 bytes from an address are ``low`` to ``high``: bit ``i`` is byte ``i``."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        block = builder.load(builder.inttoptr(arguments[0], _VECTOR.as_pointer()), typ=_VECTOR, align=1)
        low, high = (_everywhere(builder, builder.trunc(bound, _BYTE), _VECTOR) for bound in arguments[1:])
        inside = builder.icmp_unsigned("<=", builder.sub(block, low), builder.sub(high, low))
        return builder.bitcast(inside, _WORD)

    return types.uint64(types.int64, types.int64, types.int64), generate


@inlined
def equal(place: int, byte: int) -> np.uint64:
    """Which of the 64 bytes from an address are ``byte``."""
    return between(place, byte, byte)  # type: ignore[no-any-return]


@intrinsic
def address(_context: Any, text: Any) -> Any:
    """Where in memory the bytes of an array stand, as long as somebody holds it.

    A number costs nothing to pass on, while every function that gets an array counts that it holds it.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, _WORD)

    return types.int64(text), generate


@intrinsic
def eight(_context: Any, place: Any) -> Any:
    """The eight bytes from an address as one integer, the first byte lowest."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _WORD.as_pointer()), typ=_WORD, align=1)

    return types.uint64(types.int64), generate


@intrinsic
def copy(_context: Any, source: Any, target: Any) -> Any:
    """Copy the 64 bytes from one address to another."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, target = (builder.inttoptr(place, _VECTOR.as_pointer()) for place in arguments)
        builder.store(builder.load(source, typ=_VECTOR, align=1), target, align=1)
        return _WORD(0)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def meeting(_context: Any, place: Any, shift: Any, window: Any) -> Any:
    """Which of `SETS` sets have a member in a window: bit ``k`` is set ``k``.

    At the address 64 members of every set stand, one integer each, and the next 64 behind them; ``window`` says which
    of the 64 from bit ``shift`` on count.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        row = builder.inttoptr(arguments[0], _ROW.as_pointer())
        here = builder.load(row, typ=_ROW, align=8)
        behind = builder.load(builder.gep(row, [_INT32(1)], source_etype=_ROW), typ=_ROW, align=8)
        shift = _everywhere(builder, arguments[1], _ROW)
        to_top = _everywhere(builder, builder.sub(_WORD(BLOCK - 1), arguments[1]), _ROW)
        one = ir.Constant(_ROW, [1] * SETS)
        joined = builder.or_(builder.lshr(here, shift), builder.shl(builder.shl(behind, one), to_top))
        members = builder.and_(joined, _everywhere(builder, arguments[2], _ROW))
        some = builder.icmp_unsigned("!=", members, ir.Constant(_ROW, None))
        return builder.zext(builder.bitcast(some, ir.IntType(SETS)), _WORD)

    return types.int64(types.int64, types.uint64, types.uint64), generate


@intrinsic
def count(_context: Any, bits: Any) -> Any:
    """How many bits are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic
def lowest(_context: Any, bits: Any) -> Any:
    """The place of the lowest bit that is set; 64 where none is."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def highest(_context: Any, bits: Any) -> Any:
    """The place of the highest bit that is set; -1 where none is."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(_WORD(BLOCK - 1), zeros)

    return types.int64(types.uint64), generate


@inlined
def some_ones(length: int) -> np.uint64:
    """The lowest ``length`` bits, 1 to 64."""
    return uint64(2**64 - 1) >> uint64(BLOCK - length)  # type: ignore[no-any-return]


def _everywhere(builder: Any, item: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), item, _INT32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_INT32, vector.count), None))
