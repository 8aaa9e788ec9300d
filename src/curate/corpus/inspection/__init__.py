"""A look at every file before the run: its fields, and which of them is the text."""
