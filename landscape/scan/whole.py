"""All of a scan's grid: every point, or as many as a tolerance takes; from Python in one call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any, TypeVar

import numpy as np

from landscape import cluster
from landscape.cluster import Workers
from landscape.errors import LandscapeError
from landscape.plane.extent import axes, parse
from landscape.plane.projection import project
from landscape.problem.problem import Problem
from landscape.scan import refine, subset
from landscape.scan.engine import Engine
from landscape.scan.engines import Engines
from landscape.scan.refine import Refinement
from landscape.scan.scanning import Further, beneath, coordinates, empty, fill, marks, trace
from landscape.store.records import Plane, Scan
from landscape.store.sentences import approximations
from landscape.store.trajectory import Trajectory

T = TypeVar("T")

FEW = 300
"""A scan to a tolerance takes about so many points: a tenth of a 51 x 51 grid."""


def grid(
    problem: Problem,
    plane: Plane,
    trajectory: Trajectory | None = None,
    *,
    size: str | int = 51,
    extent: str | float = "1.0",
    tolerance: float = 0.0,
    samples: int | None = None,
    workers: int | Workers = 1,
    device: str = "auto",
    strategy: str = "auto",
    precision: str = "float32",
    memory: str | None = None,
    name: str = "",
    **about: Any,
) -> Scan:
    """Measure a plane in one go, with the path across it if a trajectory is given.

    ``size`` (``"51x31"``), ``extent`` (``"auto"``), ``tolerance`` and ``samples`` are those of
    ``landscape scan``: with a tolerance (0.01) only some points are measured and the others
    interpolated (`Scan.errors`, `Scan.certificate`); with samples losses are means over so many
    random ones, with standard errors. ``workers`` is a number of processes of this machine or what
    `landscape.cluster.workers` gives; the problem must be importable there. ``about`` are further
    fields of `Scan`, such as ``constant_loss``. ``strategy``, ``precision`` and ``memory`` are
    those of `choose.engine`.

    Raises:
        LandscapeError: a size, extent, tolerance or number of samples or workers that can't be,
            or extent ``auto`` without a trajectory.
    """
    refine.check(tolerance)
    if samples is not None:
        subset.check(problem, samples)
    projection = project(trajectory, plane) if trajectory is not None else None
    if projection is None and extent == "auto":
        raise LandscapeError("extent auto needs a trajectory, got none; give a number")
    xy = projection.xy if projection is not None else np.zeros((1, len(plane.directions)))
    x, *rest = axes(str(size), parse(str(extent), xy))
    settings: Mapping[str, Any] = {"tolerance": tolerance, "samples": samples}
    scan = empty(
        plane,
        x,
        rest[0] if rest else np.empty(0),
        validation=problem.validation is not None,
        tolerance=tolerance,
        samples=samples,
        **{**about, "settings": {**about.get("settings", {}), **settings}},
    )
    options = {"strategy": strategy, "device": device, "precision": precision, "memory": memory}
    with cluster.workers(workers) if isinstance(workers, int) else nullcontext(workers) as pool:
        engines = engines_of(problem, scan, options, pool)
        engine = engines.make(plane, {}, samples=None if tolerance else samples)
        filled = _last(fill_all(scan, engine, engines, samples=samples))
    filled = replace(filled, remarks=(*filled.remarks, *approximations(filled)))
    if trajectory is None or projection is None:
        return filled
    if samples is not None and not tolerance:  # paths are compared with losses over all samples
        engine = engines.make(plane, asdict(engine.strategy))
    path = _last(trace(trajectory, projection, engine, name=name))
    return replace(filled, paths=(path,), points=marks(trajectory, projection))


def engines_of(
    problem: Problem, scan: Scan, options: Mapping[str, Any], pool: Workers | None
) -> Engines:
    """What makes a scan's engines; ``options`` are those of `choose.engine`."""
    xy = coordinates(scan)
    # Choosing is worth a share of the scan, which a tolerance makes shorter.
    few = xy[:: max(1, len(xy) // FEW)] if scan.tolerance else xy
    return Engines(problem, few, options, pool)


def fill_all(
    scan: Scan,
    engine: Engine,
    engines: Engines,
    *,
    samples: int | None,
    further: Further | None = None,
) -> Iterator[Scan]:
    """Measure what is left of a grid, yielding the scan after each point.

    With a tolerance only as many as it takes, with ``samples`` on a subset everywhere first; the
    last scan has values at all points. ``engine`` is the scan's own.
    """
    source = engines.spread_out(engine)
    if not scan.tolerance:
        yield from fill(scan, source, further)
        return
    if scan.complete:
        return
    if samples is not None:
        few = engines.make(scan.plane, asdict(engine.strategy), samples=samples)
        for current in beneath(scan, engines.spread_out(few)):
            scan = current
            yield scan
    refinement = Refinement(scan, scan.tolerance, scan.subset)
    for current in fill(scan, source, further, refinement.batches()):
        scan = current
        yield scan
    yield refinement.finish(scan)


def _last(iterator: Iterator[T]) -> T:
    return deque(iterator, maxlen=1)[0]
