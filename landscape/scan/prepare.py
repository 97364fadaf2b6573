"""From what was asked for to scans that are ready: of a run into files, or of a plane at once."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from landscape import cluster
from landscape.cluster import Workers
from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.choice import AT
from landscape.plane.drift import lacking
from landscape.plane.extent import AUTO, Range, axes, parse
from landscape.plane.kinds import Given
from landscape.plane.named_weights import BEST, check_constants, check_layout, other_run
from landscape.plane.still import StillWeights
from landscape.problem import modes
from landscape.problem.baseline import constant_loss
from landscape.problem.examine import objective
from landscape.problem.problem import Problem
from landscape.problem.weights import frozen_tensors
from landscape.scan import crossings, rises, spread, subset
from landscape.scan.begun_with import OtherScanError, WentOnError, exists
from landscape.scan.filling import empty
from landscape.scan.job import Job
from landscape.scan.measures import NAT, attributes, loss_unit, of_problem, stored, uncertain
from landscape.scan.paths import Track, TrueLosses, evaluated, measured_anew
from landscape.scan.planned import PlannedScan, auto_ranges, made_by, of_objective
from landscape.scan.refine import caps
from landscape.scan.refine.until_tolerance import too_few
from landscape.scan.request import GridChoice, Request, check_evaluation, check_grid
from landscape.scan.resume import resumed
from landscape.scan.saving import Saver, state
from landscape.scan.speed import memory as sizes
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.weight_decay import rate_of
from landscape.scan.valley_job import ValleyJob
from landscape.scan.valley_prepare import valley_job
from landscape.sgd.recorded_loss import measured_again
from landscape.store.run import Run
from landscape.store.scans import scanfile
from landscape.store.scans.records import DROPS, STILL, Floats, Moved, Plane, Point, Scan
from landscape.store.scans.rises import KEY, Rise
from landscape.store.trajectories.trajectory import Trajectory

COMPARED = "as far as those of the scans that it is compared with"
"""The extent's reason where `alike` moved it."""


def prepare(
    run: Run,
    problem: Problem,
    request: Request,
    *,
    also: Sequence[Run] = (),
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    accept_changes: bool = False,
) -> list[Job | ValleyJob]:
    """Make the planes of a request, and refuse all of it before anything is evaluated.

    The paths of ``also`` are projected onto the same planes; beside a valley each of them gets
    one of its own, in its own folder. For planes of curvature, and where
    the extent is found by how the loss rises, some products and losses are computed here. Of the
    planes by default a scan that is there stays if it is complete and has the same settings.

    Where ``accept_changes`` let the problem have another loss than the run recorded, or one of
    ``also`` was trained with another one, its losses are measured anew: a warning says so.

    Raises:
        LandscapeError: an option that can't be, weights that weren't recorded, a run of another
            model, a scan that is there already (without ``resume`` or ``overwrite``) or was made
            with other settings.
    """
    request = _checked(problem, request)
    trajectory = run.trajectory
    _check_began(run, trajectory)
    best_constant = constant_loss(problem)
    specs = kinds.specs(request.plane, trajectory, best_constant)
    if not request.plane.kinds and "along" in specs:
        why = lacking(trajectory)
        warnings.warn(f"plane along is taken instead of drift, which needs {why}", stacklevel=1)
    if name is not None and len(specs) > 1:
        raise LandscapeError(
            f"name needs a single plane, got {', '.join(specs)}; choose one with --plane"
        )
    for other in also:
        check_layout(trajectory, other.trajectory, str(other.folder))
        check_constants(run, other, str(other.folder))
    if accept_changes:  # otherwise they were compared before the problem was handed out
        run = _of_problem(run, problem, request)
        trajectory = run.trajectory
    also = [_of_problem(other, problem, request) for other in also]
    problem = _narrowed(problem, request)
    decay = rate_of(run) if request.grid.with_weight_decay else 0.0
    makers: list[Callable[[], Job | ValleyJob]] = []
    runs, seconds = [run, *also], request.save_seconds
    known: TrueLosses = {}  # what one plane's path measures serves the others
    for spec in specs:
        key, places = kinds.parse_spec(spec)
        device = request.evaluation.device
        room = sizes.most(request.evaluation.memory)
        given = Given(trajectory, problem, best_constant, request.plane, places, device, room)
        file = name or kinds.file_name(key, given)
        for one in runs if kinds.KINDS[key].sliced else [run]:
            path = one.scan(file)
            keeps = not (request.plane.kinds or resume or overwrite) and path.exists()
            if path.exists() and not (resume or overwrite or keeps):
                raise exists(path, key, given)
            made: Callable[..., Job | ValleyJob]
            if kinds.KINDS[key].sliced:
                made = partial(valley_job, one, problem, request, path, known)
                made = partial(made, constant_loss=best_constant)
            else:
                planned = PlannedScan(spec, key, given, request.grid, request.evaluation, decay)
                made = partial(_job, planned, path, runs, known, save_seconds=seconds)
            made = partial(made, resume=resume or keeps)
            taken = partial(exists, path, key, given)
            makers.append(partial(_kept, made, taken) if keeps else made)
    return [make() for make in makers]


def _of_problem(run: Run, problem: Problem, request: Request) -> Run:
    """The run with the losses that the problem has at its weights: recorded, or measured anew."""
    again = measured_again(run, problem)
    if again is None or again.same:
        return run
    warnings.warn(
        f"{run.folder} recorded other training losses than this problem has: "
        f"{again.recorded:.4g} at step {again.step:,}, {again.now:.4g} here; those along its path "
        "are measured anew",
        stacklevel=3,
    )
    return measured_anew(run, problem, device=request.evaluation.device)


def _kept(
    make: Callable[[], Job | ValleyJob], taken: Callable[[], LandscapeError]
) -> Job | ValleyJob:
    """The scan that is there, if nothing of what is asked for is left to do.

    Raises:
        LandscapeError: it is incomplete, was made with other settings, or can't be read.
    """
    try:
        job = make()
    except WentOnError:
        raise
    except OtherScanError as error:
        raise taken() from error
    if not job.finished:
        raise taken()
    return job


def _check_began(run: Run, trajectory: Trajectory) -> None:
    """Refuse a run whose loss was never a number, by what is to be looked at."""
    losses = trajectory.measures["train_loss"]
    if run.record["status"] == "non-finite" and not np.isfinite(losses).any():
        raise LandscapeError(
            f"a scan needs weights whose loss is finite, run {run.name} has none: its loss was "
            f"{losses[0]:g} at its first weights; look at the training data and the model, and "
            "train anew"
        )


def prepare_still(problem: Problem, request: Request) -> Job:
    """Make the plane of a request through a problem's weights as they are; no run and no file.

    What `prepare` makes of a run's, but for the path: there is none. ``Job.run`` evaluates it.

    Raises:
        LandscapeError: an option that can't be, not a single plane, or one that needs a run.
    """
    request = _checked(problem, request)
    specs = kinds.specs(request.plane) if request.plane.kinds else ("random",)
    able = kinds.of_still_weights()
    for spec in specs:
        if spec not in able:
            raise LandscapeError(
                f"a plane through weights without a run must be one of {', '.join(able)}, "
                f"got {spec}; train the problem and scan its run for others"
            )
    if len(specs) > 1:
        raise LandscapeError(f"one plane is scanned at a time, got {', '.join(specs)}")
    if request.plane.at not in (None, AT):
        raise LandscapeError(
            f"a problem without a run has only the weights that it has, got at {request.plane.at}; "
            "leave it out"
        )
    if request.grid.with_weight_decay:
        raise LandscapeError(
            "with_weight_decay adds that of a run's steps, a problem without a run has none; give "
            "the problem a penalty"
        )
    problem, best_constant = _narrowed(problem, request), constant_loss(problem)
    device = request.evaluation.device
    given = Given(
        StillWeights.of(problem),
        problem,
        best_constant,
        request.plane,
        device=device,
        memory=sizes.most(request.evaluation.memory),
    )
    planned = PlannedScan(specs[0], specs[0], given, request.grid, request.evaluation)
    plane, factors = planned.plane()
    plane = replace(plane, origin_name="given")
    scan = _begun(planned, None, plane, planned.ranges(plane, factors, ()))
    at = Point(STILL, (0.0,) * len(plane.directions), 0)
    scan = replace(scan, points=(at,))
    return Job(problem, scan, planned.evaluation, (), planned.others)


def _checked(problem: Problem, request: Request) -> Request:
    """The request, if it can be carried out at all."""
    request.check()
    if request.evaluation.samples is not None:
        subset.check(problem, request.evaluation.samples)
    if request.plane.planes > 1:  # quartiles over them are of measured losses
        return replace(request, evaluation=replace(request.evaluation, tolerance=0.0))
    return request


def _narrowed(problem: Problem, request: Request) -> Problem:
    """The problem, of which only the tensors move that were asked for."""
    if not request.plane.parameters:
        return problem
    return replace(problem, weights=problem.layout.narrowed([request.plane.parameters]))


def _job(
    planned: PlannedScan,
    path: FilePath,
    runs: Sequence[Run],
    known: TrueLosses,
    *,
    save_seconds: float,
    resume: bool,
) -> Job:
    # With weight decay the path's are other losses.
    losses = {} if planned.weight_decay else known
    if resume and path.exists():
        if scanfile.origin_step(path) != kinds.origin_step(planned.key, planned.given):
            # The best weights may be ones that were recorded without a loss.
            planned = _with_best(planned, runs[0], losses)
        scan = resumed(planned, path, runs[0].id)
        tracks = _tracks(runs, scan.plane, known)
    else:
        planned = _with_best(planned, runs[0], losses)
        plane, factors = planned.plane()
        tracks = _tracks(runs, plane, known)
        scan = _begun(planned, runs[0], plane, planned.ranges(plane, factors, tracks))
    return Job(
        planned.given.problem,
        scan,
        planned.evaluation,
        tracks,
        planned.others,
        Saver(path, save_seconds, state(path)),
    )


def _with_best(planned: PlannedScan, run: Run, known: TrueLosses) -> PlannedScan:
    """The plan with the losses that say which recorded weights are the best, where it asks.

    Of another run, ``RUN@best``, the step stands in its place.
    """
    given = planned.given
    losses = partial(evaluated, problem=given.problem, known=known, device=given.device)
    places = []
    for place in given.places:
        folder, _, where = place.rpartition("@")
        if folder and where == BEST:
            other = losses(other_run(given.trajectory, folder))
            place = f"{folder}@{other.step[other.row(BEST)]}"
        places.append(place)
    given = replace(given, places=tuple(places))
    kind = kinds.KINDS[planned.key]
    # A width's rise goes by the lowest of them, except in nats.
    risen = kind.random and loss_unit(given.problem) != NAT
    if kind.by_loss or risen or BEST in (given.at, *given.places):
        given = replace(given, trajectory=losses(run))
    return replace(planned, given=given)


def _begun(
    planned: PlannedScan, run: Run | None, plane: Plane, placed: tuple[tuple[Range, ...], str]
) -> Scan:
    """A new scan, nothing of it measured yet."""
    ranges, reason = placed
    scan = _empty(
        plane,
        planned.given.problem,
        axes(planned.grid.size, ranges),
        planned.grid,
        planned.evaluation,
        planned.given.trajectory,
        constant_loss=planned.given.constant_loss,
        run_id="" if run is None else run.id,
        run_name="" if run is None else run.name,
        provenance=made_by(planned.evaluation.device, run),
        settings=planned.settings | {"extent_reason": reason},
    )
    if planned.given.choice.planes == 1:
        return scan
    return replace(scan, spread=spread.empty(scan, [plane, *planned.others()]))


def _empty(
    plane: Plane,
    problem: Problem,
    axes_there: Sequence[Floats],
    choice: GridChoice,
    evaluation: Evaluation,
    trajectory: Trajectory | None,
    **about: Any,
) -> Scan:
    x, *rest = axes_there
    alone = tuple(objective(problem).alone)
    # Of a subset's losses what is missing is interpolated, few points or many. What the model alone
    # gives comes with an error of its own, which interpolation would overwrite.
    few = evaluation.samples is None and too_few([len(axis) for axis in axes_there])
    tolerance = 0.0 if few or alone else evaluation.tolerance
    scan = empty(
        plane,
        x,
        rest[0] if rest else np.empty(0),
        values=of_problem(problem),
        further=stored(choice.measures),
        alone=alone,
        uncertain=uncertain(problem) if not tolerance else (),
        attributes=attributes(problem),
        tolerance=tolerance,
        samples=evaluation.samples,
        weights=_what_moves(problem),
        **about,
    )
    if modes.drops(problem.model):
        scan = replace(scan, settings={**scan.settings, DROPS: True})
    if crossings.rays(scan):
        rise = _rise(problem, scan, evaluation, trajectory)
        scan = replace(scan, settings={**scan.settings, KEY: asdict(rise)})
    if not tolerance:
        return scan
    there = caps.caps(evaluation.cap, scan.measures, scan.constant_loss, trajectory)
    return replace(scan, settings={**scan.settings, caps.KEY: there})


def _rise(
    problem: Problem, scan: Scan, evaluation: Evaluation, trajectory: Trajectory | None
) -> Rise:
    """By how much the loss rises within the scan's width."""

    def losses() -> Floats:
        """The recorded ones; of weights that have none the loss at the origin alone."""
        recorded = np.empty(0) if trajectory is None else trajectory.measures["train_loss"]
        if np.isfinite(recorded).any():
            return recorded
        origin = PointEvaluator(problem, scan.plane, device=evaluation.device)
        here = origin.train_loss_at(np.zeros(len(scan.plane.directions)))
        # The start's isn't known.
        return np.array([math.nan, here])

    return rises.decide(problem, scan.constant_loss, losses)


def _what_moves(problem: Problem) -> Moved:
    """What of the problem's network the directions move."""
    layout, moving = problem.layout, problem.layout.moving
    frozen = [tensor.numel() for tensor in frozen_tensors(problem.model, layout).values()]
    every = len(moving) == len(layout.parameters)
    return Moved(
        trained=layout.size,
        frozen=sum(frozen),
        frozen_tensors=len(frozen),
        moved=sum(place.size for place in moving),
        tensors=() if every else tuple(place.name for place in moving),
    )


def _tracks(runs: Sequence[Run], plane: Plane, known: TrueLosses) -> list[Track]:
    return [
        Track.on(plane, run.trajectory, name=run.name, run_id=run.id, known=known) for run in runs
    ]


def alike(jobs: Sequence[Job]) -> list[Job]:
    """The jobs with one extent: the smallest that holds each one's own.

    For scans of several runs that are to be compared. Those that have begun keep theirs; so do
    lines whose two weights are grid points: each grid then has them at the same places.

    Raises:
        LandscapeError: their grids differ in size.
    """
    shapes = {"x".join(map(str, job.scan.measured.shape)): job for job in jobs}
    if len(shapes) > 1:
        raise LandscapeError(f"scans to be compared must be of one size, got {', '.join(shapes)}")
    if any(_has_both_ends(job.scan) for job in jobs):
        return list(jobs)
    dimensions, [size] = jobs[0].scan.measured.ndim, shapes
    both = [[axis[[0, -1]] for axis in (job.scan.x, job.scan.y)[:dimensions]] for job in jobs]
    low, high = np.min(both, axis=0)[:, 0], np.max(both, axis=0)[:, 1]
    common = axes(size, tuple(zip(low.tolist(), high.tolist(), strict=True)))
    return [job if job.scan.measured.any() else _moved(job, common) for job in jobs]


def _has_both_ends(scan: Scan) -> bool:
    """Whether a line's two weights, which its barrier is between, are grid points."""
    ends = scan.settings.get("between", ())
    spacing = np.ptp(scan.x) / (len(scan.x) - 1)
    return bool(ends) and all(np.abs(scan.x - end).min() < 1e-6 * spacing for end in ends)


def _moved(job: Job, common: Sequence[Floats]) -> Job:
    x, *rest = common
    y = rest[0] if rest else np.empty(0)
    scan, settings = job.scan, dict(job.scan.settings)
    if np.array_equal(x, scan.x) and np.array_equal(y, scan.y):
        return job
    if settings.get("extent_reason"):
        settings["extent_reason"] = COMPARED
    return replace(job, scan=replace(scan, x=x, y=y, settings=settings))


def grid(
    problem: Problem,
    plane: Plane,
    trajectory: Trajectory | None = None,
    *,
    size: str | int = GridChoice.size,
    extent: str | float = "1.0",
    rise: float = GridChoice.rise,
    measures: Sequence[str] = GridChoice.measures,
    tolerance: float = Evaluation.tolerance,
    samples: int | None = Evaluation.samples,
    cap: str | float = Evaluation.cap,
    device: str = Evaluation.device,
    strategy: str = Evaluation.strategy,
    precision: str = Evaluation.precision,
    memory: str | None = Evaluation.memory,
    workers: int | Workers = 1,
    name: str = "",
    **about: Any,
) -> Scan:
    """Measure a plane in one go, with the path across it if a trajectory is given.

    What ``landscape scan`` does to a file, with the same findings, remarks and certificate; so are
    the options: ``size`` (``"51x31"``), ``extent`` (``"auto"``, which needs a trajectory),
    ``measures`` (``("sharpness",)``), ``tolerance`` (only some points are measured and the
    others interpolated to it; 0 measures every point), ``cap`` (it holds for losses up to here),
    ``samples`` (with tolerance 0 losses are means over so many random ones, with standard errors;
    else that is where interpolation starts). ``workers`` is a number of processes of this machine
    or what `landscape.cluster.workers` gives; the problem must be importable there. ``about`` are
    further fields of `Scan`, such as ``constant_loss``, which is found where cap or width need it.

    >>> import torch
    >>> from landscape.plane import random
    >>> from landscape.problem import builtin
    >>> problem = builtin("mlp", "moons", depth=1, width=4)
    >>> scan = grid(problem, random(StillWeights.of(problem)), size="5x3", tolerance=0.0)
    >>> scan.measures["train_loss"].shape, bool(scan.measured.all())
    ((5, 3), True)

    Raises:
        LandscapeError: an option that can't be, or extent ``auto`` without a trajectory.
    """
    choice = GridChoice(str(size), str(extent), rise, tuple(measures))
    evaluation = Evaluation(device, strategy, precision, memory, tolerance, samples, str(cap))
    check_grid(choice)
    check_evaluation(evaluation)
    if samples is not None:
        subset.check(problem, samples)
    tracks = [] if trajectory is None else [Track.on(plane, trajectory, name=name)]
    if choice.extent == AUTO:
        if not tracks:
            raise LandscapeError("extent auto needs a trajectory, got none; give a number")
        ranges, reason = auto_ranges(plane, tracks, problem, choice, device=device)
    else:
        ranges, reason = parse(str(extent), np.zeros((1, len(plane.directions)))), ""
    settings: Mapping[str, Any] = {
        "tolerance": tolerance,
        "samples": samples,
        "cap": str(cap),
        "measures": list(measures),
        "extent_reason": reason,
        **of_objective(problem),
    }
    about["settings"] = {**about.get("settings", {}), **settings}
    caps_need = tolerance and cap == Evaluation.cap
    if caps_need or (crossings.compares(plane) and loss_unit(problem) != NAT):
        about.setdefault("constant_loss", constant_loss(problem))
    grid_axes = axes(choice.size, ranges)
    scan = _empty(plane, problem, grid_axes, choice, evaluation, trajectory, **about)
    job = Job(problem, scan, evaluation, tracks)
    with cluster.workers(workers) if isinstance(workers, int) else nullcontext(workers) as pool:
        [filled] = deque(job.run(pool), maxlen=1)
    return filled
