"""The parts of a diagnosis: what each measures, what it depends on, and what it needs before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.curvature import along_run, density, sharpness
from landscape.curvature import jump as jumps
from landscape.curvature.along_run import Curvature
from landscape.curvature.density import Density
from landscape.curvature.hessian import SAMPLES
from landscape.curvature.jump import Jump
from landscape.curvature.sharpness import Sharpness
from landscape.diagnose import (
    copies,
    diffusion,
    distances,
    escape,
    floors,
    functions,
    kept,
    units,
    window,
)
from landscape.diagnose.connectivity import Connectivity
from landscape.diagnose.context import Context, Told, counted, share
from landscape.diagnose.copies import Copies
from landscape.diagnose.curved import Curved
from landscape.diagnose.diffusion import Diffusion
from landscape.diagnose.distances import Distances, LagCurve
from landscape.diagnose.functions import Functions
from landscape.diagnose.subject import Subject
from landscape.diagnose.units import Units
from landscape.errors import LandscapeError
from landscape.sgd.events import Course
from landscape.store.landmarks import spread

LEFT_OUT = "left out"
"""Why a part has no result that nobody asked for."""
LANDMARKS = 4
"""Rows of the curvature: initialization, best, end, one more; and that before an escape."""
IN_TIME, SHARPNESSES = 12, 6
"""Rows over the whole run, landmarks among them, of what costs less: units, batch sharpness."""
SHARP_BATCHES = 32
DENSITY = 2, 30
"""Probes, and Lanczos steps of each."""
SOME = SAMPLES
"""Samples behind the Hessians of jump and subspace: with fewer their top is another."""
POSITIONS = 128
"""Snapshots in the window that diffusion is read from rather than from sketches."""
SUBSPACE = 5
"""† Eigenvectors of the subspace that the movement is split by."""


@dataclass(frozen=True)
class Spread:
    """Distances between snapshots, and how they grow with the lag."""

    distances: Distances
    by_lag: LagCurve


@dataclass(frozen=True)
class Part:
    """One part; its result is a frozen dataclass of plain values."""

    kind: type[Any]
    measure: Callable[[Context, Told], Any]
    version: int = 1
    """Raised when the same input gives another result."""
    needs: tuple[str, ...] = ()
    options: Callable[[Context], tuple[Any, ...]] = lambda context: ()
    """What of the context it depends on beside the run and the problem."""
    fuller: Callable[[Context], tuple[Any, ...]] | None = None
    """Options of a result with more in it, which is as true,"""
    poorer: Callable[[Context], tuple[Any, ...]] | None = None
    """and of one with less, which will do where the part isn't asked for."""


def _distances(context: Context, _: Told) -> Spread:
    found = distances.measure(context.subject.trajectory)
    return Spread(found, distances.by_lag(found))


def _units(context: Context, told: Told) -> Units:
    subject = context.subject
    rows = spread(subject.trajectory, most=IN_TIME)
    return units.measure(subject.problem, subject.trajectory, rows, listener=share(told))


def _functions(context: Context, told: Told) -> Functions:
    subject = context.subject
    return functions.measure(subject.problem, subject.trajectory, listener=share(told))


def _curvature(context: Context, told: Told) -> Curvature:
    subject = context.subject
    rows = sorted({*spread(subject.trajectory, most=LANDMARKS), *_onset(context)})
    return along_run.measure(subject.problem, subject.trajectory, rows, listener=share(told))


def _sharpness(context: Context, told: Told) -> Sharpness:
    subject = context.subject
    setup = subject.evidence.setup
    if subject.settings is None:
        raise LandscapeError("the batch size of a training loop of your own isn't known")
    rows = sorted({*spread(subject.trajectory, most=SHARPNESSES), *_onset(context)})
    return sharpness.measure(
        subject.problem,
        subject.trajectory,
        rows,
        batch_size=setup.batch_size,
        batches=SHARP_BATCHES,
        weight_decay=setup.weight_decay,
        listener=share(told),
    )


def _onset(context: Context) -> tuple[int, ...]:
    """The last row before an escape, if there was one."""
    if context.course is None or not context.course.escaped:
        return ()
    return (escape.before_onset(context.subject, context.course),)


def _density(context: Context, told: Told) -> Density:
    subject = context.subject
    probes, steps = DENSITY
    return density.measure(
        subject.problem,
        subject.trajectory,
        probes=probes,
        steps=steps,
        listener=share(told),
    )


def _jump(context: Context, told: Told) -> Jump:
    course, subject = context.course, context.subject
    if not has_returned(course):
        raise LandscapeError("the loss made no excursion that it came back from for good")
    assert course is not None
    steps = _jumped(course)
    first, peak, last = jumps.stretch(subject.trajectory, *steps)
    return jumps.jump(
        subject.problem,
        subject.trajectory,
        first,
        last,
        peak=peak,
        count=SUBSPACE,
        samples=SOME,
        listener=counted(told, 2 * jumps.PRODUCTS),
    )


def _jumped(course: Course) -> tuple[int, int]:
    """Steps before and after the longest spike."""
    longest = max(course.spikes or course.ended, key=lambda excursion: excursion.rows)
    return course.step(max(longest.first - 1, 0)), course.step(longest.end)


def has_returned(course: Course | None) -> bool:
    """Whether the loss left and came back for good: what a catapult does."""
    return course is not None and bool(course.ended) and course.last is None


def _copies(context: Context, _: Told) -> Copies:
    subject = context.subject
    final = subject.trajectory.row("final")
    twin = None
    if context.twin is not None:
        other = context.twin.trajectory
        twin = other.row_weights(other.row("final"))
    weights = subject.trajectory.row_weights(final)
    found = copies.measure(subject.problem, weights, twin, symmetry=subject.symmetry)
    if context.twin is None:
        return found
    return replace(found, twin_run=kept.relative(subject.run, context.twin))


def _diffusion(context: Context, told: Told) -> Diffusion:
    subject = context.subject
    trajectory, evidence = subject.trajectory, subject.evidence
    span = window.of_run(evidence, context.limits)
    rows = _inside(subject, span.first, span.last)
    momentum = evidence.setup.momentum
    whole = int(trajectory.step[-1])
    if len(rows) >= POSITIONS or trajectory.sketch_seed() is None:
        found = distances.measure(trajectory, rows=rows)
    else:
        found = distances.sketched(trajectory, first=span.first, last=span.last)
    moved = diffusion.measure(
        found, run_steps=whole, scalars=trajectory.scalars(), momentum=momentum
    )
    return replace(moved, parts=_split(context, rows, told))


def _split(context: Context, rows: NDArray[np.int64], told: Told) -> Mapping[str, Any]:
    """The movement in the top Hessian subspace and in the bulk; empty with too few snapshots."""
    subject = context.subject
    escaped = context.course is None or context.course.escaped
    if "curvature" not in context.results or escaped:
        return {}
    try:
        pairs = jumps.subspace(
            subject.problem,
            subject.trajectory,
            subject.trajectory.row("final"),
            count=SUBSPACE,
            samples=SOME,
            listener=counted(told, jumps.PRODUCTS),
        )
        found = distances.measure(subject.trajectory, rows=rows, subspace=pairs.vectors)
        total = subject.samples
        return {
            name: replace(part, samples=min(SOME, total), total=total)
            for name, part in diffusion.measure(found).parts.items()
        }
    except LandscapeError as error:
        context.absent["split"] = f"movement in sharp directions and in the bulk: {error}"
        return {}


def _inside(subject: Subject, first: int, last: int) -> NDArray[np.int64]:
    rows = subject.cadence
    steps = subject.trajectory.step[rows]
    return rows[(steps >= first) & (steps <= last)]


def _windowed(context: Context, is_split: bool | None = None) -> tuple[Any, ...]:
    span = window.of_run(context.subject.evidence, context.limits)
    escaped = context.course is None or context.course.escaped
    split = "curvature" in context.results if is_split is None else is_split
    return (span.first, span.last, split, escaped)


MEASURED: dict[str, Part] = {
    "units": Part(Units, _units, version=2),
    "functions": Part(Functions, _functions, version=2),
    "distances": Part(Spread, _distances),
    "permutations": Part(
        Copies, _copies, options=lambda c: (c.twin.id if c.twin is not None else None,)
    ),
    "curvature": Part(Curvature, _curvature, version=2, options=_onset),
    "sharpness": Part(Sharpness, _sharpness, version=3, options=_onset),
    "density": Part(Density, _density, version=2),
    "jump": Part(
        Jump,
        _jump,
        version=3,
        options=lambda c: _jumped(c.course) if c.course and has_returned(c.course) else (),
    ),
    "diffusion": Part(
        Diffusion,
        _diffusion,
        version=2,
        options=_windowed,
        fuller=lambda c: _windowed(c, is_split=True),
        poorer=lambda c: _windowed(c, is_split=False),
    ),
    "connectivity": Part(
        Connectivity, floors.measure, version=2, needs=("interventions",), options=floors.options
    ),
    "curves": Part(Curved, floors.curves, needs=("connectivity",), options=floors.options),
}
"""By name; `interventions` come before those that need them."""
FIRST = tuple(name for name, part in MEASURED.items() if not part.needs)
NAMES = (*FIRST, "interventions", *(name for name in MEASURED if name not in FIRST))
