"""Random directions in weight space, scaled to the weights (Li et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.plane.choice import PlaneChoice
from landscape.store.scans.records import Floats, Weights


def _filters(direction: Floats, weights: Floats) -> Floats:
    # A filter of zeros gets zero; so does, against all odds, a direction of norm zero.
    rows = direction.reshape(len(direction), -1)
    target = np.linalg.norm(weights.reshape(len(weights), -1), axis=1)
    norms = np.linalg.norm(rows, axis=1)
    scale = np.divide(target, norms, out=np.zeros_like(target), where=norms > 0)
    scaled: Floats = (rows * scale[:, None]).reshape(direction.shape)
    return scaled


def _layer(direction: Floats, weights: Floats) -> Floats:
    return _filters(direction.reshape(1, -1), weights.reshape(1, -1)).reshape(direction.shape)


@dataclass(frozen=True)
class Normalization:
    """How random directions are scaled to the weights: one row of the table."""

    scale: Callable[[Floats, Floats], Floats]
    """A tensor of a direction, given the weights' tensor of the same shape."""
    unit: str
    """What 1 on an axis is."""
    help: str
    """For ``--normalize``, in a few words."""
    compares: bool = True
    """Whether widths in its unit can be compared from network to network."""


NORMALIZATIONS: Mapping[str, Normalization] = {
    "filter": Normalization(
        _filters, "filter-normalized units", "each filter to the norm of the weights' filter"
    ),
    "layer": Normalization(
        _layer, "layer-normalized units", "each tensor to the norm of the weights' tensor"
    ),
    "weight": Normalization(
        lambda direction, weights: direction * weights,
        "weight-normalized units",
        "each entry times its weight",
    ),
    "none": Normalization(
        lambda direction, weights: direction, "standard deviations", "as drawn", compares=False
    ),
}
"""By the name that ``--normalize`` takes."""


ZERO = (
    "a plane's directions must not be zero, the random one is; "
    "include 1-D tensors where there are no others; take --normalize none where weights are zero"
)
"""What is wrong where nothing is left of a random direction, as in a model of 1-D tensors."""
SKIPPED = 2**20
"""So many numbers that nobody wants are drawn at a time."""


class Draw:
    """A standard normal direction (P,) whose parts are drawn as they are asked for, in order.

    The numbers are those of one draw of P; only the part that was asked for is in memory.

    >>> generator, again = (np.random.Generator(np.random.PCG64(7)) for _ in range(2))
    >>> draw = Draw(generator, 5)
    >>> np.concatenate([draw[0:2], draw[2:5]]).tolist() == again.standard_normal(5).tolist()
    True
    """

    def __init__(self, generator: np.random.Generator, size: int) -> None:
        self._generator, self._size, self._at = generator, size, 0

    def __getitem__(self, place: slice) -> NDArray[np.float64]:
        """A part that lies behind those asked for before."""
        self._skip(place.start)
        self._at = place.stop
        found: Floats = self._generator.standard_normal(place.stop - place.start)
        return found

    def finish(self) -> None:
        """Draw what nobody asked for, so that the generator goes on behind it."""
        self._skip(self._size)

    def _skip(self, end: int) -> None:
        while self._at < end:
            count = min(end - self._at, SKIPPED)
            self._generator.standard_normal(count)
            self._at += count


def gaussian(size: int, *, seed: int, count: int = 2) -> list[NDArray[np.float64]]:
    """Standard normal directions (P,), one flat draw after the other from PCG64(seed).

    NumPy's generator, since torch's normal draws differ between processors.
    """
    return [draw[0:size] for draw in draws(size, seed=seed, count=count)]


def draws(size: int, *, seed: int, count: int = 1) -> Iterator[Draw]:
    """The same, drawn part by part: each is to be used before the next one is asked for."""
    generator = np.random.Generator(np.random.PCG64(seed))
    for _ in range(count):
        draw = Draw(generator, size)
        yield draw
        draw.finish()


def normalized(
    direction: Floats | Draw,
    weights: Weights,
    parameters: Sequence[Mapping[str, Any]],
    *,
    normalize: str = PlaneChoice.normalize,
    include_1d: bool = PlaneChoice.include_1d,
    out: NDArray[Any] | None = None,
) -> Floats:
    """Scale a direction (P,) to the weights (P,), tensor by tensor; into zeros, ``out`` or float64.

    Biases, normalization parameters, weight_norm's magnitudes and other tensors with fewer than two
    dimensions get zero; with ``include_1d`` each is scaled as one filter. Tensors that don't move
    get zero. Where a tensor's filters lie, its record says (`landscape.problem.filters`).

    Raises:
        LandscapeError: no such normalization.
    """
    if normalize not in NORMALIZATIONS:
        raise LandscapeError(
            f"normalize must be one of {', '.join(NORMALIZATIONS)}, got {normalize}"
        )
    scaled: NDArray[Any] = np.zeros(len(weights)) if out is None else out
    for parameter in parameters:
        shape = tuple(parameter["shape"])
        single = _is_single(parameter)
        if 0 in shape or (single and not include_1d) or not parameter.get("moves", True):
            continue
        place = slice(parameter["offset"], parameter["offset"] + int(np.prod(shape)))
        order = None if single else _by_filter(parameter)
        part = direction[place], weights[place].astype(np.float64)
        if order is not None:
            part = part[0][order], part[1][order]
        rows = 1 if single else _count(parameter)
        found = NORMALIZATIONS[normalize].scale(*(one.reshape(rows, -1) for one in part))
        if order is None:
            scaled[place] = found.reshape(-1)
        else:
            scaled[place][order] = found.reshape(-1)
    return scaled


def _is_single(parameter: Mapping[str, Any]) -> bool:
    """Whether each entry is a number of its own, not part of a filter."""
    complex_parts = str(parameter.get("dtype", "")).startswith("complex")
    return len(parameter["shape"]) - complex_parts < 2 or parameter.get("axis", 0) is None


def _count(parameter: Mapping[str, Any]) -> int:
    """How many filters a tensor has."""
    return int(parameter["shape"][parameter.get("axis", 0)]) * int(parameter.get("groups", 1))


def _by_filter(parameter: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """A tensor's entries one filter after the other; None where they lie so already."""
    if parameter.get("axis", 0) == 0:
        return None
    shape, groups = tuple(parameter["shape"]), int(parameter.get("groups", 1))
    numbers = np.arange(int(np.prod(shape))).reshape(groups, shape[0] // groups, *shape[1:])
    return np.swapaxes(numbers, 1, 2).reshape(-1)
