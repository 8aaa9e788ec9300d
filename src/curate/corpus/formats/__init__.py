"""Formats of input, one a file."""
