"""The loss at the points of a grid on a plane."""

from landscape.scan.filling import empty, fill
from landscape.scan.paths import Track, marks, trace
from landscape.scan.prepare import grid
from landscape.scan.speed.evaluator import PointEvaluator

__all__ = ["PointEvaluator", "Track", "empty", "fill", "grid", "marks", "trace"]
