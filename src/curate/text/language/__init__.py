"""Text as language models were trained to see it, and names of languages."""
