"""From losses to colours and heights: one scale for all panels of a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from landscape.draw.look.style import PLAIN, Style
from landscape.errors import LandscapeError
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Path, Scan
from landscape.store.scans.valleys import Valley

PERCENTILE = 95.0
LINES = 14
"""About so many contour lines where everything is explained."""
NARROW = 1.1
"""A range below this ratio is widened: rounding noise should not look like mountains."""
FEW = 0.2
"""Decades, below which a logarithmic scale has the levels and ticks of a linear one."""
FARTHEST = 1e300
"""Ends that are further apart have no ticks between them: matplotlib's sums would overflow."""
BENEATH = 0.5
"""How far colours may begin below a plane's losses, as a share of their range: the run's best loss
is told from a plateau so, and the plane keeps two thirds of the colours."""
TICKS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))


@dataclass(frozen=True)
class Scale:
    """Losses between ``low`` and ``high`` as positions between 0 and 1."""

    low: float
    high: float
    log: bool
    capped: bool
    """Whether losses above ``high`` exist."""
    rule: str
    """Where the cap comes from, in words; empty without one."""
    constant: float
    """Loss of the best constant output, NaN where there is none."""
    floored: bool = False
    """Whether losses below ``low`` exist: it was asked to begin there."""
    lines: int | None = None
    """About so many contour lines; None: as many as suit the figure."""

    def position(self, loss: Floats) -> Floats:
        """Return 0 at ``low``, 1 at ``high``, beyond them below 0 and above 1; NaN stays NaN."""
        loss = np.asarray(loss, dtype=np.float64)
        if not self.log:
            return np.asarray((loss - self.low) / (self.high - self.low))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((np.log10(loss) - np.log10(self.low)) / self._decades)

    def loss(self, position: Floats) -> Floats:
        """Return the loss at a position, the inverse of ``position``."""
        position = np.asarray(position, dtype=np.float64)
        if self.log:
            return np.asarray(10 ** (np.log10(self.low) + self._decades * position))
        return np.asarray(self.low + (self.high - self.low) * position)

    @property
    def _decades(self) -> float:
        # A difference of logarithms: the quotient of far losses would overflow.
        return float(np.log10(self.high) - np.log10(self.low))

    def norm(self) -> Normalize:
        """Return the scale for matplotlib."""
        return (LogNorm if self.log else Normalize)(self.low, self.high)

    def levels(self, count: int | None = None) -> Floats:
        """Return about ``count`` losses for contour lines, evenly spaced, with short decimals.

        None: as many as the scale has ``lines``, 14 where that isn't said.
        """
        count = self.lines if count is None else count
        count = LINES if count is None else count
        if not count:
            return np.empty(0)
        if not self.log or self._decades < FEW:
            return _linear(self.low, self.high, count)
        a_decade = min(
            (1, 2, 3, 5, 10, 20, 40), key=lambda n: abs(np.log(n * self._decades / count))
        )
        every = max(1, round(self._decades / (1.5 * count)))
        first, last = np.log10([self.low, self.high]) * a_decade / every
        exponents = np.arange(np.ceil(first), np.floor(last) + 1) * every / a_decade
        return self._inside(_rounded(10.0**exponents, 2 if a_decade <= 10 else 3))

    def ticks(self, count: int = 8) -> Floats:
        """Return at most ``count`` round losses for an axis."""
        if not self.log or self._decades < FEW:
            return _linear(self.low, self.high, count - 1)
        decades = np.arange(np.floor(np.log10(self.low)), np.ceil(np.log10(self.high)) + 1)
        for digits in reversed(TICKS):
            ticks = self._inside(np.outer(10.0**decades, digits).ravel())
            if len(ticks) <= count:
                return ticks
        powers = self._inside(10.0**decades)
        return powers[:: -(-len(powers) // count)]

    def two(self) -> Floats:
        """Return two losses for an axis that holds fewer round ones, with as few digits as tell.

        >>> Scale(0.8, 1.6, True, False, "", float("nan")).two()
        array([0.92, 1.4 ])
        """
        shares = np.array([0.2, 0.8])
        whole = self.low + shares * (self.high - self.low)
        if self.log:
            whole = self.low ** (1 - shares) * self.high**shares
        for digits in range(1, 12):
            found = self._inside(_rounded(whole, digits))
            if len(np.unique(found)) == 2 and abs(np.ptp(self.position(found)) - 0.6) < 0.2:
                return found
        return whole

    def _inside(self, losses: Floats) -> Floats:
        # A tick may sit on an end of the scale in spite of rounding.
        position = self.position(losses)
        return _rounded(losses[(position >= -1e-9) & (position <= 1 + 1e-9)], 12)


def of(
    scan: Scan,
    *,
    paths: bool = False,
    shown: Sequence[str] | None = None,
    like: Sequence[Scan] = (),
    style: Style = PLAIN,
    floor: float | None = None,
) -> Scale:
    """Return the scale for all losses of a scan, or for those of them that are ``shown``.

    With ``paths`` the true losses of the paths on the plane fit too, as they stand on it in 3D;
    else the scale reaches down to the lowest of them as far as the plane keeps most colours. The
    scans that it is compared with get the same scale.
    """
    scans = [scan, *(other for other in like if other is not scan)]
    losses = [
        one.measures[name]
        for one in scans
        for name in shown or one.of_kind("loss")
        if name in one.measures and not one.measure(name).term
    ]
    certified = min((cap for one in scans for cap in _caps(one)), default=np.inf)
    # What is known of the weights themselves is their training loss.
    trained = shown is None or "train_loss" in shown
    known = [path.true_loss for one in scans for path in one.paths] if trained else []
    return through(
        losses,
        constant=scan.constant_loss,
        further=[_there(one, path) for one in scans for path in one.paths] if paths else [],
        beneath=[] if paths else known,
        style=style,
        certified=certified,
        floor=floor,
    )


def _there(scan: Scan, path: Path) -> Floats:
    """The true losses of a path where it is within the scan's ends."""
    ends = [(axis[0], axis[-1]) for axis in (scan.x, scan.y) if len(axis)]
    inside = [(low <= at) & (at <= high) for at, (low, high) in zip(path.xy.T, ends, strict=False)]
    return np.asarray(path.true_loss[np.all(inside, axis=0)])


def of_measure(scan: Scan, name: str) -> Scale:
    """Return a measure's scale: losses share theirs, a term has its own, accuracies 0 to 1."""
    measure = scan.measure(name)
    if measure.kind == "loss" and not measure.term:
        return of(scan, paths=True)
    if measure.kind == "accuracy":
        return Scale(0.0, 1.0, log=False, capped=False, rule="", constant=float("nan"))
    return through([scan.measures[name]], constant=float("nan"))


def of_valleys(valleys: Sequence[Valley], *, style: Style = PLAIN) -> Scale:
    """Return the scale of the training losses of valleys, on which the runs' own fit too."""
    return through(
        [one.measures["train_loss"] for one in valleys],
        constant=valleys[0].constant_loss,
        further=[one.path.loss for one in valleys],
        style=style,
        certified=min((cap for one in valleys for cap in _caps(one)), default=np.inf),
    )


def through(
    losses: Sequence[Floats],
    *,
    constant: float,
    further: Sequence[Floats] = (),
    beneath: Sequence[Floats] = (),
    style: Style = PLAIN,
    certified: float = np.inf,
    floor: float | None = None,
) -> Scale:
    """Return a scale for ``losses``, logarithmic where all are positive.

    It ends at twice ``constant``; without a constant, or where the whole plane lies above that, at
    the 95th percentile unless the maximum is near it; below the cap, at the data. ``further``
    losses lie on it as well, except above a cap; to the lowest of those ``beneath`` it reaches as
    far as ``losses`` keep two thirds of it. What ``style`` says goes first, but nowhere does
    it go beyond ``certified``: of losses above that a scan to a tolerance knows little more than
    that they are; where all losses are above, they are shown for what is known. It begins at
    ``floor``, at the lowest loss where that is None.

    Raises:
        LandscapeError: a logarithmic scale was asked for and a loss isn't above 0, a cap below
            all losses, or a floor that leaves none.
    """
    plane, every = _finite(losses), _finite([*losses, *further])
    if not len(plane):
        return Scale(0.1, 1.0, log=True, capped=False, rule="", constant=constant)
    low, top = float(every.min()), float(every.max())
    log = _is_log(low, losses, style)
    cap, rule = _cap(plane, constant) if style.cap is None else (style.cap, "the cap asked for")
    if low < certified < cap * (1 - 1e-9):
        cap, rule = certified, _uncertified(rule)
    if cap <= low:
        raise LandscapeError(f"cap must be above the lowest loss {low:.4g}, got {cap:g}")
    # Not by a rounding error.
    capped = top > cap * (1 + 1e-9)
    low, high = (low, cap) if capped else _widened(low, top, log=log)
    low = _lowered(low, high, beneath, log=log)
    floor = low if floor is None else floor
    if floor >= high or (log and floor <= 0):
        above = "above 0 and " if log else ""
        raise LandscapeError(
            f"floor must be {above}below the scale's end at {high:.4g}, got {floor:g}"
        )
    floored = floor > float(every.min()) * (1 + 1e-9)
    rule = rule if capped else ""
    return Scale(floor, high, log, capped, rule, constant, floored=floored, lines=style.levels)


def _caps(scan: Scan | Valley) -> Sequence[float]:
    """Up to which losses interpolated values are right; none where all of them are."""
    tested = scan.certificate is not None and len(scan.certificate.xy) > 0
    return tuple(scan.certificate.caps.values()) if scan.certificate is not None and tested else ()


def _uncertified(rule: str) -> str:
    """Why a scale ends where losses aren't certified any more."""
    text = "as far as the scan to a tolerance is right"
    return f"{text}; {rule} is higher" if rule else text


def _is_log(low: float, losses: Iterable[Floats], style: Style) -> bool:
    possible = low > 0 and not _minus_infinite(losses)
    if style.log and not possible:
        raise LandscapeError(
            f"a logarithmic scale needs losses above 0, the lowest is {low:.4g}; take a linear one"
        )
    return possible if style.log is None else style.log


def _finite(losses: Iterable[Floats]) -> Floats:
    every = np.concatenate([np.empty(0), *(np.ravel(loss) for loss in losses)])
    return np.asarray(every[np.isfinite(every)])


def _minus_infinite(losses: Iterable[Floats]) -> bool:
    return any(bool(np.isneginf(loss).any()) for loss in losses)


def _cap(plane: Floats, constant: float) -> tuple[float, str]:
    low, top = float(plane.min()), float(plane.max())
    if np.isfinite(constant) and 2 * constant > low and constant > 0:
        return 2 * constant, f"twice that of {sentences.IGNORING}"
    cap = float(np.percentile(plane, PERCENTILE))
    if top - low <= 1.5 * (cap - low) or cap <= low:
        return np.inf, ""
    return cap, f"the {PERCENTILE:.0f}th percentile"


def _widened(low: float, high: float, *, log: bool) -> tuple[float, float]:
    if log and high / low < NARROW:
        middle = float(np.sqrt(low) * np.sqrt(high))
        return middle / NARROW**0.5, middle * NARROW**0.5
    if not log and high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        margin = 0.05 * abs(low) or 0.5
        return low - margin, high + margin
    return low, high


def _lowered(low: float, high: float, beneath: Sequence[Floats], *, log: bool) -> float:
    """Return where a scale begins that reaches towards the lowest loss beneath it."""
    wanted = float(_finite(beneath).min(initial=low))
    if not log:
        return max(wanted, low - BENEATH * (high - low))
    least = low * float((low / high) ** BENEATH)
    return min(low, max(wanted, least, float(np.finfo(np.float64).tiny)))


def _linear(low: float, high: float, count: int) -> Floats:
    if not high / 2 - low / 2 < FARTHEST:
        return np.array([low, high])
    found = MaxNLocator(max(count, 1), steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = np.asarray(found, dtype=np.float64)
    margin = 1e-9 * (high - low)
    return np.asarray(ticks[(ticks >= low - margin) & (ticks <= high + margin)])


def _rounded(values: Floats, digits: int) -> Floats:
    return np.array([float(f"{value:.{digits}g}") for value in values])
