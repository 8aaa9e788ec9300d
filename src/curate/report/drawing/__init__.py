"""Charts: plots of axes and shapes, what each chart draws, and what it says."""
