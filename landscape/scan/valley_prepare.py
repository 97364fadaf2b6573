"""From what was asked for to a valley's scan that is ready, new or gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from landscape.curvature.bounds import bounds
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.plane import slices
from landscape.plane.basis import DISTANCE
from landscape.plane.choice import PlaneChoice
from landscape.plane.extent import AUTO, Range, axes, parse
from landscape.plane.normalization import NORMALIZATIONS
from landscape.problem import modes
from landscape.problem.batchnorm import has_statistics
from landscape.problem.problem import Problem
from landscape.scan import crossings, rises
from landscape.scan.begun_with import OtherScanError, other_setting
from landscape.scan.measures import FURTHER, of_problem, stored
from landscape.scan.paths import TrueLosses, evaluated
from landscape.scan.planned import made_by
from landscape.scan.refine import caps
from landscape.scan.request import Request
from landscape.scan.saving import Saver, state
from landscape.scan.speed import memory
from landscape.scan.speed.evaluator import PointEvaluator
from landscape.scan.speed.strategies import STRATEGIES
from landscape.scan.valley_job import ValleyJob
from landscape.store.run import Run
from landscape.store.scans import valleyfile, valleys
from landscape.store.scans.records import DROPS, Floats, Plane
from landscape.store.scans.rises import KEY, Rise
from landscape.store.scans.valleys import Slices, Valley, WalkedPath
from landscape.store.trajectories.trajectory import Trajectory

LOOKED_AT = 5
"""Rows whose walls say how far ``auto`` reaches,"""
WIDER = 3.0
"""so many times their median."""
FARTHEST = 1.0
"""How far these are looked for, in lengths of the weights."""
CHUNK_BYTES = 16 * 2**20
REACH: Range = (-1.0, 1.0)
"""Of random directions, unless something else is asked for."""


def valley_job(
    run: Run,
    problem: Problem,
    request: Request,
    path: Path,
    known: TrueLosses,
    *,
    constant_loss: float,
    resume: bool,
) -> ValleyJob:
    """A run's valley, ready to be scanned.

    The losses of the run's rows are measured where training didn't, of as many as a plane's path
    has; what is ``known`` of them serves the planes.

    Raises:
        LandscapeError: options that a valley can't have, a run that never moved, or one that is
            to be gone on with but was begun otherwise.
    """
    choice, trajectory = request.plane, run.trajectory
    slices.check(choice)
    if request.grid.with_weight_decay:
        raise LandscapeError(
            "a valley is of the recorded losses, got with-weight-decay; take another plane for it"
        )
    if resume and path.exists():
        valley = _resumed(path, run, request)
    else:
        device = request.evaluation.device
        own = evaluated(run, problem, known, device=device).measures["train_loss"]
        valley = _begun(run, problem, request, constant_loss, own)
    saver = Saver(path, request.save_seconds, state(path))
    further = tuple(name for name in FURTHER if name in request.grid.measures)
    return ValleyJob(problem, valley, trajectory, choice, request.evaluation, saver, further)


def _begun(
    run: Run, problem: Problem, request: Request, constant_loss: float, own: Floats
) -> Valley:
    """A new valley, nothing of it measured yet but its ``own`` losses of the recorded rows."""
    choice, trajectory = request.plane, run.trajectory
    far, missing = slices.travelled(trajectory)
    if len(far) < 2 or far[-1] == 0:
        raise LandscapeError(
            "a valley needs recorded weights that moved, this run's never did; take plane random"
        )
    count, _ = counts(request.grid.size)
    rows = slices.chosen(trajectory, far, count=count, spacing=choice.spacing)
    rise = rises.decide(problem, constant_loss, lambda: own)
    y, reason = _across(trajectory, problem, request, rows, rise)
    found = _slices(trajectory, rows, far)
    shape, draws = (len(rows), len(y)), slices.DRAWS if choice.across == "random" else 1
    names, further = of_problem(problem), stored(request.grid.measures)
    measures = {name: np.full(shape, np.nan) for name in (*names, *further)}
    estimated = request.evaluation.tolerance or request.evaluation.samples is not None
    # Of fewer samples are losses alone; what is interpolated is everything.
    uncertain = measures if request.evaluation.tolerance else names
    seen = np.flatnonzero(~np.isnan(own[: len(far)]))
    return Valley(
        slices=found,
        y=y,
        measures=measures,
        measured=np.zeros(shape, bool),
        walls=np.full((len(rows), draws, 2), np.nan),
        critical_step=np.full(len(rows), np.nan),
        bounds=_bounds(run, rows),
        path=WalkedPath(trajectory.step[seen], far[seen], own[seen]),
        across=choice.across,
        unit=unit(choice),
        seed=choice.seed,
        normalization=choice.normalize if choice.across == "random" else "none",
        ignored="1-D" if choice.across == "random" and not choice.include_1d else "none",
        batchnorm=choice.batchnorm or "saved",
        normalizes=has_statistics(problem.model),
        events=trajectory.events,
        constant_loss=constant_loss,
        run_id=run.id,
        run_name=run.name,
        parameters=trajectory.size,
        provenance=made_by(request.evaluation.device, run),
        settings=_settings(request)
        | {"extent_reason": reason, "from_snapshots": missing, "unit": choice.unit}
        | ({DROPS: True} if modes.drops(problem.model) else {})
        | {valleys.PRECISION: crossings.WALL_PRECISION, KEY: asdict(rise)},
        tolerance=request.evaluation.tolerance,
        errors={name: np.full(shape, np.nan) for name in uncertain} if estimated else {},
        subset={name: np.full(shape, np.nan) for name in _beneath(request, names)},
    )


def _beneath(request: Request, names: Sequence[str]) -> Sequence[str]:
    """What fewer samples are evaluated for at all points, before others are interpolated."""
    evaluation = request.evaluation
    two = evaluation.tolerance > 0 and evaluation.samples is not None
    return names if two and request.plane.across == "random" else ()


def unit(choice: PlaneChoice) -> str:
    """What 1 on y is."""
    return NORMALIZATIONS[choice.normalize].unit if choice.across == "random" else DISTANCE


def counts(size: str) -> tuple[int, int]:
    """Rows along the path at most, and points across it, of ``51`` or ``61x41``.

    Raises:
        LandscapeError: a size that can't be.
    """
    x, y = axes(size, (REACH, REACH))
    return len(x), len(y)


def _settings(request: Request) -> dict[str, Any]:
    """What a resumed valley must have in common with one that was begun."""
    choice, evaluation = request.plane, request.evaluation
    further = stored(request.grid.measures)
    return {
        "plane": "valley",
        "across": choice.across,
        "spacing": choice.spacing,
        "size": "x".join(map(str, counts(request.grid.size))),
        "extent": request.grid.extent or "default",
        "seed": choice.seed,
        "normalize": choice.normalize,
        "include_1d": choice.include_1d,
        "batchnorm": choice.batchnorm or "saved",
        "tolerance": evaluation.tolerance,
        "cap": evaluation.cap if evaluation.tolerance else caps.NONE,
        "samples": evaluation.samples,
        "precision": evaluation.precision,
        **({"measures": list(further)} if further else {}),
    }


def _across(
    trajectory: Trajectory, problem: Problem, request: Request, rows: slices.Rows, rise: Rise
) -> tuple[Floats, str]:
    """The coordinates across the path, and where their range comes from in words."""
    choice, text = request.plane, request.grid.extent
    reason = ""
    if text is not None and text != AUTO:
        reach = parse(text, np.zeros((1, 1)))[0]
    elif choice.across == "random" and text is None:
        reach = REACH
    else:
        reach, reason = _reach(trajectory, problem, request, rows, rise)
    if not reach[0] < 0 < reach[1]:
        raise LandscapeError(
            "a valley must reach to both sides of y = 0, the run itself, got extent "
            f"{reach[0]:g}:{reach[1]:g}; give a number, or ends of both signs"
        )
    return centred(reach, counts(request.grid.size)[1]), reason


def centred(reach: Range, count: int) -> Floats:
    """Coordinates from end to end, 0 among them: of an even ``count`` one more."""
    low, high = reach
    between = count - count % 2
    beneath = min(max(round(between * -low / (high - low)), 1), between - 1)
    above = between - beneath
    below_zero = low * np.arange(beneath, 0, -1) / beneath
    return np.concatenate([below_zero, high * np.arange(above + 1) / above])


def _reach(
    trajectory: Trajectory, problem: Problem, request: Request, rows: slices.Rows, rise: Rise
) -> tuple[Range, str]:
    """A range around the walls of a few rows, from the start to the end."""
    choice, device = request.plane, request.evaluation.device
    looked_at = rows[np.unique(np.linspace(0, len(rows) - 1, LOOKED_AT).round().astype(int))]
    hessian = Hessian(problem, device=device, memory=memory.most(request.evaluation.memory))
    radii: list[float] = []
    for row in looked_at.tolist():
        weights, buffers = trajectory.row_weights(row), trajectory.buffers(row)
        if choice.across == "sharpest":
            hessian.move(weights, buffers)
            direction = slices.sharpest(hessian, None, seed=choice.seed).direction
        else:
            direction = slices.random(weights, problem.layout.to_records(), choice)
        plane = Plane("valley", weights, direction[None], ("",), "", buffers)
        evaluator = PointEvaluator(problem, plane, device=device)
        far = FARTHEST * float(np.linalg.norm(weights)) / plane.norms[0]
        both = [crossings.Ray(0, far), crossings.Ray(0, -far)]
        *_, (_, found) = crossings.measure(evaluator.train_losses_at, 1, both, level=rise.by)
        radii += [radius for radius in found or () if radius]
    if not radii:
        raise LandscapeError(
            f"extent auto needs walls, the loss rises by {rise.short} nowhere across the path; "
            "give a number"
        )
    reach = float(f"{WIDER * float(np.median(radii)):.2g}")
    return (-reach, reach), f"{WIDER:g} times as far as the median wall of {len(looked_at)} rows"


def _slices(trajectory: Trajectory, rows: slices.Rows, far: Floats) -> Slices:
    """The weights that slices go through, their directions not known yet."""
    count = len(rows)
    hashes = [slices.identity(trajectory.row_weights(row)) for row in rows.tolist()]
    distances = _distances(trajectory, rows)
    unknown = {name: np.full(count, np.nan) for name in ("length", "cosine", "overlap")}
    return Slices(
        step=trajectory.step[rows],
        hashes=tuple(hashes),
        travelled=far[rows],
        moved=np.diagonal(distances, 1).copy(),
        distances=distances,
        turned=np.full(count - 1, np.nan),
        curvature=np.full(count, np.nan),
        **unknown,
    )


def _distances(trajectory: Trajectory, rows: slices.Rows) -> Floats:
    """Between each two of the rows (N, N), some of the weights at a time."""
    squares = np.zeros((len(rows), len(rows)))
    most = max(1, CHUNK_BYTES // (4 * len(rows)))
    for start in range(0, trajectory.size, most):
        part = slice(start, min(start + most, trajectory.size))
        there = [trajectory.weights(slice(row, row + 1), part)[0] for row in rows.tolist()]
        for i, own in enumerate(there):
            exact = own.astype(np.float64)
            for j in range(i):
                squares[i, j] += ((there[j] - exact) ** 2).sum()
    return np.sqrt(squares + squares.T)


def _bounds(run: Run, rows: slices.Rows) -> Floats:
    """2(1 − β)/η and (2 + 2β)/η of the steps at the rows; NaN of other optimizers than SGD."""
    found = np.full((len(rows), 2), np.nan)
    settings: Mapping[str, Any] = run.record.get("settings") or {}
    rates = run.trajectory.scalars().get("learning_rate", np.empty(0))
    if not len(rates) or "momentum" not in settings or settings.get("optimizer", "sgd") != "sgd":
        return found
    for number, row in enumerate(rows.tolist()):
        rate = float(rates[min(int(run.trajectory.step[row]), len(rates) - 1)])
        if rate > 0:
            both = bounds(
                rate,
                momentum=float(settings["momentum"]),
                nesterov=bool(settings.get("nesterov")),
                weight_decay=float(settings.get("weight_decay") or 0.0),
            )
            found[number] = both.noisy, both.full_batch
    return found


def _resumed(path: Path, run: Run, request: Request) -> Valley:
    """The valley that is there; it keeps its rows, whatever was recorded since.

    Raises:
        LandscapeError: it was begun with other settings, or on weights that the run hasn't.
    """
    old = valleyfile.load(path)
    for name, was, is_now in _differences(old, run, request):
        if was != is_now:
            raise other_setting(path, name, was, is_now)
    for step, mark in zip(old.slices.step.tolist(), old.slices.hashes, strict=True):
        there = np.flatnonzero(run.trajectory.step == step)
        if not len(there) or slices.identity(run.trajectory.row_weights(int(there[0]))) != mark:
            raise OtherScanError(
                f"resume needs the weights that {path} goes through, those of step {step} "
                f"{'are others now' if len(there) else 'are gone'}; make it anew with --overwrite"
            )
    used = old.strategy.get("name")
    if used is not None and used not in STRATEGIES and not old.complete:
        raise OtherScanError(
            f"a resumed scan must go on by its strategy, {path} was begun by {used}, which there "
            "is no more; drop --resume and give another --name"
        )
    return replace(old, settings={**old.settings, "unit": request.plane.unit})


def _differences(old: Valley, run: Run, request: Request) -> Iterator[tuple[str, Any, Any]]:
    yield "run", old.run_id, run.id
    # Older files, and those without further measures, say nothing of them.
    asked = {"measures": [], **_settings(request)}
    for name, is_now in asked.items():
        yield name, old.settings.get(name, [] if name == "measures" else None), is_now
