"""Pages that answer: what became of a run, of a sweep's runs, or of several side by side.

Everything on them is from files that are there; nothing is measured here.
"""

__all__ = ["comparison", "comparison_page", "document", "run_page", "sweep_page"]
