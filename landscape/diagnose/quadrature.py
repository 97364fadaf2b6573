"""A Hessian's spectral density as nodes and weights, and how many eigenvalues lie below a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.store.measured.curvature import Density
from landscape.store.records import Floats


@dataclass(frozen=True)
class Count:
    """How many of P eigenvalues lie below a threshold."""

    value: float
    error: float
    """Standard error over the probes; NaN for one probe."""
    lower: float
    upper: float
    """Between these whatever the spectrum looks like between the nodes: the weights of the two
    nodes about the threshold could lie on either side of it (Chebyshev, Markov, Stieltjes). Of
    the probes' mean; the error comes on top."""


def count_below(density: Density, threshold: float) -> Count:
    """#{lambda_i < threshold}: the dimension of the valley that is flatter than that.

    There are at least as many eigenvalues on either side as one probe has nodes there (Cauchy's
    interlacing), which the limits and the value keep to.
    """
    below = density.nodes < threshold
    above = density.nodes >= threshold
    shares = np.where(below, density.weights, 0).sum(1)
    probes = len(shares)
    error = float(shares.std(ddof=1) / np.sqrt(probes)) if probes > 1 else float("nan")
    # The last node below and the first above may each stand for mass on the other side.
    last = np.where(below, density.nodes, -np.inf).max(1, keepdims=True)
    first = np.where(above, density.nodes, np.inf).min(1, keepdims=True)
    inner = np.where(density.nodes < last, density.weights, 0).sum(1).mean()
    outer = np.where(density.nodes <= first, density.weights, 0).sum(1).mean()
    if not above.any():
        outer = 1.0
    size = density.size
    least, most = float(below.sum(1).max()), float(size - above.sum(1).max())
    lower = min(max(float(size * inner), least), most)
    upper = max(min(float(size * outer), most), least)
    value = min(max(float(size * shares.mean()), lower), upper)
    return Count(value=value, error=size * error, lower=lower, upper=upper)


def curve(density: Density, at: Floats, *, width: float) -> Floats:
    """The density at some values (K,), smoothed by a Gaussian of standard deviation ``width``.

    Per unit of curvature; its integral is 1.
    """
    there = density.weights > 0
    nodes, weights = density.nodes[there], density.weights[there] / len(density.weights)
    spread = np.exp(-(((at[:, None] - nodes) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
    return np.asarray(spread @ weights)
