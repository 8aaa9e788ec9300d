"""From shards back to the documents of a run."""
