"""A scan: its records, its file, and what is said of it."""
