"""Ways to get the outputs of many points of a plane, by name."""

from landscape.scan.speed.strategies.base import Strategy, UnsuitableError
from landscape.scan.speed.strategies.table import (
    ASKED,
    AUTO,
    STRATEGIES,
    at_once,
    fitting,
    make,
)

__all__ = [
    "ASKED",
    "AUTO",
    "STRATEGIES",
    "Strategy",
    "UnsuitableError",
    "at_once",
    "fitting",
    "make",
]
