"""Sections of ``curate.toml``: what they are made of, read from and checked by."""
