"""How functions become machine code: one decorator for those that Python calls, two for those that kernels call.

numba makes three functions of each: the code, a wrapper that takes Python's objects and one that takes C's. Only a
`kernel` is called from outside, so only it gets the wrapper, and only it is kept on disk: it holds whatever it calls.

A constant argument is a type of its own to numba, which compiles the function anew for `f(x, 0)` and `f(x, n)`: the
code says `f(x, int64(0))`.
"""

from numba import njit

from curate.cache.kernels import forget_moved_types, load_without_compiler

forget_moved_types()
load_without_compiler()
kernel = njit(nogil=True, cache=True, no_cfunc_wrapper=True)
"""For functions that Python calls; they run without the interpreter's lock."""

inner = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that kernels call, but for those that make arrays; called from Python they crash.

numba would count who holds each array, by an atomic operation at every call: a tenth of a run.
"""

maker = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that kernels call and that make arrays; called from Python they crash."""

inlined = njit(inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that become part of the kernels that call them before types are known, so that arrays among their
arguments are not counted as held."""
