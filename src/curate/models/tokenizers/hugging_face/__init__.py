"""Vocabularies of a Hugging Face ``tokenizer.json``: the file, its steps, its model, and the library that reads it."""
