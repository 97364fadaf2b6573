"""A plane that holds the run's own movement on one axis."""

from __future__ import annotations

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.basis import DISTANCE, forward
from landscape.plane.choice import AT, PlaneChoice
from landscape.plane.moving import Parameters, mask, only_moving
from landscape.plane.normalization import ZERO, draws, normalized
from landscape.plane.principal import components
from landscape.plane.rise import stayed
from landscape.quantities import percent
from landscape.store.scans.records import Floats, Plane
from landscape.store.trajectories.trajectory import Trajectory


def along(
    trajectory: Trajectory,
    *,
    constant_loss: float,
    at: str | int = AT,
    seed: int = PlaneChoice.seed,
    normalize: str = PlaneChoice.normalize,
    include_1d: bool = PlaneChoice.include_1d,
    parameters: Parameters | None = None,
) -> Plane:
    """The plane through w_at along the run's movement and a random direction orthogonal to it.

    The movement is w_end - w_best if the run escaped or the loss rose, L_end - L_best > 0.25
    (L0 - L_best), where L0 = ``constant_loss`` is the best constant output's, or NaN; else the
    first principal component of the recorded rows. Both directions have length 1: coordinates are
    distances in weight space. ``parameters`` is `random`'s.

    Raises:
        LandscapeError: the weights never moved.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> plane = along(recorded, constant_loss=0.693)
    >>> [round(norm, 6) for norm in plane.norms], abs(plane.cosine) < 1e-6
    ([1.0, 1.0], True)
    """
    row = trajectory.row(at)
    origin = trajectory.row_weights(row)
    tensors = trajectory.parameters if parameters is None else parameters
    movement, label = _movement(trajectory, constant_loss, tensors)
    draw = next(draws(trajectory.size, seed=seed))
    other = normalized(draw, origin, tensors, normalize=normalize, include_1d=include_1d)
    other -= (other @ movement) * movement
    length = np.linalg.norm(other)
    if length == 0:
        raise LandscapeError(ZERO)
    return Plane(
        kind="along",
        origin=origin,
        directions=np.stack([movement, other / length]).astype(np.float32),
        labels=(label, "random direction"),
        unit=DISTANCE,
        buffers=trajectory.buffers(row),
        seed=seed,
        normalization=normalize,
        ignored="none" if include_1d else "1-D",
        origin_step=int(trajectory.step[row]),
        origin_name=str(at),
        batchnorm="recompute",
    )


def _movement(
    trajectory: Trajectory, constant_loss: float, parameters: Parameters
) -> tuple[Floats, str]:
    end, best = trajectory.row("final"), trajectory.row("best")
    if stayed(trajectory, constant_loss):
        w_end, w_best = (trajectory.row_weights(r).astype(np.float64) for r in (end, best))
        movement = only_moving(w_end - w_best, parameters)
        if not movement.any():
            raise LandscapeError("plane along needs weights that moved, these never did")
        return movement / np.linalg.norm(movement), "best → end"
    directions, shares = components(trajectory, count=1, moves=mask(parameters))
    if len(directions) == 0:
        raise LandscapeError("plane along needs weights that moved, these never did")
    # An eigenvector's sign is arbitrary: let training go to the right.
    ends = trajectory.row_weights(end).astype(np.float64) - trajectory.row_weights(0)
    first = forward(directions[0], ends)
    return first, f"first principal component, {percent(shares[0])} of the path's variance"
