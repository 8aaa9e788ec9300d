"""CPU seconds of Dolma's taggers gopher_v1 and c4_v2, reading and imports outside the figures.

python dolma_quality_job.py DOCUMENTS.jsonl
"""

import json
import sys
import time
from pathlib import Path

from dolma.core.data_types import Document
from dolma.taggers.c4 import FasterC4Tagger
from dolma.taggers.gopher import GopherTagger


def main() -> None:
    documents = [
        Document(source="", id="", text=json.loads(line)["text"]) for line in Path(sys.argv[1]).read_text().splitlines()
    ]
    found = {}
    for name, tagger in (("gopher_v1", GopherTagger()), ("c4_v2", FasterC4Tagger())):
        started = time.process_time()
        for document in documents:
            tagger.predict(document)
        found[name] = time.process_time() - started
    print(json.dumps(found))


if __name__ == "__main__":
    main()
