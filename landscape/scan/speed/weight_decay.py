"""Weight decay as what it adds to the loss: λ/2 |w|², in closed form on a plane."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.sgd.training.optimizers import OWN
from landscape.store.run import Run
from landscape.store.scans.records import Floats, Weights

COUPLED = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam")
"""Optimizers that add λ w to the gradient, by torch's names: what they minimise has the penalty."""


def rate_of(run: Run) -> float:
    """A run's λ.

    Raises:
        LandscapeError: it had none, nobody knows which, or it is no part of what is minimised.
    """
    settings = run.record["settings"] or run.record.get("optimizer") or {}
    names = {name.lower(): name for name in COUPLED}
    name = str(settings.get("optimizer", settings.get("name", "SGD")))
    rate = float(settings.get("weight_decay") or 0.0)
    if name == OWN:
        raise LandscapeError(
            f"--with-weight-decay needs a decay that is known, {run.folder} was trained by an "
            "optimizer that a function made, whose options aren't recorded; leave it out"
        )
    if rate == 0:
        raise LandscapeError(
            f"--with-weight-decay needs a run that was trained with one, {run.folder} had 0"
        )
    if name.lower() not in names or settings.get("decoupled_weight_decay"):
        raise LandscapeError(
            f"--with-weight-decay needs a decay that is added to the gradient, {run.folder} was "
            f"trained by {name}, whose decay is a step of its own and no part of the loss"
        )
    return rate


class WeightDecay:
    """λ/2 |w|² over the trained weights, at points of a plane through an origin (P,)."""

    def __init__(self, rate: float, problem: Problem, origin: Tensor, directions: Tensor) -> None:
        self._rate = rate
        tensors = problem.layout.tensors(problem.model)
        # Old runs have frozen tensors in their vector; one that was unfrozen later moves.
        self._trained = torch.cat(
            [
                torch.full((place.size,), place.moves or tensor.requires_grad)
                for place, tensor in zip(problem.layout.parameters, tensors, strict=True)
            ]
        )
        rows = torch.cat([origin[None], directions]).double().cpu()[:, self._trained]
        self._products = (rows @ rows.T).numpy()

    def at(self, xy: Floats) -> Floats:
        """(n,) at points (n, D): a quadratic form of (1, x, y)."""
        places = np.hstack([np.ones((len(xy), 1)), xy])
        squares = np.einsum("ni,ij,nj->n", places, self._products, places)
        return np.asarray(self._rate / 2 * squares)

    def of(self, weights: Weights) -> float:
        """At any weights (P,)."""
        own = np.asarray(weights, np.float64)[self._trained.numpy()]
        return float(self._rate / 2 * (own @ own))
