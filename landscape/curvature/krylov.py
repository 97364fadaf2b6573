"""Lanczos iteration with full orthogonalization, a product at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from landscape.errors import LandscapeError

Floats = NDArray[np.float64]
FEWEST = 20
"""Vectors that are kept at least, however long they are."""
KEPT = 250_000_000
"""Numbers that full orthogonalization keeps at most: 2 GB."""
NOTHING = 1e-12
"""Share of the largest eigenvalue below which nothing is left of a product."""


class Products(Protocol):
    """A symmetric matrix of which only products are known; `Hessian` is one."""

    @property
    def size(self) -> int:
        """Rows, and columns."""

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector (P,)."""


@dataclass(frozen=True)
class Krylov:
    """What m products tell of a symmetric matrix: T = Q H Q', tridiagonal, with its eigenvalues.

    The Ritz values are exact for the part of the matrix in the space that was searched: the
    largest is at most the matrix's largest, the smallest at least its smallest.
    """

    basis: Floats
    """Q (m, P), orthonormal rows; the first is the start."""
    values: Floats
    """(m,) Ritz values, ascending."""
    coordinates: Floats
    """(m, m): column j holds the j-th Ritz vector's coordinates in the basis."""
    residuals: Floats
    """(m,) |H v - theta v| of each Ritz pair: an eigenvalue lies within that of theta."""
    exhausted: bool
    """Whether the matrix maps the space into itself, so that the Ritz values are eigenvalues."""

    def vectors(self, chosen: NDArray[np.int64] | slice) -> Floats:
        """Some of the Ritz vectors (k, P), of length 1."""
        return np.asarray(self.coordinates[:, chosen].T @ self.basis)


def room(size: int, most: int) -> int:
    """How many steps there may be: ``most``, no more than rows, nor than fit in 2 GB."""
    return min(most, size, max(FEWEST, KEPT // size))


def iterate(matrix: Products, start: Floats, *, most: int, seed: int = 0) -> Iterator[Krylov]:
    """Search the space of ``start``, yielding after each product; at most ``most`` of them.

    A product and a vector of P numbers kept for each step. Where the space is exhausted, the
    iteration goes on in the rest of the whole space, from a random vector by ``seed``, which finds
    eigenvalues that are there more than once.

    Raises:
        LandscapeError: a product that isn't finite.
    """
    most = room(matrix.size, most)
    basis = np.empty((most, matrix.size))  # touched, and so taken, row by row
    diagonal: list[float] = []
    beside: list[float] = []
    vector = start / np.linalg.norm(start)
    generator = np.random.Generator(np.random.PCG64([seed, 1]))
    for step in range(most):
        basis[step] = vector
        known = basis[: step + 1]
        rest = finite(matrix @ vector)
        diagonal.append(float(rest @ vector))
        rest = _orthogonal(rest, known)
        length = float(np.linalg.norm(rest))
        values, coordinates = eigh_tridiagonal(diagonal, beside)
        scale = max(float(np.abs(values).max()), 1e-300)
        exhausted = length <= NOTHING * scale or step + 1 == matrix.size
        if exhausted:
            length = 0.0
        residuals = length * np.abs(coordinates[-1])
        yield Krylov(known, values, coordinates, residuals, exhausted)
        if exhausted and step + 1 < most:
            rest = _orthogonal(generator.standard_normal(matrix.size), known)
        beside.append(length)
        vector = rest / (np.linalg.norm(rest) or 1.0)


def finite(product: Floats) -> Floats:
    """The product, refused where it isn't finite.

    Raises:
        LandscapeError: it isn't.
    """
    if not np.isfinite(product).all():
        raise LandscapeError(
            "curvature needs finite second derivatives, got a Hessian-vector product that isn't; "
            "take other weights"
        )
    return product


def _orthogonal(vector: Floats, known: Floats) -> Floats:
    for _ in range(2):  # once leaves rounding errors of the size of what was subtracted
        vector = vector - (known @ vector) @ known
    return vector
