"""`curate`, and what memory resolving near-duplicates takes by itself.

Usage: python -m benchmarks.resolving_memory OUT.json run CORPUS … (the words of any `curate` command)

OUT.json gets resident MB when resolving begins and at its peak, memory that is a file's (which the system takes back
when it needs it) apart from the other. What earlier steps left behind is given back before. Linux only.
"""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from curate.cli import command
from curate.engine.unused_memory import release_unused_memory
from curate.stages.contract import Corpus
from curate.stages.near_dup import NearDup

INTERVAL = 0.005  # seconds between two looks


def main() -> int:
    out, *words = sys.argv[1:]
    resolve = NearDup.resolve_audited

    def watched(
        stage: NearDup, corpus: Corpus
    ) -> tuple[Callable[[int], pa.RecordBatch], Mapping[str, float]]:  # in place of the method
        release_unused_memory()
        begin, peak, done = resident(), resident(), threading.Event()

        def look() -> None:
            while not done.wait(INTERVAL):
                for kind, size in resident().items():
                    peak[kind] = max(peak[kind], size)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            return resolve(stage, corpus)
        finally:
            done.set()
            watcher.join()
            Path(out).write_text(json.dumps({"begin": begin, "peak": peak}))

    NearDup.resolve_audited = watched  # type: ignore[method-assign]
    return command(words)


def resident() -> dict[str, float]:
    """MB that are nobody's file, and MB that are."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Rss")}
    return {"own": sizes["RssAnon"], "file": sizes["RssFile"]}


if __name__ == "__main__":
    sys.exit(main())
