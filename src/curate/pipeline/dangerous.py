"""Documents that kill the process that works on them: found one by one in a process apart, and set aside.

A kernel or a library may crash on one text in a billion, or take all memory. Locally that ends the run; on a cluster it
ends a worker, and the same part would end one after the other. So a part of which workers died is first looked at in a
child process, which says of each document that it begins with it. Whatever it said last when it died is dangerous.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from curate.corpus.parts import Strand
from curate.corpus.quarantine import DANGEROUS, KEPT_BYTES, Quarantined, quarantine_batch
from curate.errors import Stopped, listed
from curate.process.child import start_child
from curate.store.objects.store_path import use_endpoint
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS

if TYPE_CHECKING:
    from curate.pipeline.passes import PassTask

Place = tuple[str, int]
"""File and position of a document."""


def without(
    dangerous: Collection[Place], documents: pa.RecordBatch, quarantined: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Documents and quarantine of a chunk, the dangerous documents moved from one to the other."""
    if not dangerous:
        return documents, quarantined
    keep, found = np.ones(len(documents), np.bool_), []
    for row, place in enumerate(_places(documents)):
        if place in dangerous:
            keep[row] = False
            text = str(documents.column("text")[row]).encode("utf-8", "surrogatepass")
            detail = f"{len(text):,} bytes; two processes died while they worked on it"
            found.append(Quarantined(*place, None, DANGEROUS, detail, text[:KEPT_BYTES]))
    if not found:
        return documents, quarantined
    return documents.filter(pa.array(keep)), pa.concat_batches([quarantined, quarantine_batch(found)])


def dangerous_documents(task: "PassTask", strand: Strand) -> frozenset[Place]:
    """Documents of a strand of which a child process dies.

    Raises:
        Stopped: it dies of something else.
    """
    found: set[Place] = set()
    done = 0
    while True:
        process = start_child("curate.pipeline.dangerous:look_at_each", stdout=subprocess.PIPE)
        assert process.stdin
        assert process.stdout
        with process.stdin as pipe:
            pickle.dump((task, strand, str(Path.cwd()), done), pipe)
        with process.stdout as said:
            begun = said.read().count(b"\n")
        if process.wait() == 0:
            return frozenset(found)
        place = _place_of(task, strand, done + begun - 1) if begun else None
        if place is None:
            names = sorted({span.file.name for part in strand.parts for span in part.spans})
            raise Stopped(
                f"reading {listed(names, most=3)} crashes the process that reads it (exit status {process.returncode})",
                hint=f"curate run … --set 'input.exclude={msgspec.json.encode(names[:3]).decode()}'",
            )
        found.add(place)
        done += begun


def look_at_each() -> None:
    """Read a strand and work on each document alone; write a line before each."""
    task, strand, folder, done = pickle.load(sys.stdin.buffer)  # noqa: S301  (from our own parent)
    os.chdir(folder)
    use_endpoint(task.plan.config.endpoint)
    from curate.pipeline.passes import StrandWork

    work, number = StrandWork(task, _Deaf()), 0
    for part, documents in _read(task, strand):
        for row in range(len(documents)):
            if number >= done:
                os.write(1, b"\n")
                with suppress(Exception):  # no death: whoever does this work in earnest raises it
                    work.try_one(part, documents.slice(row, 1))
            number += 1


def name_dangerous(task: "PassTask", strand: Strand) -> None:
    """Look for a document that kills the process in a pass that reads no input.

    It cannot be set aside there: what was compared with it stands in other files already.

    Raises:
        Stopped: there is one; the message says which, and what to do.
    """
    process = start_child("curate.pipeline.dangerous:look_at_each_again", stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process.stdin as pipe:
        pickle.dump((task, strand, str(Path.cwd())), pipe)
    with process.stdout as said:
        last = said.read().split(b"\n")[-2:-1]
    if process.wait() == 0 or not last:
        return
    part, row = map(int, last[0].split())
    documents = read_columns(task.directory.part(DOCUMENTS, part), ["origin"])
    file, position = (
        documents.column("origin")[row].as_py()["file"],
        documents.column("origin")[row].as_py()["position"],
    )
    before = task.earlier[-1].stage.name
    raise Stopped(
        f"document {position:,} of `{file}` ends the process that works on it, in a stage after `{before}`",
        hint=f"name that stage before `{before}` in pipeline.stages, and the document goes to quarantine; or without"
        f" its file: --set 'input.exclude=[\"{file}\"]'",
    )


def look_at_each_again() -> None:
    """Work on each document of a strand alone, as its files have it; write part and row before each."""
    task, strand, folder = pickle.load(sys.stdin.buffer)  # noqa: S301  (from our own parent)
    os.chdir(folder)
    use_endpoint(task.plan.config.endpoint)
    from curate.pipeline.passes import StrandWork

    work = StrandWork(task, _Deaf())
    for part in strand.parts:
        for group in work.entering(part):
            for row in np.flatnonzero(group.entering).tolist():
                os.write(1, f"{part.index} {group.start + row}\n".encode())
                with suppress(Exception):  # as above
                    work.try_row(part, group, row)


class _Deaf:
    """A worker to whom nobody listens."""

    doubtful = False

    def spread(self, task: Any, items: Any, takes: Any = None) -> Any:  # noqa: ARG002
        return map(task, items)

    def tell(self, news: Any) -> None:
        pass


def _read(task: "PassTask", strand: Strand) -> Any:
    """Parts and documents of the chunks of a strand."""
    from curate.corpus.reader import chunks

    by_index = {part.index: part for part in strand.parts}
    for chunk in chunks(strand, frozenset(by_index), task.chunk_bytes):
        yield by_index[chunk.part], chunk.parse()[0]


def _place_of(task: "PassTask", strand: Strand, number: int) -> Place | None:
    """Where a document is, counted through the strand."""
    for _, documents in _read(task, strand):
        if number < len(documents):
            return _places(documents)[number]
        number -= len(documents)
    return None


def _places(documents: pa.RecordBatch) -> list[Place]:
    origin = documents.column("origin")
    return list(zip(origin.field("file").to_pylist(), origin.field("position").to_pylist(), strict=True))
