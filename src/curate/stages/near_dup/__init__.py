"""``near_dup``: one copy of every document, and proof for each one removed.

1. *Observe* every batch: content hash, length, number of shingles, MinHash band keys (`stage`).
2. *Exact*: documents with the same content hash form a group; the first stands for it (`exact`).
3. *Candidates*: groups that share a band bucket, gathered into connected components (`candidates`).
4. *Survivors*: within each component, documents are taken longest first; one is removed if, and only if, a
   document kept before it reaches ``similarity`` by exact Jaccard (`survivors`). Components never decide
   anything, so chains of resemblance remove nothing.
5. *Judgments*: one row for each document, naming its survivor (`judgments`).
"""

from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.near_dup.stage import NearDup

__all__ = ["NearDup", "NearDupSettings"]
