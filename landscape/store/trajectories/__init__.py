"""A run's trajectory on the disk: written as shards, read as one."""
