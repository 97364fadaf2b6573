"""Scans of a run as files: made ready, filled with progress saved, resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from landscape import plane as planes
from landscape.errors import LandscapeError
from landscape.plane.extent import AUTO, axes, parse
from landscape.plane.projection import Projection, project
from landscape.problem.baseline import constant_loss
from landscape.problem.device import resolve
from landscape.problem.problem import Problem
from landscape.scan import choose, strategies
from landscape.scan.evaluator import dtype_of
from landscape.scan.memory import parse as parse_memory
from landscape.scan.scanning import coordinates, empty, fill, marks, measured_rows, trace
from landscape.store import provenance, scanfile
from landscape.store.records import Plane, Scan
from landscape.store.run import Run
from landscape.store.trajectory import Trajectory

KINDS: Mapping[str, str] = {"random": "1.0", "along": AUTO, "line": "1.0"}
"""The planes there are, with each one's extent if none is given."""
DEFAULT_KINDS = ("random", "along")
SAVE_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """What to scan; the same for each of the planes."""

    kinds: Sequence[str] = DEFAULT_KINDS
    at: str = "final"
    size: str = "51"
    extent: str | None = None
    """None: each kind's own default."""
    seed: int = 0
    normalize: str = "filter"
    include_1d: bool = False
    device: str = "auto"
    strategy: str = strategies.AUTO
    precision: str = "float32"
    memory: str | None = None
    """Most that a tile may take, such as 500MB."""


@dataclass(frozen=True)
class Job:
    """One plane's scan, ready to be evaluated or complete already."""

    path: FilePath
    problem: Problem
    trajectory: Trajectory
    projection: Projection
    scan: Scan
    device: str
    strategy: str = strategies.AUTO
    precision: str = "float32"
    memory: str | None = None

    @property
    def total(self) -> int:
        """How many points are to be evaluated, those of the path among them."""
        if self.finished:
            return 0
        return int((~self.scan.measured).sum()) + len(measured_rows(self.trajectory))

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.scan.complete and bool(self.scan.paths)

    def run(self) -> Iterator[Scan]:
        """Evaluate, yielding the scan after each point and saving it every ten seconds.

        However it ends, what was measured is saved.
        """
        scan = self.scan
        if self.finished:
            return
        evaluator = choose.engine(
            self.problem,
            scan.plane,
            coordinates(scan),
            strategy=self.strategy,
            stored=scan.strategy,
            device=self.device,
            precision=self.precision,
            memory=self.memory,
        )
        saved = time.monotonic()
        try:
            for current in fill(scan, evaluator):
                scan = current
                yield scan
                if time.monotonic() - saved >= SAVE_SECONDS:
                    scanfile.save(self.path, scan)
                    saved = time.monotonic()
            points = marks(self.trajectory, self.projection)
            about = {"name": scan.run_name, "run_id": scan.run_id}
            current = scan
            for path in trace(self.trajectory, self.projection, evaluator, **about):
                current = replace(scan, paths=(path,), points=points)
                yield current
            # A path that isn't measured to its end isn't kept.
            scan = current
        finally:
            scanfile.save(self.path, scan)


def prepare(
    run: Run,
    problem: Problem,
    request: Request,
    *,
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> list[Job]:
    """Make the planes of a request, and refuse all of it before anything is evaluated.

    Raises:
        LandscapeError: an option that can't be, weights that weren't recorded, a scan that is
            there already (without ``resume`` or ``overwrite``) or was made with other settings.
    """
    for kind in request.kinds:
        if kind not in KINDS:
            raise LandscapeError(f"plane must be one of {', '.join(KINDS)}, got {kind}")
    if name is not None and len(request.kinds) > 1:
        raise LandscapeError(
            f"name needs a single plane, got {', '.join(request.kinds)}; choose one with --plane"
        )
    strategies.fitting(request.strategy)
    if request.memory is not None:
        parse_memory(request.memory)
    dtype_of(request.precision, resolve(request.device))
    names = {kind: name or f"{kind}-{request.at}-{request.seed}" for kind in request.kinds}
    for scan_name in names.values():
        path = run.scan(scan_name)
        if path.exists() and not (resume or overwrite):
            raise LandscapeError(
                f"a new scan needs a new name, {path} exists; go on with --resume, "
                "replace it with --overwrite, or give another --name"
            )
    trajectory = run.trajectory
    best_constant = constant_loss(problem)
    jobs = []
    for kind, scan_name in names.items():
        job = _job(run, problem, trajectory, request, kind, scan_name, best_constant)
        if resume and job.path.exists():
            job = _resumed(job)
        jobs.append(job)
    return jobs


def _job(
    run: Run,
    problem: Problem,
    trajectory: Trajectory,
    request: Request,
    kind: str,
    name: str,
    best_constant: float,
) -> Job:
    plane = _plane(kind, trajectory, request, best_constant)
    projection = project(trajectory, plane)
    ranges = parse(request.extent or KINDS[kind], projection.xy)
    x, *rest = axes(request.size, ranges)
    scan = empty(
        plane,
        x,
        rest[0] if rest else np.empty(0),
        validation=problem.validation is not None,
        constant_loss=best_constant,
        run_id=run.id,
        run_name=run.name,
        provenance={"command": provenance.command(), "versions": provenance.versions()},
    )
    return Job(
        run.scan(name),
        problem,
        trajectory,
        projection,
        scan,
        request.device,
        request.strategy,
        request.precision,
        request.memory,
    )


def _plane(kind: str, trajectory: Trajectory, request: Request, best_constant: float) -> Plane:
    common: dict[str, Any] = {
        "at": request.at,
        "seed": request.seed,
        "normalize": request.normalize,
        "include_1d": request.include_1d,
    }
    if kind == "along":
        return planes.along(trajectory, constant_loss=best_constant, **common)
    return {"random": planes.random, "line": planes.line}[kind](trajectory, **common)


def _resumed(job: Job) -> Job:
    old = scanfile.load(job.path)
    settings = [
        (name, getattr(old.plane, name), getattr(job.scan.plane, name))
        for name in ("kind", "seed", "normalization", "ignored", "origin_step", "batchnorm")
    ]
    settings += [("run", old.run_id, job.scan.run_id), ("size", _size(old), _size(job.scan))]
    settings.append(("extent", _extent(old), _extent(job.scan)))
    settings += _evaluation(old, job)
    for name, was, is_now in settings:
        if was != is_now:
            raise LandscapeError(
                f"resume needs the settings that {job.path} was started with, "
                f"its {name} is {was}, got {is_now}; drop --resume and give another --name"
            )
    # The stored directions are authoritative: projected onto them, not onto a second draw.
    projection = project(job.trajectory, old.plane)
    return replace(job, scan=old, projection=projection)


def _evaluation(old: Scan, job: Job) -> list[tuple[str, Any, Any]]:
    """How points were and are to be evaluated, where that is asked for and was chosen already."""
    if not old.strategy:
        return []
    precision = ("precision", old.strategy["dtype"], job.precision)
    if job.strategy == strategies.AUTO or old.strategy["name"] in strategies.fitting(job.strategy):
        return [precision]
    return [precision, ("strategy", old.strategy["name"], job.strategy)]


def _size(scan: Scan) -> str:
    return "x".join(map(str, scan.measured.shape))


def _extent(scan: Scan) -> str:
    axes_there = (scan.x, scan.y)[: scan.measured.ndim]
    return ":".join(f"{end:.6g}" for axis in axes_there for end in axis[[0, -1]])
