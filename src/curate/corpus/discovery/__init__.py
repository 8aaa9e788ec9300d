"""From the paths that a user typed to the files that are read, and those that are skipped, each with its reason."""
