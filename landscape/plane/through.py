"""Planes through three recorded weights, and lines through two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane.basis import DISTANCE, orthonormal, point
from landscape.plane.moving import Parameters, only_moving
from landscape.plane.named_weights import NamedWeights, Where, find_weights
from landscape.plane.rise import stayed
from landscape.store.scans.records import Anchor, Plane
from landscape.store.trajectories.trajectory import Trajectory

STANDS_OUT = 1.1
"""A peak is so many times the loss at the end; below that it is noise on a plateau."""


def through(
    trajectory: Trajectory,
    first: Where,
    second: Where,
    third: Where,
    *,
    parameters: Parameters | None = None,
) -> Plane:
    """The plane through three weights, such as ``through(trajectory, "best", 450, "final")``.

    Its origin is the first; the second lies on the x axis, the third above it (y > 0). Both
    directions have length 1: coordinates are distances in weight space. Weights of other runs of
    the same model are named ``RUN@STEP``. Where ``parameters`` says that some tensors don't move,
    these stay the first's, and the other two are where their moving tensors are.

    Raises:
        LandscapeError: no such weights, or the three lie on one line.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> plane = through(recorded, 0, 16, "final")
    >>> [(one.name, one.step) for one in plane.points]
    [('step 0', 0), ('step 16', 16), ('final', 40)]
    >>> abs(plane.cosine) < 1e-6  # at right angles, each of length 1
    True
    """
    return _through(
        [find_weights(trajectory, where) for where in (first, second, third)],
        "through",
        parameters,
    )


def line_through(
    trajectory: Trajectory,
    first: Where,
    second: Where,
    *,
    parameters: Parameters | None = None,
) -> Plane:
    """The line from one weight (at 0) through another (at their distance), of unit length.

    ``parameters`` is `through`'s.

    Raises:
        LandscapeError: no such weights, or the two coincide.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> line = line_through(recorded, 0, "final")
    >>> first, last = (recorded.row_weights(recorded.row(where)) for where in (0, "final"))
    >>> apart = np.linalg.norm(last - first)
    >>> bool(abs(line.points[1].xy[0] - apart) < 1e-6)
    True
    """
    places = [find_weights(trajectory, where) for where in (first, second)]
    return _through(places, "line", parameters)


def event(
    trajectory: Trajectory, *, constant_loss: float, parameters: Parameters | None = None
) -> Plane:
    """The plane through the best weights, the highest loss after them, and a run's end.

    For a run that escaped, or whose loss rose and stayed: L_end - L_best > 0.25 (L0 - L_best),
    where L0 = ``constant_loss`` is the best constant output's, or NaN. The peak is the row with the
    highest finite full-data loss that was recorded during the escape, or, where none is recorded
    of that, between the two; where nothing stands 10 % above the end's, the row that first came
    within 10 % of it, which is called arrival.

    Raises:
        LandscapeError: the loss at the end isn't that high, or nothing was recorded in between.

    >>> from landscape.errors import LandscapeError
    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory
    >>> try:
    ...     event(recorded, constant_loss=0.693)
    ... except LandscapeError as error:
    ...     print(error)
    plane event needs a run whose loss rose and stayed, this one ends at ... with ... at best; ...
    """
    best, end = trajectory.row("best"), trajectory.row("final")
    losses = trajectory.measures["train_loss"]
    if not stayed(trajectory, constant_loss):
        raise LandscapeError(
            f"plane event needs a run whose loss rose and stayed, this one ends at "
            f"{losses[end]:.3g} with {losses[best]:.3g} at best; take plane drift or along"
        )
    between, name = _between(trajectory, best, end)
    found = [
        replace(find_weights(trajectory, where), name=name)
        for where, name in (
            ("best", "best"),
            (int(trajectory.step[between]), name),
            ("final", "end"),
        )
    ]
    return _through(found, "event", parameters)


def _between(trajectory: Trajectory, best: int, end: int) -> tuple[int, str]:
    """Row and name of the weights between best and end: ``peak``, or ``arrival`` without one."""
    rows = np.arange(best + 1, end)
    losses = trajectory.measures["train_loss"]
    rows = rows[np.isfinite(losses[rows])]
    if len(rows) == 0:
        raise LandscapeError(
            f"plane event needs a recorded loss between the best weights "
            f"(step {trajectory.step[best]}) and the end (step {trajectory.step[end]}), found "
            "none; take plane along"
        )
    steps = trajectory.step[rows]
    for escape in (one for one in reversed(trajectory.events) if one.name == "escape"):
        during = rows[(steps >= escape.first) & (steps <= escape.last)]
        if len(during):
            rows = during
            break
    highest = int(rows[losses[rows].argmax()])
    if losses[highest] > STANDS_OUT * losses[end]:
        return highest, "peak"
    arrived = rows[losses[rows] >= losses[end] / STANDS_OUT]
    return (int(arrived[0]), "arrival") if len(arrived) else (highest, "peak")


def _through(places: list[NamedWeights], kind: str, parameters: Parameters | None) -> Plane:
    origin, *others = places
    start = origin.weights.astype(np.float64)
    names = [_words(place) for place in places]
    labels = [f"{names[0]} → {names[1]}"]
    if len(others) > 1:
        labels.append(f"towards {names[2]}, at a right angle to x")
    differences = [other.weights.astype(np.float64) - start for other in others]
    if parameters is not None:
        differences = [only_moving(difference, parameters) for difference in differences]
    directions = orthonormal(
        differences,
        what=f"the weights {', '.join(place.name for place in places)}",
    )
    plane = Plane(
        kind=kind,
        origin=origin.weights,
        directions=directions.astype(np.float32),
        labels=tuple(labels),
        unit=DISTANCE,
        buffers=origin.buffers,
        normalization="none",
        ignored="none",
        origin_step=origin.step,
        origin_name=origin.name,
        batchnorm="recompute",
    )
    points = [
        point(plane, name, place.step, place.weights)
        for name, place in zip(names, places, strict=True)
    ]
    anchors = [Anchor(p.xy, place.buffers) for p, place in zip(points, places, strict=True)]
    return replace(plane, points=tuple(points), anchors=tuple(anchors))


def _words(place: NamedWeights) -> str:
    return f"step {place.step:,}" if place.name.isdigit() else place.name
