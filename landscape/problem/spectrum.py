"""The ends of a Hessian's spectrum, by Lanczos iteration on Hessian-vector products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from landscape.errors import LandscapeError
from landscape.problem.lanczos import Floats, Products, finite, iterate

DENSE = 24
"""Up to so many rows a matrix is built: Lanczos needs room between what it finds and the rest."""
WIDE, NARROW = 40, 20
"""Vectors kept by the iteration; more of them mean fewer products."""
LARGE = 2_000_000
"""Above so many rows forty vectors of float64 take more than 640 MB."""


@dataclass(frozen=True)
class Pairs:
    """Eigenvalues (k,) and their unit eigenvectors (k, P)."""

    values: Floats
    vectors: Floats


def top(
    matrix: Products,
    count: int = 1,
    *,
    tolerance: float = 1e-8,
    seed: int = 0,
    most: int = 100,
) -> Pairs:
    """The ``count`` algebraically largest eigenvalues, largest first.

    Largest, not largest in magnitude: sharpness is the top of the spectrum. ``tolerance`` is
    relative to the eigenvalue; ``most`` limits the restarts, each of some twenty to forty products.

    Each eigenvector's largest entry is positive, which fixes its sign; within an eigenvalue's
    eigenspace the choice is arbitrary, by ``seed``.

    Raises:
        LandscapeError: fewer rows than eigenvalues asked for, products that aren't finite, or no
            convergence.
    """
    return _end(matrix, count, "LA", tolerance, seed, most)


def bottom(
    matrix: Products,
    count: int = 1,
    *,
    tolerance: float = 1e-8,
    seed: int = 0,
    most: int = 100,
) -> Pairs:
    """The ``count`` algebraically smallest eigenvalues, smallest first; otherwise as `top`."""
    return _end(matrix, count, "SA", tolerance, seed, most)


def ends(
    matrix: Products, *, tolerance: float = 1e-4, seed: int = 0, most: int = 200
) -> tuple[float, float]:
    """The smallest and the largest eigenvalue, with residuals below ``tolerance`` of the larger.

    One Lanczos iteration for both, with full orthogonalization: a product and a vector of P
    numbers kept for each of its ``most`` steps; some fifty usually do. Relative to itself the
    smaller of the two may be less precise: at a minimum it lies at the edge of a dense bulk.

    Raises:
        LandscapeError: as for `top`.
    """
    if matrix.size <= DENSE:
        values = np.linalg.eigvalsh(_dense(matrix))
        return float(values[0]), float(values[-1])
    start = np.random.Generator(np.random.PCG64(seed)).standard_normal(matrix.size)
    for steps, found in enumerate(iterate(matrix, start, most=most), start=1):
        bound = tolerance * np.abs(found.values).max()
        if found.exhausted or (steps > 4 and found.residuals[[0, -1]].max() <= bound):
            return float(found.values[0]), float(found.values[-1])
    raise LandscapeError(
        f"Lanczos iteration must converge, the ends of the spectrum didn't in {steps} products; "
        "ask for a larger tolerance"
    )


def _end(matrix: Products, count: int, which: str, tolerance: float, seed: int, most: int) -> Pairs:
    if not 1 <= count <= matrix.size:
        raise LandscapeError(
            f"eigenvalues must be between 1 and the matrix's {matrix.size} rows, got {count}"
        )
    if matrix.size <= max(DENSE, 2 * count + 1):
        values, vectors = np.linalg.eigh(_dense(matrix))
    else:
        values, vectors = _lanczos(matrix, count, which, tolerance, seed, most)
    order = np.argsort(values if which == "SA" else -values)[:count]
    found = vectors[:, order].T
    signs = np.sign(found[np.arange(count), np.abs(found).argmax(1)])
    return Pairs(values[order], np.ascontiguousarray(found * signs[:, None]))


def _lanczos(
    matrix: Products, count: int, which: str, tolerance: float, seed: int, most: int
) -> tuple[Floats, Floats]:
    size = matrix.size
    operator = LinearOperator((size, size), matvec=lambda v: finite(matrix @ v), dtype=np.float64)
    start = np.random.Generator(np.random.PCG64(seed)).standard_normal(size)
    if not np.any(finite(matrix @ start)):  # ARPACK refuses a matrix of zeros
        return np.zeros(count), np.eye(size, count)
    try:
        values, vectors = eigsh(
            operator,
            k=count,
            which=which,
            v0=start,
            tol=tolerance,
            maxiter=most,
            ncv=min(size, max(2 * count + 1, WIDE if size <= LARGE else NARROW)),
        )
    except ArpackNoConvergence as error:
        raise LandscapeError(
            f"Lanczos iteration must converge, {len(error.eigenvalues)} of {count} eigenvalues did "
            f"in {most} restarts; ask for fewer, or a larger tolerance"
        ) from error
    return values, vectors


def _dense(matrix: Products) -> Floats:
    rows = np.stack([finite(matrix @ row) for row in np.eye(matrix.size)])
    return np.asarray((rows + rows.T) / 2)
