"""Many points, fast: evaluators, strategies, and the choice between them."""
