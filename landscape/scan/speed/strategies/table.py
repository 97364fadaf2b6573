"""The strategies there are, and how one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from landscape.errors import LandscapeError
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.strategies.base import Sequential, Strategy, UnsuitableError
from landscape.scan.speed.strategies.batched import Batched
from landscape.scan.speed.strategies.rewritten import Blocked, Folded, Fused
from landscape.scan.speed.strategies.shared import Shared, SharedBatched

STRATEGIES: Mapping[str, Callable[[PointEvaluator], Strategy]] = {
    "sequential": Sequential,
    "batched": Batched,
    "shared": Shared,
    "shared+batched": SharedBatched,
    "folded": Folded,
    "folded+blocked": Blocked,
    "folded+fused": Fused,
}
"""By the name that a scan stores."""
AUTO = Evaluation.strategy
ASKED = (AUTO, "sequential", "batched", "shared", "folded")
"""What ``--strategy`` takes; of those that a name fits, the fastest."""


def fitting(asked: str) -> list[str]:
    """The strategies that a choice leaves.

    Raises:
        LandscapeError: there is no such choice.

    >>> fitting("shared")
    ['shared', 'shared+batched']
    """
    if asked not in ASKED:
        raise LandscapeError(f"strategy must be one of {', '.join(ASKED)}, got {asked}")
    if asked == AUTO:
        return list(STRATEGIES)
    if asked == "batched":
        return ["batched"]
    return [name for name in STRATEGIES if name.split("+")[0] == asked]


def at_once(name: str) -> bool:
    """Whether a strategy takes several points at once, and so the weights of all of them.

    >>> [name for name in STRATEGIES if at_once(name)]
    ['batched', 'shared+batched']
    """
    return bool(getattr(STRATEGIES.get(name), "at_once", False))


def make(name: str, evaluator: PointEvaluator) -> Strategy:
    """A strategy for an evaluator's model, which is at the origin afterwards.

    Raises:
        UnsuitableError: it can't do this model, or there is no such strategy (any more).

    >>> from landscape.plane import line
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import builtin
    >>> moons = builtin("mlp", "moons", depth=1, width=4)
    >>> evaluator = PointEvaluator(moons, line(StillWeights.of(moons)))

    >>> make("batched", evaluator).at_once
    True
    """
    if name not in STRATEGIES:
        raise UnsuitableError(f"strategies are {', '.join(STRATEGIES)}")
    return STRATEGIES[name](evaluator)
