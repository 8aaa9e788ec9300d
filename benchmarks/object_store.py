"""What object stores cost: reading one object beside obstore's own stream, and bytes that travel for a run and a rerun.

Usage: python -m benchmarks.object_store reading [MB]
       python -m benchmarks.object_store travel CORPUS

``reading`` takes the best of several rounds of each, alternating, from a server of ranges on this machine (`sendfile`).
``travel`` runs from the disk to obstore's memory store, then again as on another machine, and counts what is read.
"""

import http.server
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 7


def main() -> int:
    what, *rest = sys.argv[1:]
    {"reading": _reading, "travel": _travel}[what](*rest)
    return 0


def _reading(megabytes: str = "300") -> None:
    import obstore
    from obstore.store import HTTPStore

    from curate.corpus.compression import STORED_STEP
    from curate.corpus.input import InputFile
    from curate.corpus.stored import stored_bytes

    size = int(megabytes) * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "object")
        path.write_bytes(os.urandom(1_000_000) * int(megabytes))
        address, server = _served(path)

        def plain() -> int:
            store = HTTPStore.from_url(address, client_options={"allow_http": True})
            return sum(map(len, obstore.get(store, "").stream(min_chunk_size=1 << 20)))

        def ours() -> int:
            file = InputFile(path=address, name="object", format="jsonl", size=size, tag='"x"')
            with stored_bytes(file) as source:
                return sum(map(len, source.blocks(0, size, STORED_STEP)))

        best = {"obstore's stream": (9e9, 9e9), "curate": (9e9, 9e9)}
        for _ in range(ROUNDS):
            for name, read in (("obstore's stream", plain), ("curate", ours)):
                best[name] = tuple(map(min, best[name], _timed(read, size)))  # type: ignore[assignment]
        os.kill(server, signal.SIGKILL)
    for name, (wall, cpu) in best.items():
        sys.stdout.write(f"{name}: {size / wall / 1e6:,.0f} MB/s, {size / cpu / 1e6:,.0f} MB a CPU second\n")


def _timed(read: Callable[[], int], size: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    assert read() == size
    return time.perf_counter() - wall, time.process_time() - cpu


class _Ranges(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    path_served: Path

    def do_GET(self) -> None:
        size = self.path_served.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        start, stop = (int(asked[1]), min(int(asked[2]) + 1, size)) if asked else (0, size)
        self.send_response(206 if asked else 200)
        self.send_header("etag", '"x"')
        self.send_header("content-length", str(stop - start))
        if asked:
            self.send_header("content-range", f"bytes {start}-{stop - 1}/{size}")
        self.end_headers()
        with self.path_served.open("rb") as file:
            while start < stop:
                start += os.sendfile(self.connection.fileno(), file.fileno(), start, stop - start)

    def log_message(self, *_: object) -> None:
        pass


def _served(path: Path) -> tuple[str, int]:
    """The address of a file, and the process that serves it."""
    _Ranges.path_served = path
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ranges)
    child = os.fork()
    if not child:
        server.serve_forever()
    return f"http://127.0.0.1:{server.server_port}/object", child


def _travel(corpus: str) -> None:
    import curate
    from curate.store.objects import bucket as stores
    from curate.store.objects import ranges, store_path

    read, lock, real = Counter[str](), threading.Lock(), stores.Bucket.read

    def counting(self: Any, key: str, *rest: Any) -> bytes:
        data = real(self, key, *rest)
        with lock:
            read[key.split("/")[1]] += len(data)
        return data

    stores.Bucket.read = counting  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        for machine in ("first", "second", "second"):
            os.environ["CURATE_CACHE_DIR"] = f"{folder}/{machine}"
            store_path._trees.clear()  # noqa: SLF001  (as in another process)
            ranges._blocks = ranges._Blocks()  # noqa: SLF001
            before, requests = stores.traffic.written, stores.traffic.requests
            curate.run(corpus, "memory://runs/one", gates={"max_quarantined": 1.0})
            told = ", ".join(f"{name} {size / 1e6:.2f}" for name, size in read.most_common(4))
            written, requests = stores.traffic.written - before, stores.traffic.requests - requests
            sys.stdout.write(
                f"{machine} machine: read {sum(read.values()) / 1e6:.2f} MB ({told}), "
                f"written {written / 1e6:.2f} MB, {requests} requests\n"
            )
            read.clear()


if __name__ == "__main__":
    sys.exit(main())
