"""What formats write and read with: files of ids, masks, samples, and their checksums."""
