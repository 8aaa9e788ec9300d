"""How fast stored signals are judged by each recipe.

    python benchmarks/recipe_judging.py RUN [--documents N]

``RUN`` is a finished run with the recipe ``none``, which measures everything. Its files of measures are repeated until
there are ``N`` documents, then judged again by the quality rules of every recipe: *verdicts* from columns in memory to
lists of reasons, *whole* from Parquet files to counts, as ``curate recipes lint NAME --run RUN`` does. CPU seconds of
all threads.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.pipeline.planning.lint import load_recipe
from curate.pipeline.rejudging import rejudged
from curate.recipes import recipe_names
from curate.stages.quality import Quality
from curate.store.run_directory import RunDirectory

ROW = "{:16}{:>7}{:>11}{:>22}{:>22}"
BATCH = 1 << 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    options = parser.parse_args()
    print(ROW.format("recipe", "rules", "kept", "verdicts, M docs/CPU-s", "whole, M docs/CPU-s"))
    with tempfile.TemporaryDirectory() as folder:
        run, documents = repeated(options.run, options.documents, Path(folder) / "run")
        measures = pq.read_table(options.run / "quality").combine_chunks()
        for name in recipe_names():
            settings = load_recipe(name).stage("quality")
            stage = Quality(settings)
            started = time.process_time()
            kept = rejudged(run, settings).kept
            whole = documents / (time.process_time() - started)
            verdicts = judging_rate(stage, measures, documents)
            cells = (f"{kept / documents:.1%}", f"{verdicts / 1e6:.1f}", f"{whole / 1e6:.1f}")
            print(ROW.format(name, len(settings.rules()), *cells), flush=True)


def repeated(run: Path, documents: int, folder: Path) -> tuple[Path, int]:
    """A copy of a run whose measures of quality are there often enough, and how many documents that makes."""
    folder.mkdir()
    shutil.copy(run / "run.json", folder)
    files = RunDirectory(run).parts("quality")
    (folder / "quality").mkdir()
    total, number = 0, 0
    while total < documents:
        file = files[number % len(files)]
        (folder / "quality" / f"part-{number:05d}.parquet").symlink_to(file.resolve())
        total += pq.read_metadata(file).num_rows
        number += 1
    return folder, total


def judging_rate(stage: Quality, measures: pa.Table, documents: int) -> float:
    """Documents judged for each CPU second."""
    batches = measures.select(stage.judged_by).to_batches(BATCH)
    rows = sum(batch.num_rows for batch in batches)
    started = time.process_time()
    for _ in range(max(1, documents // rows)):
        for batch in batches:
            stage.judge(batch)
    return max(1, documents // rows) * rows / (time.process_time() - started)


if __name__ == "__main__":
    main()
