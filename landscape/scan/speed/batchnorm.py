"""BatchNorm statistics between weights whose own are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Anchor, Floats

MEAN, VARIANCE = "running_mean", "running_var"
TINY = 1e-30
"""Below it a variance has no logarithm worth the name."""


class AnchoredStatistics:
    """Statistics anywhere on a plane, affine through those of D + 1 anchors.

    Means are affine in the coordinates, variances in their logarithm, so that they stay positive
    beyond the anchors too. Other buffers are the first anchor's.
    """

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        self._anchors = anchors
        corners = np.array([anchor.xy for anchor in anchors])
        # Barycentric coordinates b solve sum b = 1, sum b xy_k = xy.
        self._solve = np.linalg.inv(np.vstack([np.ones(len(anchors)), corners.T]))

    def shares(self, xy: Floats) -> Floats:
        """Each anchor's weight at a point (D,); they sum to 1."""
        return np.asarray(self._solve @ np.concatenate([[1.0], xy]))

    def at(self, xy: Floats) -> Mapping[str, NDArray[Any]]:
        """The buffers at a point (D,) of the plane."""
        shares = self.shares(xy)
        found = dict(self._anchors[0].buffers)
        for name, first in found.items():
            values = [anchor.buffers[name].astype(np.float64) for anchor in self._anchors]
            if name.endswith(MEAN):
                found[name] = np.tensordot(shares, np.stack(values), 1).astype(first.dtype)
            elif name.endswith(VARIANCE):
                logs = np.log(np.maximum(np.stack(values), TINY))
                found[name] = np.exp(np.tensordot(shares, logs, 1)).astype(first.dtype)
        return found
