"""A run directory written by hand: every file of the contract, any size, books balanced, hostile text
included."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.store.checked_json import write_json
from curate.store.row_file import Keys, row_file

STAGES = ("normalize", "language", "near_dup", "quality", "tokenize")

HOSTILE = (
    "<script>document.title='owned'; fetch('https://example.invalid/')</script>"
    "<img src=x onerror=\"document.title='owned'\"></pre></div><style>body{display:none}</style>"
    "<svg onload=alert(1)>{{ 7*7 }} \u202edesrever\u202c \x1b[31m \x07 \x00 "
    "Z\u0351\u0346\u0357a\u0300\u0301\u0302\u0303l\u0348\u0349g\u034ao \u0627\u0644\u0639\u0631\u0628\u064a\u0629 "
    f"{'A' * 1_000_000}"
)

_TEXT = """
The harbour was quiet when the ferry left, and the few passengers on deck kept their coats buttoned.
Nobody spoke until the lighthouse had gone behind the headland.
---
A list in Python is a sequence of references. Appending to it takes constant time on average, because the
interpreter reserves more room than it needs. Inserting at the front, on the other hand, moves every element.
---
Cookies help us deliver our services. By using them, you agree to our use of cookies. Learn more. Got it!
---
Der Zug nach München fährt heute von Gleis sieben ab; wir bitten um Ihr Verständnis für die Verspätung.
---
Le conseil municipal a voté hier soir le budget de la nouvelle médiathèque, qui ouvrira au printemps prochain.
---
Set-Item -Path HKCU:\\Console -Name FaceName -Value 'Consolas'
Get-Help about_Registry_Provider
### ### ### >>> <<<
---
To be sown in March under glass. Prick out into boxes when the first true leaves have formed, harden off in
May, and plant at thirty centimetres in rich soil that was manured the autumn before.
---
東京の朝は早い。市場には夜明け前から人が集まり、魚を積んだ荷車が狭い通路を行き交う。
---
click here click here click here best price best price best price !!! $$$ !!! $$$ free free free
"""
_PARAGRAPHS = tuple(paragraph.strip() for paragraph in _TEXT.split("---"))
_LANGUAGES = ("en", "en", "en", "de", "fr", "en", "en", "ja", "en")
_SOURCES = ("docs.example.org", "forum-dump", "news-2025", "books", "web-crawl")

REASONS: dict[str, list[tuple[str, str]]] = {
    "normalize": [("empty_after_cleaning", "Nothing was left after normalization.")],
    "language": [
        ("not_in_keep", "The language is not in the keep list."),
        ("uncertain", "The language was identified with too low a score."),
    ],
    "near_dup": [
        ("exact_duplicate", "The same text as a document that was kept."),
        ("near_duplicate", "Almost the same text as a document that was kept."),
    ],
    "quality": [
        ("too_few_words", "Fewer words than a document worth learning from."),
        ("too_many_symbols", "Too many # and … for the number of words."),
        ("too_repetitive", "Too large a share of its lines are repeats."),
        ("too_few_stop_words", "Hardly any of the words every English text has."),
    ],
    "tokenize": [],
}
RULES = {
    "language": [
        {"measure": "score", "side": "min", "limit": 0.65, "reason": "uncertain", "setting": "language.min_score"},
    ],
    "near_dup": [
        {
            "measure": "jaccard",
            "side": "max",
            "at": True,
            "limit": 0.8,
            "reason": "near_duplicate",
            "setting": "near_dup.similarity",
        },
    ],
    "quality": [
        {
            "measure": "word_count",
            "side": "min",
            "limit": 50,
            "reason": "too_few_words",
            "setting": "quality.min_words",
        },
        {
            "measure": "symbol_ratio",
            "side": "max",
            "limit": 0.1,
            "reason": "too_many_symbols",
            "setting": "quality.max_symbol_ratio",
        },
        {"measure": "duplicate_lines", "side": "max", "limit": 0.3, "reason": "too_repetitive"},
        {"measure": "stop_words", "side": "min", "limit": 2, "reason": "too_few_stop_words"},
    ],
}
_ABOUT = {
    "normalize": "Repairs broken encodings and unifies characters, line ends and blank lines.",
    "language": "Identifies the language and keeps those on the list.",
    "near_dup": "Removes exact copies and near-duplicates; every removal is proven against a kept document.",
    "quality": "Measures Gopher's signals and applies its rules.",
    "tokenize": "Turns text into token ids.",
}


def write_fake_run(
    folder: Path,
    documents: int = 600,
    parts: int = 3,
    seed: int = 0,
    skip: tuple[str, ...] = (),
    hostile: bool = True,
) -> dict[str, Any]:
    """Write a run of ``documents`` documents below ``folder``; returns its manifest."""
    random = np.random.default_rng(seed)
    stages = [stage for stage in STAGES if stage not in skip]
    corpus = _documents(random, documents, hostile)
    bounds = np.linspace(0, documents, parts + 1).astype(int)
    judged, flow = _judgments(random, corpus, stages, bounds)
    for part, (start, end) in enumerate(pairwise(bounds)):
        for name, table in {"documents": corpus.drop("kind"), **judged}.items():
            write_rows(folder / name / part_name(part), table[start:end].to_arrow(compat_level=pl.CompatLevel.oldest()))
    manifest = _manifest(corpus, judged, flow, stages, parts)
    write_json(folder / "run.json", manifest)
    return manifest


def bare_manifest(stages: tuple[str, ...] = (), parts: int = 0) -> dict[str, Any]:
    """The least that a version of this layout wrote; later ones add names."""
    timings = ("wall_seconds", "cpu_seconds", "documents_per_second", "bytes_per_second")
    part = {"fingerprint": "", "documents": 0, "raw_bytes": 0, "quarantined": 0, "files": 1}
    return {
        "schema_version": 2,
        "run_id": "7f3a",
        "curate": "0.1.0",
        "command": "curate run in",
        "inputs": [],
        "config": {},
        "stages": [{"name": stage, "version": 1} for stage in stages],
        "parts": [{"name": part_name(number), **part} for number in range(parts)],
        "counts": {"read": 0, "quarantined": 0, "kept": 0, "removed": {}},
        "flow": [],
        "tokens": None,
        "shards": None,
        "timings": {"started": "", **dict.fromkeys(timings, 0.0), "peak_rss_bytes": 0, "resumed_parts": 0},
        "machine": {"cpu": "", "cores": 1, "memory_bytes": 0, "os": "", "python": ""},
        "versions": {},
        "gates": [],
    }


def part_name(part: int) -> str:
    """Names that do not sort in the order of the parts."""
    return f"part-{(part * 7 + 5) % 10}0c0db3a1e2f-{part:04d}.parquet"


def write_rows(file: Path, table: pa.Table, group_rows: int = 200) -> None:
    """One row file as a run writes it."""
    with row_file(file, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=group_rows):
            writer.write(batch)
        writer.finish(Keys("measured", "judged"))


def files_of(run: Path, folder: str) -> list[Path]:
    """Files of a folder of a finished run, in the order of the input."""
    return [run / folder / part["name"] for part in json.loads((run / "run.json").read_text())["parts"]]


def rewrite_manifest(run: Path, **changes: Any) -> None:
    """Another manifest, which is whole."""
    manifest = json.loads((run / "run.json").read_text())
    write_json(run / "run.json", manifest | changes)


def _documents(random: np.random.Generator, number: int, hostile: bool) -> pl.DataFrame:
    kind = random.choice(len(_PARAGRAPHS), number, p=[0.22, 0.16, 0.1, 0.06, 0.05, 0.1, 0.16, 0.04, 0.11])
    repeats = np.maximum(1, random.lognormal(1.2, 0.9, number).astype(int))
    source = random.choice(len(_SOURCES), number, p=[0.25, 0.15, 0.2, 0.1, 0.3])
    source = np.where(np.isin(kind, (2, 8)), 1, source)
    rows = np.arange(number)
    frame = pl.DataFrame({"kind": kind, "repeats": repeats, "row": rows, "source_number": source})
    texts = pl.Series(_PARAGRAPHS)
    frame = frame.select(
        id=pl.format("doc-{}", "row"),
        text=pl.concat_list(
            texts.gather(kind).alias("a"), pl.format("\n\nNote {}: ", "row"), texts.gather(kind).alias("b")
        )
        .list.join("")
        .repeat_by(pl.col("repeats").clip(1, 12))
        .list.join("\n"),
        source=pl.Series([*_SOURCES]).gather(source),
        origin=pl.struct(
            file=pl.format("corpus/{}.jsonl.zst", pl.col("source_number")),
            position=pl.col("row").cast(pl.Int64),
        ),
        metadata=pl.lit("{}"),
        kind="kind",
    )
    if hostile:
        first = pl.int_range(pl.len()) == 7
        frame = frame.with_columns(
            text=pl.when(first).then(pl.lit(HOSTILE)).otherwise("text"),
            id=pl.when(first).then(pl.lit("</pre><script>id</script>")).otherwise("id"),
            source=pl.when(pl.int_range(pl.len()) < 40).then(pl.lit("<b>evil & co</b>")).otherwise("source"),
        )
    return frame.with_columns(raw_bytes=pl.col("text").str.len_bytes().cast(pl.Int64) + 3)


def _judgments(
    random: np.random.Generator, corpus: pl.DataFrame, stages: list[str], bounds: np.ndarray
) -> tuple[dict[str, pl.DataFrame], list[dict[str, Any]]]:
    text_bytes = corpus["text"].str.len_bytes().to_numpy()
    alive = np.ones(corpus.height, bool)
    judged, flow = {}, []
    for stage in stages:
        columns, failed = _MEASURE[stage](random, corpus, alive, bounds)
        codes = list(failed)
        reasons = [
            None if not live else [code for code in codes if failed[code][row]] for row, live in enumerate(alive)
        ]
        came = alive.copy()
        alive = alive & ~np.any([*failed.values(), np.zeros_like(alive)], axis=0)
        table = pl.DataFrame({"reasons": pl.Series(reasons, dtype=pl.List(pl.String))}).with_columns(
            pl.when(pl.Series(came)).then(column).otherwise(None).alias(name) for name, column in columns.items()
        )
        judged[stage] = table
        flow.append(
            {
                "stage": stage,
                "in": int(came.sum()),
                "kept": int(alive.sum()),
                "removed": int(came.sum() - alive.sum()),
                "text_bytes_in": int(text_bytes[came].sum()),
                "text_bytes_kept": int(text_bytes[alive].sum()),
            }
        )
    return judged, flow


def _normalize(random, corpus, alive, bounds):
    changes = pl.Series([["line_ends"] if row % 3 == 0 else [] for row in range(corpus.height)])
    return {"changes": changes}, {"empty_after_cleaning": alive & (random.random(corpus.height) < 0.002)}


def _language(random, corpus, alive, bounds):
    label = np.array(_LANGUAGES)[corpus["kind"].to_numpy()]
    score = np.clip(1 - random.exponential(0.08, corpus.height), 0.05, 1)
    return {"label": pl.Series(label), "score": pl.Series(score, dtype=pl.Float32)}, {
        "not_in_keep": alive & (label != "en"),
        "uncertain": alive & (score < 0.65),
    }


def _near_dup(random, corpus, alive, bounds):
    number = corpus.height
    rows, kind = np.flatnonzero(alive), corpus["kind"].to_numpy()
    leaders, others = rows[: max(1, len(rows) * 3 // 4)], rows[len(rows) * 3 // 4 + 1 :: 2]
    alike = {k: leaders[kind[leaders] == k] for k in np.unique(kind[leaders])}
    copies_of = {
        int(row): int(alike[kind[row]][int(len(alike[kind[row]]) * random.random() ** 3)])
        for row in others
        if kind[row] in alike
    }
    counts = Counter(copies_of.values())
    survivor_at = [None if row not in copies_of else _place(bounds, copies_of[row]) for row in range(number)]
    jaccard = np.where(random.random(number) < 0.4, 1.0, np.clip(0.8 + random.exponential(0.06, number), 0.8, 0.999))
    is_copy = np.array([row in copies_of for row in range(number)])
    columns = {
        "content_hash": pl.Series([bytes(16)] * number),
        "survivor": pl.Series([f"doc-{copies_of[row]}" if row in copies_of else None for row in range(number)]),
        "survivor_at": pl.Series(survivor_at, dtype=pl.Struct({"part": pl.Int32, "row": pl.Int64})),
        "survivor_run": pl.Series([None] * number, dtype=pl.String),
        "jaccard": pl.Series(np.where(is_copy, jaccard, np.nan)).fill_nan(None),
        "exact": pl.Series([bool(one) if copy else None for one, copy in zip(jaccard == 1, is_copy, strict=True)]),
        "copies": pl.Series([None if row in copies_of else 1 + counts[row] for row in range(number)], dtype=pl.Int64),
    }
    return columns, {"exact_duplicate": is_copy & (jaccard == 1), "near_duplicate": is_copy & (jaccard < 1)}


def _place(bounds, row):
    part = int(np.searchsorted(bounds, row, side="right")) - 1
    return {"part": part, "row": int(row - bounds[part])}


def _quality(random, corpus, alive, bounds):
    number, kind = corpus.height, corpus["kind"].to_numpy()
    words = (corpus["text"].str.len_bytes().to_numpy() / 6).astype(int)
    symbols = np.where(kind == 5, random.uniform(0.02, 0.4, number), random.exponential(0.01, number))
    lines = np.clip(random.beta(0.6, 5, number) + 0.4 * (kind == 8), 0, 1)
    stop = np.where(kind == 8, random.integers(2, 4, number), random.integers(2, 9, number))
    columns = {
        "word_count": pl.Series(words, dtype=pl.Int32),
        "symbol_ratio": pl.Series(symbols),
        "duplicate_lines": pl.Series(lines),
        "stop_words": pl.Series(stop, dtype=pl.Int32),
        "score": pl.Series(random.beta(5, 2, number)),
    }
    return columns, {
        "too_few_words": alive & (words < 50),
        "too_many_symbols": alive & (symbols > 0.1),
        "too_repetitive": alive & (lines > 0.3),
    }


def _tokenize(random, corpus, alive, bounds):
    tokens = (corpus["text"].str.len_bytes() / 4.3).cast(pl.Int64) + 1
    return {
        "n_tokens": tokens,
        "shard": pl.Series([0] * corpus.height),
        "offset": tokens.cum_sum() - tokens,
    }, {}


_MEASURE = {
    "normalize": _normalize,
    "language": _language,
    "near_dup": _near_dup,
    "quality": _quality,
    "tokenize": _tokenize,
}


def _manifest(corpus, judged, flow, stages, parts) -> dict[str, Any]:
    read, quarantined = corpus.height + 3, 3
    kept = flow[-1]["kept"] if flow else corpus.height
    removed = {}
    for step in flow:
        given = judged[step["stage"]]["reasons"].explode(empty_as_null=True).drop_nulls().value_counts()
        removed[step["stage"]] = {
            "documents": step["removed"],
            "reasons": dict(given.sort("reasons").iter_rows()),
        }
    tokens = (
        int(judged["tokenize"].filter(pl.col("reasons").list.len() == 0)["n_tokens"].sum())
        if "tokenize" in judged
        else None
    )
    raw = int(corpus["raw_bytes"].sum() / 4.3)
    names = [f"corpus/{number}.jsonl.zst" for number in range(len(_SOURCES))]
    return {
        "schema_version": 2,
        "run_id": "2026-11-24T00-00-00-7f3a",
        "curate": "0.1.0",
        "command": "curate run corpus/ -o curated",
        "config": {
            "input": {"text": "text", "source": "meta.site"},
            "language": {"keep": ["en"], "min_score": 0.65, "backend": "fasttext"},
            "near_dup": {"similarity": 0.8},
            "quality": {"recipe": "gopher", "min_words": 50, "max_symbol_ratio": 0.1},
            "tokenize": {"tokenizer": "gpt2"},
            "run": {"engine": "local", "workers": 0, "memory": "75%", "seed": 42},
        },
        "inputs": [
            {
                "name": name,
                "format": "jsonl.zst",
                "bytes": 9_400_000 + index,
                "fingerprint": f"{index:02d}" + "b4c9e1" * 5,
                "documents": corpus.height // 5,
                "quarantined": 3 if index == 1 else 0,
                "text_field": "text",
                "guessed": ["text", "source"],
                "empty": index == 4,
            }
            for index, name in enumerate(names)
        ],
        "skipped": [{"path": "corpus/notes.docx", "why": "no reader for this kind of file"}],
        "stages": [
            {
                "name": stage,
                "version": 1,
                "about": _ABOUT[stage],
                "reasons": [{"code": code, "sentence": sentence} for code, sentence in REASONS[stage]],
                **({"rules": RULES[stage]} if stage in RULES else {}),
            }
            for stage in stages
        ],
        "passes": [stages[:3], stages[3:]],
        "plan": {
            "near_dup": {
                "bands": 14,
                "rows": 8,
                "similarity": 0.8,
                "curve": [[s / 40, 1 - (1 - (s / 40) ** 8) ** 14] for s in range(41)],
            }
        }
        if "near_dup" in stages
        else {},
        "parts": [
            {
                "name": part_name(index),
                "documents": corpus.height // parts,
                "fingerprint": f"{index:02d}" + "5f0c0d" * 5,
                "raw_bytes": 10**6,
                "files": 1,
                "quarantined": 0,
            }
            for index in range(parts)
        ],
        "counts": {"read": read, "quarantined": quarantined, "kept": kept, "removed": removed},
        "flow": flow,
        "tokens": {
            "kept": tokens,
            "tokenizer": "gpt2",
            "raw": {
                "value": raw,
                "low": int(raw * 0.985),
                "high": int(raw * 1.016),
                "method": "stratified sample",
                "sampled_documents": 4000,
                "confidence": 0.95,
            },
        }
        if tokens is not None
        else None,
        "shards": {
            "format": "parquet",
            "files": 6,
            "tokens": tokens,
            "documents": kept,
            "bytes": tokens * 2,
        }
        if tokens is not None
        else None,
        "timings": {
            "started": "2026-11-24T00:00:00Z",
            "wall_seconds": 401.2,
            "cpu_seconds": 2980.0,
            "documents_per_second": 2600.0,
            "bytes_per_second": 9_400_000.0,
            "peak_rss_bytes": 6_900_000_000,
            "resumed_parts": 1,
            "stages": {
                stage: {
                    "seconds": 40.0 * (index + 1),
                    "bytes": flow[index]["text_bytes_in"],
                    "documents": flow[index]["in"],
                }
                for index, stage in enumerate(stages)
            },
        },
        "machine": {
            "cpu": "AMD EPYC 7B13",
            "cores": 8,
            "memory_bytes": 16_000_000_000,
            "os": "Linux 6.1",
            "python": "3.11.7",
        },
        "versions": {"curate": "0.1.0", "polars": "2.1.0", "pyarrow": "26.0.1", "ftfy": "6.3.1"},
        "warnings": [],
        "gates": [
            {
                "name": "max_quarantined",
                "limit": 0.01,
                "value": quarantined / read,
                "passed": quarantined / read <= 0.01,
            },
            {"name": "min_kept", "limit": 0.2, "value": kept / read, "passed": kept / read >= 0.2},
        ],
    }
