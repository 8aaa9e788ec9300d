"""The local browser of a run: `index` finds documents, `pages` draws them, `app` serves them to this machine alone."""
