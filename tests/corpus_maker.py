"""Small corpora for tests: prose, languages, duplicates, dirt and broken input, the same bytes every time."""

import gzip
import json
import random
from pathlib import Path

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "that",
    "it",
    "is",
    "was",
    "for",
    "on",
    "are",
    "with",
    "as",
    "his",
    "they",
    "be",
    "at",
    "one",
    "have",
    "this",
    "from",
    "or",
    "had",
    "by",
    "hot",
    "but",
    "some",
    "what",
    "there",
    "we",
    "can",
    "out",
    "other",
    "were",
    "all",
    "your",
    "when",
    "up",
    "use",
    "word",
    "how",
    "said",
    "an",
    "each",
    "she",
    "which",
    "do",
    "their",
    "time",
    "if",
    "will",
    "way",
    "about",
    "many",
    "then",
    "them",
    "would",
    "write",
    "like",
    "so",
    "these",
    "her",
    "long",
    "make",
    "thing",
    "see",
    "him",
    "two",
    "has",
    "look",
    "more",
    "day",
    "could",
    "go",
    "come",
    "did",
    "my",
    "sound",
    "no",
    "most",
    "number",
    "who",
    "over",
    "know",
    "water",
    "than",
    "call",
    "first",
    "people",
    "may",
    "down",
    "side",
    "been",
    "now",
    "find",
    "any",
    "new",
    "work",
    "part",
    "take",
]


TEXT_FILES = 6
"""Each is a part of its own, and a run takes a tenth of a second for a part."""


def prose(seed: int, words: int = 160) -> str:
    """English-like text that passes every rule."""
    draw = random.Random(seed)
    sentences = []
    while words > 0:
        n = draw.randint(8, 16)
        sentences.append(" ".join(draw.choices(WORDS, k=n)).capitalize() + ".")
        words -= n
    return "\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))


def make_corpus(folder: Path, documents: int = 120) -> Path:
    """A folder with JSONL, gzip, text and broken lines; about a quarter of it are copies."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = []
    for i in range(documents):
        text = prose(i)
        if i % 7 == 3:
            text = prose(i - 3)  # exact copy
        elif i % 7 == 5:
            text = prose(i - 5) + " And then they said no more."  # near copy
        elif i % 11 == 4:
            text = "Le chat est sur la table et le chien dort dans la maison pendant que nous mangeons. " * 4
        elif i % 13 == 6:
            text = "too short"
        elif i % 17 == 8:
            text = text.replace("the", "thÃ©").replace("\n", "\r\n")
        texts.append(text)
    third = documents // 3
    rows = [{"id": f"doc-{i % 50}", "text": text, "source": f"s{i % 3}", "n": i} for i, text in enumerate(texts)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    lines[2:2] = ['{"text": "broken', "[1, 2]", '{"id": 1}', '{"text": 5}', ""]
    (folder / "a.jsonl").write_bytes("\n".join(lines[:third]).encode() + b'\n{"text": "\xff"}\n')
    (folder / "b.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[third : 2 * third]).encode(), mtime=0))
    (folder / "sub").mkdir(exist_ok=True)
    for i, text in enumerate(texts[2 * third :][:TEXT_FILES]):
        (folder / "sub" / f"{i:03}.txt").write_text(text, encoding="utf-8", newline="")
    rest = [json.dumps(row, ensure_ascii=False) for row in rows[2 * third + TEXT_FILES :]]
    (folder / "sub" / "rest.jsonl").write_text("\n".join(rest), encoding="utf-8")
    (folder / "empty.jsonl").write_bytes(b"")
    return folder
