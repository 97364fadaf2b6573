"""Fewer points: measured where interpolation is worst, until a test passes."""
