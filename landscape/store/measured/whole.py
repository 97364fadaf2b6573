"""All that was measured of a run, part by part, and what the parts say together of one step."""

from __future__ import annotations

import math
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.measured.complexity import LearningCoefficient
from landscape.store.measured.curvature import (
    Curvature,
    Density,
    Jump,
    LayerCurvature,
    PreconditionedSharpness,
    Sharpness,
)
from landscape.store.measured.instability import Instability
from landscape.store.measured.networks import Functions, Units
from landscape.store.measured.paths import BarrierMatrices, Connectivity, Curved
from landscape.store.measured.trainings import Interventions, Replicas, Stretches, Trained
from landscape.store.measured.weights import Copies, Diffusion, WeightDistances
from landscape.store.typed import rebuilt

AFTER = "after"
"""A field's metadata: the parts that it is measured from."""


@dataclass(frozen=True)
class StateAtStep:
    """What units, curvature and sharpness say of one recorded step; None: not measured there."""

    step: int
    gradient_norm: float | None = None
    """Of the full-data loss, weight decay left out."""
    dead: tuple[str, ...] | None = None
    """Layers with every unit dead on all data; (): there are none."""
    saturated: tuple[str, ...] | None = None
    """Layers with every unit saturated on all data."""
    partly_dead: Mapping[str, float] = field(default_factory=dict)
    """Share of dead units, of the layers that have some and not all."""
    logit_spread: float | None = None
    """Outputs' standard deviation over the inputs, as a share of their scale."""
    moving: tuple[str, ...] | None = None
    """Parameter tensors whose gradient isn't exactly zero."""
    tensors: int = 0
    """How many there are in all."""
    lambda_max: float | None = None
    lambda_min: float | None = None
    batch_sharpness: float | None = None
    batch_sharpness_error: float = 0.0
    partly_saturated: Mapping[str, float] = field(default_factory=dict)
    """Share of saturated units, as ``partly_dead``."""

    @property
    def stuck_layers(self) -> tuple[str, ...]:
        """Layers whose units are all dead or all saturated; () where not measured."""
        return (self.dead or ()) + (self.saturated or ())

    @property
    def partly_stuck(self) -> Mapping[str, float]:
        """Share of dead or saturated units, of the layers that have some and not all."""
        return {**self.partly_dead, **self.partly_saturated}

    def stuck_as(self, layers: Collection[str]) -> str:
        """What units of these layers are: dead, saturated (of tanh and the like), or some each."""
        kinds = {
            "dead": {*(self.dead or ()), *self.partly_dead},
            "saturated": {*(self.saturated or ()), *self.partly_saturated},
        }
        return " or ".join(kind for kind, known in kinds.items() if known & set(layers))


@dataclass(frozen=True)
class Measured:
    """What was measured of a run, in this order; each None where it wasn't."""

    units: Units | None = None
    functions: Functions | None = None
    distances: WeightDistances | None = None
    permutations: Copies | None = None
    curvature: Curvature | None = None
    sharpness: Sharpness | None = None
    preconditioned: PreconditionedSharpness | None = None
    density: Density | None = None
    jump: Jump | None = None
    diffusion: Diffusion | None = None
    interventions: Interventions | None = None
    connectivity: Connectivity | None = field(default=None, metadata={AFTER: ("interventions",)})
    curves: Curved | None = field(default=None, metadata={AFTER: ("connectivity",)})
    curvature_by_layer: LayerCurvature | None = None
    learning_coefficient: LearningCoefficient | None = None
    instability: Instability | None = None

    @property
    def there(self) -> Mapping[str, object]:
        """Those parts that something came of, by name."""
        found = {name: getattr(self, name) for name in NAMES}
        return {
            name: record
            for name, record in found.items()
            if record is not None and not (isinstance(record, Interventions) and record.is_empty)
        }

    @property
    def branches(self) -> tuple[Trained, ...]:
        """What came of the trainings that outcomes are judged by."""
        return () if self.interventions is None else self.interventions.branches

    @property
    def replicas(self) -> Replicas | None:
        """Trainings with other batch orders."""
        motion = self.interventions.motion if self.interventions is not None else None
        return motion.replicas if motion is not None else None

    @property
    def stretches(self) -> Stretches | None:
        """The run's own movement over the length of replicas that are shorter than its window."""
        motion = self.interventions.motion if self.interventions is not None else None
        return motion.stretches if motion is not None else None

    @property
    def barriers(self) -> Mapping[str, BarrierMatrices]:
        """Between floors, by kind of path; empty where they weren't measured."""
        return {} if self.connectivity is None else self.connectivity.paths(self.curves)

    @property
    def steep_steps(self) -> tuple[int, ...]:
        """Steps at which curvature or batch sharpness was measured."""
        parts = (self.curvature, self.sharpness)
        return tuple(sorted({int(step) for p in parts if p is not None for step in p.step}))

    def at(self, step: int) -> StateAtStep:
        """What the parts say of a step."""
        found: dict[str, Any] = {}
        units, curvature, sharpness = self.units, self.curvature, self.sharpness
        if units is not None and (row := _row(units.step, step)) is not None:
            found |= {
                "gradient_norm": float(units.gradient_norm[row]),
                "dead": units.whole("dead", row),
                "saturated": units.whole("saturated", row),
                "partly_dead": units.partly("dead", row),
                "partly_saturated": units.partly("saturated", row),
                "logit_spread": units.told_apart(row),
                "moving": units.moving(row),
                "tensors": len(units.tensors),
            }
        if curvature is not None and (row := _row(curvature.step, step)) is not None:
            found["lambda_max"] = float(curvature.eigenvalues[row, 0])
            found["lambda_min"] = float(curvature.lowest[row])
        if sharpness is not None and (row := _row(sharpness.step, step)) is not None:
            value, error = float(sharpness.value[row]), float(sharpness.error[row])
            if not math.isnan(value):
                found |= {"batch_sharpness": value, "batch_sharpness_error": error}
        return StateAtStep(step, **found)


NAMES = tuple(one.name for one in fields(Measured))
"""The parts of a diagnosis, in the order that they are measured in."""
NEEDS: Mapping[str, tuple[str, ...]] = {
    one.name: tuple(one.metadata.get(AFTER, ())) for one in fields(Measured)
}
"""By part: those that it is measured from."""


def spelled(part: str) -> str:
    """A part's name as the command line has it."""
    return part.replace("_", "-")


def record_type(part: str) -> type[Any]:
    """The class of a part's record."""
    [found] = [
        one for one in typing.get_args(typing.get_type_hints(Measured)[part]) if is_dataclass(one)
    ]
    return typing.cast("type[Any]", found)


def record(part: str, values: Mapping[str, Any]) -> Any:
    """A part's record from what analysis.h5 holds of it.

    Raises:
        KeyError: an older version measured less.
    """
    return rebuilt(record_type(part), values)


def _row(steps: NDArray[np.int64], step: int) -> int | None:
    found = np.flatnonzero(steps == step)
    return int(found[0]) if len(found) else None
