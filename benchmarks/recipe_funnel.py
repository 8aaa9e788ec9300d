"""What each recipe keeps of each corpus, and which stage takes the rest.

    python benchmarks/recipe_funnel.py CORPORA [--sample N] [--recipes NAME,…] [--out FILE]

``CORPORA`` holds the sets of `SETS` with the columns ``id``, ``text``, ``source`` and ``dup_group``. A sample is drawn
by hash of the group, so that the copies of a document come along or stay away together. Prints two tables in
Markdown: documents kept, and for each stage the share it removed of what came to it. Tokens are not made.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import polars as pl

from curate.cli.session import Session
from curate.recipes import recipe_names

SETS = {
    "technical pages (en)": "neardup_truth/docs.parquet",
    "novels, by chapter (en, fr)": "prose/eltec_chapters.parquet",
    "simplified news (en)": "quality/onestop.jsonl.gz",
    "text messages (en)": "quality/sms_spam.jsonl.gz",
    "man pages (25 languages)": "langid/manpages.parquet",
    "PHP manual (6 languages)": "langid/php_manual.parquet",
    "react.dev (en, fr, zh)": "langid/react_dev.parquet",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--sample", type=int, default=2000, help="documents of each set, roughly")
    parser.add_argument("--recipes", default="default,none," + ",".join(n for n in recipe_names() if n != "none"))
    parser.add_argument("--out", type=Path, help="write the tables here too")
    options = parser.parse_args()
    counts = {}
    for title, file in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            corpus = sampled(options.corpora / file, options.sample, Path(folder) / "in")
            for recipe in options.recipes.split(","):
                counts[recipe, title] = funnel(corpus, recipe, Path(folder) / recipe)
                print(title, recipe, counts[recipe, title]["kept"], file=sys.stderr, flush=True)
    page = f"{kept_table(counts)}\n\n{stage_table(counts)}\n"
    print(page)
    if options.out:
        options.out.write_text(page)


def sampled(file: Path, size: int, folder: Path) -> Path:
    """A folder with one Parquet file of about ``size`` documents."""
    documents = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_ndjson(file)
    names = [name for name in ("dup_group", "id") if name in documents.columns]
    group = pl.coalesce(pl.col(names).cast(pl.String))
    share = min(1.0, size / len(documents))
    drawn = documents.filter(group.hash(seed=1) < int(share * 2**64) if share < 1 else pl.lit(True))
    folder.mkdir()
    drawn.select("id", "text", "source").write_parquet(folder / "documents.parquet")
    return folder


def funnel(corpus: Path, recipe: str, out: Path) -> dict:
    with contextlib.redirect_stdout(io.StringIO()):
        Session([str(corpus)], str(out), flags={"pipeline.recipe": recipe}, skip=["tokenize"]).work(quiet=2)
    manifest = json.loads((out / "run.json").read_text())
    flow = {step["stage"]: (step["in"], step["removed"]) for step in manifest["flow"]}
    return {"read": manifest["counts"]["read"], "kept": manifest["counts"]["kept"], "flow": flow}


def kept_table(counts: dict) -> str:
    recipes, sets = (list(dict.fromkeys(key[place] for key in counts)) for place in (0, 1))
    head = ["recipe", *(f"{title}: {counts[recipes[0], title]['read']:,}" for title in sets)]
    rows = [[f"`{recipe}`", *(share(counts[recipe, title]) for title in sets)] for recipe in recipes]
    return markdown(head, rows)


def stage_table(counts: dict) -> str:
    stages = ("language", "near_dup", "line_dup", "quality")
    sets = list(dict.fromkeys(title for _, title in counts))
    rows = []
    for recipe in dict.fromkeys(name for name, _ in counts):
        flows = [counts[recipe, title]["flow"] for title in sets]
        order = [stage for stage in flows[0] if stage in stages]
        rows.append([f"`{recipe}`", " → ".join(order), *(" · ".join(removed(flow, order)) for flow in flows)])
    return markdown(["recipe", "order", *sets], rows)


def removed(flow: dict, order: list[str]) -> list[str]:
    return [f"{100 * flow[stage][1] / max(1, flow[stage][0]):.0f}" for stage in order]


def share(count: dict) -> str:
    return f"{100 * count['kept'] / count['read']:.1f} %"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
