"""One diagnosis from its options to its verdict: what is measured, kept, and what it costs."""
