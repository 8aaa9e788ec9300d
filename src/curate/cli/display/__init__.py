"""What verbs print: consoles, faces of the event stream, numbers."""
