"""How long `curate view` takes to open and to answer, and its memory, as documents grow tenfold.

Usage: python -m benchmarks.view_speed RUN [--documents 1000000 10000000] [--folder DIR] [--views 60]

A run of that size is made from a finished RUN: its documents, repeated until a part has about 16,000 of them, and that
part's files under many names (hard links, so that the disk holds one). Judgments are those of the run, with all their
columns; texts are cut to 2,000 characters. Each size is opened in a process of its own; views are asked of the
application itself, in an order drawn by a seed: lists by every facet, ranges and values of measures, pages further
down, documents, text search, moved thresholds.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlencode

PART_ROWS = 16_000
TEXT = 2000
HOST = "127.0.0.1:1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "view_speed")
    parser.add_argument("--views", type=int, default=60)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(opened(options.run, options.views)))
        return
    heads = ["documents", "opens, s (CPU s)", "peak MB, with thresholds", "views: median, 95 %, ms", "CPU ms"]
    print(f"| {' | '.join([*heads, 'median above 50 CPU ms'])} |")
    print("| ---: | ---: | ---: | ---: | ---: | --- |")
    for count in options.documents:
        made = options.folder / str(count)
        if not (made / "run.json").exists():
            enlarged(options.run, made, count)
        for _ in range(2):  # the second time what may be kept between two openings is there
            words = [sys.executable, "-m", "benchmarks.view_speed", str(made), "--inside", f"--views={options.views}"]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            print(row(count, json.loads(done.stdout)), flush=True)


def row(count: int, found: dict) -> str:
    views = found["views"]
    wall, cpu = ([taken[at] for each in views.values() for taken in each] for at in (0, 1))
    slow = {kind: share(0.5, [taken[1] for taken in each]) for kind, each in sorted(views.items())}
    return (
        f"| {count:,} | {found['opens']:.1f} ({found['cpu']:.1f}) | {found['peak']:,.0f}, {found['peak_of_all']:,.0f} |"
        f" {share(0.5, wall):,.0f}, {share(0.95, wall):,.0f} | {share(0.5, cpu):,.0f}, {share(0.95, cpu):,.0f} |"
        f" {', '.join(f'{kind} {taken:,.0f}' for kind, taken in slow.items() if taken > 50)} |"
    )


def share(part: float, times: list[float]) -> float:
    """The time that this part of all views stays below."""
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]


def enlarged(run: Path, made: Path, count: int) -> None:
    """A run of ``count`` documents with the judgments of another."""
    import msgspec
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from curate.store.manifest import read_manifest, write_manifest
    from curate.store.row_file import Keys, row_file

    manifest = read_manifest(run)
    names = manifest.part_names
    for folder in ("documents", *manifest.stage_names):
        whole = pa.concat_tables([pq.read_table(run / folder / name) for name in names])
        whole = whole.slice(0, PART_ROWS)
        table = pa.concat_tables([whole] * -(-PART_ROWS // len(whole))).slice(0, PART_ROWS).combine_chunks()
        if folder == "documents":
            frame = pl.from_arrow(table).with_columns(pl.col("text").str.slice(0, TEXT))
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(table.schema)
        first = made / folder / "part-000000000000-0000.parquet"
        with row_file(first, table.schema) as writer:
            for batch in table.to_batches(max_chunksize=2000):
                writer.write(batch)
            writer.finish(Keys("measured", "judged"))
        for number in range(1, count // PART_ROWS):
            os.link(first, made / folder / f"part-000000000000-{number:04d}.parquet")
    names = [f"part-000000000000-{number:04d}.parquet" for number in range(count // PART_ROWS)]
    (first, *_) = manifest.parts
    parts = tuple(msgspec.structs.replace(first, name=name, documents=PART_ROWS) for name in names)
    write_manifest(made / "run.json", msgspec.structs.replace(manifest, parts=parts))


def opened(run: Path, views: int) -> dict:
    """Seconds until the run is open, memory, and milliseconds of each view."""
    begun, cpu = time.monotonic(), time.process_time()
    from curate.view.app import app_of, new_token
    from curate.view.index import Index, Query

    index, token = Index(run), new_token()
    app = app_of(index, token, (HOST,))
    ask(app, token, "")
    found = {"opens": time.monotonic() - begun, "cpu": time.process_time() - cpu}
    dice, rows = random.Random(0), index.judgments.rows
    facets = index.facets(Query())
    by_facet = [(kind, one.value) for kind, some in facets.items() for one in some]
    measures = [name for name in index.limits if name in index.measures]
    taken = defaultdict(list)
    for _ in range(views):
        for kind, path in (
            ("facet", urlencode(dict([dice.choice(by_facet)]))),
            ("two facets", urlencode(dict(dice.sample(by_facet, 2)))),
            ("measure", urlencode({"measure": dice.choice(measures), "near": 50})),
            ("further down", urlencode({"outcome": "kept", "start": dice.randrange(rows // 3)})),
            *((kind, f"document/{dice.randrange(rows)}") for kind in ["document"] * 6),
            ("document of a list", f"document/{dice.randrange(rows)}?" + urlencode({"outcome": "removed"})),
            ("marks", "marks"),
        ):
            taken[kind].append(timed(app, token, path if path.startswith(("document", "marks")) else f"?{path}"))
    found["peak"] = peak()
    for kind, path in (("search", "?q=therefore"), ("thresholds", "whatif?quality.min_words=80")):
        taken[kind].append(timed(app, token, path))
    return found | {"views": taken, "peak_of_all": peak()}


def peak() -> float:
    """MB that the process held at most until now, mapped files among them."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def timed(app: object, token: str, path: str) -> tuple[float, float]:
    """Milliseconds of wall time and of CPU time, all threads together."""
    clock, cpu = time.monotonic(), time.process_time()
    assert ask(app, token, path) == 200, path
    return 1000 * (time.monotonic() - clock), 1000 * (time.process_time() - cpu)


def ask(app: object, token: str, path: str) -> int:
    """The status of an answer, asked for without a socket."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": f"/{token}/{path}", "root_path": "", "query_string": query.encode(),
        "headers": [(b"host", HOST.encode())], "scheme": "http", "server": ("127.0.0.1", 1), "http_version": "1.1",
    }  # fmt: skip
    status = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    asyncio.run(app(scope, receive, send))
    return status[0]


if __name__ == "__main__":
    main()
