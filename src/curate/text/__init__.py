"""Pure kernels over UTF-8 buffers: typed, no I/O, what a paper could cite."""

from curate.cache.kernels import choose_kernel_cache
from curate.cache.numba_file import ignore_numba_file

choose_kernel_cache(__file__)
ignore_numba_file()
