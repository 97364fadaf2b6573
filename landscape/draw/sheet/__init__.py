"""A page and what stands on it: legend, footer, names moved aside."""
