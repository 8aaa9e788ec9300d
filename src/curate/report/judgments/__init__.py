"""What the stages of a run wrote, read once for every question the report asks of it."""
