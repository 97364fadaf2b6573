"""Filling a grid on a plane with losses, and projecting the path onto it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from landscape.plane.projection import Projection
from landscape.scan.evaluator import PointEvaluator, Strategy
from landscape.scan.order import Rows, coarse_to_fine
from landscape.store.records import Floats, Path, Plane, Point, Scan
from landscape.store.trajectory import MEASURES, Trajectory

MOST_PATH_POINTS = 200
"""So many of a path's rows get their true loss and the loss at their projection."""


class Source(Protocol):
    """Where a grid's values come from: a `PointEvaluator` here, or a `Farm`."""

    @property
    def strategy(self) -> Strategy:
        """How points are evaluated."""

    @property
    def choosing_seconds(self) -> float:
        """How long that took to find out."""

    @property
    def block(self) -> int:
        """So many points are asked for at once."""

    @property
    def samples(self) -> Mapping[str, int]:
        """How many samples are behind each value, by set."""

    @property
    def passes(self) -> int:
        """Forward passes of single samples that one point takes."""

    def stream(
        self, blocks: Sequence[Rows], place: Callable[[Rows], Floats]
    ) -> Iterator[tuple[Rows, dict[str, Floats], float]]:
        """Blocks of points with their measures and the seconds these took, as they come."""


class Further(Protocol):
    """Measures beside losses and accuracies, such as curvature."""

    def at(self, xy: Floats) -> Mapping[str, float]:
        """Their values at a point (D,) of the plane."""


def empty(
    plane: Plane,
    x: Floats,
    y: Floats,
    *,
    validation: bool,
    further: Sequence[str] = (),
    tolerance: float = 0.0,
    samples: int | None = None,
    **about: Any,
) -> Scan:
    """A scan with nothing measured yet; ``about`` are further fields of `Scan`.

    With ``samples`` there is room for what a subset of that size gives.
    """
    shape = (len(x), len(y)) if len(plane.directions) > 1 else (len(x),)
    names = [name for name in MEASURES if validation or not name.startswith("validation")]
    unknown = {name: np.full(shape, np.nan) for name in names} if samples is not None else {}
    names += further
    if plane.kind == "line" and len(plane.points) == 2:
        # Where the two weights lie that a barrier is between.
        between = [point.xy[0] for point in plane.points]
        about["settings"] = {**about.get("settings", {}), "between": between}
    return Scan(
        # The marked points are the scan's: a file has them once.
        plane=replace(plane, points=()),
        points=plane.points,
        x=x,
        y=y,
        measures={name: np.full(shape, np.nan) for name in names},
        measured=np.zeros(shape, bool),
        tolerance=tolerance,
        subset=unknown if tolerance else {},
        errors={} if tolerance else unknown,
        **about,
    )


def fill(
    scan: Scan,
    evaluator: Source,
    further: Further | None = None,
    batches: Iterable[Rows] | None = None,
) -> Iterator[Scan]:
    """Measure the points that aren't yet, yielding the scan after each one.

    The scans share their arrays, which fill up: save one, or keep the last. ``batches`` are the
    points to measure, each batch asked for when the one before is there; all of the grid, coarse
    to fine, if none are given.
    """
    seconds, spent = scan.evaluation_seconds, scan.samples_evaluated
    choosing = scan.choosing_seconds + evaluator.choosing_seconds
    strategy = asdict(evaluator.strategy)
    shape, share = scan.measured.shape, evaluator.passes
    arrays = {**scan.measures, **{f"{name}_error": kept for name, kept in scan.errors.items()}}
    for batch in [coarse_to_fine(shape)] if batches is None else batches:
        left = blocks(scan, batch, evaluator.block)
        for block, found, took in evaluator.stream(left, partial(coordinates, scan)):
            # Not what whoever iterates does between two points.
            seconds += took
            for number, index in enumerate(zip(*np.unravel_index(block, shape), strict=True)):
                if scan.measured[index]:
                    continue
                for name in found.keys() & arrays.keys():
                    arrays[name][index] = found[name][number]
                if further is not None:
                    started = time.perf_counter()
                    point = coordinates(scan, block[number : number + 1])[0]
                    for name, value in further.at(point).items():
                        scan.measures[name][index] = value
                    seconds += time.perf_counter() - started
                scan.measured[index] = True
                spent += share
                yield replace(
                    scan,
                    strategy=strategy,
                    samples=evaluator.samples,
                    samples_evaluated=spent,
                    evaluation_seconds=seconds,
                    choosing_seconds=choosing,
                )


def beneath(scan: Scan, few: Source) -> Iterator[Scan]:
    """Measure a scan's ``subset`` of the samples at all points, yielding the scan after each."""
    sheet = replace(
        scan, measures=scan.subset, measured=~np.isnan(scan.subset["train_loss"]), errors={}
    )
    for current in fill(sheet, few):
        yield replace(
            scan,
            samples_evaluated=current.samples_evaluated,
            evaluation_seconds=current.evaluation_seconds,
            choosing_seconds=current.choosing_seconds,
        )


def blocks(scan: Scan, batch: Rows, size: int) -> list[Rows]:
    """The points of a batch to evaluate together: every ``size`` of them.

    Those in which nothing is left to measure are left out. A block is whole even where some of
    it is measured, so that a resumed scan's tiles are the uninterrupted one's.
    """
    parts = [batch[start : start + size] for start in range(0, len(batch), size)]
    return [part for part in parts if not scan.measured.flat[part].all()]


def coordinates(scan: Scan, block: Rows | None = None) -> Floats:
    """Coordinates (n, D) of grid points by their flat indices; of all of them if none are given."""
    chosen = np.arange(scan.measured.size) if block is None else block
    indices = np.unravel_index(chosen, scan.measured.shape)
    axes_there = (scan.x, scan.y)[: scan.measured.ndim]
    return np.stack([axis[i] for axis, i in zip(axes_there, indices, strict=True)], 1)


def trace(
    trajectory: Trajectory,
    projection: Projection,
    evaluator: PointEvaluator,
    *,
    name: str,
    run_id: str = "",
) -> Iterator[Path]:
    """Measure the path's true and plane losses, yielding the path after each row measured.

    The arrays fill up as `fill`'s do. The last path has them at all rows, or at 200 spread
    evenly over them with start, best and end among them.
    """
    recorded = trajectory.measures["train_loss"]
    count = len(trajectory.step)
    path = Path(
        name=name,
        run_id=run_id,
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
        if evaluator.true_loss_is_recorded and not np.isnan(recorded[row]):
            path.true_loss[row] = recorded[row]
        else:
            weights, buffers = trajectory.row_weights(row), trajectory.buffers(row)
            path.true_loss[row] = evaluator.train_loss_of(weights, buffers)
        yield path


def measured_rows(trajectory: Trajectory) -> list[int]:
    """The at most 200 rows of a path that get losses: spread evenly, start, best and end in."""
    marked = {0, *(trajectory.row(name) for name in ("best", "final"))}
    room = MOST_PATH_POINTS - len(marked)
    count = len(trajectory.step)
    if count <= MOST_PATH_POINTS:
        return list(range(count))
    return sorted(marked | set(np.linspace(0, count - 1, room).round().astype(int).tolist()))


def marks(trajectory: Trajectory, projection: Projection) -> tuple[Point, ...]:
    """Start, best and end of a path as points of the plane."""
    rows = {"start": 0, "best": trajectory.row("best"), "end": trajectory.row("final")}
    return tuple(
        Point(name, tuple(map(float, projection.xy[row])), int(trajectory.step[row]))
        for name, row in rows.items()
    )
