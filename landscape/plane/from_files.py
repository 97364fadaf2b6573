"""Planes and lines along directions from elsewhere, such as Li et al.'s direction files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.plane.choice import AT
from landscape.plane.moving import Parameters, only_moving
from landscape.store.scans.records import Floats, Plane
from landscape.store.trajectories.trajectory import Trajectory

State = Mapping[str, tuple[int, ...]]
"""Shapes of a network's parameters and buffers by name, in the order of its ``state_dict``."""
Tensors = Sequence[NDArray[Any]]
UNIT = "unit of the imported direction"
BATCHES = "num_batches_tracked"
DEPENDENT = 1 - 1e-6


def imported(
    trajectory: Trajectory,
    directions: Sequence[Tensors],
    *,
    state: State,
    source: str,
    at: str | int = AT,
    parameters: Parameters | None = None,
) -> Plane:
    """The plane (of one direction: the line) through w_at along given directions, as they are.

    Each direction lists its tensors in the order of the network's parameters, or of its state:
    parameters and buffers, with or without BatchNorm's counters. Only parameters move; buffers
    stay those of the origin, and ``ignored`` counts what of theirs is left out. ``source`` names
    the file in the labels.

    Raises:
        LandscapeError: tensors that aren't the run's, with the first that isn't, values that
            aren't finite, or directions that are zero or parallel.

    >>> import torch
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem
    >>> problem = Problem(torch.nn.Linear(2, 2), (torch.zeros(2, 2), torch.tensor([0, 1])))
    >>> state = {"weight": (2, 2), "bias": (2,)}
    >>> x, y = [np.eye(2), np.zeros(2)], [np.zeros((2, 2)), np.ones(2)]
    >>> plane = imported(StillWeights.of(problem), [x, y], state=state, source="theirs.h5")
    >>> plane.directions.tolist()
    [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]]
    """
    vectors, ignored = [], 0
    for letter, tensors in zip("xy", directions, strict=False):
        name = f"{letter}direction of {source}"
        vector, left_out = _flat(tensors, trajectory.parameters, state, name)
        vector = vector if parameters is None else only_moving(vector, parameters)
        if not np.isfinite(vector).all():
            raise LandscapeError(f"{name} must be finite, it has NaN or infinite values")
        if not vector.any():
            raise LandscapeError(f"{name} must not be zero, it is; another file is needed")
        vectors.append(vector.astype(np.float32))
        ignored = max(ignored, left_out)
    row = trajectory.row(at)
    plane = Plane(
        kind="imported",
        origin=trajectory.row_weights(row),
        directions=np.stack(vectors),
        labels=tuple(f"{letter} direction of {source}" for letter in "xy"[: len(vectors)]),
        unit=UNIT,
        buffers=trajectory.buffers(row),
        normalization="unknown",
        ignored=f"{ignored} buffer{'' if ignored == 1 else 's'}" if ignored else "none",
        origin_step=int(trajectory.step[row]),
        origin_name=str(at),
        batchnorm="saved",
    )
    if abs(plane.cosine) > DEPENDENT:
        raise LandscapeError(
            f"xdirection and ydirection of {source} must not be parallel, "
            f"their cosine is {plane.cosine:.6f}; a file with xdirection alone makes a line"
        )
    return plane


def _flat(
    tensors: Tensors, parameters: Sequence[Mapping[str, Any]], state: State, name: str
) -> tuple[Floats, int]:
    """A list of tensors as a vector (P,), and how many buffers it would have moved."""
    weights = {str(p["name"]): tuple(p["shape"]) for p in parameters}
    shapes = [tensor.shape for tensor in tensors]
    counters = {key: shape for key, shape in state.items() if not key.endswith(BATCHES)}
    layouts = [weights, dict(state), counters]
    layout = next((one for one in layouts if list(one.values()) == shapes), None)
    if layout is None:
        likeliest = min(layouts, key=lambda one: abs(len(one) - len(shapes)))
        raise LandscapeError(
            f"{name} must have the tensors of the run: {_difference(likeliest, shapes)}"
        )
    vector = np.zeros(sum(math.prod(shape) for shape in weights.values()))
    offsets = {str(p["name"]): int(p["offset"]) for p in parameters}
    ignored = 0
    for key, tensor in zip(layout, tensors, strict=True):
        if key in offsets:
            vector[offsets[key] : offsets[key] + tensor.size] = tensor.reshape(-1)
        elif np.any(tensor):
            ignored += 1
    return vector, ignored


def _difference(layout: State, shapes: Sequence[tuple[int, ...]]) -> str:
    for number, ((key, wanted), got) in enumerate(zip(layout.items(), shapes, strict=False)):
        if wanted != got:
            return f"number {number} is {key} {wanted}, got {got}"
    return f"there are {len(layout)}, got {len(shapes)}"
