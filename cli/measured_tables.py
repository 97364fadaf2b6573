"""Of what a diagnosis measured, the tables that no verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from landscape.quantities import percent

from .page_tables import cell, columns

if TYPE_CHECKING:
    from rich.console import RenderableType

    from landscape.store.measured.complexity import LearningCoefficient
    from landscape.store.measured.curvature import LayerCurvature, PreconditionedSharpness
    from landscape.store.measured.instability import Instability
    from landscape.store.measured.whole import Measured

MOST = 12
"""Tensors in the table of layers, the sharpest."""


def measured_tables(measured: Measured) -> Iterator[RenderableType]:
    """Those there is something for, from top to bottom."""
    if measured.preconditioned is not None:
        yield _preconditioned(measured.preconditioned)
    if measured.curvature_by_layer is not None:
        yield _layers(measured.curvature_by_layer)
    if measured.learning_coefficient is not None:
        yield _coefficient(measured.learning_coefficient)
    if measured.instability is not None:
        yield _instability(measured.instability)


def _preconditioned(found: PreconditionedSharpness) -> RenderableType:
    table = columns(
        *("of P^(-1/2) H P^(-1/2)", "what steps can bear", "of H alone"),
        right=(1, 2, 3),
        first=f"{found.optimizer}'s sharpness at step",
    )
    for row, step in enumerate(found.step):
        bound = "no bound known" if found.unknown else cell(float(found.bound[row]))
        table.add_row(
            f"{step}", cell(float(found.value[row])), bound, cell(float(found.plain[row]))
        )
    said = (
        f"no bound is known: {found.unknown}"
        if found.unknown
        else f"P is what {found.optimizer} divides its step by; above {found.rule} steps grow"
    )
    return Group(Text(), table, Text(said))


def _layers(found: LayerCurvature) -> RenderableType:
    table = columns(
        *("top eigenvalue", "trace", "|w|² × top"),
        right=(1, 2, 3),
        first=f"curvature by layer, at step {found.step[-1]}",
    )
    sharpest = sorted(range(len(found.tensors)), key=lambda k: -float(found.top[-1, k]))[:MOST]
    for tensor in sorted(sharpest):
        trace, error = (float(of[-1, tensor]) for of in (found.trace, found.trace_error))
        table.add_row(
            found.tensors[tensor],
            cell(float(found.top[-1, tensor])),
            f"{cell(trace)} ± {cell(error)}" if error else cell(trace),
            cell(float(found.scaled[-1, tensor])),
        )
    lines: list[RenderableType] = [Text(), table]
    if len(found.tensors) > MOST:
        lines.append(Text(f"the {MOST} sharpest of {len(found.tensors)} tensors"))
    lines.append(
        Text(
            f"of the whole Hessian: top {cell(float(found.whole[-1]))}, trace "
            f"{cell(float(found.trace[-1].sum()))}; |w|² × top doesn't change where a layer is "
            "rescaled and the next one back"
        )
    )
    return Group(*lines)


def _coefficient(found: LearningCoefficient) -> RenderableType:
    table = columns(
        *("λ̂", "a quadratic's", "what to say"),
        right=(1, 2),
        first="learning coefficient below step",
    )
    said = {True: "differs: not a quadratic at this scale", False: "as a quadratic"}
    for floor, step in enumerate(found.step):
        differs = found.differs(floor)
        table.add_row(
            f"{step}",
            _with_error(found.value[floor], found.error[floor]),
            _with_error(found.null[floor], found.null_error[floor]),
            Text("undetermined" if differs is None else said[differs]),
        )
    lines: list[RenderableType] = [Text(), table]
    lines += [Text(f"undetermined: {why}") for why in dict.fromkeys(found.undetermined) if why]
    for check in found.checks:
        lines.append(
            Text(
                f"below step {found.step[found.checked]}, {check.change}: "
                f"{_with_error(check.value, check.error)}, a quadratic's {cell(check.null)}"
            )
        )
    lines.append(
        Text(
            f"a half for each direction that counts at losses {cell(found.scale)} above the floor, "
            f"of {found.parameters:,} parameters (n = {found.samples:,}, β = 1/ln n, tether γ = "
            f"{cell(found.tether)}); it doesn't tell isolated from connected minima"
        )
    )
    return Group(*lines)


def _with_error(value: float, error: float) -> str:
    shown = cell(float(value))
    return shown if math.isnan(value) else f"{shown} ± {error:.2g}"


def _instability(found: Instability) -> RenderableType:
    from landscape.store.measured.instability import COOLED

    table = columns(
        *("children", "barrier, points", "barrier in loss", "predictions differ", "distance"),
        right=(1, 2, 3, 4, 5),
        first="trainings that part at step",
    )
    for row, step in enumerate(found.step):
        own = "" if found.kind[row] == COOLED else ", the run's rate"
        differ = float(found.disagreement[row])
        table.add_row(
            f"{step}{own}",
            f"{found.children[row]}",
            _with_error(found.error[row], found.error_error[row]),
            _with_error(found.loss[row], found.loss_error[row]),
            "unknown" if math.isnan(differ) else percent(differ),
            cell(float(found.distance[row])),
        )
    return Group(
        Text(),
        table,
        Text(
            "barriers on the straight line between ends of trainings with other batch orders; "
            "their rate falls to zero unless it is the run's, whose noise hides barriers"
        ),
    )
