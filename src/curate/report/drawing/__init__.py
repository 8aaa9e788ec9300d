"""Charts: specifications, drawings, and the process that draws."""
