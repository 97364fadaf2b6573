"""The parts that are measured only where they are named: dear ones that no verdict rests on."""

from __future__ import annotations

from typing import Any

from landscape.curvature import by_layer, learning_coefficient
from landscape.curvature.hessian import SAMPLES
from landscape.diagnose.connectivity import connectivity
from landscape.diagnose.session.context import Context, PartRow, Told, share
from landscape.diagnose.session.costs import GRADIENT, PRODUCT
from landscape.diagnose.session.snapshots import LANDMARKS, onset_row, rows_in_time, with_onset
from landscape.diagnose.trainings import parting
from landscape.store.measured.complexity import LearningCoefficient
from landscape.store.measured.curvature import LayerCurvature
from landscape.store.measured.instability import Instability


def _by_layer(context: Context, told: Told) -> LayerCurvature:
    subject = context.subject
    rows = rows_in_time(context, LANDMARKS)
    return by_layer.measure(
        subject.problem, subject.trajectory, rows, memory=context.memory, listener=share(told)
    )


def _by_layer_cost(context: Context) -> float:
    layout = context.subject.problem.layout
    products = by_layer.products([place.size for place in layout.moving])
    row = products * min(SAMPLES, context.subject.samples) * PRODUCT
    return with_onset(context, LANDMARKS) * row


BY_LAYER = PartRow(_by_layer, options=onset_row, cost=_by_layer_cost, on_request=True)


def _coefficient(context: Context, told: Told) -> LearningCoefficient:
    subject = context.subject
    return learning_coefficient.measure(
        subject.problem, subject.trajectory, memory=context.memory, listener=share(told)
    )


def _coefficient_cost(context: Context) -> float:
    gradients, products = learning_coefficient.cost(context.subject.samples)
    return GRADIENT * gradients + PRODUCT * products


COEFFICIENT = PartRow(_coefficient, cost=_coefficient_cost, on_request=True)


def _instability(context: Context, told: Told) -> Instability:
    return parting.measure(
        context.subject, epochs=context.epochs, limits=context.limits, listener=told
    )


def _instability_cost(context: Context) -> float:
    subject = context.subject
    families = len(parting.SHARES) + 2  # those of trainings that exist, of two places at most
    lines = families * connectivity.cost(subject.problem, parting.CHILDREN, matched=False)
    return GRADIENT * parting.cost(subject, context.epochs) + lines


def _instability_options(context: Context) -> tuple[Any, ...]:
    """What there is to compare, and where connection ends."""
    limits = context.limits.barrier_error, context.limits.barrier_ratio
    return context.epochs, limits, parting.there(context.subject)


INSTABILITY = PartRow(
    _instability, options=_instability_options, cost=_instability_cost, on_request=True
)
