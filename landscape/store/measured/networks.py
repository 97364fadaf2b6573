"""What the network still does at recorded steps: its units, and the functions it computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats


@dataclass(frozen=True)
class Units:
    """What was measured at R recorded steps over all training data, in eval mode."""

    step: NDArray[np.int64]
    """(R,)"""
    layers: tuple[str, ...]
    """Of each activation the layer before it, L in all; of one that several kinds of activation
    follow, there are several."""
    kinds: tuple[str, ...]
    """(L,) dead: stuck units put out zero on all data; saturated: they are within 1e-3 of the
    bounds of tanh, sigmoid and their like on all data."""
    sizes: NDArray[np.int64]
    """(L,) units; of a convolution its channels."""
    stuck: NDArray[np.int64]
    """(R, L) how many of them are dead or saturated."""
    loss: Floats
    """(R,)"""
    constant_loss: float
    """Of the best constant output, L0; NaN where there is none."""
    spread: Floats
    """(R,) standard deviation of the outputs over the inputs, root mean square over outputs: 0
    where the outputs don't depend on the input."""
    scale: Floats
    """(R,) root mean square of the outputs themselves."""
    start_spread: float
    """The spread at the initialization."""
    tensors: tuple[str, ...]
    """Parameter names, in the layout's order."""
    gradient_norms: Floats
    """(R, tensors) of the training loss without weight decay; exactly 0 where nothing can move."""

    @property
    def gradient_norm(self) -> Floats:
        """(R,) of the whole gradient."""
        return np.asarray(np.sqrt((self.gradient_norms**2).sum(1)))

    @property
    def relative_spread(self) -> Floats:
        """(R,) spread over scale, 0 to 1; NaN where all outputs are zero."""
        scale = np.where(self.scale > 0, self.scale, np.nan)
        return np.asarray(self.spread / scale)

    def told_apart(self, row: int) -> float:
        """The relative spread at a row; 0 where all outputs are zero: they ignore the input too."""
        return float(self.relative_spread[row]) if self.scale[row] != 0 else 0.0

    def whole(self, kind: str, row: int) -> tuple[str, ...]:
        """Layers all of whose units are ``dead`` (or ``saturated``) at the row-th step measured."""
        return tuple(
            name
            for name, its, stuck, size in zip(
                self.layers, self.kinds, self.stuck[row], self.sizes, strict=True
            )
            if its == kind and stuck == size
        )

    def partly(self, kind: str, row: int) -> dict[str, float]:
        """Share of units that are, of the layers where some are and not all."""
        return {
            name: float(stuck / size)
            for name, its, stuck, size in zip(
                self.layers, self.kinds, self.stuck[row], self.sizes, strict=True
            )
            if its == kind and 0 < stuck < size
        }

    def moving(self, row: int) -> tuple[str, ...]:
        """Parameters whose gradient isn't exactly zero: what SGD can still change."""
        norms = zip(self.tensors, self.gradient_norms[row], strict=True)
        return tuple(name for name, norm in norms if norm != 0)


@dataclass(frozen=True)
class Functions:
    """Distances between the outputs at R recorded steps, over ``samples`` samples.

    Where the outputs aren't logits of classes ``disagreement`` and ``divergence`` are NaN, and
    ``distance`` is between the outputs themselves.
    """

    step: NDArray[np.int64]
    """(R,)"""
    disagreement: Floats
    """(R, R) share of samples whose most likely class differs."""
    divergence: Floats
    """(R, R) [i, j]: mean Kullback-Leibler divergence of softmax outputs, i from j, in nats."""
    distance: Floats
    """(R, R) root of the mean squared distance between the softmax outputs of a sample."""
    samples: int
    data: str
    """training or validation."""
