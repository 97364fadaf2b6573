"""What ratios of batches add up to: values over all samples, and how exact those over some are."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.problem.objective import Objective, Ratio

Floats = NDArray[np.float64]
FEW, ALL = 2, 5
"""Rows of sums: Σa and Σb; and Σa², Σab, Σb² with them."""


def added(values: Collection[Ratio], points: int = 1, *, moments: bool = False) -> Tensor:
    """(2, V, K) sums of V values over a batch at K points, the first point's samples first.

    With ``moments`` (5, V, K). In float64, on the first value's device.
    """
    rows = [_rows(value, points, moments) for value in values]
    place = rows[0][0].device
    return torch.stack([torch.stack([one.to(place) for one in row]) for row in rows], 1)


def _rows(value: Ratio, points: int, moments: bool) -> list[Tensor]:
    a = value.a.detach().view(points, -1)
    total = a.sum(1)
    if value.b is None:
        count = torch.full_like(total, a.shape[1])
        return [total, count, (a * a).sum(1), total, count] if moments else [total, count]
    b = value.b.view(points, -1)
    if not moments:
        return [total, b.sum(1)]
    return [total, b.sum(1), (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)]


def values(how: Objective, sums: Tensor) -> Floats:
    """(V, K) a problem's values, of sums over all its batches."""
    return how.completed(means(sums))


def means(sums: Tensor) -> Floats:
    """The values (V, K); NaN where nothing counts. One synchronization with the device."""
    found: Floats = (sums[0] / sums[1]).double().cpu().numpy()
    return found


def standard_errors(sums: Tensor, *, count: int, population: float) -> Floats:
    """(V, K) of values over ``count`` of a population's samples, drawn without replacement.

    An infinite population is one of samples that are drawn anew.

    Of a ratio by the delta method (Cochran, Sampling Techniques, 1977, 6.4), with the
    finite-population correction: sqrt((1 - n/N) n / (n - 1) Σ(a - R b)²) / Σb.
    """
    a, b, aa, ab, bb = sums.double().cpu().numpy()
    shrink = (1 - count / population) * count / max(1, count - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = a / b
        squares = np.maximum(aa - 2 * mean * ab + mean**2 * bb, 0.0)
        found: Floats = np.sqrt(shrink * squares) / b
    return found
