"""What is opened from a path: language models, classifiers and tokenizers."""
