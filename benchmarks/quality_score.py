"""What `quality.score` compares documents with, and how far its shares hold.

    python benchmarks/quality_score.py CORPORA [--write FILE]

``CORPORA`` as the recipes' benchmarks have it. The reference are chapters of novels, newspaper articles and pages of
documentation in English, a third each. Cross-validated: novels, articles and pages are dealt into ten parts by a hash
of their names, and each part is scored by a reference of the nine others. *error*: mean over 0.05, 0.10, … 0.95 of the
distance between a score and the share of the documents that score at most as much. ``--write`` writes the reference
that ships, made of all parts (``src/curate/stages/quality/reference.toml``).
"""

import argparse
import gzip
import re
import sysconfig
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import xxhash

from curate.stages.quality import Quality, QualitySettings
from curate.stages.quality.score import SCORED_BY, Curve, Reference, nearness, score, worst_respect
from curate.stages.quality.stage import numbers

Numbers = npt.NDArray[np.float64]

KINDS = ("novels", "news", "documentation")
PARTS = 10
TAIL = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the reference at which a curve has a point: many where few texts are."""
LEVELS = np.arange(1, 20) / 20
SHOWN = (0.05, 0.25, 0.5, 0.75)
DOCUMENTATION = ("python-peps", "etcd-docs", "powershell-docs")
LISTING = re.compile(
    r"/(package-(tree|use|frame)|allclasses|index-\d|all_|genindex|functions?[_.]|annotated|classes\.|files\.|hierarchy|"
    r"globals|inherits|deprecated-list|overview-(tree|frame)|serialized-form|constant-values)[^/]*$"
)
"""Names of pages that generators of documentation fill with nothing but links."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    documents = pl.concat([reference(options.corpora), *others(options.corpora)]).filter(pl.col("text") != "")
    found = Measured(
        signals(documents),
        documents["kind"].to_numpy().astype(str),
        np.array([xxhash.xxh3_64_intdigest(name.encode()) % PARTS for name in documents["group"]]),
    )
    whole = found.reference(found.weights(KINDS))
    print(calibration(found))
    print(elsewhere(found, whole))
    if options.write:
        options.write.write_text(written(found, whole))


class Measured(NamedTuple):
    values: dict[str, Numbers]
    kinds: npt.NDArray[np.str_]
    parts: npt.NDArray[np.int64]

    def weights(self, kinds: tuple[str, ...]) -> Numbers:
        """Such that each kind counts as much as another, however many documents it has."""
        return np.sum([(self.kinds == kind) / (self.kinds == kind).sum() for kind in kinds], axis=0)

    def reference(self, weight: Numbers) -> Reference:
        used = weight > 0
        values, weight = {name: one[used] for name, one in self.values.items()}, weight[used]
        nearer = {one.key: tail(nearness(one, values[one.signal]), weight) for one in SCORED_BY}
        return Reference(nearer, cumulative(worst_respect(values, nearer), weight))

    def cross_validated(self, kinds: tuple[str, ...]) -> Numbers:
        """The score of each document by a reference of the other parts, made of some kinds alone."""
        found, weight = np.full(len(self.kinds), np.nan), self.weights(kinds)
        for part in range(PARTS):
            mine = self.parts == part
            reference = self.reference(weight * ~mine)
            found[mine] = score({name: one[mine] for name, one in self.values.items()}, reference)
        return found


def tail(near: Numbers, weight: Numbers) -> Curve:
    """How near → the share that comes at least as near; straight lines to all at 0 and to none at 1."""
    defined = ~np.isnan(near)
    points = quantiles(near[defined], weight[defined], 1 - np.array(TAIL))
    return curve([(0.0, 1.0), *zip(points[::-1], TAIL[::-1], strict=True), (1.0, 0.0)])


def cumulative(worst: Numbers, weight: Numbers) -> Curve:
    """The worst respect → the share whose worst respect is worse."""
    shares = (*TAIL[:8], *(share for share in LEVELS if share > TAIL[7]))
    points = quantiles(worst, weight, np.array(shares))
    return curve([(0.0, 0.0), *zip(points, shares, strict=True), (1.0, 1.0)])


def quantiles(values: Numbers, weight: Numbers, shares: Numbers) -> Numbers:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return np.interp(shares * reached[-1], reached - weight[order] / 2, values[order])


def curve(points: list[tuple[float, float]]) -> Curve:
    """Through the points, the first of those at one place."""
    kept = [points[0]]
    for x, y in ((round(x, 6), y) for x, y in points[1:]):
        if x > kept[-1][0]:
            kept.append((x, y))
    return Curve(*np.array(kept).T)


def reference(corpora: Path) -> pl.DataFrame:
    """Documents of the three kinds, one version of a page."""
    novels = pl.read_parquet(corpora / "prose" / "eltec_chapters.parquet").filter(pl.col("lang") == "en")
    with gzip.open(corpora / "quality" / "onestop.jsonl.gz") as lines:
        news = pl.read_ndjson(lines.read())
    pages = pl.read_parquet(corpora / "neardup_truth" / "docs.parquet").filter(pl.col("source").is_in(DOCUMENTATION))
    return pl.concat([_of("novels", novels), _of("news", news), _of("documentation", one_version(pages))])


def others(corpora: Path) -> list[pl.DataFrame]:
    """Sets that no table is made of."""
    novels = pl.read_parquet(corpora / "prose" / "eltec_chapters.parquet").filter(pl.col("lang") == "fr")
    pages = one_version(pl.read_parquet(corpora / "neardup_truth" / "docs.parquet"))
    react = pl.read_parquet(corpora / "langid" / "react_dev.parquet")
    man = pl.read_parquet(corpora / "langid" / "manpages.parquet")
    with gzip.open(corpora / "quality" / "sms_spam.jsonl.gz") as lines:
        messages = pl.read_ndjson(lines.read())
    modules = [(path.name, path.read_text("utf-8", "replace")) for path in stdlib()]
    return [
        _of("Win32 documentation", pages.filter(pl.col("source") == "ms-win32")),
        _of("PHP manual", pages.filter((pl.col("source") == "php-manual") & (pl.col("lang") == "en"))),
        _of("react.dev", react.filter(pl.col("lang") == "en")),
        _of("tldr pages", pages.filter(pl.col("source") == "tldr")),
        _of("lists of links", listings(corpora)),
        _of("Python's library", pl.DataFrame(modules, ["id", "text"], orient="row").with_columns(lang=pl.lit("en"))),
        _of("text messages", messages),
        _of("novels in French", novels),
        _of("man pages in German", man.filter(pl.col("lang") == "de")),
        _of("PHP manual in Japanese", pages.filter((pl.col("source") == "php-manual") & (pl.col("lang") == "ja"))),
    ]


def listings(corpora: Path) -> pl.DataFrame:
    """Generated pages of HTML documentation that hold links alone, as text."""
    pages = pl.read_parquet(corpora / "web_html" / "debian_docs_html.parquet")
    pages = pages.filter(pl.col("url").str.contains(LISTING.pattern))
    texts = [page.decode("utf-8", "replace") for page in pages["html"]]
    return pages.select("id", text=pl.Series(list(map(plain, texts))), lang=pl.lit("en"))


def plain(html: str) -> str:
    """The text of a page, a line for each block."""
    html = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<!--.*?-->", "", html)
    html = re.sub(r"(?i)</?(p|div|li|tr|td|h\d|table|[uod]l|d[td]|pre|br|hr)\b[^>]*>", "\n", html)
    lines = (" ".join(line.split()) for line in re.sub(r"(?s)<[^>]*>", "", html).split("\n"))
    return "\n".join(line for line in lines if line)


def stdlib() -> list[Path]:
    return sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))


def one_version(pages: pl.DataFrame) -> pl.DataFrame:
    page = pl.when(pl.col("dup_group") != "").then(pl.col("dup_group")).otherwise(pl.col("id"))
    return pages.with_columns(page=page).unique(["source", "page"], keep="first", maintain_order=True)


def _of(kind: str, rows: pl.DataFrame) -> pl.DataFrame:
    groups = [name for name in ("dup_group", "id") if name in rows.columns]
    group = pl.coalesce(
        pl.when(pl.col(name).cast(pl.String) != "").then(pl.col(name).cast(pl.String)) for name in groups
    )
    lang = "lang" if "lang" in rows.columns else pl.lit("en")
    return rows.select(
        pl.lit(kind).alias("kind"),
        "text",
        group.alias("group"),
        pl.col("lang") if lang == "lang" else lang.alias("lang"),
    )


def signals(documents: pl.DataFrame) -> dict[str, Numbers]:
    batch = pa.record_batch(
        {
            "text": documents["text"].to_arrow().cast(pa.large_string()),
            "language.label": documents["lang"].to_arrow().cast(pa.string()),
        }
    )
    measures = Quality(QualitySettings()).measure(batch)
    return {one.signal: numbers(measures[one.signal]) for one in SCORED_BY}


def error(scores: Numbers, weight: Numbers) -> float:
    shares = [np.average(scores <= level, weights=weight) for level in LEVELS]
    return float(np.abs(shares - LEVELS).mean())


def calibration(found: Measured) -> str:
    """Held-out documents of the three kinds together, each alone, and each by a reference of the other two."""
    lines = ["| held out | documents | error | by a reference of the other two |", "| --- | ---: | ---: | ---: |"]
    scores, together = found.cross_validated(KINDS), found.weights(KINDS)
    lines.append(f"| all three, a third each | {(together > 0).sum():,} | {error(scores, together):.3f} | |")
    for kind in KINDS:
        mine = (found.kinds == kind).astype(np.float64)
        rest = found.cross_validated(tuple(one for one in KINDS if one != kind))
        lines.append(f"| {kind} | {mine.sum():,.0f} | {error(scores, mine):.3f} | {error(rest, mine):.3f} |")
    shown = (0.01, 0.02, *LEVELS[[0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 18]])
    shares = [("all three", together), *((kind, found.kinds == kind) for kind in KINDS)]
    lines += ["", "| held out, at most | " + " | ".join(f"{level:.2f}" for level in shown) + " |"]
    lines.append("| --- |" + " ---: |" * len(shown))
    for kind, weight in shares:
        cells = " | ".join(f"{np.average(scores <= level, weights=weight):.3f}" for level in shown)
        lines.append(f"| {kind} | {cells} |")
    return "\n".join([*lines, ""])


def elsewhere(found: Measured, whole: Reference) -> str:
    """What a least score would cost in each set."""
    head = "".join(f" below {level:g} |" for level in SHOWN)
    lines = [f"| set | documents | median |{head}", "| --- | ---: | ---: |" + " ---: |" * len(SHOWN)]
    scores = score(found.values, whole)
    for kind in dict.fromkeys(found.kinds):
        mine = scores[found.kinds == kind]
        shares = "".join(f" {(mine < level).mean():.0%} |" for level in SHOWN)
        lines.append(f"| {kind} | {len(mine):,} | {np.median(mine):.2f} |{shares}")
    return "\n".join(lines)


def written(found: Measured, whole: Reference) -> str:
    counts = ", ".join(f"{kind} = {(found.kinds == kind).sum()}" for kind in KINDS)
    tables = {f"nearer.{key}": ("nearness", one) for key, one in whole.nearer.items()} | {
        "worse": ("worst", whole.worse)
    }
    lines = [
        "# What `quality.score` compares with, made by benchmarks/quality_score.py.",
        "",
        f"documents = {{ {counts} }}",
    ]
    for name, (x, one) in tables.items():
        lines += ["", f"[{name}]", f"{x} = {np.round(one.x, 6).tolist()}", f"share = {np.round(one.y, 6).tolist()}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
