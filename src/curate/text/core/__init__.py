"""What all kernels stand on: Arrow buffers, bits, hashes, words, spans of bytes."""
