"""Runs' paths on a plane: projected, their losses measured, their marked points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from landscape.plane.projection import Projection, project
from landscape.problem.device import resolve
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.weights import load_buffers, tied
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.store.run import Run
from landscape.store.scans.records import Path, Plane, Point
from landscape.store.trajectories.trajectory import Trajectory

MOST_PATH_POINTS = 200
"""So many of a path's rows get their true loss and the loss at their projection."""


TrueLosses = dict[tuple[str, int, bool], float]
"""Training losses of weights that were recorded without: by the run's id, the step and whether
BatchNorm's statistics were estimated anew."""


@dataclass(frozen=True)
class Track:
    """A run's path on the plane, its losses there not measured yet.

    >>> from landscape.plane import pca
    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory

    >>> track = Track.on(pca(recorded), recorded, name="moons")
    >>> track.projection.xy.shape == (len(recorded.step), 2)
    True
    """

    name: str
    run_id: str
    trajectory: Trajectory
    projection: Projection
    known: TrueLosses = field(default_factory=dict)
    """What is measured of the weights themselves fills it, and isn't measured again: planes of the
    same problem share it."""

    @classmethod
    def on(
        cls,
        plane: Plane,
        trajectory: Trajectory,
        *,
        name: str,
        run_id: str = "",
        known: TrueLosses | None = None,
    ) -> Track:
        """The path of a trajectory on a plane."""
        projection = project(trajectory, plane)
        return cls(name, run_id, trajectory, projection, {} if known is None else known)


def trace_all(tracks: Sequence[Track], evaluator: PointEvaluator) -> Iterator[tuple[Path, ...]]:
    """Measure paths one after the other, yielding those there are after each row."""
    done: tuple[Path, ...] = ()
    for track in tracks:
        for path in trace(track, evaluator):
            yield (*done, path)
        done = (*done, path)


def trace(track: Track, evaluator: PointEvaluator) -> Iterator[Path]:
    """Measure the path's true and plane losses, yielding the path after each row measured.

    The arrays fill up as `fill`'s do. The last path has them at all rows, or at 200 spread
    evenly over them with start, best and end among them.

    >>> from landscape.plane import pca
    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory

    >>> plane = pca(recorded)
    >>> evaluator = PointEvaluator(setup.make_problem(), plane)
    >>> [*_, path] = trace(Track.on(plane, recorded, name="moons"), evaluator)
    >>> bool(np.isfinite(path.plane_loss).all()), path.true_loss.shape == recorded.step.shape
    (True, True)
    """
    trajectory, projection = track.trajectory, track.projection
    count = len(trajectory.step)
    path = Path(
        name=track.name,
        run_id=track.run_id,
        step=trajectory.step,
        xy=projection.xy,
        distance_from_plane=projection.distance_from_plane,
        true_loss=np.full(count, np.nan),
        plane_loss=np.full(count, np.nan),
        share_in_plane=projection.share_in_plane,
        chance=projection.chance,
        walk=projection.walk,
        arc=projection.arc,
        events=trajectory.events,
    )
    rows = measured_rows(trajectory)
    for number, row in enumerate(rows):
        if number % evaluator.block == 0:
            tile = rows[number : number + evaluator.block]
            path_losses = evaluator.train_losses_at(projection.xy[tile])
        path.plane_loss[row] = path_losses[number % evaluator.block]
        path.true_loss[row] = _true_loss(track, row, evaluator)
        yield path


def _true_loss(track: Track, row: int, evaluator: PointEvaluator) -> float:
    """The training loss of a row's own weights: recorded, measured on another plane, or new."""
    trajectory, as_recorded = track.trajectory, evaluator.true_loss_is_recorded
    recorded = float(trajectory.measures["train_loss"][row])
    if as_recorded and not np.isnan(recorded):
        decay = evaluator.decay is not None
        return recorded + (evaluator.penalty_of(trajectory.row_weights(row)) if decay else 0.0)
    key = (track.run_id, int(trajectory.step[row]), not as_recorded)
    if key not in track.known:
        decays = evaluator.decay is not None
        weights = trajectory.row_weights(row) if decays else trajectory.pieces(row)
        track.known[key] = evaluator.train_loss_of(weights, trajectory.buffers(row))
    return track.known[key]


def evaluated(
    run: Run, problem: Problem, known: TrueLosses, *, device: str = Evaluation.device
) -> Trajectory:
    """A run's trajectory with the training losses of rows that were recorded without.

    Of as many as its path gets; they are put into ``known``, so that the path doesn't measure them
    again. Rows that have a loss keep it.
    """
    trajectory = run.trajectory
    losses = trajectory.measures["train_loss"].copy()
    rows = [row for row in measured_rows(trajectory) if np.isnan(losses[row])]
    if not rows:
        return trajectory
    place = resolve(device)
    moved = tied(problem.model, place, layout=problem.layout)
    moved.model.eval()
    evaluator = Evaluator(problem, place)
    for row in rows:
        key = (run.id, int(trajectory.step[row]), False)
        if key not in known:
            moved.move(trajectory.pieces(row))
            load_buffers(moved.model, trajectory.buffers(row))
            known[key] = float(evaluator.on_train(moved.model).loss)
        losses[row] = known[key]
    return replace(trajectory, measures={**trajectory.measures, "train_loss": losses})


def measured_rows(trajectory: Trajectory) -> list[int]:
    """The at most 200 rows of a path that get losses: spread evenly, start, best and end in."""
    marked = {0, *(trajectory.row(name) for name in ("best", "final"))}
    room = MOST_PATH_POINTS - len(marked)
    count = len(trajectory.step)
    if count <= MOST_PATH_POINTS:
        return list(range(count))
    return sorted(marked | set(np.linspace(0, count - 1, room).round().astype(int).tolist()))


def marks(track: Track, path: Path) -> tuple[Point, ...]:
    """Start, best and end of a path as points of the plane.

    The best is that of all losses known now, those among them that training didn't evaluate.

    >>> from landscape.plane import pca
    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> recorded = begin("runs/moons", setup).finish().trajectory

    >>> plane = pca(recorded)
    >>> track = Track.on(plane, recorded, name="moons")
    >>> [*_, path] = trace(track, PointEvaluator(setup.make_problem(), plane))
    >>> [point.name for point in marks(track, path)]
    ['start', 'best', 'end']
    """
    trajectory, known = track.trajectory, path.true_loss
    best = trajectory.row("best") if np.isnan(known).all() else int(np.nanargmin(known))
    rows = {"start": 0, "best": best, "end": trajectory.row("final")}
    return tuple(
        Point(name, tuple(map(float, track.projection.xy[row])), int(trajectory.step[row]))
        for name, row in rows.items()
    )


def points_of(
    tracks: Sequence[Track], paths: Sequence[Path], made: Sequence[Point]
) -> tuple[Point, ...]:
    """What a scan marks: start, best and end of the first path, the ends of the others.

    Between them the points that the plane was ``made`` from, unless they are marked already.
    """
    own, *others = (marks(*both) for both in zip(tracks, paths, strict=False))
    ends = [
        replace(points[-1], name=f"{track.name}: end")
        for track, points in zip(tracks[1:], others, strict=False)
    ]
    steps = {f"step {point.step:,}" for point in own}
    taken = {"best", "final", "end", *steps}
    return (*own, *(point for point in made if point.name not in taken), *ends)
