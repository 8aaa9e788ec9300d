"""Kept or removed documents as files of their own."""
