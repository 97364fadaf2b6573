"""Figures in the plane, a file a kind."""
