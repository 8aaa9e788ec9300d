"""Perplexity of texts under a KenLM language model, by the package ``kenlm`` (an extra: ``curate-corpus[kenlm]``).

Source: Heafield 2011, "KenLM: Faster and Smaller Language Model Queries"; the perplexity of a document is that of CCNet
(Wenzek et al. 2020, arXiv:1911.00359, section 3.3): over its lines, each with its end counted as a word.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import require

_STARTS = (b"mmap lm http://kheafield.com/code", b"\\data\\")
_HEAD = 64


class KenlmModel:
    """An n-gram language model in an ``.arpa`` or a KenLM binary file, mapped into memory by KenLM."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            MissingExtra: the package is not installed.
            OSError: the file cannot be opened.
            ValueError: it is no language model, or damaged.
        """
        require("kenlm", "kenlm", f"`{path}` is a KenLM model")
        with path.open("rb") as file:
            head = file.read(_HEAD).lstrip()
        if not head.startswith(_STARTS):
            raise ValueError("the file is neither an ARPA file nor a KenLM binary")
        import kenlm

        config = kenlm.Config()
        config.show_progress = False
        config.arpa_complain = kenlm.ARPALoadComplain.NONE
        try:
            self._model = kenlm.Model(str(path), config)
        except (OSError, RuntimeError) as error:
            raise ValueError(str(error).strip().split("\n")[-1]) from error

    def perplexities(self, texts: pa.Array) -> npt.NDArray[np.float64]:
        """Perplexity of each text (1 or more); NaN for a text that is blank.

        Args:
            texts: ``large_string`` without nulls. Words are what stands between white space, as they are: a model
                trained on lower-case text or on pieces of words wants such text.
        """
        return np.array([self._perplexity(text) for text in texts.to_pylist()], np.float64)

    def _perplexity(self, text: str) -> float:
        log10, words = 0.0, 0
        for line in text.split("\n"):
            if line.strip():
                log10 += self._model.score(line)
                words += len(line.split()) + 1
        return float(10.0 ** (-log10 / words)) if words else float("nan")
