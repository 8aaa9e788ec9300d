"""Speed of classifying, beside fastText itself: MB of text for a CPU second.

    python benchmarks/classify_speed.py TEXTS.parquet MODEL... [--megabytes 20]

``TEXTS.parquet`` has a column ``text``. fastText files are also evaluated by the package ``fasttext``, text by text as
it is used everywhere, and the probabilities are compared; KenLM files and models of `curate quality train` are not.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.models.classifiers import load_classifier
from curate.models.ngram_model import NgramModel

ROW = "{:34}{:>12}{:>14}{:>14}{:>10}{:>16}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--megabytes", type=float, default=20)
    options = parser.parse_args()
    texts = first(pq.read_table(options.texts, columns=["text"])["text"], options.megabytes * 1e6)
    size = sum(len(text.as_py().encode()) for text in texts) / 1e6
    print(f"{len(texts):,} documents, {size:.1f} MB")
    print(ROW.format("model", "MB of file", "curate", "fasttext", "ratio", "largest gap"))
    for path in options.models:
        classifier = load_classifier(str(path))
        classifier.classify(texts.slice(0, 2), 0)  # compiles
        seconds, (_, found) = timed(lambda c=classifier: c.classify(texts, 0))
        cells = ["–", "–", "–"]
        if not isinstance(classifier, NgramModel):
            model = fasttext.load_model(str(path))
            others, expected = timed(lambda m=model, c=classifier: reference(m, texts, c.labels[0]))
            gap = np.abs(np.minimum(expected, 1) - found).max()
            cells = [f"{size / others:.1f}", f"{others / seconds:.2f}", f"{gap:.1e}"]
        print(ROW.format(path.name, f"{path.stat().st_size / 1e6:.1f}", f"{size / seconds:.1f}", *cells), flush=True)


def first(texts: pa.ChunkedArray, most: float) -> pa.Array:
    whole = texts.cast(pa.large_string()).combine_chunks()
    order = pa.array(np.random.default_rng(0).permutation(len(whole)))
    drawn = whole.take(order)
    ends = np.cumsum([len(text.as_py().encode()) for text in drawn])
    return drawn.slice(0, int(np.searchsorted(ends, most)) + 1)


def timed(work: Callable) -> tuple[float, object]:
    """Least CPU seconds of three runs, and what they return."""
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        result = work()
        least = min(least, time.process_time() - started)
    return least, result


def reference(model: object, texts: pa.Array, label: str) -> np.ndarray:
    found = []
    for text in texts.to_pylist():
        labels, scores = model.predict(text.replace("\n", " "), k=-1)
        found.append(dict(zip(labels, scores, strict=True)).get(f"__label__{label}", 0.0))
    return np.array(found)


if __name__ == "__main__":
    main()
