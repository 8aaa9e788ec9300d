"""One sentence through one stage: shows that its model, vocabulary and kernels are there and work."""

import pyarrow as pa

from curate.corpus.documents import SCHEMA
from curate.pipeline.first_compile import work_once
from curate.stages.contract import Stage

SENTENCE = "The quick brown fox jumps over the lazy dog, and that is all there is to it."


def try_stage(kind: type[Stage]) -> None:
    """Run a stage with its default settings on `SENTENCE`; raises whatever is wrong with it."""
    stage = kind(kind.settings_type())  # type: ignore[call-arg]
    origin = {"file": "trial.txt", "position": 1}
    row = {"id": "trial", "text": SENTENCE, "source": "trial", "origin": origin, "raw_bytes": len(SENTENCE)}
    batch = pa.RecordBatch.from_pylist([row], schema=SCHEMA)
    work_once(stage, batch)
