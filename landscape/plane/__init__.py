"""Directions in weight space, planes through them, and the path on a plane."""

from landscape.plane.along import along
from landscape.plane.axis_units import scaled
from landscape.plane.curved import gradient, hessian
from landscape.plane.extent import axes
from landscape.plane.from_files import imported
from landscape.plane.pca import pca
from landscape.plane.projection import Projection, project
from landscape.plane.random import line, random
from landscape.plane.through import event, line_through, through

__all__ = [
    "Projection",
    "along",
    "axes",
    "event",
    "gradient",
    "hessian",
    "imported",
    "line",
    "line_through",
    "pca",
    "project",
    "random",
    "scaled",
    "through",
]
