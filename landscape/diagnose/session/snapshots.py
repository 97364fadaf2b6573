"""The parts that look at snapshots of the whole run, each with what it costs."""

from __future__ import annotations

from dataclasses import replace

from landscape.curvature import along_run, density, preconditioned, sharpness
from landscape.curvature.hessian import SAMPLES
from landscape.curvature.preconditioned import PRECONDITIONED as OPTIMIZERS
from landscape.curvature.preconditioned import Preconditioner
from landscape.diagnose.motion import distances, window
from landscape.diagnose.session import kept
from landscape.diagnose.session.context import Context, PartRow, Told, share
from landscape.diagnose.session.costs import FORWARD, GRADIENT, PRODUCT
from landscape.diagnose.symmetry import copies
from landscape.diagnose.trainings import after_escape
from landscape.diagnose.units import functions, units
from landscape.errors import LandscapeError
from landscape.sgd.training.optimizers import OWN
from landscape.store.measured.curvature import (
    Curvature,
    Density,
    PreconditionedSharpness,
    Sharpness,
)
from landscape.store.measured.networks import Functions, Units
from landscape.store.measured.weights import Copies, WeightDistances
from landscape.store.trajectories.landmarks import spread

LANDMARKS = 4
"""Rows of the curvature: initialization, best, end, one more; and that before an escape."""
IN_TIME, SHARPNESSES = 12, 6
"""Rows over the whole run, landmarks among them, of what costs less: units, batch sharpness."""
SHARP_BATCHES = 32
DENSITY = 2, 30
"""Probes, and Lanczos steps of each."""
ROW_PRODUCTS, ROW_LOSSES = 37, 32
"""Of a row of the curvature: Lanczos, trace and the gradient's curvature; the critical step."""


def _units(context: Context, told: Told) -> Units:
    subject = context.subject
    rows = spread(subject.trajectory, most=IN_TIME)
    return units.measure(
        subject.problem, subject.trajectory, rows, memory=context.memory, listener=share(told)
    )


UNITS = PartRow(
    _units,
    version=2,
    cost=lambda context: IN_TIME * context.subject.samples * (FORWARD + GRADIENT),
)


def _functions(context: Context, told: Told) -> Functions:
    subject = context.subject
    return functions.measure(subject.problem, subject.trajectory, listener=share(told))


FUNCTIONS = PartRow(
    _functions,
    version=2,
    cost=lambda context: functions.ROWS * context.subject.samples * FORWARD,
)


def _distances(context: Context, _: Told) -> WeightDistances:
    found, first = distances.measure(context.subject.trajectory), _settled_from(context)
    late = distances.since(found, first)
    return WeightDistances(
        found,
        distances.by_lag(found),
        None if late is None else distances.by_lag(late),
        first,
    )


def _settled_from(context: Context) -> int:
    """Where the motion's window begins: before it, what was learned dominates all distances."""
    return window.of_run(context.subject.evidence, context.limits).first


DISTANCES = PartRow(_distances, version=2, options=lambda context: (_settled_from(context),))


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


PERMUTATIONS = PartRow(
    _copies, options=lambda context: (None if context.twin is None else context.twin.id,)
)


def onset_row(context: Context) -> tuple[int, ...]:
    """The last row before an escape, if there was one."""
    if context.course is None or not context.course.escaped:
        return ()
    return (after_escape.before_onset(context.subject, context.course),)


def rows_in_time(context: Context, most: int) -> list[int]:
    """So many rows over the run, landmarks among them, and that before an escape."""
    return sorted({*spread(context.subject.trajectory, most=most), *onset_row(context)})


def with_onset(context: Context, rows: int) -> int:
    """How many rows those are."""
    return rows + (context.course is not None and context.course.escaped)


def _curvature(context: Context, told: Told) -> Curvature:
    subject, rows = context.subject, rows_in_time(context, LANDMARKS)
    return along_run.measure_curvature(
        subject.problem, subject.trajectory, rows, memory=context.memory, listener=share(told)
    )


def _curvature_cost(context: Context) -> float:
    total = context.subject.samples
    row = ROW_PRODUCTS * min(SAMPLES, total) * PRODUCT + total * (GRADIENT + ROW_LOSSES * FORWARD)
    return with_onset(context, LANDMARKS) * row


CURVATURE = PartRow(_curvature, version=2, options=onset_row, cost=_curvature_cost)


def _sharpness(context: Context, told: Told) -> Sharpness:
    subject = context.subject
    setup = subject.evidence.setup
    if subject.settings is None:
        raise LandscapeError("the batch size of a training loop of your own isn't known")
    return sharpness.measure(
        subject.problem,
        subject.trajectory,
        rows_in_time(context, SHARPNESSES),
        batch_size=setup.batch_size,
        batches=SHARP_BATCHES,
        weight_decay=setup.weight_decay,
        memory=context.memory,
        listener=share(told),
    )


def _sharpness_cost(context: Context) -> float:
    batch = min(context.subject.evidence.setup.batch_size, context.subject.samples)
    return with_onset(context, SHARPNESSES) * SHARP_BATCHES * batch * (GRADIENT + PRODUCT)


SHARPNESS = PartRow(_sharpness, version=3, options=onset_row, cost=_sharpness_cost)


def _preconditioned(context: Context, told: Told) -> PreconditionedSharpness:
    subject = context.subject
    known, setup = subject.settings, subject.evidence.setup
    if known is None or known.optimizer == OWN:
        raise LandscapeError("the optimizer's options in a training loop of your own aren't known")
    chosen = Preconditioner(setup.optimizer, known.of_optimizer(), setup.batch_size, setup.clipped)
    return preconditioned.measure(
        subject.problem, subject.trajectory, chosen, memory=context.memory, listener=share(told)
    )


def _is_preconditioned(context: Context) -> bool:
    return context.subject.evidence.setup.optimizer in OPTIMIZERS


def _preconditioned_cost(context: Context) -> float:
    if not _is_preconditioned(context):
        return 0.0
    rows = len(preconditioned.rows_with_state(context.subject.trajectory))
    return rows * 2 * preconditioned.PRODUCTS * min(SAMPLES, context.subject.samples) * PRODUCT


PRECONDITIONED = PartRow(_preconditioned, cost=_preconditioned_cost, wanted=_is_preconditioned)


def _density(context: Context, told: Told) -> Density:
    subject = context.subject
    probes, steps = DENSITY
    return density.measure(
        subject.problem,
        subject.trajectory,
        probes=probes,
        steps=steps,
        memory=context.memory,
        listener=share(told),
    )


def _density_cost(context: Context) -> float:
    probes, steps = DENSITY
    return probes * steps * min(SAMPLES, context.subject.samples) * PRODUCT


SPECTRUM = PartRow(_density, version=2, cost=_density_cost)
