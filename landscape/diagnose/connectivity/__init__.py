"""Paths of low loss between networks."""
