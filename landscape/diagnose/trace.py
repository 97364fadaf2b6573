"""Both ends of a Hessian's spectrum and its trace, for a given number of products."""

from __future__ import annotations

import numpy as np

from landscape.errors import LandscapeError
from landscape.problem.lanczos import Krylov, Products, finite, iterate

EVERY = 5
"""Products between two looks at whether the iteration has converged."""
TOLERANCE = 1e-3
"""Residuals that are good enough, as a share of the largest eigenvalue."""


def search(
    matrix: Products, count: int, *, products: int, tolerance: float = TOLERANCE, seed: int = 0
) -> Krylov:
    """The ``count`` largest eigenvalues and the smallest one, by at most ``products`` products.

    It ends early where their residuals are below ``tolerance`` of the largest eigenvalue, and where
    they aren't at the end, the residuals say by how much the eigenvalues may be off.

    Raises:
        LandscapeError: fewer products than eigenvalues, or a product that isn't finite.
    """
    if not 1 <= count <= products:
        raise LandscapeError(
            f"eigenvalues must be between 1 and the {products} products, got {count}"
        )
    start = np.random.Generator(np.random.PCG64(seed)).standard_normal(matrix.size)
    before = False
    for steps, found in enumerate(iterate(matrix, start, most=products, seed=seed), start=1):
        # What a random vector of the rest is an eigenvector of has no other eigenvalues there.
        simple, before = found.exhausted and before, found.exhausted
        if steps < count or not (simple or steps % EVERY == 0):
            continue
        wanted = np.append(found.residuals[-count:], found.residuals[0])
        # Where a space is exhausted every residual is 0, but what is outside of it is unknown.
        settled = not found.exhausted and wanted.max() <= tolerance * np.abs(found.values).max()
        if simple or settled:
            break
    return found


def trace(matrix: Products, known: Krylov, *, probes: int, seed: int = 0) -> tuple[float, float]:
    """The trace and its standard error over ``probes`` random vectors, a product each.

    tr H = tr Q H Q' + tr (1 - Q'Q) H (1 - Q'Q): the first part, within the space that is known, is
    the sum of its Ritz values; the second is Hutchinson's mean of z' H z over vectors z of random
    signs, projected. Unbiased, and without the few large eigenvalues that would make up most of
    the error (Meyer et al., 2021). NaN as the error of fewer than two probes, unless nothing is
    left to estimate.
    """
    within = float(known.values.sum())
    if len(known.values) == matrix.size:
        return within, 0.0
    generator = np.random.Generator(np.random.PCG64([seed, 2]))
    found = np.empty(probes)
    for probe in range(probes):
        signs = generator.choice([-1.0, 1.0], matrix.size)
        outside = signs - (known.basis @ signs) @ known.basis
        found[probe] = outside @ finite(matrix @ outside)
    if probes == 0:
        return float("nan"), float("nan")
    error = float(found.std(ddof=1) / np.sqrt(probes)) if probes > 1 else float("nan")
    return within + float(found.mean()), error
