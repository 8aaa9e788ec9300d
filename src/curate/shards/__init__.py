"""Token shards: cut, write, read, verify.

A folder of shards stands on its own: ``index.json`` names every file with its checksum, says how to decode the
ids, and leads every span of tokens back to its document.

::

    shards/
      index.json               what is here, see `ShardIndex`
      shard-00000.parquet      rows of id, input_ids                         format = "parquet"
      shard-00000.bin          ids back to back, uint16 or uint32            format = "bin"
      shard-00000.index.parquet   rows of id, offset, n_tokens
      tokenizer.json           a copy of the user's own tokenizer file, where there is one
"""
