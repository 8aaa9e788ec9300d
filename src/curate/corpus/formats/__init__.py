"""Formats of input, one a file."""

import curate.text  # noqa: F401  (before numba: it chooses where kernels are kept)
