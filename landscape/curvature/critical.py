"""The smallest step along an update that raises the loss, by some four losses and no Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

from landscape.curvature.searches import End, Ends, Search, alone, narrowed

FACTOR = 4.0
"""From one step that is tried to the next, until the loss has risen at one and not at the other."""
GUESSED = 3
"""So many of these are taken from the slope instead, at most the square of the factor away."""
PRECISION = 0.09
"""A step is right to this, relative."""
UP, DOWN = 10, 20
"""So many factors from the guess nothing is looked for any more."""
ROUNDING = 3e-7
"""Share of the loss that a difference of mean losses in float32 can't tell from nothing."""
ENOUGH = 2 * math.log1p(PRECISION)


def critical_step(loss: Callable[[float], float], guess: float, slope: float) -> float:
    """The smallest s > 0 with loss(s) above loss(0), where loss(s) = L(w + s u), to 9 %.

    2/s is called critical sharpness (2601.16979): on a quadratic, with u = −∇L, it is the
    curvature u'Hu / u'u. ``slope`` is the loss's at 0, −|∇L|² there: with the loss at a guess, such
    as the step of the row before, it says where on a quadratic the step is, so that some four
    losses are enough. A rise and fall between steps that are tried, at most a factor of 16 apart,
    is missed. Losses that aren't finite are higher.

    Returns:
        Infinite where the loss stays lower up to a million guesses; NaN where the loss at 0 isn't
        finite or no step lowers it by more than rounding, so that there is nothing to find.
    """
    return alone(critical(guess, slope), loss)


def critical(guess: float, slope: float) -> Search:
    """The same as a search along u, for whoever has losses evaluated side by side."""
    if not (0 < guess < math.inf and slope < 0):
        return math.nan
    here, first = yield (0.0, guess)
    if not math.isfinite(here):
        return math.nan
    rounding, drops = ROUNDING * abs(here), [0.0]

    def height(step: float, loss: float) -> float:
        """The mean slope up to a step, to be zero where the loss is as high as at 0."""
        drop = here - loss
        drops.append(drop if math.isfinite(drop) else -math.inf)
        return math.inf if math.isnan(drop) else -(drop + rounding) / step

    def root(low: End, high: End) -> float:
        """A quadratic's mean slope is a straight line over the step."""
        (beneath, falling), (above, rising) = low, high
        if not math.isfinite(rising):
            return (beneath + above) / 2
        near, far = math.exp(beneath), math.exp(above)
        return math.log(near + (far - near) * -falling / (rising - falling))

    ends = yield from _around((math.log(guess), height(guess, first)), slope, height)
    if ends is None:
        return math.inf if max(drops) > rounding else math.nan
    low, high = yield from narrowed(*ends, ENOUGH, height=height, root=root)
    shortest = math.exp(low[0])
    if max(drops) <= rounding:
        height(shortest / 2, *(yield (shortest / 2,)))
    return math.exp((low[0] + high[0]) / 2) if max(drops) > rounding else math.nan


def _around(
    first: End, slope: float, height: Callable[[float, float], float]
) -> Generator[Sequence[float], Sequence[float], Ends | None]:
    """Two steps between which the loss rises, from a first one upwards or downwards.

    None where there is none above it; both are the last one where there is none below.
    """
    here, up = first, first[1] < 0
    for number in range(UP if up else DOWN):
        before, far = here, _to_the_root(here, slope) if number < GUESSED else math.log(FACTOR)
        place = here[0] + (far if up else -far)
        here = place, height(math.exp(place), *(yield (math.exp(place),)))
        if (here[1] < 0) != up:
            return (before, here) if up else (here, before)
    return None if up else (here, here)


def _to_the_root(here: End, slope: float) -> float:
    """How far in log the step of a quadratic is from one that was tried, and a little farther."""
    ratio = slope / (slope - here[1]) if slope < here[1] else math.inf
    most = 2 * math.log(FACTOR)
    away = abs(math.log(ratio)) if 0 < ratio < math.inf else most
    return min(max(away + ENOUGH / 2, 0.999 * ENOUGH), most)
