"""Processes: how children are started, and how signals end the command."""
