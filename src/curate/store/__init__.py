"""The run directory: what is in it, what is finished, how files get there whole."""
