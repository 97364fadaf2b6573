"""The parts that look at how the weights moved: over a spike, and over the motion's window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.curvature import jump as jumps
from landscape.curvature.hessian import SAMPLES
from landscape.diagnose.motion import diffusion, distances, window
from landscape.diagnose.session.context import Context, PartRow, Told, counted
from landscape.diagnose.session.costs import PRODUCT
from landscape.diagnose.trainings.subject import Subject
from landscape.errors import LandscapeError
from landscape.sgd.escapes import Course
from landscape.store.measured.curvature import Jump
from landscape.store.measured.weights import Diffusion, Submovement

POSITIONS = 128
"""Snapshots in the window that diffusion is read from rather than from sketches."""
SUBSPACE = 5
"""† Eigenvectors of the subspace that the movement is split by."""
SOME = SAMPLES
"""Samples behind the Hessians of jump and subspace: with fewer their top is another."""


def _returned(context: Context) -> Course | None:
    """The losses, if they left and came back for good: what a catapult does."""
    course = context.course
    return course if course is not None and course.ended and course.last is None else None


def _jumped(context: Context) -> tuple[int, ...]:
    """Steps before and after the longest spike; () without any."""
    course = _returned(context)
    if course is None:
        return ()
    longest = max(course.spikes or course.ended, key=lambda excursion: excursion.rows)
    return course.step(max(longest.first - 1, 0)), course.step(longest.end)


def measure_jump(context: Context, told: Told) -> Jump:
    """Curvature around the longest spike, and along what the weights left.

    Raises:
        LandscapeError: there was none.
    """
    subject, steps = context.subject, _jumped(context)
    if not steps:
        raise LandscapeError("the loss made no excursion that it came back from for good")
    first, peak, last = jumps.stretch(subject.trajectory, *steps)
    return jumps.jump(
        subject.problem,
        subject.trajectory,
        first,
        last,
        peak=peak,
        count=SUBSPACE,
        samples=SOME,
        memory=context.memory,
        listener=counted(told, 2 * jumps.PRODUCTS),
    )


def _subspace_cost(context: Context) -> float:
    return jumps.PRODUCTS * min(SOME, context.subject.samples) * PRODUCT


JUMP = PartRow(
    measure_jump,
    version=3,
    options=_jumped,
    cost=lambda context: 2 * _subspace_cost(context) if _returned(context) else 0.0,
    wanted=lambda context: _returned(context) is not None,
)


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


def _split(context: Context, rows: NDArray[np.int64], told: Told) -> Mapping[str, Submovement]:
    """The movement in the top Hessian subspace and in the bulk; empty with too few snapshots."""
    subject = context.subject
    if not _can_split(context) or _has_escaped(context):
        return {}
    try:
        pairs = jumps.subspace(
            subject.problem,
            subject.trajectory,
            subject.trajectory.row("final"),
            count=SUBSPACE,
            samples=SOME,
            memory=context.memory,
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


def _can_split(context: Context) -> bool:
    return context.measured.curvature is not None


def _has_escaped(context: Context) -> bool:
    return context.course is None or context.course.escaped


def _inside(subject: Subject, first: int, last: int) -> NDArray[np.int64]:
    rows = subject.cadence
    steps = subject.trajectory.step[rows]
    return rows[(steps >= first) & (steps <= last)]


def _windowed(context: Context, is_split: bool | None = None) -> tuple[Any, ...]:
    span = window.of_run(context.subject.evidence, context.limits)
    split = _can_split(context) if is_split is None else is_split
    return (span.first, span.last, split, _has_escaped(context))


DIFFUSION = PartRow(
    _diffusion,
    version=2,
    options=_windowed,
    fuller=lambda context: _windowed(context, is_split=True),
    poorer=lambda context: _windowed(context, is_split=False),
    cost=lambda context: 0.0 if _has_escaped(context) else _subspace_cost(context),
)
