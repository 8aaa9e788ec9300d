"""The model that `curate quality train` makes: one weight for each bucket of hashed n-grams, and a calibrated score.

The score of a text is ``1 / (1 + exp(-(slope × m + intercept)))``. Its *margin* ``m`` is the sum of the weights of its
set of n-grams, divided by the square root of the size of that set: a logistic regression over vectors of length 1.
Slope and intercept were fitted on scores of held-out documents, for a stated share of good documents (the *prior*).

The file is an Arrow IPC file with one column, ``weight``, and everything else as JSON in the metadata of its schema:
any Arrow library reads it, and reading it runs no code.

Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines"; Weinberger et al. 2009, "Feature Hashing for
Large Scale Multitask Learning".
"""

import io
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

from curate.models.ngram_features import Weights, summed_weights

MAGIC = b"ARROW1"
GOOD, BAD = "good", "bad"
LABELS = (GOOD, BAD)

_KEY = b"curate.ngram_model"
_MOST_BUCKETS = 1 << 28


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file says beside its weights."""

    format: Literal[1] = 1
    """Raised when the same weights would give another score, as by another cut into tokens."""
    longest: int
    """Most tokens in an n-gram."""
    slope: float
    intercept: float
    prior: float
    """Share of good documents for which the score is a probability."""
    trained: dict[str, Any] = {}
    """Where it comes from and how good it was on held-out documents: what its card says."""


class NgramModel:
    """A trained quality model.

    Attributes:
        labels: ``good`` and ``bad``.
        facts: what its file says beside the weights.
        weights: float32, one for each bucket.
    """

    labels: tuple[str, ...] = LABELS

    def __init__(self, weights: Weights, facts: Facts) -> None:
        """Raises ValueError when the number of weights is no power of two."""
        size = len(weights)
        if not 2 <= size <= _MOST_BUCKETS or size & (size - 1):
            raise ValueError(f"the model has {size:,} weights, which is not a power of two")
        self.weights = weights
        self.facts = facts

    @classmethod
    def load(cls, path: Path) -> "NgramModel":
        """The model in a file that `save` wrote.

        Raises:
            OSError: the file cannot be opened.
            ValueError: it is no such file, or damaged.
        """
        try:
            with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
                metadata = reader.schema.metadata or {}
                if _KEY not in metadata:
                    raise ValueError("the Arrow file holds no model of `curate quality train`")
                column = reader.read_all()["weight"].combine_chunks()
            facts = msgspec.json.decode(metadata[_KEY], type=Facts)
        except (pa.ArrowInvalid, KeyError, msgspec.ValidationError, msgspec.DecodeError) as error:
            raise ValueError(f"the model file is damaged: {error}") from error
        weights = np.array(column.to_numpy(zero_copy_only=False), np.float32)
        return cls(weights, facts)

    def to_bytes(self) -> bytes:
        """The content of its file; equal models give equal bytes."""
        schema = pa.schema([("weight", pa.float32())], {_KEY: msgspec.json.encode(self.facts, order="sorted")})
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_batch(pa.record_batch([pa.array(self.weights)], schema=schema))
        return sink.getvalue()

    def margins(self, texts: pa.Array) -> npt.NDArray[np.float64]:
        """Score of each text before calibration (float64); NaN for a text without a token."""
        sums, counts = summed_weights(texts, self.weights, self.facts.longest)
        with np.errstate(invalid="ignore"):
            return np.asarray(sums / np.sqrt(counts))

    def classify(self, texts: pa.Array, label: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Likelier class of each text, and the calibrated probability of one class.

        Args:
            texts: ``large_string`` without nulls.
            label: index into `labels`.

        Returns:
            Index into `labels` (int32), -1 for a text without a token; and the probability (float32), NaN there.
        """
        good = probability(self.margins(texts), self.facts.slope, self.facts.intercept)
        likelier = np.where(np.isnan(good), -1, (good < 0.5).astype(np.int32)).astype(np.int32)
        return likelier, (good if label == 0 else 1 - good).astype(np.float32)


def probability(margins: npt.NDArray[np.float64], slope: float, intercept: float) -> npt.NDArray[np.float64]:
    """The logistic curve of a calibrated score.

    Example:
        >>> probability(np.array([-1.0, 0.0, 1.0]), slope=np.log(3), intercept=0.0).round(2).tolist()
        [0.25, 0.5, 0.75]
    """
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-(slope * margins + intercept))))
