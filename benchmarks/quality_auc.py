"""Which number tells good text from bad: a trained classifier, each heuristic, each recipe, perplexity.

    python benchmarks/quality_auc.py CORPORA [--folds 5] [--json FILE]

``CORPORA`` holds ``quality/*.jsonl.gz`` with the columns ``text``, ``label`` and perhaps ``dup_group``. Each contrast
is cross-validated: versions of one article, and equal texts, are in one fold. AUC of a heuristic is that of the better
direction, which it is told (``-``: lower is better); AUC of a recipe is that of kept or removed by its quality rules.
*transfer* is a classifier trained on one contrast, measured on another.

Perplexity needs ``pip install 'curate[kenlm]' arpabo``: lmplz is not on PyPI, so trigram models (Kneser-Ney) come from
arpabo and are read by KenLM. One is trained on the good documents of the other folds, one on novels (``prose/``).
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.models.ngram_features import token_fingerprints
from curate.models.ngram_model import NgramModel
from curate.pipeline.planning.config import load
from curate.recipes import recipe_names
from curate.stages.quality.settings import QualitySettings
from curate.stages.quality.stage import Quality
from curate.training.figures import auc, calibration_error
from curate.training.fit import fit_model
from curate.training.split import FOLDS, Labelled

Mask = npt.NDArray[np.bool_]
NOVEL_BYTES = 2_000_000
NOT_SEEN = "-6.0\t<unk>"


class Contrast(NamedTuple):
    name: str
    texts: pa.Array
    good: Mask
    groups: npt.NDArray[np.uint64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    novels = novel_model(options.corpora)
    found = {one.name: judged(one, options.folds, novels) for one in contrasts(options.corpora)}
    names = list(found)
    rows = sorted({key for one in found.values() for key in one}, key=lambda key: order(key, found))
    print("| | " + " | ".join(names) + " |\n| --- |" + " ---: |" * len(names))
    for row in rows:
        print(f"| {row} | " + " | ".join(found[name].get(row, "–") for name in names) + " |")
    whole = list(contrasts(options.corpora))
    print("\ntransfer: trained on the row, measured on the column\n")
    print("| | " + " | ".join(names) + " |\n| --- |" + " ---: |" * len(names))
    for one in whole:
        cells = ["–" if other is one else f"{transferred(one, other, options.folds):.3f}" for other in whole]
        print(f"| {one.name} | " + " | ".join(cells) + " |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def contrasts(corpora: Path) -> Iterator[Contrast]:
    news, messages = (read(corpora / "quality" / f"{name}.jsonl.gz") for name in ("onestop", "sms_spam"))
    yield contrast("messages, not spam", messages, "ham", "spam")
    yield contrast("news, advanced or elementary", news, "3-advanced", "1-elementary")
    yield contrast("news, advanced or intermediate", news, "3-advanced", "2-intermediate")


def read(file: Path) -> list[dict]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def contrast(name: str, rows: list[dict], good: str, bad: str) -> Contrast:
    rows = [row for row in rows if row["label"] in {good, bad}]
    texts = pa.array([row["text"] for row in rows], pa.large_string())
    article = pa.array([row.get("dup_group") or row["text"] for row in rows], pa.large_string())
    return Contrast(name, texts, np.array([row["label"] == good for row in rows]), token_fingerprints(article))


def folds(one: Contrast, number: int) -> Iterator[tuple[Mask, Mask]]:
    place = one.groups % np.uint64(number)
    for fold in range(number):
        yield place != fold, place == fold


def judged(one: Contrast, number: int, novels: object) -> dict[str, str]:
    table: dict[str, list[float]] = {}
    pooled = np.full(len(one.good), np.nan)
    for training, held_out in folds(one, number):
        mask = pa.array(held_out)
        texts, good = one.texts.filter(mask), one.good[held_out]
        pooled[held_out] = scores(trained(one, training), texts)
        table.setdefault("**`classify.score`, trained**", []).append(auc(pooled[held_out], good))
        model = language_model(one.texts.filter(pa.array(training & one.good)).to_pylist())
        for name, language in (("perplexity, of the good side", model), ("perplexity, of novels", novels)):
            if language is not None:
                table.setdefault(name, []).append(auc(language.perplexities(texts), good))
    cells = {row: direction(float(np.mean(values))) for row, values in table.items()}
    return cells | heuristics(one) | {
        "calibration error of `classify.score`": f"{calibration_error(pooled, one.good, prior=0.5):.3f}",
        "documents, good + bad": f"{one.good.sum():,} + {(~one.good).sum():,}",
    }  # fmt: skip


def trained(one: Contrast, training: Mask) -> NgramModel:
    inner = ((one.groups // np.uint64(64)) % np.uint64(FOLDS)).astype(np.int64)
    return fit_model(Labelled(one.texts.filter(pa.array(training)), one.good[training], inner[training]), prior=0.5)


def transferred(one: Contrast, other: Contrast, number: int) -> float:
    """AUC on ``other``; no article is on both sides of a fold."""
    found = []
    for (training, _), (_, held_out) in zip(folds(one, number), folds(other, number), strict=True):
        texts = other.texts.filter(pa.array(held_out))
        found.append(auc(scores(trained(one, training), texts), other.good[held_out]))
    return float(np.mean(found))


def scores(model: NgramModel, texts: pa.Array) -> npt.NDArray[np.float64]:
    return np.nan_to_num(model.classify(texts, 0)[1].astype(np.float64), nan=0.5)


def heuristics(one: Contrast) -> dict[str, str]:
    """AUC of the size, of every signal, and of what the quality rules of every recipe keep."""
    batch = pa.record_batch({"text": one.texts, "language.label": pa.array(["en"] * len(one.texts))})
    cells = {"bytes of text": signed(pc.binary_length(one.texts), one.good)}
    for stage in (Quality(QualitySettings(signals="all")), *map(rules_of, recipe_names())):
        measures = stage.measure(batch)
        for signal, kind in stage.adds.items():
            values = measures[signal]
            if pa.types.is_primitive(kind) and values.null_count < len(values):
                mean = pc.mean(values).cast(kind, safe=False)
                cells.setdefault(f"`quality.{signal}`", signed(pc.fill_null(values, mean), one.good))
    for name in recipe_names():
        stage = rules_of(name)
        kept = np.array([not reasons for reasons in stage.judge(stage.measure(batch)).to_pylist()])
        cells[f"recipe `{name}`, kept"] = f"{auc(kept.astype(np.float64), one.good):.3f}"
    return cells


def rules_of(recipe: str) -> Quality:
    settings = load(flags={"pipeline.recipe": recipe}).stage("quality")
    assert isinstance(settings, QualitySettings)
    return Quality(settings)


def signed(values: pa.Array, good: Mask) -> str:
    return direction(auc(np.asarray(values, np.float64), good))


def direction(found: float) -> str:
    """An AUC of at least 0.5, with ``-`` where lower is better."""
    return f"{found:.3f}" if found >= 0.5 else f"-{1 - found:.3f}"


def order(row: str, found: dict[str, dict[str, str]]) -> tuple[bool, float]:
    """Best on average first; what is no AUC last."""
    cells = [cells[row] for cells in found.values() if row in cells]
    is_auc = not row.startswith(("calibration", "documents"))
    return not is_auc, -np.mean([abs(float(cell)) for cell in cells]) if is_auc else 0.0


def language_model(texts: list[str]) -> object | None:
    """A trigram model by arpabo, read by KenLM; None where either is not installed."""
    try:
        import arpabo
        import kenlm  # noqa: F401
    except ImportError:
        return None
    from curate.models.kenlm import KenlmModel

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.arpa")
        model = arpabo.ArpaBoLM(max_order=3, smoothing_method="kneser_ney", unicode_norm=False)
        model.read_corpus(line for text in texts for line in text.splitlines() if line.strip())
        model.compute()
        with file.open("w") as written:
            model.write(written)
        file.write_text(for_kenlm(file.read_text()))
        return KenlmModel(file)


def for_kenlm(arpa: str) -> str:
    """Tabs where KenLM wants them, no comment before, and a probability of unseen words, which arpabo leaves out."""
    lines, size = [], 0
    for line in arpa[arpa.index("\\data\\") :].split("\n"):
        fields = line.split(" ")
        if line.startswith("\\") or not size or not line:
            size = int(line[1]) if line.endswith("-grams:") else size
            lines.append(line)
        else:
            lines.append("\t".join([fields[0], " ".join(fields[1 : size + 1]), *fields[size + 1 :]]))
        if line == "\\1-grams:":
            lines.append(NOT_SEEN)
    words = int(lines[1].removeprefix("ngram 1="))
    lines[1] = f"ngram 1={words + 1}"
    return "\n".join(lines) + "\n"


def novel_model(corpora: Path) -> object | None:
    rows = pl.read_parquet(corpora / "prose" / "eltec_chapters.parquet").filter(pl.col("lang") == "en")
    texts, size = [], 0
    for text in rows.sample(fraction=1, shuffle=True, seed=0)["text"]:
        texts.append(text)
        size += len(text)
        if size > NOVEL_BYTES:
            break
    return language_model(texts)


if __name__ == "__main__":
    main()
