"""What of a run somebody should look at."""
