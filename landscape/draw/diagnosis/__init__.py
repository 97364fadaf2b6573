"""Figures of what `landscape diagnose` measured: a file for each kind."""
