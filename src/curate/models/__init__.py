"""What is opened from a path: language models, classifiers and tokenizers."""

import curate.text  # noqa: F401  (before numba: it chooses where kernels are kept)
