"""Whether a run's loss rose after its best and stayed there."""

from __future__ import annotations

from landscape.store.trajectory import Trajectory

RISE = 0.25
"""Share of (L0 - L_best) by which the end must lie above the best to be called a rise."""


def stayed(trajectory: Trajectory, constant_loss: float) -> bool:
    """Whether L_end - L_best > 0.25 (L0 - L_best), with L0 the best constant output's loss."""
    losses = trajectory.measures["train_loss"]
    end, best = trajectory.row("final"), trajectory.row("best")
    return bool(losses[end] - losses[best] > RISE * (constant_loss - losses[best]) > 0)
