"""A model's graph rewritten for evaluation."""
