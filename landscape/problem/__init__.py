"""What is minimised: a model, its data and its loss."""

from landscape.problem.baseline import constant_loss
from landscape.problem.evaluate import Evaluator, Measures
from landscape.problem.load import builtin, load
from landscape.problem.losses import accuracy, cross_entropy, half_square
from landscape.problem.problem import Problem, Source, vary
from landscape.problem.weights import Layout, flat

__all__ = [
    "Evaluator",
    "Layout",
    "Measures",
    "Problem",
    "Source",
    "accuracy",
    "builtin",
    "constant_loss",
    "cross_entropy",
    "flat",
    "half_square",
    "load",
    "vary",
]
