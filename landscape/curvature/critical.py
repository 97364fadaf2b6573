"""The smallest step along an update that raises the loss, by some six losses and no Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

from landscape.curvature.searches import Search, alone

FACTOR = 4.0
"""From one step that is tried to the next, until the loss has risen at one and not at the other."""
HALVINGS = 3
"""In the logarithm, of what lies between the two: the step is right to 9 %."""
UP, DOWN = 10, 20
"""So many factors from the guess nothing is looked for any more."""
ROUNDING = 3e-7
"""Share of the loss that a difference of mean losses in float32 can't tell from nothing."""


def critical_step(loss: Callable[[float], float], guess: float) -> float:
    """The smallest s > 0 with loss(s) above loss(0), where loss(s) = L(w + s u), to 9 %.

    2/s is called critical sharpness (2601.16979): on a quadratic, with u = −∇L, it is the
    curvature u'Hu / u'u. From a guess that is right to a factor of four it takes six losses; the
    row before is a good one. A rise and fall within a factor of four is missed. Losses that aren't
    finite are higher.

    Returns:
        Infinite where the loss stays lower up to a million guesses; NaN where the loss at 0 isn't
        finite or no step lowers it by more than rounding, so that there is nothing to find.
    """
    return alone(critical(guess), loss)


def critical(guess: float) -> Search:
    """The same as a search along u, for whoever has losses evaluated side by side."""
    if not 0 < guess < math.inf:
        return math.nan
    here, first = yield (0.0, guess)
    if not math.isfinite(here):
        return math.nan
    rounding, drops = ROUNDING * abs(here), [0.0]

    def risen(loss: float) -> bool:
        drop = here - loss
        drops.append(drop if math.isfinite(drop) else -math.inf)
        return not drop >= -rounding

    low, high = yield from _around(guess, risen, up=not risen(first))
    if high == math.inf:
        return math.inf if max(drops) > rounding else math.nan
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if risen(*(yield (middle,))) else (middle, high)
    if max(drops) <= rounding:
        risen(*(yield (low / 2,)))
    return math.sqrt(low * high) if max(drops) > rounding else math.nan


def _around(
    guess: float, risen: Callable[[float], bool], *, up: bool
) -> Generator[Sequence[float], Sequence[float], tuple[float, float]]:
    """Two steps between which the loss rises, from a guess upwards or downwards.

    The second is infinite where none was found above, both are the last one where none was below.
    """
    step = guess
    for _ in range(UP if up else DOWN):
        before, step = step, step * FACTOR if up else step / FACTOR
        if risen(*(yield (step,))) == up:
            return min(before, step), max(before, step)
    return step, math.inf if up else step
