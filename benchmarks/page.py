"""How the page and what-if grow with a run: CPU and wall seconds, memory, bytes.

Usage: python -m benchmarks.page RUN --documents 10000 1000000 10000000

RUN is a finished run of one part. Runs of more documents are made of it: its row files repeated until a part has as
many documents as one of 64 MB, that part as often as needed (hard links, so a run of 10 million takes no more disk).
Survivors are all in the first part, which makes its clusters larger than real ones.

Each figure is of a process of its own, `--cores` allowed: `curate report`, the same again with another price, and
`curate whatif` with a stricter `quality.min_words`.
CPU seconds are of all its processes; start-up is in them, 0.9 s of each.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring import measure
from curate.store.checked_json import write_json
from curate.store.row_file import Keys, row_file

PART_DOCUMENTS = 50_000
GROUP_ROWS = 6_000
"""As in a run: 8 MB of text."""
COUNTED = ("counts", "flow", "tokens", "losses")
"""Numbers of the manifest that grow with the documents."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--cores", type=int, default=2)
    asked = parser.parse_args()
    curate = [sys.executable, "-m", "curate"]
    kinds = ("page", "drawn again", "what-if")
    print(f"| documents | page bytes | {' | '.join(f'{kind} CPU s | wall s | peak MB' for kind in kinds)} |")
    print(f"|{' ---: |' * 11}")
    for number in asked.documents:
        with tempfile.TemporaryDirectory(dir=asked.run.parent) as folder:
            run = Path(folder) / "run"
            documents = repeated(asked.run, run, number)
            log = Path(folder) / "log"
            other_price = ["--set", "report.price_per_gpu_hour=9"]
            stricter = ["--set", "quality.min_words=80", "--json"]
            commands = (["report", str(run)], ["report", str(run), *other_price], ["whatif", str(run), *stricter])
            found = [measure([*curate, *words], log=log, cores=asked.cores) for words in commands]
            size = (run / "report.html").stat().st_size if found[0].status == "done" else 0
            figures = [f"{one.cpu_seconds:.1f} | {one.wall_seconds:.1f} | {one.peak_mb:.0f}" for one in found]
            print(f"| {documents:,} | {size:,} | {' | '.join(figures)} |", flush=True)
            if {one.status for one in found} != {"done"}:
                print(log.read_text()[-2000:], file=sys.stderr)


def repeated(run: Path, to: Path, documents: int) -> int:
    """A run with about so many documents in ``to``; returns how many."""
    manifest = json.loads((run / "run.json").read_text())
    (name,) = (part["name"] for part in manifest["parts"])
    rows = pq.read_metadata(run / "documents" / name).num_rows
    times = max(1, min(PART_DOCUMENTS, documents) // rows)
    parts = max(1, round(documents / (times * rows)))
    folders = ["documents", *(stage["name"] for stage in manifest["stages"])]
    folders += [f".cache/{each.parent.name}" for each in (run / ".cache").glob(f"*/{name}")]
    for folder in folders:
        file = pq.ParquetFile(run / folder / name)
        table, columns = file.read(), [file.metadata.row_group(0).column(at) for at in range(file.metadata.num_columns)]
        coded = [column.path_in_schema for column in columns if column.has_dictionary_page]
        first = to / folder / "part-0000-0000.parquet"
        with row_file(first, table.schema.remove_metadata(), coded) as writer:
            repeats = pa.concat_tables(moved(table, number * rows) for number in range(times))
            for start in range(0, times * rows, GROUP_ROWS):
                writer.write(repeats.slice(start, GROUP_ROWS).combine_chunks().to_batches()[0])
            writer.finish(Keys("measured", "judged"))
        for part in range(1, parts):
            os.link(first, to / folder / f"part-{part:04d}-0000.parquet")
    (to / "shards").mkdir()
    (to / "shards" / "index.json").write_bytes((run / "shards" / "index.json").read_bytes())
    grown = {key: multiplied(manifest[key], times * parts) for key in COUNTED}
    part = {**manifest["parts"][0], "documents": times * rows}
    names = [{**part, "name": f"part-{at:04d}-0000.parquet"} for at in range(parts)]
    manifest.pop("checksum")
    write_json(to / "run.json", {**manifest, **grown, "parts": names})
    return times * parts * rows


def moved(table: pa.Table, by: int) -> pa.Table:
    """Rows that name others, as they are behind so many more."""
    if "survivor_at" not in table.column_names:
        return table
    place = table.column("survivor_at").combine_chunks()
    there = pa.StructArray.from_arrays(
        [place.field("part"), pc.add(place.field("row"), by)], fields=list(place.type), mask=place.is_null()
    )
    return table.set_column(table.column_names.index("survivor_at"), "survivor_at", there)


def multiplied(value: Any, by: int) -> Any:
    if isinstance(value, dict):
        return {name: multiplied(one, by) for name, one in value.items()}
    if isinstance(value, list):
        return [multiplied(one, by) for one in value]
    return value * by if isinstance(value, int) and not isinstance(value, bool) else value


if __name__ == "__main__":
    main()
