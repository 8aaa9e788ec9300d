"""The first run of an installation compiles its kernels: the user is told, and a second process helps."""

import gc
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from curate.events import Emit, Event, PassStarted, Warned
from curate.stages.contract import Stage

COMPILING = "kernels are being compiled for this machine: some 40 seconds, once after an installation"
_APART = ("quality",)
"""Stages that the second process compiles: half of all there is to compile, and needed last."""


def load_compiler() -> None:
    """Have numba load what every kernel needs, from the cache too: 0.3 s that the first kernel pays otherwise."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


@contextmanager
def announced_compiling(emit: Emit, stages: Sequence[Stage]) -> Iterator[Emit]:
    """Tell of the first kernel that is compiled inside, and have those of later stages compiled at the same time.

    Yields what the run tells its events: a pass whose kernels the second process compiles begins when they are there.

    Args:
        emit: hears what the run tells, and of the first kernel.
        stages: the stages of the run.
    """
    from numba.core import event

    helper = _Helper([stage for stage in stages if stage.name in _APART])

    class Compiling(event.Listener):  # type: ignore[misc]
        depth = 0

        def on_start(self, _event: Any) -> None:
            if not self.depth:
                gc.disable()  # the compiler makes millions of objects that stay
            self.depth += 1
            if not helper.called:
                emit(Warned(COMPILING))
                helper.start()

        def on_end(self, _event: Any) -> None:
            self.depth -= 1
            if not self.depth:
                gc.enable()

    def told(event: Event) -> None:
        if isinstance(event, PassStarted):
            helper.wait_for(event.stages)
        emit(event)

    listener = Compiling()
    event.register("numba:compile", listener)
    try:
        yield told
    finally:
        event.unregister("numba:compile", listener)
        helper.stop()


class _Helper:
    """A process that compiles the kernels of some stages and keeps them in numba's cache."""

    def __init__(self, stages: list[Stage]) -> None:
        self.called = False
        self._stages = stages
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.called = True
        if not self._stages:
            return
        code = "from curate.compiling import compile_kernels; compile_kernels()"
        self._process = subprocess.Popen(  # noqa: S603  (our own code)
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            pickle.dump([(type(stage), stage.settings) for stage in self._stages], pipe)

    def wait_for(self, names: Sequence[str]) -> None:
        """Wait for the kernels of these stages, if they are being compiled."""
        if self._process and any(stage.name in names for stage in self._stages):
            self._process.wait()

    def stop(self) -> None:
        """What has been compiled so far is kept."""
        if self._process:
            self._process.terminate()
            self._process.wait()


def compile_kernels() -> None:
    """Have the stages that stdin names, with their settings, measure three documents for the sake of their kernels."""
    import pyarrow as pa

    gc.disable()
    sentence = "It was the best of times, it was the worst of times, it was the age of wisdom and of naïveté. "
    texts = pa.array([sentence * 3, sentence * 3, sentence * 3 + "End."], pa.large_string())
    for stage, settings in pickle.load(sys.stdin.buffer):  # noqa: S301  (our own data)
        stage(settings).measure(pa.record_batch({"text": texts}))
