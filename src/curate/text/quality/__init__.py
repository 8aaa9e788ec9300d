"""Signals of documents, lines and characters, and words as rules count them."""
