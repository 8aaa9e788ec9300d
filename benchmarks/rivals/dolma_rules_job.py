"""What dolma's taggers measure.

    python dolma_rules_job.py DOCUMENTS.jsonl OUT.jsonl

For each document the values of gopher_v1 and gopher_v2, and the spans of c4_v2 with begin and end in code points.
"""

import json
import sys
from pathlib import Path

from dolma.core.data_types import Document
from dolma.taggers.c4 import FasterC4Tagger
from dolma.taggers.gopher import GopherTagger, GopherTaggerV2

GOPHER = {"gopher_v1": GopherTagger(), "gopher_v2": GopherTaggerV2()}
C4 = FasterC4Tagger()


def main() -> None:
    documents, out = sys.argv[1:]
    with Path(documents).open() as lines, Path(out).open("w") as written:
        for line in lines:
            document = Document(source="", id="", text=json.loads(line)["text"])
            found = {name: {s.type: s.score for s in one.predict(document).spans} for name, one in GOPHER.items()}
            found["c4_v2"] = [(s.type, s.start, s.end) for s in C4.predict(document).spans]
            written.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
