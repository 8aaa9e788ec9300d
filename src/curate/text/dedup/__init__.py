"""Near-duplicates: shingles, MinHash, bands, exact Jaccard, which copies survive."""
