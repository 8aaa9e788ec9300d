"""Where the work runs. `base` is all that the rest of the house knows of it."""
