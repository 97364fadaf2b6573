"""How a run ends: its full-data losses cut into stretches that are statistically one each.

A stretch is a straight line in the logarithm of the loss with AR(1) noise about it; where one ends
and the next begins is found by optimal partitioning (Jackson et al. 2005) under a penalty a piece.
Independent noise instead of AR(1) would cut a wandering loss to bits. Isolated rows that leap are
drawn in before: spikes are `escapes.Excursion`'s subject. Levels are compared in units of the run's
own noise, as a factor, and as a share of what had been learned; no one of the three decides alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats

FEWEST = 5
"""Rows of the shortest stretch."""
MOST = 256
"""Work grows with the square of the rows: more are joined to blocks, by their medians."""
CORRELATIONS = (0.0, 0.3, 0.6, 0.8, 0.9)
"""Lag-1 correlations of the noise that are tried; a larger one would explain any leap as noise."""
PENALTY = 7.0
"""A further stretch costs so many times log T; its place, line, noise and correlation are 5."""
FLOOR = 0.01
"""† Noise below a percent of the loss counts as a percent: a plateau's is none at all."""
LEAP = 4.0
"""Rows farther than so many standard deviations from the running median are drawn in."""
LEVEL = 1.5
"""A stretch's level, a median of many rows, is clearly below L₀ by so many deviations of a row."""
ALL = 0.9
"""† Share of what was learned whose loss is the loss of all."""
TO_DEVIATION = 1.4826
"""From a median absolute deviation to a normal distribution's standard deviation."""
AWAY, NEAR, BETWEEN, INSIDE, NEVER = "away", "near", "between", "inside", "never"


@dataclass(frozen=True)
class EndingRules:
    """How far above its best stretch a run's last one must lie for what."""

    share: float = 0.05
    """† The shortest stretch, as a share of the rows."""
    learned: float = 0.1
    """u = (L₀ − L)/L₀ from which a stretch shows that something was learned,"""
    glimpse: float = 0.1
    """and of a single row, where no stretch does: learned, and lost before long."""
    noises: float = 3.0
    """† Standard deviations, of both stretches together, that are clear."""
    lost: float = 0.25
    """† Share of L₀ − L_best whose loss is one whatever the factor,"""
    near: float = 0.05
    """† that below which the end is near the best,"""
    times: float = 3.0
    """† and the factor of the loss from which it is a loss in between."""


@dataclass(frozen=True)
class Stretch:
    """Rows ``first`` to ``end`` - 1."""

    first: int
    end: int
    low: float
    """Median loss of its lower half,"""
    last: float
    """and of its last half."""
    low_noise: float
    """Standard deviation of log L about a line in its lower half,"""
    noise: float
    """and in its last."""


@dataclass(frozen=True)
class Ending:
    """What the run's last stretch is, beside its best."""

    kind: str
    """``away`` from the best and stayed; ``near`` it; ``between``; ``inside`` an excursion too
    short to be a stretch; ``never``: it had never been clearly below L₀."""
    stretches: tuple[Stretch, ...]
    best: float
    """Level of the best stretch; of the best row, where only a glimpse was learned."""
    end: float
    """Level of the last."""
    noise: float
    """Of both together, in log L."""
    lost: float
    """(L_end − L_best)/(L₀ − L_best); NaN where nothing was learned."""
    left: int | None = None
    """The first row away; None unless it is."""
    glimpsed: bool = False
    """Whether what was learned shows in single rows only."""

    @property
    def factor(self) -> float:
        """L_end over L_best; infinite where the best is 0."""
        return self.end / self.best if self.best > 0 else math.inf

    @property
    def noises(self) -> float:
        """log(L_end/L_best) in standard deviations of the noise."""
        return math.log(self.factor) / self.noise if self.factor > 0 else -math.inf

    @property
    def own_noises(self) -> float:
        """The same in those of the last stretch alone."""
        noise = self.stretches[-1].noise
        return math.log(self.factor) / noise if self.factor > 0 else -math.inf


def stretches(loss: Floats, *, share: float = EndingRules.share) -> tuple[Stretch, ...]:
    """Cut the losses (T,) of at least one row; about 20 ms, whatever T."""
    logs = _logs(loss)
    size = -(-len(logs) // MOST)
    blocks = np.array([np.median(logs[at : at + size]) for at in range(0, len(logs), size)])
    least = max(-(-FEWEST // size), math.ceil(share * len(blocks)))
    cuts = _cuts(_drawn_in(blocks), least)
    ends = [min(size * cut, len(logs)) for cut in cuts]
    fewest = size * least
    return tuple(_stretch(loss, logs, a, b, fewest) for a, b in zip([0, *ends], ends, strict=False))


def of(
    loss: Floats, constant: float, noise: float, rules: EndingRules, *, inside: int | None = None
) -> Ending:
    """Read the end of the losses (T,), L₀ being ``constant``.

    Args:
        loss: of the rows, finite.
        constant: L₀, or what stands for it.
        noise: of a row's loss, as `escapes.Course` has it, where ``constant`` isn't really L₀.
        rules: where lines are drawn.
        inside: the row at which an excursion began that reaches the end, if one does.
    """
    found = stretches(loss, share=rules.share)
    scale = abs(constant) or 1.0
    last, best = found[-1], min(found, key=lambda each: each.low)
    own = best.low_noise * abs(best.low)
    if constant - best.low > max(rules.learned * scale, LEVEL * own):
        spread = math.hypot(last.noise, best.low_noise)
        lost = (last.last - best.low) / (constant - best.low)
        ending = Ending(NEAR, found, best.low, last.last, spread, lost)
    else:
        ending = _glimpse(loss, constant, noise, found, rules)
    if ending.kind == NEVER:
        return ending
    kind = _kind(ending, rules)
    row = _left(loss, ending) if kind == AWAY else None
    # A row that dips ends an excursion, and no time away from the best.
    away = [at for at in (inside, row) if at is not None]
    if inside is not None and all(_is_short(len(loss) - at, loss, rules) for at in away):
        return replace(ending, kind=INSIDE)
    if row == len(loss):  # nearer to the best in its last row: not away for good
        return replace(ending, kind=BETWEEN)
    return replace(ending, kind=kind, left=row)


def _is_short(rows: int, loss: Floats, rules: EndingRules) -> bool:
    return rows < max(FEWEST, rules.share * len(loss))


def _left(loss: Floats, ending: Ending) -> int:
    """The row from which a run is away: after the last rows most of which are nearer to the best.

    T where those are the very last.
    """
    middle = (
        math.sqrt(ending.best * ending.end) if ending.best > 0 else (ending.best + ending.end) / 2
    )
    near = loss <= middle
    many = np.convolve(near, np.ones(FEWEST), mode="full")[: len(near)] > FEWEST / 2
    # What is learned for a few rows only has no majority anywhere.
    rows = np.flatnonzero(near & many) if (near & many).any() else np.flatnonzero(near)
    return int(rows[-1]) + 1 if len(rows) else int(loss.argmin()) + 1


def _kind(ending: Ending, rules: EndingRules) -> str:
    if ending.lost < rules.near:
        return NEAR
    if ending.noises <= 1:
        # What was best may have been noisy; an end that is quiet above it doesn't return.
        return BETWEEN if ending.own_noises > rules.noises else NEAR
    is_large = ending.lost >= rules.lost or ending.factor >= rules.times
    # Where all is lost again, what tells the best from L₀ tells it from the end.
    least = LEVEL if ending.lost >= ALL else rules.noises
    if ending.glimpsed:  # The lowest of T noisy rows is √(2 ln T) deviations lower for no reason.
        least = max(least, 1 + math.sqrt(2 * math.log(ending.stretches[-1].end)))
    return AWAY if is_large and ending.noises > least else BETWEEN


def _glimpse(
    loss: Floats, constant: float, noise: float, found: tuple[Stretch, ...], rules: EndingRules
) -> Ending:
    """The ending where no stretch shows that something was learned: by single rows, or not at all.

    Outputs that say nothing of the input aren't below L₀, however they jump: one row that is proves
    that something was learned.
    """
    last, lowest = found[-1], float(loss.min())
    scale = abs(constant) or 1.0
    clear = max(rules.glimpse * scale, rules.noises * TO_DEVIATION * noise)
    if constant - lowest <= clear:
        level = min(each.low for each in found)
        return Ending(NEVER, found, level, last.last, last.noise, math.nan)
    # Where that is at the very end it only begins to learn.
    end = lowest if loss[-1] < (lowest + constant) / 2 else last.last
    lost = (end - lowest) / (constant - lowest)
    return Ending(NEAR, found, lowest, end, math.hypot(last.noise, FLOOR), lost, glimpsed=True)


def _logs(loss: Floats) -> Floats:
    """log L; where some losses aren't positive, L over its largest size."""
    if (loss > 0).all():
        return np.asarray(np.log(loss))
    return np.asarray(loss / (np.abs(loss).max() or 1.0))


def _drawn_in(logs: Floats) -> Floats:
    """Leaps of a row or two cut down to a few deviations from the running median."""
    reach = max(2, round(0.02 * len(logs)))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(logs, reach, mode="reflect" if len(logs) > reach else "edge"), 2 * reach + 1
    )
    middle = np.median(windows, axis=1)
    apart = logs - middle
    most = LEAP * max(FLOOR, TO_DEVIATION * float(np.median(np.abs(apart))))
    return np.asarray(middle + np.clip(apart, -most, most))


def _cuts(logs: Floats, least: int) -> list[int]:
    """Where stretches end, by optimal partitioning; the last is len(logs)."""
    count = len(logs)
    if count < 2 * least:
        return [count]
    cost = np.min([_costs(logs, phi) for phi in CORRELATIONS], axis=0)
    penalty = PENALTY * math.log(count)
    total = np.full(count + 1, math.inf)
    total[0], before = -penalty, np.zeros(count + 1, np.int64)
    for end in range(least, count + 1):
        starts = np.arange(0, end - least + 1)
        whole = total[starts] + cost[starts, end] + penalty
        before[end] = starts[int(whole.argmin())]
        total[end] = whole.min()
    cuts = [count]
    while (start := int(before[cuts[-1]])) > 0:
        cuts.append(start)
    return cuts[::-1]


def _costs(logs: Floats, phi: float) -> NDArray[np.float64]:
    """[i, j]: n log σ² of rows i to j - 1 about a line, their noise whitened by ``phi``."""
    count = len(logs)
    white = logs[1:] - phi * logs[:-1]
    time = np.arange(1, count, dtype=np.float64)
    sums = np.array([np.ones(count - 1), time, time**2, white, white * time, white**2])
    whole = np.concatenate([np.zeros((6, 1)), sums.cumsum(1)], axis=1)
    # Rows i to j - 1 have the differences i + 1 to j - 1, which are the sums i to j - 2.
    at = np.maximum(np.arange(count + 1) - 1, 0)
    start = np.minimum(np.arange(count + 1), count - 1)
    n, t, tt, y, ty, yy = whole[:, None, at] - whole[:, start, None]
    n = np.maximum(n, 1)
    stt = np.maximum(tt - t * t / n, 1e-12)
    sty = ty - t * y / n
    residual = np.maximum(yy - y * y / n - sty * sty / stt, 0)
    # The floor is the noise's own; whitened it is smaller.
    floor = FLOOR**2 * (1 - phi**2)
    # Likelihoods of different phi compare by the variance of the innovations.
    return np.asarray((n + 1) * np.log(residual / n + floor))


def _stretch(loss: Floats, logs: Floats, first: int, end: int, fewest: int) -> Stretch:
    size = min(max(fewest, (end - first) // 2), end - first)
    early, late = slice(first, first + size), slice(end - size, end)
    low = early if np.median(loss[early]) < np.median(loss[late]) else late
    return Stretch(
        first,
        end,
        float(np.median(loss[low])),
        float(np.median(loss[late])),
        _noise(logs[low]),
        _noise(logs[late]),
    )


def _noise(logs: Floats) -> float:
    """Standard deviation about a line, from the median absolute deviation; a percent at least."""
    rows = np.arange(len(logs), dtype=np.float64)
    if len(logs) > 2:
        logs = logs - np.polyval(np.polyfit(rows, logs, 1), rows)
    return max(FLOOR, TO_DEVIATION * float(np.median(np.abs(logs - np.median(logs)))))
