"""The curvature of the loss: at recorded steps, over batches, its spectrum, and about a jump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats


@dataclass(frozen=True)
class Curvature:
    """What was measured at R recorded steps, of the full training loss without weight decay.

    Loss, gradient and critical step are over all ``total`` training samples; eigenvalues and trace
    over ``samples`` of them, the same ones at every step. Eval mode, recorded BatchNorm statistics.
    """

    step: NDArray[np.int64]
    """(R,)"""
    loss: Floats
    """(R,)"""
    gradient_norm: Floats
    """(R,)"""
    gradient_curvature: Floats
    """(R,) g' H g / |g|^2 with the full data's g and the samples' H; NaN where g is zero."""
    critical_step: Floats
    """(R,) smallest eta > 0 with L(w - eta g) >= L(w); see `along_run.critical_step`."""
    eigenvalues: Floats
    """(R, k) the largest ones, largest first; each at most the true one."""
    eigenvalue_errors: Floats
    """(R, k) an eigenvalue of the samples' Hessian lies within that."""
    lowest: Floats
    """(R,) the smallest eigenvalue, or somewhat above it."""
    lowest_error: Floats
    """(R,)"""
    trace: Floats
    """(R,)"""
    trace_error: Floats
    """(R,) standard error over the probes; NaN for one probe."""
    products: NDArray[np.int64]
    """(R,) Hessian-vector products that were spent."""
    samples: int
    total: int
    parameters: int
    """P; trace / P is the mean curvature along a random direction."""


@dataclass(frozen=True)
class Sharpness:
    """E[g_B' H_B g_B] / E|g_B|^2 over random batches B at R recorded steps."""

    step: NDArray[np.int64]
    """(R,)"""
    value: Floats
    """(R,); NaN where every batch's gradient is zero."""
    error: Floats
    """(R,) standard error over the batches; 0 where the batch is all of the data, NaN for one
    batch that isn't."""
    noise: Floats
    """(R,) share of E|g_B|^2 that is noise, 1 - |mean of g_B|^2 / E|g_B|^2, without its bias; 0
    for the full batch, near 1 where noise dominates."""
    batch_size: int
    batches: int


@dataclass(frozen=True)
class Density:
    """Eigenvalues and their weights by stochastic Lanczos quadrature (Ghorbani et al., 2019).

    ``weights[p, j]`` is the share of the spectrum that probe p sees at ``nodes[p, j]``, ascending
    along j; each row sums to 1. Their mean over probes estimates the density without bias in its
    first 2 m - 1 moments.
    """

    nodes: Floats
    """(probes, m) ascending."""
    weights: Floats
    """(probes, m)."""
    size: int
    """P."""
    samples: int = 0
    """How many training samples the Hessian is the mean over."""
    total: int = 0
    """How many there are."""
    step: int = 0
    """Of the weights."""

    @property
    def lowest(self) -> float:
        """The smallest node: the smallest eigenvalue is at most that."""
        return float(self.nodes.min())

    @property
    def highest(self) -> float:
        """The largest node: the largest eigenvalue is at least that."""
        return float(self.nodes.max())


@dataclass(frozen=True)
class Jump:
    """How the curvature changed over a stretch of a run, and where in the spectrum the move lay."""

    first: int
    peak: int
    last: int
    """Steps: before it, where the loss was highest, and where it had come back."""
    before: float
    """Top eigenvalue at the first."""
    after: float
    """Top eigenvalue at the last."""
    along_top: float
    """Share of the squared length of the move from first to peak along the top eigenvector at the
    first; NaN: no move, or more than `jump.REACH` steps lie between the two."""
    along_subspace: float
    """Share of it in the span of the top ``count`` eigenvectors."""
    count: int
    chance: float
    """Share that a random move would have in the subspace: count / P."""


@dataclass(frozen=True)
class LayerCurvature:
    """The Hessian's diagonal blocks, one for each of T tensors, at R recorded steps.

    Of the training loss without weight decay over ``samples`` samples, the same ones at every step.
    The traces of all blocks sum to the trace of the whole; no block's top eigenvalue exceeds the
    whole's.
    """

    step: NDArray[np.int64]
    """(R,)"""
    tensors: tuple[str, ...]
    """Names of those that are trained, in the layout's order."""
    sizes: NDArray[np.int64]
    """(T,) numbers in each."""
    top: Floats
    """(R, T) largest eigenvalue of the block; at most the true one."""
    top_error: Floats
    """(R, T) an eigenvalue of the block lies within that."""
    trace: Floats
    """(R, T) of the block."""
    trace_error: Floats
    """(R, T) standard error over the probes; 0 where nothing was left to estimate."""
    norm: Floats
    """(R, T) |w_l|, the tensor's Euclidean norm."""
    whole: Floats
    """(R,) the whole Hessian's largest eigenvalue,"""
    whole_error: Floats
    """(R,) and its error, as of the blocks."""
    samples: int
    total: int

    @property
    def scaled(self) -> Floats:
        """(R, T) |w_l|^2 times the block's top eigenvalue.

        It stays as it is where a tensor is rescaled and the network compensates for that, as the
        weights before a ReLU or a BatchNorm allow; the eigenvalue alone doesn't.
        """
        return np.asarray(self.norm**2 * self.top)


@dataclass(frozen=True)
class PreconditionedSharpness:
    """The top eigenvalue of P^(-1/2) H P^(-1/2) at the R steps that the optimizer was recorded at.

    P is the diagonal that the optimizer divides its averaged gradient by (Cohen et al., 2022), H
    the Hessian of the training loss, with the weight decay that is part of the gradient.
    """

    step: NDArray[np.int64]
    """(R,)"""
    value: Floats
    """(R,) dimensionless per unit of learning rate, as 1/eta; at most the true one."""
    value_error: Floats
    """(R,) an eigenvalue lies within that."""
    bound: Floats
    """(R,) what steps can bear at the learning rate of then; NaN where no bound is known."""
    plain: Floats
    """(R,) the top eigenvalue of H itself."""
    optimizer: str
    """As torch's class is called."""
    rule: str
    """The bound as a formula; empty where none is known."""
    unknown: str
    """Why no bound is known; empty where one is."""
    samples: int
    total: int
