"""Filling a grid on a plane with losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from landscape.plane import kinds
from landscape.scan.measures import PointCurvature
from landscape.scan.refine.order import Rows, coarse_to_fine
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.store.scans.records import Floats, Plane, Scan

Stream = Callable[
    [Sequence[Rows], Callable[[Rows], Floats]], Iterator[tuple[Rows, dict[str, Floats], float]]
]
"""`PointEvaluator.stream` or, of workers, `Farm.stream`: blocks of points with their measures and
the seconds these took, as they come."""


def empty(
    plane: Plane,
    x: Floats,
    y: Floats,
    *,
    values: Sequence[str],
    further: Sequence[str] = (),
    alone: Sequence[str] = (),
    uncertain: Sequence[str] = (),
    tolerance: float = Evaluation.tolerance,
    samples: int | None = Evaluation.samples,
    **about: Any,
) -> Scan:
    """A scan with nothing measured yet; ``about`` are further fields of `Scan`.

    ``values`` are the columns of the problem's own values, ``further`` those of what is measured
    beside them, ``alone`` those of the model alone, which have errors, as the ``uncertain`` ones of
    the problem's have. With ``samples`` there is room for what a subset of that size gives.

    >>> directions = np.eye(2, 3, dtype=np.float32)
    >>> plane = Plane("mine", np.zeros(3, np.float32), directions, ("u", "v"), "")
    >>> scan = empty(plane, np.arange(3.0), np.arange(2.0), values=["train_loss"])
    >>> scan.measures["train_loss"].shape, bool(scan.measured.any())
    ((3, 2), False)
    """
    shape = (len(x), len(y)) if len(plane.directions) > 1 else (len(x),)
    unknown = {name: np.full(shape, np.nan) for name in values} if samples is not None else {}
    names = [*values, *further, *alone]
    errors = {name: np.full(shape, np.nan) for name in (*alone, *uncertain)}
    if (ends := kinds.ends(plane)) is not None:
        # Where the two weights lie that a barrier is between.
        about["settings"] = {**about.get("settings", {}), "between": list(ends)}
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
        errors=errors if tolerance else unknown | errors,
        **about,
    )


def fill(
    scan: Scan,
    evaluator: PointEvaluator,
    stream: Stream | None = None,
    *,
    curvature: PointCurvature | None = None,
    batches: Iterable[Rows] | None = None,
) -> Iterator[Scan]:
    """Measure the points that aren't yet, yielding the scan after each one.

    The scans share their arrays, which fill up: save one, or keep the last. ``stream`` is the
    evaluator's own unless workers do it. ``batches`` are the points to measure, each batch asked
    for when the one before is there; all of the grid, coarse to fine, if none are given.

    >>> import torch
    >>> from landscape.plane import line
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem, half_square
    >>> x = torch.ones(4, 1)
    >>> problem = Problem(torch.nn.Linear(1, 1, bias=False), (x, 0 * x), loss=half_square)
    >>> along = line(StillWeights.of(problem))
    >>> scan = empty(along, np.linspace(-1, 1, 5), np.zeros(0), values=["train_loss"])
    >>> counts = [int(one.measured.sum()) for one in fill(scan, PointEvaluator(problem, along))]
    >>> counts, scan.measures["train_loss"].shape
    ([1, 2, 3, 4, 5], (5,))
    """
    seconds, spent = scan.evaluation_seconds, scan.samples_evaluated
    choosing = scan.choosing_seconds + evaluator.choosing_seconds
    strategy = asdict(evaluator.strategy)
    shape, share = scan.measured.shape, evaluator.passes
    arrays = {**scan.measures, **{f"{name}_error": kept for name, kept in scan.errors.items()}}
    for batch in [coarse_to_fine(shape)] if batches is None else batches:
        left = blocks(scan, batch, evaluator.block)
        for block, found, took in (stream or evaluator.stream)(left, partial(coordinates, scan)):
            # Not what whoever iterates does between two points.
            seconds += took
            for number, index in enumerate(zip(*np.unravel_index(block, shape), strict=True)):
                if scan.measured[index]:
                    continue
                for name in found.keys() & arrays.keys():
                    arrays[name][index] = found[name][number]
                if curvature is not None:
                    started = time.perf_counter()
                    point = coordinates(scan, block[number : number + 1])[0]
                    for name, value in curvature.at(point).items():
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


def beneath(scan: Scan, few: PointEvaluator, stream: Stream | None = None) -> Iterator[Scan]:
    """Measure a scan's ``subset`` of the samples at all points, yielding the scan after each."""
    sheet = replace(
        scan, measures=scan.subset, measured=~np.isnan(scan.subset["train_loss"]), errors={}
    )
    for current in fill(sheet, few, stream):
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
