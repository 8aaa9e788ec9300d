"""Before a run: its settings, its plan, what it would take, and whether machines are ready."""
