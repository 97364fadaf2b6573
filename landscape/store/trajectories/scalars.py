"""The table of scalars: what is recorded of every SGD step, how it is measured and stored.

A row of `SCALARS` is all that a scalar needs. Training measures what the rows ask for, writing
stores it, and reading goes by what a file holds: a run made before a row was there has no such
scalar, and a run that goes on keeps to those that it began with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Pair = tuple[str, str]
"""Two of ``weights`` w_t, ``gradient`` g_t (of the batch, with weight decay), ``update``
w_{t+1} - w_t, ``last_gradient`` and ``last_update`` (of the step before)."""


@dataclass(frozen=True)
class StepNumbers:
    """What is known of the step from w_t to w_{t+1}: all that a scalar can be made of."""

    batch_loss: float
    learning_rate: float
    norms: Mapping[str, float]
    """‖·‖ of each vector that `Pair` names; 0 of the last ones at the first step."""
    products: Mapping[Pair, float]
    """Inner products of the pairs that rows of the table ask for."""

    def cosine(self, one: str, other: str) -> float:
        """Of the angle between two vectors; NaN where one of them is zero."""
        length = self.norms[one] * self.norms[other]
        return self.products[one, other] / length if length > 0 else math.nan


@dataclass(frozen=True)
class Scalar:
    """A number recorded of every step."""

    measure: Callable[[StepNumbers], float]
    unit: str
    """In units of the loss and of distance in weight space; empty: none."""
    meaning: str
    products: tuple[Pair, ...] = ()
    """Inner products that it is measured from, beside the norms; each costs a pass over P."""
    dtype: str = "float64"


SCALARS: dict[str, Scalar] = {
    "batch_loss": Scalar(
        lambda step: step.batch_loss, "loss", "mean loss of the step's batch, before the step"
    ),
    "learning_rate": Scalar(
        lambda step: step.learning_rate, "distance² / loss", "η in w_{t+1} = w_t - η v"
    ),
    "gradient_norm": Scalar(
        lambda step: step.norms["gradient"],
        "loss / distance",
        "‖g_t‖ of the batch gradient with weight decay",
    ),
    "update_norm": Scalar(lambda step: step.norms["update"], "distance", "‖w_{t+1} - w_t‖"),
    "weight_norm": Scalar(lambda step: step.norms["weights"], "distance", "‖w_t‖"),
    "weight_dot_gradient": Scalar(
        lambda step: step.products["weights", "gradient"],
        "loss",
        "w_t · g_t",
        (("weights", "gradient"),),
    ),
    "gradient_cosine": Scalar(
        lambda step: step.cosine("gradient", "last_gradient"),
        "",
        "of the angle between g_t and g_{t-1}; NaN at the first step",
        (("gradient", "last_gradient"),),
    ),
    "update_cosine": Scalar(
        lambda step: step.cosine("update", "last_update"),
        "",
        "of the angle between this update and the one before; NaN at the first step",
        (("update", "last_update"),),
    ),
}


def storage(terms: Iterable[str] = ()) -> dict[str, np.dtype[Any]]:
    """The type of every scalar by name, as a new trajectory stores it.

    With ``terms`` those of a loss that is their sum too, see `of_terms`.
    """
    found = {name: np.dtype(row.dtype) for name, row in SCALARS.items()}
    return found | dict.fromkeys(of_terms(dict.fromkeys(terms, 0.0), {}), np.dtype("float64"))


def of_terms(losses: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """A step's scalars of the terms that its loss is the sum of, by their names.

    ``batch_loss_NAME`` is a term's loss over its batch before its weight, ``term_weight_NAME`` the
    weight, which somebody's own loop may change from step to step; NaN where it isn't given.
    """
    found = {f"batch_loss_{name}": value for name, value in losses.items()}
    return found | {f"term_weight_{name}": weights.get(name, math.nan) for name in losses}


def fill_value(dtype: np.dtype[Any]) -> Any:
    """What stands where a value of that type is missing: NaN, -1 or zero."""
    return dtype.type({"f": math.nan, "i": -1}.get(dtype.kind, 0))
