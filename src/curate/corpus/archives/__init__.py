"""Archives, and their members as files of the corpus."""
