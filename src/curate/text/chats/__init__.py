"""Conversations: which fields hold one, its turns, and how they live beside a text that stages can read."""
