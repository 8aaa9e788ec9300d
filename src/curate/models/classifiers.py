"""Classifiers behind one small interface, recognised by the first bytes of their file."""

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from curate.errors import PlanError, nearest

Loaded = TypeVar("Loaded")

_loading = threading.Lock()


class Classifier(Protocol):
    """Says of which class each text is."""

    labels: tuple[str, ...]

    def classify(self, texts: pa.Array, label: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Index of the most likely class of each text (-1: unknown), and the probability of class ``label``."""


def load_classifier(path: str) -> Classifier:
    """The model at ``path``: of `curate quality train`, or any fastText classifier; loaded once in a process.

    Raises:
        PlanError: there is no such file, or it is no classifier.
    """
    with _loading:
        return _classifier(path, _stamp(path))


def load_language_model(path: str) -> Any:
    """The KenLM model at ``path``; loaded once in a process.

    Raises:
        PlanError: there is no such file, it is no language model, or the package ``kenlm`` is not installed.
    """
    with _loading:
        return _language_model(path, _stamp(path))


def label_index(classifier: Classifier, label: str, path: str) -> int:
    """Which class of ``classifier`` is meant by ``label``, with or without ``__label__``; empty: its ``good``.

    Raises:
        PlanError: it has no such class; the hint names those it has.
    """
    name = label.removeprefix("__label__")
    if name in classifier.labels:
        return classifier.labels.index(name)
    if not name and "good" in classifier.labels:
        return classifier.labels.index("good")
    if not name:
        message = "`classify.label` must name the class whose probability is the score"
        raise PlanError(message, where=path, hint=f'classify.label = "{classifier.labels[0]}"; {_known(classifier)}')
    hint = nearest(name, classifier.labels)
    known = "" if hint.startswith("known") else f" {_known(classifier)}"
    raise PlanError(f"the model has no class `{label}`", where=path, hint=f"{hint}{known}")


def file_fingerprint(path: str) -> str:
    """XXH3-128 of what the file holds, in hex; read again when its size or time of change differs.

    Raises:
        PlanError: there is no such file.
    """
    return _fingerprint(path, _stamp(path))


def _known(classifier: Classifier) -> str:
    shown = ", ".join(classifier.labels[:12])
    return f"known: {shown}{', …' if len(classifier.labels) > 12 else ''}"


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise PlanError(f"the model `{path}` cannot be opened: {error.strerror}", hint="ls -l " + path) from None
    if Path(path).is_dir():
        raise PlanError(f"the model `{path}` is a folder, not a file", hint="name the file in it")
    return found.st_size, found.st_mtime_ns


@functools.cache
def _fingerprint(path: str, _stamp: tuple[int, int]) -> str:
    digest = xxhash.xxh3_128()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


@functools.cache
def _classifier(path: str, _stamp: tuple[int, int]) -> Classifier:
    # Numba is imported by these: only a process that plans or classifies pays for it.
    from curate.models.fasttext_classifier import FastTextClassifier
    from curate.models.ngram_model import MAGIC, NgramModel

    with Path(path).open("rb") as file:
        own = file.read(len(MAGIC)) == MAGIC
    hint = "give a fastText classifier (.bin, .ftz) or a model made by `curate quality train`"
    return _opened(NgramModel.load, path, hint) if own else _opened(FastTextClassifier.load, path, hint)


@functools.cache
def _language_model(path: str, _stamp: tuple[int, int]) -> Any:
    from curate.models.kenlm import KenlmModel

    return _opened(KenlmModel, path, "give an .arpa file or a binary that KenLM's build_binary wrote")


def _opened(kind: Callable[[Path], Loaded], path: str, hint: str) -> Loaded:
    try:
        return kind(Path(path))
    except (OSError, ValueError) as error:
        raise PlanError(f"the model does not load: {error}", where=path, hint=hint) from error
