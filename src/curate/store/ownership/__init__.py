"""Whose a folder is: what a run may write to, what a user may, and what of curate lies there already."""
