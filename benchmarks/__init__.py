"""Measures curate beside the machine's floor and other tools, on one corpus, with one recipe: see README.md here."""
