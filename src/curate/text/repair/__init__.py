"""Mojibake, entities and white space: where ftfy can act, and what it does there."""
