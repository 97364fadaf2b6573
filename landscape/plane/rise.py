"""Whether a run's loss rose after its best and stayed there."""

from __future__ import annotations

import math

import numpy as np

from landscape.store.trajectories.trajectory import Trajectory


def stayed(trajectory: Trajectory, constant_loss: float) -> bool:
    """Whether the run escaped, or L_end - L_best > 0.25 (L0 - L_best).

    L0 is the best constant output's loss; where none is known (NaN), the first recorded one, as of
    an escape. Where no escape was named the end alone decides, however little was learned and
    however short the rise: a plane is wanted for any, and nothing is concluded from it.
    """
    from landscape.sgd.escapes import is_away

    if any(event.name == "escape" for event in trajectory.events):
        return True
    losses = trajectory.measures["train_loss"]
    end, best = (float(losses[trajectory.row(name)]) for name in ("final", "best"))
    if math.isnan(constant_loss):
        constant_loss = float(next(iter(losses[np.isfinite(losses)]), np.nan))
    return is_away(end, best, constant_loss, learned=0)
