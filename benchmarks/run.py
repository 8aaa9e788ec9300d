"""The whole job on a corpus: CPU seconds of the process tree, wall time, peak memory; one line for each run, and JSON.

    python benchmarks/run.py CORPUS [--workers 1,2] [--repeat 3] [--json FILE]

A speed is megabytes of input text per CPU second. Absolute figures belong to one
machine: compare runs made side by side.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def once(corpus: str, workers: int) -> dict[str, float]:
    """Run the installed command once into a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        words = ["run", corpus, "-o", str(out), "-qq", "--workers", str(workers), "--set", "gates.max_quarantined=1"]
        subprocess.run([sys.executable, "-m", "curate", *words], check=True, stdout=subprocess.DEVNULL)
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        manifest = json.loads((out / "run.json").read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    megabytes = sum(part["raw_bytes"] for part in manifest["parts"]) / 1e6
    return {
        "workers": workers,
        "text_mb": megabytes,
        "documents": manifest["counts"]["read"],
        "kept": manifest["counts"]["kept"],
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "mb_per_cpu_second": megabytes / cpu,
        "mb_per_second": megabytes / wall,
        "peak_mb": manifest["timings"]["peak_rss_bytes"] / 1e6,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure `curate run` on a corpus.")
    parser.add_argument("corpus", nargs="?", default="sample_data")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    once(options.corpus, 1)  # compiles kernels and builds tables, outside the figures
    for workers in map(int, options.workers.split(",")):
        for _ in range(options.repeat):
            found.append(once(options.corpus, workers))
            print("  ".join(f"{name}={value:,.4g}" for name, value in found[-1].items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
