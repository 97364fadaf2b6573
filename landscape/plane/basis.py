"""What makers of planes share: orthonormal directions, signs, coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.plane.projection import coordinates
from landscape.store.scans.records import Floats, Plane, Point

DISTANCE = "distance in weight space"
INDEPENDENT = 1e-6
"""A direction whose part off the others is a smaller share of it lies in their span."""
BLOCK = 2**18
"""So many numbers of long vectors are taken in float64 at a time."""


def product(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The product of two vectors (P,) in float64, without a copy of either."""
    return float(sum(a @ b for a, b in _blocks(one, other)))


def distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """How far two vectors (P,) are apart, in float64, without a copy of either."""
    apart = (a - b for a, b in _blocks(one, other))
    return math.sqrt(sum(float(part @ part) for part in apart))


def _blocks(one: NDArray[Any], other: NDArray[Any]) -> Iterator[tuple[Floats, Floats]]:
    for start in range(0, len(one), BLOCK):
        part = slice(start, start + BLOCK)
        yield one[part].astype(np.float64), other[part].astype(np.float64)


def orthonormal(vectors: Sequence[Floats], *, what: str) -> Floats:
    """Unit vectors (D, P): the first as it is, each further one made orthogonal to those before.

    Raises:
        LandscapeError: they are linearly dependent, or one is zero.
    """
    found: list[Floats] = []
    for vector in vectors:
        rest = vector.astype(np.float64)
        length = np.linalg.norm(rest)
        for _ in range(2):  # once leaves rounding errors of the size of what was subtracted
            for unit in found:
                rest = rest - (rest @ unit) * unit
        if not np.linalg.norm(rest) > INDEPENDENT * length:
            raise LandscapeError(
                f"{what} must span a {'line' if len(vectors) == 1 else 'plane'}, "
                f"{'two of them coincide' if len(found) == 0 else 'these lie on one line'}; "
                "give others"
            )
        found.append(rest / np.linalg.norm(rest))
    return np.stack(found)


def forward(direction: NDArray[Any], movement: NDArray[np.floating]) -> NDArray[Any]:
    """The direction or its opposite, whichever training's movement goes along.

    Where the movement has no part along it, the one whose largest entry is positive.
    """
    along = float(np.einsum("p,p->", movement, direction, dtype=np.float64))
    if abs(along) <= 1e-9 * float(np.linalg.norm(movement)):
        along = float(direction[np.abs(direction).argmax()])
    return -direction if along < 0 else direction


def point(plane: Plane, name: str, step: int, weights: NDArray[np.floating]) -> Point:
    """Weights (P,) as a marked point, at their least-squares coordinates."""
    displacement = (weights.astype(np.float64) - plane.origin)[None]
    xy, _ = coordinates(displacement, plane.directions)
    return Point(name, tuple(map(float, xy[0])), step)
