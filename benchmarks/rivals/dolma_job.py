"""dolma's nearest equivalent: Gopher and C4 taggers, exact duplicates (it finds no near ones), mix, tokens.

    python dolma_job.py SHARDS OUT TOKENIZER

Its thresholds are those of Dolma 1.5's mix, without the rule on repeated lines: dolma counts blank lines as repeated.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import yaml

GOPHER = "@.gopher_v1__gopher_v1__"
EXCLUDE = [
    f"$.attributes[?({GOPHER}word_count && {GOPHER}word_count[0] && {GOPHER}word_count[0][2] {limit})]"
    for limit in ("< 50", "> 100000")
] + [
    f"$.attributes[?({GOPHER}{name} && {GOPHER}{name}[0] && {GOPHER}{name}[0][2] {limit})]"
    for name, limit in (
        ("median_word_length", "< 3"),
        ("median_word_length", "> 10"),
        ("symbol_to_word_ratio", "> 0.1"),
        ("fraction_of_words_with_alpha_character", "< 0.8"),
        ("required_word_count", "< 2"),
        ("fraction_of_lines_starting_with_bullet_point", "> 0.9"),
        ("fraction_of_lines_ending_with_ellipsis", "> 0.3"),
        ("fraction_of_characters_in_most_common_2grams", "> 0.2"),
        ("fraction_of_characters_in_most_common_3grams", "> 0.18"),
        ("fraction_of_characters_in_most_common_4grams", "> 0.16"),
    )
]
EXCLUDE.append("$.attributes[?(@.dup_doc && @.dup_doc[0])]")


def main() -> None:
    shards, out, tokenizer = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    (out / "documents").mkdir(parents=True)
    for shard in sorted(shards.glob("*.gz")):
        (out / "documents" / shard.name).symlink_to(shard.resolve())
    documents = f"{out}/documents/*.gz"
    mix = {
        "streams": [
            {
                "name": "all",
                "documents": [documents],
                "attributes": ["gopher_v1", "c4_v2", "dupdoc"],
                "output": {"path": f"{out}/mixed", "max_size_in_bytes": 10**9, "discard_fields": ["attributes"]},
                "filter": {"include": [], "exclude": EXCLUDE},
            }
        ],
        "processes": 1,
    }
    (out / "mix.yaml").write_text(yaml.safe_dump(mix))
    dolma("tag", "--documents", documents, "--taggers", "gopher_v1", "c4_v2", "--processes", "1")
    dolma(
        *("dedupe", "--documents", documents, "--dedupe.name", "dupdoc", "--dedupe.skip_empty"),
        *("--dedupe.documents.attribute_name", "dup_doc", "--dedupe.documents.key", "$.text"),
        *("--bloom_filter.file", f"{out}/bloom.bin", "--no-bloom_filter.read_only", "--processes", "1"),
        *("--bloom_filter.estimated_doc_count", "100000", "--bloom_filter.desired_false_positive_rate", "0.0001"),
    )
    dolma("-c", f"{out}/mix.yaml", "mix")
    dolma(
        *("tokens", "--documents", f"{out}/mixed/*.gz", "--destination", f"{out}/tokens", "--processes", "1"),
        *("--tokenizer.name_or_path", tokenizer, "--tokenizer.eos_token_id", "0", "--tokenizer.pad_token_id", "0"),
    )
    counts = {
        "read": lines(shards),
        "kept": lines(out / "mixed"),
        "tokens": sum(file.stat().st_size for file in (out / "tokens").glob("*.npy")) // 2,
    }
    (out / "counts.json").write_text(json.dumps(counts))


def dolma(*words: str) -> None:
    subprocess.run([Path(sys.executable).with_name("dolma"), *words], check=True)


def lines(folder: Path) -> int:
    return sum(1 for file in folder.glob("*.gz") for _ in gzip.open(file))


if __name__ == "__main__":
    main()
