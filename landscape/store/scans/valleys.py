"""A valley: slices of the loss across a run's path, as frozen records of NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans import rises
from landscape.store.scans.certificates import Certificate
from landscape.store.scans.records import Floats, Weights, clearly_below
from landscape.store.scans.rises import Rise
from landscape.store.scans.widths import ends
from landscape.store.trajectories.trajectory import Event

FINEST, FINEST_BEFORE = 8.0**-5, 8.0**-3
"""Shares of the reach beneath which no wall is looked for, now and in files without PRECISION."""
PRECISION = "walls_to"
"""Among a valley's settings: the relative precision of its walls; 10 % where it isn't there."""
FAR, MOSTLY = 3.0, 0.75
"""Two columns are drawn apart where the weights moved so many times as far as between so large a
share of the columns,"""
TURNED = 0.5
"""or where the direction changed by this share of its length."""
TRACKED = 0.7
"""|cosine| below which the sharpest direction counts as another one than the row before had."""
NEAR = 0.5
"""A run came back where it is nearer to an earlier row than this share of the way between them."""


@dataclass(frozen=True)
class WalkedPath:
    """The run's own losses at all of its recorded rows that have one, (T,) each."""

    step: NDArray[np.int64]
    travelled: Floats
    """The sum of ‖Δw‖ over the SGD steps up to there."""
    loss: Floats

    def landmarks(self) -> dict[str, int]:
        """Rows of the first finite loss, the lowest and the last; none where no loss is finite."""
        known = np.flatnonzero(np.isfinite(self.loss))
        if not len(known):
            return {}
        best = int(known[self.loss[known].argmin()])
        return {"start": int(known[0]), "best": best, "end": int(known[-1])}


@dataclass(frozen=True)
class Slices:
    """The lines that a valley consists of, a row of every array for each of them.

    Line i goes through the recorded weights w_{step[i]}, along a direction d_i of its own.
    """

    step: NDArray[np.int64]
    """(N,) strictly increasing."""
    hashes: tuple[str, ...]
    """N of them: the start of the SHA-256 of those weights, float32, little-endian."""
    travelled: Floats
    """(N,) Σ‖Δw‖ over the SGD steps up to there."""
    moved: Floats
    """(N - 1,) ‖w_{step[i+1]} − w_{step[i]}‖."""
    distances: Floats
    """(N, N) between each two of the weights."""
    length: Floats
    """(N,) ‖d_i‖: the distance in weight space that 1 on y stands for. Here and below NaN where it
    isn't known yet."""
    turned: Floats
    """(N - 1,) ‖d_{i+1} − d_i‖ / ‖d_i‖."""
    cosine: Floats
    """(N,) of d_i with the movement to the next row, of the last row with that from the one
    before."""
    overlap: Floats
    """(N,) |cosine| of d_i with d_{i-1}, of a sharpest direction; NaN of the first row."""
    curvature: Floats
    """(N,) along a sharpest direction: its eigenvalue. NaN along a random one."""

    @property
    def leaps(self) -> NDArray[np.bool_]:
        """(N - 1,) where the weights moved much farther than between most rows."""
        known = self.moved[self.moved > 0]
        typical = float(np.quantile(known, MOSTLY)) if len(known) else np.inf
        return np.asarray(self.moved > FAR * typical)

    @property
    def jumps(self) -> NDArray[np.bool_]:
        """(N - 1,) where nothing may be read from one column to the next."""
        return np.asarray(self.leaps | (self.turned > TURNED))

    @property
    def lost(self) -> NDArray[np.bool_]:
        """(N,) where the sharpest direction isn't the one that it was at the row before."""
        return np.asarray(self.overlap < TRACKED)

    @property
    def returned(self) -> NDArray[np.int64]:
        """(N,) the earlier row that each one came back to, -1 where it came back to none.

        The nearest one of those from which the run has gone away since: at some row between, it
        was more than twice as far away as it is now.
        """
        found = np.full(len(self.step), -1, np.int64)
        for i in range(len(self.step)):
            now = self.distances[i, :i]
            # How far the run has been from row j between then and now.
            since = [self.distances[j, j : i + 1].max(initial=0.0) for j in range(i)]
            back = np.flatnonzero(now < NEAR * np.array(since))
            if len(back):
                found[i] = back[now[back].argmin()]
        return found


@dataclass(frozen=True, repr=False)
class Valley:
    """Losses on slices across a run's path.

    Every measure, like ``measured``, has shape (N, ny): ``measures[name][i, j]`` is the value at
    w_{step[i]} + y[j] d_i. At y = 0 it is that of the recorded weights. It is a stack of
    slices, not a surface: between two of them nothing was measured. Not evaluated yet: NaN and not
    measured. Interpolated, along y only: a value and not measured.
    """

    slices: Slices
    y: Floats
    """(ny,), 0 among them."""
    measures: Mapping[str, Floats]
    measured: NDArray[np.bool_]
    walls: Floats
    """(N, K, 2) for each of K directions the distance above and below y = 0, in y's unit, at which
    the training loss has risen by `rise`: infinite beyond the scan's reach, 0 below the finest
    looked at, NaN where it isn't measured. The first direction is that of the slices."""
    critical_step: Floats
    """(N,) the smallest step along −∇L of the training data that raises its loss: infinite where
    none was found, NaN where it isn't measured or no step lowers it by more than rounding."""
    bounds: Floats
    """(N, 2) 2(1−β)/η and (2+2β)/η of the run's steps there; NaN where they aren't known."""
    path: WalkedPath
    across: str = "random"
    """random (one Gaussian draw, scaled to each row) or sharpest (tracked from row to row)."""
    unit: str = "filter-normalized units"
    """What 1 on y is."""
    seed: int = 0
    normalization: str = "filter"
    ignored: str = "1-D"
    batchnorm: str = "saved"
    """saved: each row's own statistics. recompute: estimated anew at every point."""
    normalizes: bool = False
    """Whether the model has running statistics."""
    events: tuple[Event, ...] = ()
    constant_loss: float = float("nan")
    run_id: str = ""
    run_name: str = ""
    parameters: int = 0
    """P."""
    samples: Mapping[str, int] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)
    evaluation_seconds: float = 0.0
    choosing_seconds: float = 0.0
    samples_evaluated: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, what a resumed scan is compared with."""
    tolerance: float = 0.0
    errors: Mapping[str, Floats] = field(default_factory=dict)
    """By measure (N, ny), as `Scan.errors`."""
    held_out: int = 0
    """Points that interpolation was tested at, in all of the columns."""
    certificate: Certificate | None = None
    """What was found there, ``xy`` being columns' numbers and y. None along sharpest directions, of
    which each column is tested by itself, and in older files."""
    subset: Mapping[str, Floats] = field(default_factory=dict)
    """As `Scan.subset`: while it isn't complete only."""
    tracked: Weights = field(default_factory=lambda: np.empty(0, np.float32))
    """(P,) the sharpest direction of the last row that was begun: what the next goes on from."""
    begun: int = 0
    """So many rows have their direction."""
    known: Mapping[str, Sequence[Floats]] = field(default_factory=dict)
    """Curvatures of a diagnosis, by name: their steps and values. Not in the file."""

    def __repr__(self) -> str:
        """Rows, points across and measures by name, without arrays."""
        grid = " x ".join(map(str, self.measured.shape))
        state = "complete" if self.complete else "not complete"
        return f"<valley {self.across}: {grid}, {state}, {', '.join(self.measures)}>"

    @property
    def precision(self) -> float:
        """What the walls are right to, relative."""
        return float(self.settings.get(PRECISION, 0.1))

    @property
    def rise(self) -> Rise:
        """Walls are where the training loss has risen by so much."""
        return rises.of(self.settings)

    @property
    def finest(self) -> float:
        """The finest radius that walls were looked for at, in y's unit."""
        far = float(np.abs(self.y[[0, -1]]).max())
        return far * (FINEST if PRECISION in self.settings else FINEST_BEFORE)

    @property
    def centre(self) -> int:
        """The index of y = 0."""
        return int(np.abs(self.y).argmin())

    @property
    def loss(self) -> Floats:
        """(N,) the training loss of the recorded weights."""
        return np.asarray(self.measures["train_loss"][:, self.centre])

    def walked(self) -> WalkedPath:
        """All that is known of the run's own losses: those recorded, and those at y = 0."""
        own = ~np.isnan(self.loss)
        step = np.concatenate([self.path.step, self.slices.step[own]])
        order = np.unique(step, return_index=True)[1]
        far = np.concatenate([self.path.travelled, self.slices.travelled[own]])
        loss = np.concatenate([self.path.loss, self.loss[own]])
        return WalkedPath(step[order], far[order], loss[order])

    def below_the_run(self) -> tuple[float, int, float] | None:
        """The lowest training loss measured on a slice, its row and y, if it is the best there is.

        That is over 1 % below all that is known of the run's own.
        """
        own = self.walked().loss
        own = own[np.isfinite(own)]
        there = self.measured & np.isfinite(self.measures["train_loss"])
        if not len(own) or not there.any():
            return None
        losses = np.where(there, self.measures["train_loss"], np.inf)
        row, column = np.unravel_index(int(losses.argmin()), losses.shape)
        if not clearly_below(float(losses[row, column]), float(own.min())):
            return None
        return float(losses[row, column]), int(row), float(self.y[column])

    @property
    def finished_rows(self) -> int:
        """How many rows have all that is measured of them; they are done one after the other."""
        there = ~np.isnan(self.measures["train_loss"]) | self.measured
        done = there.all(1) & ~np.isnan(self.walls).any((1, 2))
        return len(self.slices.step) if done.all() else int(np.argmin(done))

    @property
    def complete(self) -> bool:
        """Whether every row is done."""
        return self.finished_rows == len(self.slices.step)

    @property
    def narrowest(self) -> int | None:
        """The row whose median width is the least, None where no width is measured."""
        middle = self.width(0.5)
        return None if np.isnan(middle).all() else int(np.nanargmin(middle))

    @property
    def critical_sharpness(self) -> Floats:
        """(N,) 2 / the critical step (2601.16979): on a quadratic the curvature along −∇L."""
        with np.errstate(divide="ignore"):
            return np.asarray(2 / self.critical_step)

    def width(self, share: float) -> Floats:
        """(N,) a quantile of each row's walls over directions and sides, in y's unit.

        Infinite where it lies beyond the scan's reach.
        """
        flat = self.walls.reshape(len(self.walls), -1)
        known = ~np.isnan(flat).any(1)
        found = np.full(len(flat), np.nan)
        if known.any():
            found[known] = np.quantile(flat[known], share, axis=1, method="inverted_cdf")
        return found

    def widths(self) -> tuple[Floats, Floats, Floats]:
        """(N,) each: of each row's walls the lower end, the median and the upper end."""
        low, high = ends(self.walls.shape[1] * self.walls.shape[2])
        return self.width(low), self.width(0.5), self.width(high)

    def wall(self, side: int, share: float) -> Floats:
        """(N,) a quantile over the directions of the walls of one side: 0 above, 1 below."""
        there = self.walls[:, :, side]
        known = ~np.isnan(there).any(1)
        found = np.full(len(there), np.nan)
        if known.any():
            found[known] = np.quantile(there[known], share, axis=1, method="inverted_cdf")
        return found
