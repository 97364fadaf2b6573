"""Where the loss first lies above a level along rays from a plane's origin, found by measuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from landscape.curvature.searches import EXTRA, End, Search, narrowed, together
from landscape.plane.kinds import KINDS
from landscape.plane.normalization import NORMALIZATIONS
from landscape.store.scans.records import Floats, Plane, Scan
from landscape.store.scans.rises import SHARE
from landscape.store.scans.widths import Crossings
from landscape.store.typed import rebuilt

PRECISION = 0.02
"""A radius is right to this, relative."""
LADDER: Floats = np.array([8.0**k for k in range(-5, 1)])
"""Shares of a ray's reach at which the loss is measured first, from the farthest inwards."""
QUIET = 1 / 8
"""A loss within this share of the rise of the origin's: no nearer one is looked at."""
BEND = 0.2
"""How far, as a share of the width, a guess is moved towards the middle of what is left, and"""
SLACK = 1
"""so many losses more than by halving it takes at most (Oliveira and Takahashi 2020)."""
TIMES = 1e3
"""Rises are told apart between the one looked for divided by that and times that."""
NOTHING: Floats = np.empty(0)


def _halvings() -> int:
    """Of one step of the ladder in log radius, until its middle is near enough to both ends."""
    return math.ceil(math.log2(math.log(8.0) / (2 * math.log1p(PRECISION))))


MOST = len(LADDER) + _halvings() + SLACK
"""Losses on a ray at most; of a smooth rise about seven."""
FACTOR = 4.0
"""From one loss to the next on the way from a wall's guess inwards or outwards,"""
GUESSED, FARTHER = 2, 1.1
"""the first ones outwards so much farther than where a parabola would have risen,"""
LEAST, LAST = 1.25, 0.7
"""at least so many times as far; beyond this share of the reach to its end."""
WALL_PRECISION = 0.05
"""A valley's wall is right to this: of a row's rays a quarter are twice as long as another one."""
MOST_OF_WALL = (
    2
    + GUESSED
    + math.ceil(math.log(1 / LADDER[0], FACTOR))
    + math.ceil(math.log2(math.log(FACTOR / LAST) / (2 * math.log1p(PRECISION))))
    + EXTRA
)
"""Losses that a wall takes at most; as a rule about four, three where the row before's is right."""
KEY = "crossings"
"""Among a scan's findings while there are paths to come: what is measured so far."""


@dataclass(frozen=True)
class Ray:
    """A way from the origin along one of the axes to where the scan ends."""

    axis: int
    end: float
    """Its coordinate there, negative on the way to the axis' beginning."""


def rays(scan: Scan) -> list[Ray]:
    """The rays that the width is taken over, the same on each of a scan's planes.

    None where there is no width to compare minima by: the directions aren't random or not scaled
    by the weights, or the origin isn't within the grid.
    """
    if not compares(scan.plane):
        return []
    axes = (scan.x,) if scan.is_line else (scan.x, scan.y)
    if not all(axis[0] <= 0 <= axis[-1] for axis in axes):
        return []
    both = [Ray(k, float(end)) for k, axis in enumerate(axes) for end in (axis[-1], axis[0])]
    return [ray for ray in both if ray.end]


def compares(plane: Plane) -> bool:
    """Whether its directions are random and scaled by the weights."""
    row, scaling = KINDS.get(plane.kind), NORMALIZATIONS.get(plane.normalization)
    return row is not None and row.random and scaling is not None and scaling.compares


def planes(scan: Scan) -> int:
    """How many planes of a scan have rays."""
    return 1 if scan.spread is None else len(scan.spread.seeds)


def kept(scan: Scan) -> Crossings:
    """What was measured so far, of the first of the planes."""
    return rebuilt(Crossings, scan.findings.get(KEY, {}))


def most(scan: Scan) -> int:
    """How many losses are left to be computed at most: `MOST` a ray, and the origin's."""
    there = rays(scan)
    left = planes(scan) - len(kept(scan).radii)
    return left * (1 + len(there) * MOST) if there else 0


def known(scan: Scan, number: int) -> list[tuple[Floats, Floats]]:
    """Shares of the reach and training losses of the grid points measured on each of the rays."""
    losses, measured = scan.measures["train_loss"], scan.measured
    if scan.spread is not None:
        losses, measured = scan.spread.measures["train_loss"][number], scan.spread.measured[number]
    axes = (scan.x,) if scan.is_line else (scan.x, scan.y)
    zero = [np.abs(axis) <= 1e-12 * np.ptp(axis) for axis in axes]
    found = []
    for ray in rays(scan):
        # No lines through the origin where it isn't a grid point.
        on = np.ix_(*(zero[k] | (k == ray.axis) for k in range(len(axes))))
        there = measured[on].ravel()
        found.append((axes[ray.axis][there] / ray.end, losses[on].ravel()[there]))
    return found


def measure(
    losses_at: Callable[[Floats], Floats],
    dimensions: int,
    there: Sequence[Ray],
    grid: Sequence[tuple[Floats, Floats]] = (),
    *,
    level: float = SHARE,
) -> Iterator[tuple[int, list[float | None] | None]]:
    """Find the radius on each ray at which the loss has risen by ``level``: a `crossing` on each.

    ``losses_at`` gives the training losses (n,) at points (n, D) of the plane, ``grid`` is
    `known`'s.

    Yields how many losses were computed since, the last time with the radii as `Crossings` has
    them; without where the origin's loss isn't finite.
    """
    ends = np.zeros((len(there), dimensions))
    for row, ray in zip(ends, there, strict=True):
        row[ray.axis] = ray.end
    seen = grid or [(NOTHING, NOTHING)] * len(there)
    searches = [crossing(*one, level=level) for one in seen]
    searching, computed = together(losses_at, ends, searches), 0
    while True:
        try:
            following = next(searching)
        except StopIteration as ended:
            shares: list[float] = ended.value
            break
        if computed:
            yield computed, None
        computed = following
    if any(math.isnan(share) for share in shares):
        yield computed, None
        return
    radii = [share * abs(ray.end) for share, ray in zip(shares, there, strict=True)]
    yield computed, [radius if math.isfinite(radius) else None for radius in radii]


def crossing(shares: Floats = NOTHING, losses: Floats = NOTHING, *, level: float = SHARE) -> Search:
    """Search for the nearest share of a ray's reach at which the loss has risen, to 2 %.

    By ``level``, that is, in the loss's unit.

    First on the ladder, shares a factor of 8 apart, from the reach inwards until the loss is
    quiet; then in log radius between the two that the level is first crossed between. ``losses``
    at ``shares`` are known already: a rise that falls again is seen where it holds at one of
    these, or on the ladder. Where the loss only rises, what is found is the same to the bit
    whatever is known. A loss that isn't finite has risen.

    Returns:
        Infinite where it doesn't rise so far within the reach, 0 where it has risen at the finest
        share already, NaN where the origin's loss isn't finite.
    """
    ladder = LADDER[::-1].tolist()
    here, *there = yield (0.0, *ladder[:2])
    if not math.isfinite(here):
        return math.nan
    known = np.min(shares[(shares > LADDER[0]) & ~(losses - here < level)], initial=math.inf)
    rises = [loss - here for loss in there]
    while len(rises) < len(ladder) and not abs(rises[-1]) <= QUIET * level:
        [loss] = yield (ladder[len(rises)],)
        rises.append(loss - here)
    risen = [number for number, rise in enumerate(rises) if not rise < level]
    if len(ladder) - 1 in risen:
        return 0.0
    low, high = math.inf, math.inf
    if risen:
        two = slice(risen[-1], risen[-1] + 2)
        low, high = yield from _between(ladder[two], rises[two], here, level)
    if known < low:  # there it falls again, and nearer is only known that it is quiet
        beneath = float(LADDER[known > LADDER][-1])
        low, high = yield from _between([float(known), beneath], [level, 0.0], here, level)
    return math.sqrt(low * high)


def wall(
    near: float,
    slope: float,
    shares: Floats = NOTHING,
    losses: Floats = NOTHING,
    *,
    precision: float = WALL_PRECISION,
    level: float = SHARE,
) -> Search:
    """Search for what `crossing` finds, from what is known of the ray already, to ``precision``.

    From ``near``, a share of the reach at which the loss may have risen (NaN: nobody knows), or,
    where there are some, from the ``losses`` known at ``shares``: inwards by a factor of 4 at a
    time until the loss is quiet, as near to the origin's as its ``slope`` there says, and outwards
    until it has risen; then in log radius between the two that the level is first crossed between.
    ``slope`` is that over the share; where it is unknown, 0. Another start may find another
    crossing of a ray on which the loss falls again.

    Returns:
        As `crossing`.
    """
    finest = float(LADDER[0])
    near = 1.0 if math.isnan(near) else min(max(near, FACTOR * finest), 1.0)
    on = shares >= finest
    first = () if on.any() else (near / FACTOR, near)
    here, *there = yield (0.0, *first)
    if not math.isfinite(here):
        return math.nan
    rises = [(share, loss - here) for share, loss in zip(first, there, strict=True)]
    rises += [
        (float(k), float(loss) - here) for k, loss in zip(shares[on], losses[on], strict=True)
    ]
    rises.sort()
    while (share := rises[0][0]) > finest and not _is_quiet(*rises[0], slope, level):
        share = max(finest, share / FACTOR)
        [loss] = yield (share,)
        rises.insert(0, (share, loss - here))
    if not rises[0][1] < level:
        return 0.0
    outwards = 0
    while all(rise < level for _, rise in rises):
        if (share := rises[-1][0]) == 1:
            return math.inf
        share *= _farther(*rises[-1], slope, level) if outwards < GUESSED else FACTOR
        share = 1.0 if share > LAST else share
        [loss] = yield (share,)
        rises.append((share, loss - here))
        outwards += 1
    ends = [(math.log(share), _height(rise, level)) for share, rise in rises]
    far = next(number for number, (_, height) in enumerate(ends) if height >= 0)
    low, high = yield from narrowed(
        ends[far - 1],
        ends[far],
        2 * math.log1p(precision),
        height=lambda _, loss: _height(loss - here, level),
        root=_as_a_power,
    )
    return math.exp((low[0] + high[0]) / 2)


def _is_quiet(share: float, rise: float, slope: float, level: float) -> bool:
    return rise < level and abs(rise - slope * share) <= QUIET * level


def _farther(share: float, rise: float, slope: float, level: float) -> float:
    """So many times as far as a share is where a parabola of that slope has risen, and a bit."""
    bend = (rise / share - slope) / share
    root = slope * slope + 4 * bend * level
    if not root > 0 or not slope + math.sqrt(root) > 0:
        return FACTOR
    there = 2 * level / (slope + math.sqrt(root))
    return min(max(FARTHER * there / share, LEAST), FACTOR)


def _as_a_power(low: End, high: End) -> float:
    """Where the level is crossed if the rise is a power of the radius."""
    (near, beneath), (far, above) = low, high
    return near - beneath * (far - near) / (above - beneath)


def _between(
    shares: Sequence[float], rises: Sequence[float], here: float, level: float
) -> Generator[Sequence[float], Sequence[float], tuple[float, float]]:
    """Two shares on both sides of the crossing, near enough to their middle.

    ``shares`` are a farther one at which the loss has risen and a nearer one at which it hasn't.
    Guessed as if the rise were a power of the radius, and never with more than one loss above what
    halving takes (ITP; Oliveira and Takahashi 2020).
    """
    (high, low), (above, beneath) = (
        np.log(shares).tolist(),
        [_height(rise, level) for rise in rises],
    )
    enough = 2 * math.log1p(PRECISION)
    left = max(0, math.ceil(math.log2((high - low) / enough))) + SLACK
    bend = BEND / (high - low)
    while high - low > enough:
        middle = (low + high) / 2
        guess = low - beneath * (high - low) / (above - beneath)
        inwards = min(bend * (high - low) ** 2, abs(middle - guess))
        guess += math.copysign(inwards, middle - guess)
        most = enough / 2 * 2**left - (high - low) / 2
        guess = min(max(guess, middle - most), middle + most)
        left -= 1
        [loss] = yield (math.exp(guess),)
        rise = loss - here
        if rise < level:
            low, beneath = guess, _height(rise, level)
        else:
            high, above = guess, _height(rise, level)
    return math.exp(low), math.exp(high)


def _height(rise: float, level: float) -> float:
    """How far above the level a rise is, in logarithms: below it negative."""
    if math.isnan(rise):
        rise = math.inf
    return math.log(min(max(rise / level, 1 / TIMES), TIMES))
