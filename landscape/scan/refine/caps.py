"""Up to which loss a scan to a tolerance is exact: above, only that a loss lies above counts."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from landscape.errors import LandscapeError
from landscape.store.scans.attributes import LOSSES
from landscape.store.trajectories.trajectory import Trajectory

AUTO, NONE = "auto", "none"
KEY = "caps"
"""Among a scan's settings: the cap of each loss."""


def check(asked: str) -> None:
    """Refuse a cap that can't be.

    Raises:
        LandscapeError: it is neither auto nor none nor a positive number.
    """
    if asked in (AUTO, NONE):
        return
    try:
        number = float(asked)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise LandscapeError(
            f"cap must be auto (twice the loss of ignoring the input), none or a number above 0, "
            f"got {asked}"
        )


def caps(
    asked: str, names: Iterable[str], constant_loss: float, trajectory: Trajectory | None
) -> dict[str, float]:
    """The cap of each loss among the measures' ``names``; one that has none isn't in it.

    ``auto``: twice the best constant output's training loss, which figures end at too. Where
    nobody knows that, the lowest recorded loss and twice what lies between it and the first.
    """
    losses = [name for name in names if name in LOSSES]
    if asked == NONE:
        return {}
    if asked != AUTO:
        return dict.fromkeys(losses, float(asked))
    if math.isfinite(constant_loss):
        return dict.fromkeys(losses, 2 * constant_loss) if constant_loss > 0 else {}
    recorded = {} if trajectory is None else trajectory.measures
    found = {name: _from_start(recorded[name]) for name in losses if name in recorded}
    return {name: cap for name, cap in found.items() if 0 < cap < math.inf}


def _from_start(losses: np.ndarray) -> float:
    """The lowest loss and twice the way from there to the first; NaN where it isn't known."""
    finite = losses[np.isfinite(losses)]
    if not len(finite) or not np.isfinite(losses[0]) or losses[0] <= finite.min():
        return math.nan
    lowest = float(finite.min())
    return lowest + 2 * (float(losses[0]) - lowest)
