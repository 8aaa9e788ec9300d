"""From kept documents to token shards: order, mixture, places, tokens."""
