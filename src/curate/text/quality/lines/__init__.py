"""Lines: what is known of each, which are cut, and which are code, mathematics or verse and stay."""
