"""Whether a run's loss rose after its best and stayed there."""

from __future__ import annotations

from landscape.store.trajectories.trajectory import Trajectory


def stayed(trajectory: Trajectory, constant_loss: float) -> bool:
    """Whether L_end - L_best > 0.25 (L0 - L_best), with L0 the best constant output's loss.

    The end alone decides, however little was learned and however short the rise: a plane is wanted
    for any, and nothing is concluded from it.
    """
    from landscape.sgd.escapes import is_away

    losses = trajectory.measures["train_loss"]
    end, best = (float(losses[trajectory.row(name)]) for name in ("final", "best"))
    return is_away(end, best, constant_loss, learned=0)
