"""Pages that answer: what became of a run, of a sweep's runs, or of several side by side.

Everything on them is from files that are there; nothing is measured here.
"""
