"""What principal components show of a random walk: the null that a PCA plane is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats

MOST = 600
"""More rows than that are thinned: the modes are smooth."""


def modes(steps: NDArray[np.int64], count: int = 2) -> tuple[Floats, Floats]:
    """A random walk's leading scores (T, k) at some steps, unit vectors, and their shares (k,).

    In many dimensions the Gram matrix of a walk at times t is min(t_i, t_j), to a factor. Centred
    and at even times its eigenvectors are cosines cos(pi k (i + 1/2) / T) and their shares tend to
    6 / (pi k)^2: 0.608, 0.152, ... At uneven times, such as logarithmic ones, both differ.
    """
    times = steps.astype(np.float64)
    gram = np.minimum.outer(times, times)
    gram -= gram.mean(0)
    gram -= gram.mean(1)[:, None]
    values, vectors = np.linalg.eigh(gram)
    leading = slice(-1, -count - 1, -1)
    return vectors[:, leading], values[leading] / values.sum()


def share(steps: NDArray[np.int64], count: int = 2) -> float:
    """The share of a random walk's variance that its first components hold; NaN below 3 rows."""
    steps = _thinned(steps)
    return float(modes(steps, count)[1].sum()) if len(steps) > count else float("nan")


def arc(steps: NDArray[np.int64], scores: Floats) -> float:
    """How nearly a path's scores (T, 2) are those of a random walk: the smaller |correlation|.

    NaN for other than two coordinates, below five rows, and where a coordinate doesn't vary.
    """
    kept = np.isfinite(scores).all(1)
    steps, scores = steps[kept], scores[kept]
    if scores.shape[1] != 2 or len(steps) < 5:
        return float("nan")
    chosen = np.searchsorted(steps, _thinned(steps))
    cosines, _ = modes(steps[chosen])
    centred = scores[chosen] - scores[chosen].mean(0)
    lengths = np.linalg.norm(centred, axis=0)
    if not lengths.all():
        return float("nan")
    return float(np.abs((centred * cosines).sum(0) / lengths).min())


def _thinned(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(steps) <= MOST:
        return steps
    chosen: NDArray[np.int64] = steps[np.linspace(0, len(steps) - 1, MOST).round().astype(int)]
    return chosen
