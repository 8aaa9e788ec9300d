"""Token shards: cut, write, read, verify.

A folder of shards stands on its own: ``index.json`` names every file with its SHA-256, says how to decode the
ids, and leads every span of tokens back to its document.

::

    shards/
      index.json               what is here, see `ShardIndex`
      shard-00000.parquet      rows of id, input_ids                         format = "parquet"
      shard-00000.bin          ids back to back, uint16 or uint32            format = "bin"
      shard-00000.index.parquet   rows of id, offset, n_tokens
      tokenizer.json           a copy of the user's own tokenizer file, where there is one
"""

from curate.shards.cutting import Cutter, cut
from curate.shards.index import At, ShardEntry, ShardIndex, read_index, write_index
from curate.shards.peek import Peek, peek
from curate.shards.reader import DamagedShard, Document, read_shards
from curate.shards.settings import ShardSettings
from curate.shards.verify import Problem, VerifyReport, verify
from curate.shards.writer import existing_shard, write_shard

__all__ = [
    "At",
    "Cutter",
    "DamagedShard",
    "Document",
    "Peek",
    "Problem",
    "ShardEntry",
    "ShardIndex",
    "ShardSettings",
    "VerifyReport",
    "cut",
    "existing_shard",
    "peek",
    "read_index",
    "read_shards",
    "verify",
    "write_index",
    "write_shard",
]
