"""Slices across a run's path: which recorded weights they go through, and in which direction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landscape.curvature.krylov import search
from landscape.errors import LandscapeError
from landscape.plane.choice import PlaneChoice
from landscape.plane.moving import Parameters
from landscape.plane.normalization import NORMALIZATIONS, ZERO, draws, normalized
from landscape.store.scans.records import Floats, Weights
from landscape.store.scans.valleys import TRACKED
from landscape.store.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from landscape.curvature.hessian import Hessian

SUBSPACE = 3
"""So many eigenvectors are looked at for the one that the sharpest direction goes on as."""
PRODUCTS = 40
"""Hessian-vector products a row."""
ACROSS = ("random", "sharpest")
DRAWS = 3
"""Random directions that walls are measured along; the first one's losses are shown."""

Rows = NDArray[np.int64]


def travelled(trajectory: Trajectory) -> tuple[Floats, int]:
    """How far the run had gone at its recorded rows up to the last finite one: Σ‖Δw‖ (T,).

    From the SGD steps' own ‖Δw‖. Between two rows where these weren't all recorded, from the
    distance of the two, which is shorter; the second number says between how many.
    """
    last = trajectory.row("final")
    steps = trajectory.step[: last + 1]
    norms = trajectory.scalars().get("update_norm", np.empty(0))
    gaps = np.zeros(last + 1)
    missing = 0
    for row in range(1, last + 1):
        first, end = int(steps[row - 1]), int(steps[row])
        own = norms[first:end]
        if len(own) == end - first and np.isfinite(own).all():
            gaps[row] = own.sum()
        else:
            two = trajectory.weights(slice(row - 1, row + 1)).astype(np.float64)
            gaps[row] = np.linalg.norm(two[1] - two[0])
            missing += 1
    return np.cumsum(gaps), missing


@dataclass(frozen=True)
class Spacing:
    """How rows are spread over a run: one line of the table."""

    along: Callable[[Trajectory, Floats], Floats]
    """What is to be equal between two rows, given a trajectory and how far it had travelled."""
    help: str


SPACINGS: Mapping[str, Spacing] = {
    "movement": Spacing(lambda trajectory, far: far, "equal ways gone, Σ‖Δw‖"),
    "steps": Spacing(
        lambda trajectory, far: trajectory.step[: len(far)].astype(np.float64),
        "equal numbers of steps",
    ),
    "rows": Spacing(
        lambda trajectory, far: np.arange(len(far), dtype=np.float64), "every k-th recorded one"
    ),
}
"""By the name that ``--spacing`` takes."""


def chosen(trajectory: Trajectory, far: Floats, *, count: int, spacing: str) -> Rows:
    """At most ``count`` of the recorded rows, evenly spread; start, best and end among them.

    Fewer where several of the even places are nearest to one row: equal movement gets equal room.
    """
    along = SPACINGS[spacing].along(trajectory, far)
    places = np.linspace(along[0], along[-1], min(count, len(along)))
    after = np.clip(np.searchsorted(along, places), 1, max(len(along) - 1, 1))
    nearer = np.abs(along[np.minimum(after, len(along) - 1)] - places) < np.abs(
        along[after - 1] - places
    )
    rows = {int(row) for row in np.where(nearer, after, after - 1)} | {0, len(along) - 1}
    losses = trajectory.measures["train_loss"][: len(along)]
    if np.isfinite(losses).any() and (best := int(np.nanargmin(losses))) not in rows:
        inner = [row for row in rows if 0 < row < len(along) - 1]
        if len(rows) >= count and inner:
            rows.remove(min(inner, key=lambda row: abs(along[row] - along[best])))
        rows.add(best)
    return np.array(sorted(rows), np.int64)


def check(choice: PlaneChoice) -> None:
    """Refuse what no valley can be made of.

    Raises:
        LandscapeError: an unknown direction or spacing, BatchNorm statistics that a row hasn't, or
            a unit that slices can't have.
    """
    if choice.across not in ACROSS:
        raise LandscapeError(f"across must be one of {', '.join(ACROSS)}, got {choice.across}")
    if choice.spacing not in SPACINGS:
        raise LandscapeError(f"spacing must be one of {', '.join(SPACINGS)}, got {choice.spacing}")
    if choice.batchnorm not in (None, "saved", "recompute"):
        raise LandscapeError(
            "a valley's rows have their own BatchNorm statistics (saved) or new ones (recompute), "
            f"got {choice.batchnorm}; take one of these"
        )
    if choice.unit not in ("own", "distance"):
        raise LandscapeError(
            f"a valley's unit must be own or distance, got {choice.unit}: it has a single axis"
        )
    if choice.normalize not in NORMALIZATIONS:
        raise LandscapeError(
            f"normalize must be one of {', '.join(NORMALIZATIONS)}, got {choice.normalize}"
        )


def identity(weights: Weights) -> str:
    """What tells one row's weights from another's: the first 16 digits of their SHA-256."""
    return hashlib.sha256(np.ascontiguousarray(weights, "<f4").tobytes()).hexdigest()[:16]


def random(
    weights: Weights, parameters: Parameters, choice: PlaneChoice, *, draw: int = 0
) -> Weights:
    """A random direction (P,) scaled to some weights: at every row the same Gaussian draw.

    ``parameters`` are the tensors' records (``problem.layout``); ``draw`` counts the seeds from the
    first on.

    Raises:
        LandscapeError: nothing is left of it.
    """
    found = np.zeros(len(weights), np.float32)
    normalized(
        next(draws(len(weights), seed=choice.seed + draw)),
        weights,
        parameters,
        normalize=choice.normalize,
        include_1d=choice.include_1d,
        out=found,
    )
    if not found.any():
        raise LandscapeError(ZERO)
    return found


@dataclass(frozen=True)
class Sharpest:
    """The sharpest direction at a row, as the one before goes on."""

    direction: Weights
    """(P,) of length 1."""
    curvature: float
    overlap: float
    """|cosine| with the one before; NaN at the first row."""


def sharpest(hessian: Hessian, before: Weights | None, *, seed: int = 0) -> Sharpest:
    """The eigenvector, of the three sharpest, that is most like the direction of the row before.

    At the first row, and where none has an overlap of 0.7, the sharpest one itself. The sign goes
    on too. ``hessian`` is at the row's weights; some forty products.

    Raises:
        LandscapeError: second derivatives can't be had, or aren't finite.
    """
    count = min(SUBSPACE, hessian.block.size)
    memory = hessian.of_vectors
    krylov = search(hessian.block, count, products=PRODUCTS, seed=seed, memory=memory)
    largest = slice(None, -count - 1, -1)
    values, vectors = krylov.values[largest], hessian.embedded(krylov.vectors(largest))
    if before is None:
        return Sharpest(_unit(vectors[0]), float(values[0]), float("nan"))
    cosines = vectors @ before.astype(np.float64) / np.linalg.norm(vectors, axis=1)
    most = int(np.abs(cosines).argmax())
    overlap = float(abs(cosines[most]))
    # What goes on as nothing that is there begins anew.
    place = most if overlap >= TRACKED else 0
    sign = -1.0 if cosines[place] < 0 else 1.0
    return Sharpest(_unit(sign * vectors[place]), float(values[place]), overlap)


def _unit(vector: Floats) -> Weights:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
