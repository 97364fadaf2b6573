"""The built-in data: by name in `table`, each read from its files."""

from landscape.problem.datasets.builtin import DATASETS, check_name, load

__all__ = ["DATASETS", "check_name", "load"]
