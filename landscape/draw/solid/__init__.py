"""Surfaces in three dimensions, stills and films."""
