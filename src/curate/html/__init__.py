"""HTML: which documents are pages, and what reads them, in processes of its own."""
