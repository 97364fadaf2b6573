"""The parts that look at what lies between the floors below a run's snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.connectivity import connectivity, curves
from landscape.diagnose.session.context import Context, PartRow, Told, share
from landscape.diagnose.trainings.replicas import FLOORS
from landscape.diagnose.trainings.trials import branch
from landscape.errors import LandscapeError
from landscape.store.measured.paths import Connectivity, Curved
from landscape.store.measured.trainings import MotionTrainings
from landscape.store.run import read


def _connectivity(context: Context, told: Told) -> Connectivity:
    """Barriers between them."""
    subject = context.subject
    return connectivity.between(
        subject.problem,
        _networks(context),
        symmetry=subject.symmetry,
        thresholds=context.limits,
        listener=share(told),
    )


def _networks(context: Context) -> NDArray[np.float32]:
    """The floors' weights (K, P)."""
    motion = _motion(context)
    if motion is None or len(motion.floors) < 2:
        raise LandscapeError("fewer than two floors were reached")
    run = context.subject.run
    runs = [read(branch(run, name)).trajectory for name in motion.floors]
    return np.stack([t.row_weights(t.row("final")) for t in runs])


def _curves(context: Context, told: Told) -> Curved:
    """Curves where no line connects them."""
    lines = context.measured.connectivity
    if not context.curve or lines is None:
        raise LandscapeError("no curves were asked for, or there are no lines to replace")
    return curves.curves_between(
        context.subject.problem,
        _networks(context),
        lines.line,
        thresholds=context.limits,
        listener=share(told),
    )


def _motion(context: Context) -> MotionTrainings | None:
    found = context.measured.interventions
    return found.motion if found is not None else None


def _options(context: Context) -> tuple[Any, ...]:
    """What both depend on: which floors there are, and where connection ends."""
    motion = _motion(context)
    limits = (context.limits.barrier_error, context.limits.barrier_ratio)
    return (list(motion.floors), list(motion.floor_losses), limits) if motion is not None else ()


def _have_floors(context: Context) -> bool:
    return context.plan.kind == "motion"


CONNECTIVITY = PartRow(
    _connectivity,
    version=2,
    options=_options,
    cost=lambda context: connectivity.cost(context.subject.problem, FLOORS),
    wanted=_have_floors,
)
CURVES = PartRow(
    _curves,
    options=_options,
    cost=lambda context: FLOORS * (FLOORS - 1) / 2 * curves.curve_cost(context.subject.problem),
    # Without lines there is nothing that curves could replace.
    wanted=lambda context: (
        context.curve and _have_floors(context) and "connectivity" not in context.absent
    ),
)
