"""Record what datatrove decides of texts of sample_data in tests/cases/datatrove.jsonl.

python -m benchmarks rivals datatrove
python scripts/record_decisions.py
"""

import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks import environments
from benchmarks.fineweb2 import configuration
from benchmarks.sample_texts import sample_texts

CASES = Path(__file__).parent.parent / "tests" / "cases" / "datatrove.jsonl"


def main() -> None:
    python = environments.python("datatrove")
    if python is None:
        raise SystemExit("datatrove is not installed: python -m benchmarks rivals datatrove")
    texts = list(sample_texts())
    with tempfile.TemporaryDirectory() as folder:
        documents, out = Path(folder) / "documents.jsonl", Path(folder) / "out.jsonl"
        documents.write_text(
            "".join(
                json.dumps(
                    {"text": one.text} | ({} if one.language == "en" else {"fineweb2": configuration(one.language)})
                )
                + "\n"
                for one in texts
            )
        )
        job = environments.REQUIREMENTS / "datatrove_decisions_job.py"
        subprocess.run([python, job, documents, out], check=True)
        found = out.read_text().splitlines()
    CASES.write_text(
        "".join(
            json.dumps({"name": one.name, "language": one.language, **json.loads(said)}, ensure_ascii=False) + "\n"
            for one, said in zip(texts, found, strict=True)
        )
    )


if __name__ == "__main__":
    main()
