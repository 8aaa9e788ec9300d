"""The first run of an installation compiles its kernels: the user is told, and a second process helps."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.events import Emit, Warned

COMPILING = "kernels are being compiled for this machine: some 40 seconds, once after an installation"
_LATER = ("near_dup", "quality")
"""Stages that the second process compiles; the first pass begins with the others. Stages that are off by default are
not among them: most runs have no use for their kernels, and some need a list or a model before they run."""


def load_compiler() -> None:
    """Have numba load what every kernel needs, from the cache too: 0.3 s that the first kernel pays otherwise."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


@contextmanager
def announced_compiling(emit: Emit) -> Iterator[None]:
    """Tell of the first kernel that is compiled inside, and have later ones compiled at the same time."""
    from numba.core import event

    children: list[subprocess.Popen[bytes]] = []

    class FirstCompiled(event.Listener):  # type: ignore[misc]
        def on_start(self, _event: Any) -> None:
            if not children:
                emit(Warned(COMPILING))
                children.append(_compile_elsewhere())

        def on_end(self, _event: Any) -> None:
            """Nothing to say."""

    listener = FirstCompiled()
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)
        for child in children:  # what it has compiled so far is kept
            child.terminate()
            child.wait()


def compile_later_kernels() -> None:
    """Run the stages of `_LATER` on three documents, for the sake of their kernels."""
    from curate.session import Session

    sentence = "It was the best of times, it was the worst of times, it was the age of wisdom and of naïveté. "
    with tempfile.TemporaryDirectory(prefix="curate-") as folder:
        corpus = Path(folder, "in")
        corpus.mkdir()
        for number, text in enumerate((sentence * 3, sentence * 3, sentence * 3 + "End.")):
            (corpus / f"{number}.txt").write_text(text, encoding="utf-8")
        Session(paths=[str(corpus)], output=str(Path(folder, "out")), only=_LATER).work(quiet=2)


def _compile_elsewhere() -> "subprocess.Popen[bytes]":
    code = "from curate.compiling import compile_later_kernels; compile_later_kernels()"
    return subprocess.Popen(  # noqa: S603  (our own code)
        [sys.executable, "-c", code if "CURATE_COMPILING" not in os.environ else "pass"],  # no child of a child
        env={**os.environ, "CURATE_COMPILING": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
