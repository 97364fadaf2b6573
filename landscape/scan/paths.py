"""Runs' paths on a plane: projected, their losses measured, their marked points."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
import torch

from landscape.plane.projection import Projection, project
from landscape.problem import tuning
from landscape.problem.device import resolve
from landscape.problem.evaluate import Evaluator
from landscape.problem.problem import Problem
from landscape.problem.weights import Tied, load_buffers, tied
from landscape.scan.refine.between import LossesAt, nowhere
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.side_by_side import Lanes
from landscape.store.run import Run
from landscape.store.scans.records import Path, Plane, Point
from landscape.store.trajectories.trajectory import Trajectory

MOST_PATH_POINTS = 200
"""So many of a path's rows get their true loss and the loss at their projection."""
PEAKS = 8
"""So many rows with the highest batch losses are among them."""
APART = 2**24
"""Bytes of weights up to which rows are measured side by side, a thread each."""


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


def trace_all(
    tracks: Sequence[Track],
    evaluator: PointEvaluator,
    between: LossesAt = nowhere,
    marked: Collection[int] = (),
) -> Iterator[tuple[Path, ...]]:
    """Measure paths one after the other by `trace`, yielding those there are after each row."""
    done: tuple[Path, ...] = ()
    for track in tracks:
        for path in trace(track, evaluator, between, marked):
            yield (*done, path)
        done = (*done, path)


def trace(
    track: Track,
    evaluator: PointEvaluator,
    between: LossesAt = nowhere,
    marked: Collection[int] = (),
) -> Iterator[Path]:
    """Measure the path's true and plane losses, yielding the path after each row measured.

    The arrays fill up as `fill`'s do. The last path has them at all rows, or at 200 spread
    evenly over them with start, best and end among them. Losses on the plane that ``between`` knows
    aren't measured, but at start, best and end and the ``marked`` steps.

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
        interpolated=np.zeros(count, np.bool_),
        share_in_plane=projection.share_in_plane,
        chance=projection.chance,
        walk=projection.walk,
        arc=projection.arc,
        events=trajectory.events,
    )
    rows = np.array(measured_rows(trajectory))
    ends = [trajectory.step[trajectory.row(name)] for name in ("best", "final")]
    marks = np.isin(trajectory.step[rows], [trajectory.step[0], *ends, *marked])
    path.plane_loss[rows] = np.where(marks, np.nan, between(projection.xy[rows]))
    path.interpolated[rows] = ~np.isnan(path.plane_loss[rows])
    left = rows[~path.interpolated[rows]]
    for number, row in enumerate(left.tolist()):
        if number % evaluator.block == 0:
            tile = left[number : number + evaluator.block]
            path_losses = evaluator.train_losses_at(projection.xy[tile])
        path.plane_loss[row] = path_losses[number % evaluator.block]
        path.true_loss[row] = _true_loss(track, row, evaluator)
        yield path
    for row in rows[path.interpolated[rows]].tolist():
        path.true_loss[row] = _true_loss(track, row, evaluator)
        yield path
    best = int(np.nanargmin(path.true_loss)) if np.isfinite(path.true_loss).any() else 0
    if path.interpolated[best]:  # nobody knew that it is
        path.plane_loss[best] = evaluator.train_loss_at(projection.xy[best])
        path.interpolated[best] = False
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
    keys = {row: (run.id, int(trajectory.step[row]), False) for row in rows}
    new = [row for row in rows if keys[row] not in known]
    found = _measured(trajectory, problem, new, device=device)
    known.update({keys[row]: loss for row, loss in found.items()})
    losses[rows] = [known[keys[row]] for row in rows]
    return replace(trajectory, measures={**trajectory.measures, "train_loss": losses})


def measured_anew(run: Run, problem: Problem, *, device: str = Evaluation.device) -> Run:
    """The run with the problem's losses in place of those that it recorded of another one.

    At the rows whose losses its path gets; what else it recorded of losses is left out.
    """
    trajectory = run.trajectory
    rows = measured_rows(trajectory)
    blank = {name: np.full(len(values), np.nan) for name, values in trajectory.measures.items()}
    found = _measured(trajectory, problem, rows, device=device)
    blank["train_loss"][rows] = [found[row] for row in rows]
    return replace(run, measured_anew=replace(trajectory, measures=blank))


def _measured(
    trajectory: Trajectory, problem: Problem, rows: Sequence[int], *, device: str
) -> dict[int, float]:
    """The training losses of recorded weights: a row a thread, where its kernels gain little by it.

    Kernels of a small network that share a row out among threads wait for each other after every
    operation: on two threads a row took several times as long as on one.
    """
    tuning.tune()
    place = resolve(device)
    evaluator = Evaluator(problem, place)
    alone = place.type != "cpu" or not evaluator.train.in_memory or evaluator.objective.rich
    large = 4 * trajectory.size > APART
    count = 1 if alone or large else min(torch.get_num_threads(), len(rows))
    found: dict[int, float] = {}
    reading = Lock()

    def measure(moved: Tied, row: int) -> None:
        with reading:
            moved.move(trajectory.pieces(row))
            load_buffers(moved.model, trajectory.buffers(row))
        found[row] = float(evaluator.on_train(moved.model).loss)

    copies = [tied(problem.model, place, layout=problem.layout) for _ in range(max(count, 1))]
    for moved in copies:
        moved.model.eval()
    if count > 1:
        Lanes(copies).each(measure, rows)
    else:
        for row in rows:
            measure(copies[0], row)
    return found


def measured_rows(trajectory: Trajectory) -> list[int]:
    """The at most 200 rows of a path that get losses: spread evenly, start, best and end in.

    So are those at which batches had the highest losses: the peak of an escape may last one step.
    """
    count = len(trajectory.step)
    if count <= MOST_PATH_POINTS:
        return list(range(count))
    marked = {0, *(trajectory.row(name) for name in ("best", "final")), *_highest(trajectory)}
    room = MOST_PATH_POINTS - len(marked)
    return sorted(marked | set(np.linspace(0, count - 1, room).round().astype(int).tolist()))


def _highest(trajectory: Trajectory) -> list[int]:
    """The rows whose batches had the highest losses; none where these weren't recorded."""
    batches = trajectory.scalars().get("batch_loss", np.empty(0))
    rows = np.flatnonzero(trajectory.step < len(batches))
    losses = batches[trajectory.step[rows]]
    rows, losses = rows[np.isfinite(losses)], losses[np.isfinite(losses)]
    return [int(row) for row in rows[np.argsort(losses)[::-1][:PEAKS]]]


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
