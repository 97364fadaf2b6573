"""Lanczos iteration: what a few products with a symmetric matrix tell of its spectrum.

From a start q₁ each product makes one more orthonormal vector,

    βⱼ qⱼ₊₁ = H qⱼ − αⱼ qⱼ − βⱼ₋₁ qⱼ₋₁,    so that    Q H Q' = T,

with the vectors as the m rows of Q, and T tridiagonal: α on its diagonal, β beside it. An eigenpair
(θ, s) of T makes a Ritz pair (θ, v = Q's) of H with |H v − θ v| = βₘ |sₘ|, and an eigenvalue of H
lies within that of θ. The ends of the spectrum come first, in tens of products however large H is.

All of this stage uses this one iteration: the ends and the largest eigenvalues of `top` and
`search`, the space that a trace is split by and the quadrature of a density, which needs T. Each
vector is orthogonalized against all before it, since rounding would bring back copies of
eigenvalues that are found already; m vectors of P numbers are kept for that, in memory or in a file
(`basis`). `top` bounds m and restarts from the best Ritz vectors once they fill it.
`scipy.sparse.linalg.eigsh` restarts likewise, but has no T and no residuals to show on the way, and
can't be asked for both ends at once or to stop after a product; ``lobpcg`` takes as many products a
step as eigenvalues, and several times as many steps without a preconditioner. T's own eigenpairs
are SciPy's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal, hessenberg

from landscape.curvature.basis import MEMORY, KeptVectors, basis
from landscape.errors import LandscapeError
from landscape.store.scans.records import Floats

DENSE = 24
"""Up to so many rows a matrix is built: Lanczos needs room between what it finds and the rest."""
WIDE = 40
"""Vectors kept by `top`, where memory allows; more of them mean fewer products."""
FEWEST = 20
"""Vectors that are kept at least, however long they are."""
KEPT = 250_000_000
"""Numbers that full orthogonalization keeps at most: 2 GB."""
NOTHING = 1e-12
"""Share of the largest eigenvalue below which nothing is left of a product."""
ZERO = float(np.finfo(np.float64).eps) ** (2 / 3)
"""Eigenvalues smaller than this get residuals relative to it instead, as in ARPACK."""
EVERY = 5
"""Products between two looks of `search` at whether it has converged."""
TOLERANCE = 1e-3
"""Residuals that are good enough for `search`, as a share of the largest eigenvalue."""


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

    basis: KeptVectors
    """Q (m, P), orthonormal rows; the first is the start."""
    values: Floats
    """(m,) Ritz values, ascending."""
    coordinates: Floats
    """(m, m): column j holds the j-th Ritz vector's coordinates in the basis."""
    residuals: Floats
    """(m,) |H v - theta v| of each Ritz pair: an eigenvalue lies within that of theta."""
    exhausted: bool
    """Whether the matrix maps the space into itself, so that the Ritz values are eigenvalues."""
    outside: float | None = None
    """The only eigenvalue that there is outside of the space, where that is known."""

    def vectors(self, chosen: NDArray[np.int64] | slice) -> NDArray[Any]:
        """Some of the Ritz vectors (k, P), of length 1."""
        return self.basis.combined(self.coordinates[:, chosen].T)

    def outside_of(self, vector: Floats) -> Floats:
        """What of a vector (P,), which may be overwritten, is orthogonal to the space."""
        return self.basis.outside(len(self.values), vector)

    def has_all(self, count: int) -> bool:
        """Whether nothing outside belongs to the ``count`` largest eigenvalues."""
        if self.outside is None or count > len(self.values):
            return False
        slack = NOTHING * float(np.abs(self.values).max())
        return bool(self.values[-count] >= self.outside - slack)


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues (k,) and their unit eigenvectors (k, P)."""

    values: Floats
    vectors: NDArray[Any]


class Lanczos:
    """The iteration, from ``start`` (P,): a product and a vector of P numbers kept for each step.

    The start becomes a unit vector in place, and is overwritten.

    Where the space is exhausted, it goes on in the rest of the whole space, from a random vector by
    ``seed``, which finds eigenvalues that are there more than once.
    """

    def __init__(
        self,
        matrix: Products,
        start: Floats,
        *,
        room: int,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> None:
        """Leave room for so many vectors, of which there are no more than rows.

        Where they take more than ``memory`` (bytes) they are in a file, in float32.
        """
        self._matrix = matrix
        self._basis = basis(min(room, matrix.size), matrix.size, memory=memory)
        self._diagonal: list[float] = []
        self._beside: list[float] = []
        self._next = np.divide(start, np.linalg.norm(start), out=start)
        self._generator = np.random.Generator(np.random.PCG64([seed, 1]))

    @property
    def full(self) -> bool:
        """Whether there is no room for another step."""
        return len(self._diagonal) == len(self._basis)

    def step(self) -> Krylov:
        """Take a product more.

        Raises:
            LandscapeError: it isn't finite.
        """
        steps = len(self._diagonal) + 1
        vector = self._basis.put(steps - 1, self._next)
        self._next = np.empty(0)
        rest = finite(self._matrix @ vector)
        self._diagonal.append(inner(rest, vector))
        rest = self._basis.outside(steps, rest)
        length = float(np.linalg.norm(rest))
        values, coordinates = eigh_tridiagonal(self._diagonal, self._beside)
        scale = max(float(np.abs(values).max()), 1e-300)
        exhausted = length <= NOTHING * scale or steps == self._matrix.size
        # What a random vector of the rest is an eigenvector of has no other eigenvalues there.
        alone = exhausted and steps > 1 and self._beside[-1] == 0
        if exhausted:
            length = 0.0
            rest = self._basis.outside(steps, self._generator.standard_normal(self._matrix.size))
        self._beside.append(length)
        self._next = np.divide(rest, np.linalg.norm(rest) or 1.0, out=rest)
        residuals = length * np.abs(coordinates[-1])
        outside = self._diagonal[-1] if alone else None
        return Krylov(self._basis, values, coordinates, residuals, exhausted, outside)

    def restart(self, found: Krylov, kept: slice) -> None:
        """Go on from the Ritz vectors ``kept`` of the last step alone, overwriting its basis.

        With θ and V of them, H V' = V' diag(θ) + q s', where q is the next vector and sⱼ is βₘ
        times the last coordinate of vⱼ (thick restart, Wu & Simon, 2000). An orthogonal Z that
        makes Z' diag(θ) Z tridiagonal and Z's = (0, ..., 0, β) gives Z'V the form that the
        iteration has, as if it had started from Z'V's first row (implicit restart, Sorensen, 1992).
        """
        coupling = self._beside[-1] * found.coordinates[-1, kept]
        bordered = np.diag(np.concatenate([[0.0], found.values[kept]]))
        bordered[0, 1:] = bordered[1:, 0] = coupling
        # It leaves the first coordinate alone, from which on all is tridiagonal: here the last.
        reduced, turned = hessenberg(bordered, calc_q=True)
        mixed = (found.coordinates[:, kept] @ turned[1:, :0:-1]).T
        self._basis.become(mixed)
        self._diagonal = list(np.diag(reduced)[:0:-1])
        self._beside = list(np.diag(reduced, -1)[::-1])


def room(size: int, most: int) -> int:
    """How many steps there may be: ``most``, no more than rows, nor than 2 GB hold in float64."""
    return min(most, size, max(FEWEST, KEPT // size))


def iterate(
    matrix: Products, start: Floats, *, most: int, seed: int = 0, memory: int = MEMORY
) -> Iterator[Krylov]:
    """Search the space of ``start``, yielding after each product; at most ``most`` of them.

    The start is overwritten.

    Raises:
        LandscapeError: a product that isn't finite.
    """
    iteration = Lanczos(matrix, start, room=room(matrix.size, most), seed=seed, memory=memory)
    del start  # it is another vector by now
    while not iteration.full:
        yield iteration.step()


def search(
    matrix: Products,
    count: int,
    *,
    products: int,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    memory: int = MEMORY,
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
    searched = iterate(matrix, _random(matrix.size, seed), most=products, seed=seed, memory=memory)
    for steps, found in enumerate(searched, start=1):
        if found.has_all(count):
            break
        if steps < count or steps % EVERY != 0:
            continue
        wanted = np.append(found.residuals[-count:], found.residuals[0])
        # Where a space is exhausted every residual is 0, but what is outside of it is unknown.
        if not found.exhausted and wanted.max() <= tolerance * np.abs(found.values).max():
            break
    return found


def ends(
    matrix: Products,
    *,
    tolerance: float = 1e-4,
    seed: int = 0,
    most: int = 200,
    memory: int = MEMORY,
) -> tuple[float, float]:
    """The smallest and the largest eigenvalue, with residuals below ``tolerance`` of the larger.

    One iteration for both, of at most ``most`` products; some fifty usually do. Relative to itself
    the smaller of the two may be less precise: at a minimum it lies at the edge of a dense bulk.

    Raises:
        LandscapeError: as for `top`.
    """
    if matrix.size <= DENSE:
        values = np.linalg.eigvalsh(_dense(matrix))
        return float(values[0]), float(values[-1])
    searched = iterate(matrix, _random(matrix.size, seed), most=most, memory=memory)
    for steps, found in enumerate(searched, start=1):
        bound = tolerance * np.abs(found.values).max()
        if found.exhausted or (steps > 4 and found.residuals[[0, -1]].max() <= bound):
            return float(found.values[0]), float(found.values[-1])
    raise LandscapeError(
        f"Lanczos iteration must converge, the ends of the spectrum didn't in {steps} products; "
        "ask for a larger tolerance"
    )


def top(
    matrix: Products,
    count: int = 1,
    *,
    tolerance: float = 1e-8,
    seed: int = 0,
    most: int = 100,
    memory: int = MEMORY,
) -> Eigenpairs:
    """The ``count`` algebraically largest eigenvalues, largest first.

    Largest, not largest in magnitude: sharpness is the top of the spectrum. Residuals are below
    ``tolerance`` of each eigenvalue; ``most`` limits the restarts, each of some ten to twenty
    products after the first forty. Up to forty vectors of P numbers are kept, twenty at least: in
    float64 where they take no more than ``memory`` (bytes), else in float32 in a file, and with
    them the eigenvectors.

    Each eigenvector's largest entry is positive, which fixes its sign; within an eigenvalue's
    eigenspace the choice is arbitrary, by ``seed``.

    Raises:
        LandscapeError: fewer rows than eigenvalues asked for, products that aren't finite, or no
            convergence.
    """
    if not 1 <= count <= matrix.size:
        raise LandscapeError(
            f"eigenvalues must be between 1 and the matrix's {matrix.size} rows, got {count}"
        )
    if matrix.size <= max(DENSE, 2 * count + 1):
        every, columns = np.linalg.eigh(_dense(matrix))
        largest = _largest(every, count)
        values, vectors = every[largest], np.ascontiguousarray(columns.T[largest])
    else:
        values, vectors = _restarted(matrix, count, tolerance, seed, most, memory)
    for vector in vectors:
        vector *= np.sign(vector[np.abs(vector).argmax()])
    return Eigenpairs(values, vectors)


def inner(one: Floats, other: NDArray[Any]) -> float:
    """The product of two vectors, summed in float64 without a copy of either."""
    if one.dtype == other.dtype:
        return float(one @ other)
    return float(np.einsum("p,p->", one, other, dtype=np.float64))


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


def _restarted(
    matrix: Products, count: int, tolerance: float, seed: int, most: int, memory: int
) -> tuple[Floats, NDArray[Any]]:
    """The largest eigenvalues (count,), largest first, and their eigenvectors (count, P).

    The space is filled before it is looked at: the eigenvalues become better than the residuals
    have to be, and none of a cluster is missed.
    """
    space = max(2 * count + 1, room(matrix.size, WIDE))
    iteration = Lanczos(matrix, _random(matrix.size, seed), room=space, seed=seed, memory=memory)
    wanted = slice(-count, None)
    for _ in range(most + 1):
        while not iteration.full:
            found = iteration.step()
            if found.has_all(count):
                break
        allowed = tolerance * np.maximum(np.abs(found.values), ZERO)
        converged = int((found.residuals <= allowed)[wanted].sum())
        if converged == count:
            del iteration  # with the vector that would have come next
            largest = _largest(found.values, count)
            return found.values[largest], found.vectors(largest)
        iteration.restart(found, slice(-((space + count) // 2), None))
    raise LandscapeError(
        f"Lanczos iteration must converge, {converged} of {count} eigenvalues did "
        f"in {most} restarts; ask for fewer, or a larger tolerance"
    )


def _largest(values: Floats, count: int) -> NDArray[np.int64]:
    """Which of some values in ascending order are the largest ones, these first."""
    last = np.arange(len(values))[-count:]
    return np.asarray(last[np.argsort(-values[last])])


def _random(size: int, seed: int) -> Floats:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(size)


def _dense(matrix: Products) -> Floats:
    rows = np.stack([finite(matrix @ row) for row in np.eye(matrix.size)])
    return np.asarray((rows + rows.T) / 2)
