"""The loss at the points of a grid on a plane."""

from landscape.scan.evaluator import PointEvaluator
from landscape.scan.scanning import empty, fill, marks, trace
from landscape.scan.whole import grid

__all__ = ["PointEvaluator", "empty", "fill", "grid", "marks", "trace"]
