"""Which plane, as it was asked for: the one place of these options' defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

AT = "final"
"""The weights that a plane goes through unless others are asked for."""


@dataclass(frozen=True)
class PlaneChoice:
    """What ``landscape scan`` is told of its planes."""

    kinds: Sequence[str] = ()
    """As ``--plane`` takes them: ``pca``, ``through:best,450,final``. Without any those that a run
    gets by what it did: see `landscape.plane.kinds.specs`."""
    at: str | int | None = None
    """None: what the kind goes through by itself, mostly the final weights."""
    first: str | int | None = None
    """Of the steps whose principal components make a pca plane; None: the run's first."""
    last: str | int | None = None
    planes: int = 1
    """So many sets of random directions, of consecutive seeds."""
    seed: int = 0
    directions: Path | None = None
    """A direction file of Li et al.'s scripts, instead of ``kinds``."""
    normalize: str = "filter"
    include_1d: bool = False
    parameters: str | None = None
    """Directions move only the tensors whose names match one of these patterns (``*`` and ``?``,
    several by commas); None: all that are trained."""
    unit: str = "own"
    """own, distance or equal."""
    across: str = "random"
    """Of a valley: in which direction its slices go; random or sharpest."""
    spacing: str = "movement"
    """Of a valley: what is equal between two of its rows; movement, steps or rows."""
    batchnorm: str | None = None
    """saved, recompute or interpolate; None: each kind's own default."""
