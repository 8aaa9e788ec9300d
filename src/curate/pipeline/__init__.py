"""What a run does: plan, passes over parts, steps, the whole corpus, shards, and the outcome."""
