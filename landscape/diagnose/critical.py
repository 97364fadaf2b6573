"""The critical step: how far down the gradient the loss is lower than where one stands."""

from __future__ import annotations

import math
from collections.abc import Callable

FINER = 2**0.5
"""Factor from one step that is tried to the next."""
BELOW, ABOVE = 16.0, 1e6
"""The search goes from a guess over the first to a guess times the second."""
HALVINGS = 60
PRECISION = 1e-3
"""Of the critical step, relative."""
ROUNDING = 3e-7
"""Share of the loss that a difference of mean losses in float32 can't tell from nothing."""


def critical_step(
    loss: Callable[[float], float], guess: float, *, rounding: float = ROUNDING
) -> float:
    """The smallest eta > 0 with loss(eta) >= loss(0), for ``loss(eta) = L(w - eta g)``.

    On a quadratic it is 2/lambda where g is an eigenvector of lambda (Xing et al., 2018; Roulet et
    al., 2023). Found among steps a factor of 1.41 apart, then by bisection to one part in a
    thousand: a rise and fall between two of those steps is missed. Losses that aren't finite
    count as higher. Some thirty losses.

    Args:
        guess: where to look first, such as 2 |g|^2 / (g' H g).
        rounding: share of the loss that a difference has to exceed.

    Returns:
        The step; infinite where the loss stays lower up to a million guesses; NaN where no step
        lowers the loss by more than rounding, so that there is nothing to find.
    """
    here = loss(0.0)
    if not (math.isfinite(here) and 0 < guess < math.inf):
        return math.nan
    resolution = rounding * abs(here)

    def drop(step: float) -> float:
        value = loss(step)
        return here - value if math.isfinite(value) else -math.inf

    low = guess / BELOW
    found = drop(low)
    for _ in range(HALVINGS):
        if found > 0:
            break
        low /= 2
        found = drop(low)
    deepest, high = found, low
    while found > 0 and high <= guess * ABOVE:
        low, high = high, high * FINER
        found = drop(high)
        deepest = max(deepest, found)
    if deepest <= resolution:
        return math.nan
    if found > 0:
        return math.inf
    while high > low * (1 + PRECISION):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if drop(middle) > 0 else (low, middle)
    return high
