"""Object stores: buckets, credentials, who may write, and paths in them that are used like those of a disk."""
