"""The first run of an installation compiles its kernels: the user is informed, and a second process helps."""

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

import curate.text  # noqa: F401  (decides where kernels are kept, before numba is imported)
from curate.events import Emit, Warned
from curate.process.child import Watch, start_child
from curate.stages import stage_class
from curate.stages.contract import CorpusStage, Encoder, Rewriter, Stage

if TYPE_CHECKING:
    import pyarrow as pa

COMPILING = "kernels are being compiled for this machine: about a minute, once after an installation"
_APART = ("quality",)
"""Stages that the second process compiles: half of all there is to compile."""
_MEANWHILE = ("near_dup",)
"""Stages that are compiled while the run waits for the second process, where they were not before."""
_MOST_SECONDS = 600.0
"""Processor time that the second process may take, thirty times what it needs; the run compiles the rest itself."""


@contextmanager
def announced_compiling(emit: Emit, stages: Sequence[Stage]) -> Iterator[Callable[[Stage], None]]:
    """Tell of the first kernel that is compiled inside, and have those of other stages compiled at the same time.

    Yields what to call before a stage measures: it returns when its kernels are not being compiled elsewhere.

    Args:
        emit: hears of the first kernel.
        stages: the stages of the run.
    """
    from numba.core import event

    helper = _Helper(stages, emit)

    class Compiling(event.Listener):  # type: ignore[misc]
        depth = 0

        def on_start(self, _event: Any) -> None:
            if not self.depth:
                gc.disable()  # the compiler makes millions of objects that stay
            self.depth += 1
            if not helper.called:
                helper.called = True
                emit(Warned(COMPILING))
                helper.start()

        def on_end(self, _event: Any) -> None:
            self.depth -= 1
            if not self.depth:
                gc.enable()

    listener = Compiling()
    event.register("numba:compile", listener)
    try:
        yield helper.wait_for
    finally:
        event.unregister("numba:compile", listener)
        helper.stop()


class _Helper:
    """A process that compiles the kernels of some stages and keeps them in numba's cache."""

    def __init__(self, stages: Sequence[Stage], emit: Emit) -> None:
        self.called = False
        self._emit = emit
        self._apart = [stage for stage in stages if stage.name in _APART]
        corpus_stages = [stage for stage in stages if isinstance(stage, CorpusStage)]
        self._meanwhile = [s for s in corpus_stages if s.name in _MEANWHILE and set(s.needs) <= {"id", "text"}]
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting = threading.Lock()

    def start(self) -> None:
        if not self._apart:
            return
        asked = [(stage.name, stage.settings) for stage in self._apart]
        with suppress(OSError):  # where it cannot be had, the run compiles everything itself
            self._process = start_child("curate.pipeline.first_compile:compile_kernels")
            assert self._process.stdin is not None
            with self._process.stdin as pipe:
                pipe.write(msgspec.json.encode(asked))

    def wait_for(self, stage: Stage) -> None:
        """Wait for the kernels of a stage, if they are being compiled; until then others are compiled here."""
        if self._process is None or stage not in self._apart:
            return
        with self._waiting:
            while self._meanwhile and self._process.poll() is None:
                self._meanwhile.pop().observe(_documents())
            watch = Watch(self._process, _MOST_SECONDS)
            while not self._ended_within(1.0):
                if problem := watch.stuck():
                    self.stop()
                    self._emit(Warned(f"the process that helps to compile {problem} and was ended"))

    def _ended_within(self, seconds: float) -> bool:
        assert self._process
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def stop(self) -> None:
        """What has been compiled so far is kept."""
        if self._process:
            self._process.kill()
            self._process.wait()


def compile_kernels() -> None:
    """Have the stages that stdin names, with their settings, measure three documents for the sake of their kernels."""
    gc.disable()
    for name, settings in msgspec.json.decode(sys.stdin.buffer.read()):
        kind = stage_class(name)
        stage = kind(msgspec.convert(settings, kind.settings_type))  # type: ignore[call-arg]  # not part of the protocol
        stage.measure(_documents())


def compile_stages(stages: Sequence[Stage]) -> None:
    """Have stages that need nothing but a text work on three, for the sake of their kernels."""
    documents = _documents()
    for stage in stages:
        if set(stage.needs) <= set(documents.schema.names):
            work_once(stage, documents)


def work_once(stage: Stage, documents: "pa.RecordBatch") -> None:
    """Have a stage do with some documents what its kind does first, and forget what comes out."""
    if isinstance(stage, Rewriter):
        stage.rewrite(documents)
    elif isinstance(stage, CorpusStage):
        stage.observe(documents)
    elif isinstance(stage, Encoder):
        stage.encode(documents.column("text"))
    else:
        stage.judge(stage.measure(documents))


def _documents() -> "pa.RecordBatch":
    import pyarrow as pa

    sentence = "It was the best of times, it was the worst of times, it was the age of wisdom and of naïveté. "
    texts = [sentence * 3, sentence * 3, sentence * 3 + "End."]
    return pa.record_batch({"id": list("abc"), "text": pa.array(texts, pa.large_string())})
