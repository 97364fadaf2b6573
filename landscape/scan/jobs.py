"""Scans of a run as files: made ready, filled with progress saved, resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

import numpy as np

from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.extent import AUTO, Range, axes, parse
from landscape.plane.kinds import KINDS, Given
from landscape.plane.places import check_layout
from landscape.plane.projection import project
from landscape.plane.units import scaled
from landscape.problem.baseline import constant_loss
from landscape.problem.problem import Problem
from landscape.scan import saving, subset
from landscape.scan import spread as spreads
from landscape.scan.evaluator import PointEvaluator
from landscape.scan.job import Job, Track
from landscape.scan.measures import stored
from landscape.scan.reach import between, ranges
from landscape.scan.request import DEFAULT_KINDS, Request
from landscape.scan.resume import resumed
from landscape.scan.scanning import empty
from landscape.store import provenance
from landscape.store.records import Floats, Plane, Scan
from landscape.store.run import Run

__all__ = ["DEFAULT_KINDS", "Job", "Request", "alike", "prepare"]


@dataclass(frozen=True)
class _Planned:
    """One plane of a request, checked."""

    spec: str
    key: str
    given: Given
    path: FilePath
    request: Request

    def plane(self, seed: int | None = None) -> tuple[Plane, Floats]:
        """The plane in the unit asked for, and what 1 in its own unit is there (D,)."""
        given = self.given if seed is None else replace(self.given, seed=seed)
        own = kinds.make(self.key, given, batchnorm=self.request.batchnorm)
        plane = scaled(own, self.request.unit)
        return plane, np.array(own.norms) / np.array(plane.norms)

    def others(self) -> list[Plane]:
        """The planes of the seeds after the first."""
        seeds = range(self.given.seed + 1, self.given.seed + self.request.planes)
        return [self.plane(seed)[0] for seed in seeds]


def prepare(
    run: Run,
    problem: Problem,
    request: Request,
    *,
    also: Sequence[Run] = (),
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> list[Job]:
    """Make the planes of a request, and refuse all of it before anything is evaluated.

    The paths of ``also`` are projected onto the same planes. For planes of curvature, and where
    the extent is found by how the loss rises, some products and losses are computed here.

    Raises:
        LandscapeError: an option that can't be, weights that weren't recorded, a run of another
            model, a scan that is there already (without ``resume`` or ``overwrite``) or was made
            with other settings.
    """
    request.check()
    if request.samples is not None:
        subset.check(problem, request.samples)
    if name is not None and len(request.specs) > 1:
        raise LandscapeError(
            f"name needs a single plane, got {', '.join(request.specs)}; choose one with --plane"
        )
    trajectory = run.trajectory
    for other in also:
        check_layout(trajectory, other.trajectory, str(other.folder))
    best_constant = constant_loss(problem)
    planned = []
    for spec in request.specs:
        key, given = request.given(spec, problem, trajectory, best_constant)
        path = run.scan(name or kinds.file_name(key, given))
        if path.exists() and not (resume or overwrite):
            raise LandscapeError(
                f"a new scan needs a new name, {path} exists; go on with --resume, "
                "replace it with --overwrite, or give another --name"
            )
        planned.append(_Planned(spec, key, given, path, request))
    return [_job(plan, [run, *also], problem, resume=resume) for plan in planned]


def alike(jobs: Sequence[Job]) -> list[Job]:
    """The jobs with one extent: the smallest that holds each one's own.

    For scans of several runs that are to be compared. Those that have begun keep theirs.

    Raises:
        LandscapeError: their grids differ in size.
    """
    shapes = {job.scan.measured.shape for job in jobs}
    if len(shapes) > 1:
        raise LandscapeError(f"scans to be compared must be of one size, got {shapes}")
    dimensions = jobs[0].scan.measured.ndim
    both = [[axis[[0, -1]] for axis in (job.scan.x, job.scan.y)[:dimensions]] for job in jobs]
    low, high = np.min(both, axis=0)[:, 0], np.max(both, axis=0)[:, 1]
    size = "x".join(map(str, jobs[0].scan.measured.shape))
    common = axes(size, tuple(zip(low.tolist(), high.tolist(), strict=True)))
    return [job if _begun(job.scan) else _moved(job, common) for job in jobs]


def _begun(scan: Scan) -> bool:
    return bool(scan.measured.any())


def _moved(job: Job, common: Sequence[Floats]) -> Job:
    x, *rest = common
    return replace(job, scan=replace(job.scan, x=x, y=rest[0] if rest else np.empty(0)))


def _job(plan: _Planned, runs: Sequence[Run], problem: Problem, *, resume: bool) -> Job:
    run, request = runs[0], plan.request
    if resume and plan.path.exists():
        scan = resumed(plan.path, run.id, request, plan.spec, plan.key, plan.given)
        tracks = _tracks(runs, scan.plane)
    else:
        plane, factors = plan.plane()
        tracks = _tracks(runs, plane)
        placed, reason = _ranges(plan, plane, factors, tracks, problem)
        x, *rest = axes(request.size, placed)
        settings = request.settings(plan.spec, plan.key) | {"extent_reason": reason}
        scan = empty(
            plane,
            x,
            rest[0] if rest else np.empty(0),
            validation=problem.validation is not None,
            further=stored(request.measures),
            tolerance=request.tolerance,
            samples=request.samples,
            constant_loss=plan.given.constant_loss,
            run_id=run.id,
            run_name=run.name,
            provenance={"command": provenance.command(), "versions": provenance.versions()},
            settings=settings,
        )
        if request.planes > 1:
            scan = replace(scan, spread=spreads.empty(scan, [plane, *plan.others()]))
    return Job(
        plan.path,
        problem,
        tracks,
        scan,
        request.device,
        plan.others,
        request.strategy,
        request.precision,
        request.memory,
        request.samples,
        request.save_seconds,
        saving.state(plan.path),
    )


def _tracks(runs: Sequence[Run], plane: Plane) -> list[Track]:
    opened = [(run, run.trajectory) for run in runs]
    return [Track(run.name, run.id, path, project(path, plane)) for run, path in opened]


def _ranges(
    plan: _Planned, plane: Plane, factors: Floats, tracks: Sequence[Track], problem: Problem
) -> tuple[tuple[Range, ...], str]:
    """Each axis' range, and where it comes from in words; empty where it was asked for."""
    request, dimensions = plan.request, len(plane.directions)
    default = KINDS[plan.key].extent
    text = request.extent or default
    if text != AUTO:
        asked = parse(text, np.zeros((1, dimensions)))
        if request.extent is None:  # in the directions' own unit
            asked = tuple(
                (f * low, f * high) for f, (low, high) in zip(factors, asked, strict=True)
            )
        return asked, ""
    if plan.key == "line:A,B":
        return (between(plane.points[1].xy[0], len(axes(request.size, ((0, 1),))[0])),), ""
    marked = np.array([point.xy for point in plane.points]).reshape(-1, dimensions)
    paths = np.concatenate([track.projection.xy for track in tracks] + [marked])
    evaluator: list[PointEvaluator] = []

    def loss_at(xy: Floats) -> float:
        if not evaluator:  # not needed where the path says it all
            evaluator.append(PointEvaluator(problem, plane, device=request.device))
        return evaluator[0].train_loss_at(xy)

    return ranges(plane, paths, loss_at, subject=KINDS[plan.key].subject, rise=request.rise)
