"""Directions in weight space, planes through them, and the path on a plane."""

from landscape.plane.along import along
from landscape.plane.extent import axes
from landscape.plane.projection import Projection, project
from landscape.plane.random import line, random

__all__ = ["Projection", "along", "axes", "line", "project", "random"]
