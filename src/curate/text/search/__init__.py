"""Which texts of a collection, and which personal data, occur in a text."""
