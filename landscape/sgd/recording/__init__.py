"""What of a training is recorded, when, and within which limits."""
