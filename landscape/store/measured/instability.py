"""Instability analysis: what becomes of trainings that part from one at a step (Frankle, 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats

COOLED, KEPT = "cooled", "kept"
"""Children whose learning rate falls to zero; those that keep the run's."""


@dataclass(frozen=True)
class Instability:
    """Children that part from the run at K steps and see other batch orders from there on.

    Means are over all pairs of the children of a step, errors are the jackknife's over children.
    """

    step: NDArray[np.int64]
    """(K,) at which they part, ascending."""
    kind: tuple[str, ...]
    """(K,) `COOLED`: their ends are floors; `KEPT`: their noise hides barriers."""
    children: NDArray[np.int64]
    """(K,)"""
    steps: NDArray[np.int64]
    """(K,) that each was trained."""
    has_state: tuple[bool, ...]
    """(K,) whether they began with what the optimizer kept there rather than with nothing."""
    loss: Floats
    """(K,) barrier of the training loss along straight lines between the ends,"""
    loss_error: Floats
    error: Floats
    """(K,) barrier of the training error in points; NaN without classes,"""
    error_error: Floats
    distance: Floats
    """(K,) Euclidean distance of the ends,"""
    distance_error: Floats
    disagreement: Floats
    """(K,) share of training samples whose most likely class differs; NaN without classes,"""
    disagreement_error: Floats
    connected: tuple[bool | None, ...]
    """(K,) whether every pair is, by the lines that connection is drawn at."""
