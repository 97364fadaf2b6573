"""What a scan consists of, as frozen records of NumPy arrays; ``scanfile`` puts them on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.attributes import MeasureInfo, named
from landscape.store.scans.certificates import Certificate, Promise
from landscape.store.trajectories.trajectory import Event

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]

TINY = 0.15
"""A path below this share of the plane's width and height is a dot there, or little more."""
FORMAT = "landscape-scan"
VERSION = 1
DROPS = "dropout"
"""In settings, of a model with dropout, which is off where losses are measured."""
STILL = "the weights"
"""The marked point of a plane through weights without a run."""
BLOCK = 2**18
"""So many columns of directions are in float64 at a time."""


@dataclass(frozen=True)
class Point:
    """A marked point of the plane: the start, the end, the best recorded weights.

    >>> Point("best", (0.5, -0.25), 400).step
    400
    """

    name: str
    xy: tuple[float, ...]
    """Coordinates, one a direction."""
    step: int


@dataclass(frozen=True)
class Anchor:
    """A point of a plane with the buffers that were recorded there."""

    xy: tuple[float, ...]
    buffers: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, repr=False)
class Plane:
    """An origin in weight space and two directions (one: a line).

    ``origin`` has shape (P,), ``directions`` (2, P) or (1, P): the point (x, y) of the plane is
    ``origin + x * directions[0] + y * directions[1]``. Directions are neither unit vectors nor
    orthogonal unless their maker says so.

    >>> directions = np.array([[2, 0, 0], [0, 2, 0]], np.float32)
    >>> plane = Plane("mine", np.zeros(3, np.float32), directions, ("u", "v"), "some unit")
    >>> plane.norms, plane.cosine
    ((2.0, 2.0), 0.0)
    """

    kind: str
    """random, along, pca, through, hessian, gradient, line, event or imported."""
    origin: Weights
    directions: Weights
    labels: tuple[str, ...]
    """What each axis is, in words: ``("best → end", "random direction")``."""
    unit: str
    """What 1 on an axis means: ``filter-normalized units`` or ``distance in weight space``."""
    buffers: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """The model's buffers at the origin, by name (BatchNorm's running statistics)."""
    seed: int = 0
    normalization: str = "filter"
    ignored: str = "1-D"
    """Which tensors have zero in a random direction: ``1-D`` or ``none``."""
    origin_step: int = 0
    origin_name: str = "final"
    """What was asked for: final, best or a step; given: those of a model without a run."""
    batchnorm: str = "saved"
    """Which BatchNorm statistics hold at a point: ``saved`` (the origin's), ``recompute`` or
    ``interpolate`` (from the anchors', affine in means and logarithms of variances)."""
    points: tuple[Point, ...] = ()
    """What the plane was made from; a scan marks these. A file has them among the scan's."""
    anchors: tuple[Anchor, ...] = ()
    """Where ``interpolate`` takes its statistics from: D + 1 points that span the plane."""

    def __repr__(self) -> str:
        """Its kind and what it goes through, without arrays."""
        shape = "line" if len(self.directions) == 1 else "plane"
        size = f"{self.origin.size:,} parameters"
        return (
            f"<{shape} {self.kind}: through {self.origin_name}, step {self.origin_step:,}, {size}>"
        )

    @property
    def norms(self) -> tuple[float, ...]:
        """Each direction's length: the distance in weight space that 1 on its axis stands for."""
        lengths = np.sqrt(np.einsum("dp,dp->d", self.directions, self.directions, dtype=np.float64))
        return tuple(float(length) for length in lengths)

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the two directions; 0 for a line, NaN without weights."""
        if len(self.directions) < 2:
            return 0.0
        if not self.directions.size:
            return float("nan")
        product, squares = 0.0, np.zeros(2)
        for start in range(0, self.directions.shape[1], BLOCK):
            u, v = self.directions[:, start : start + BLOCK].astype(np.float64)
            product += u @ v
            squares += u @ u, v @ v
        return float(product / np.prod(np.sqrt(squares)))


@dataclass(frozen=True)
class Moved:
    """What of a network a plane's directions move."""

    trained: int
    """P, the numbers in the flat vector."""
    frozen: int
    """The numbers that are constants, in no vector."""
    frozen_tensors: int
    moved: int
    """Those of P that directions move."""
    tensors: tuple[str, ...] = ()
    """The names of the tensors that they are in; none: all of the vector's."""


@dataclass(frozen=True)
class Path:
    """A trajectory projected onto a plane by least squares.

    >>> step, at = np.array([0, 10]), np.array([[1.0, 0.0], [0.2, 0.1]])
    >>> loss, off = np.array([2.3, 0.4]), np.array([0.0, 3.1])
    >>> path = Path("mine", "1f2e", step, at, off, loss, loss, share_in_plane=0.8, chance=0.02)
    >>> path.xy[-1].tolist(), float(path.true_loss[-1])
    ([0.2, 0.1], 0.4)
    """

    name: str
    run_id: str
    step: NDArray[np.int64]
    """(T,) the recorded steps."""
    xy: Floats
    """(T, D) coordinates of the projections."""
    distance_from_plane: Floats
    """(T,) Euclidean distance in weight space between the weights and their projection."""
    true_loss: Floats
    """(T,) training loss at the weights themselves; NaN where it was not evaluated."""
    plane_loss: Floats
    """(T,) training loss at the projection; NaN where it was not evaluated."""
    share_in_plane: float
    """Share of the path's variance (squared distance from its mean) that lies in the plane."""
    chance: float
    """What a random plane would hold of it: D / P."""
    walk: float = float("nan")
    """What the plane of its own principal components would hold of a random walk as long.

    NaN where that isn't what the plane is made from."""
    arc: float = float("nan")
    """How nearly the path is the arc that a random walk's components show: the smaller one of
    its two coordinates' correlations with cosines. NaN where it wasn't computed."""
    events: tuple[Event, ...] = ()
    """The run's spikes, escapes, plateaus and recoveries, as they were recorded."""
    interpolated: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """(T,) where ``plane_loss`` is interpolated between the grid's measured points; by default
    nowhere."""

    def __post_init__(self) -> None:
        if not len(self.interpolated):
            object.__setattr__(self, "interpolated", np.zeros(len(self.step), np.bool_))


@dataclass(frozen=True)
class Spread:
    """The losses of a scan along further random directions, to know how much one of them says.

    Every measure has shape (K, nx, ny), of lines (K, nx): ``measures[name][k]`` lies on the plane
    through the same origin along the directions of ``seeds[k]``. The scan's own is k = 0.
    """

    seeds: NDArray[np.int64]
    measures: Mapping[str, Floats]
    measured: NDArray[np.bool_]
    lengths: Floats
    """(K, D) of the directions: the distance that 1 on an axis stands for."""


CLEARLY = 0.01
"""A share of a loss: by so much less another one is lower."""


def clearly_below(loss: float, other: float) -> bool:
    """Whether a loss is lower than another by over 1 % of it."""
    return loss < other - CLEARLY * abs(other)


@dataclass(frozen=True, repr=False)
class Scan:
    """Losses on a grid on a plane, and the path across it.

    Every measure, like ``measured``, has shape (nx, ny), a line's (nx,): ``measures[name][i, j]``
    is the value at ``origin + x[i] * directions[0] + y[j] * directions[1]``. Not evaluated yet:
    NaN and not measured. Interpolated: a value and not measured. A loss that *is* NaN or infinite:
    measured.

    >>> directions = np.eye(2, 3, dtype=np.float32)
    >>> plane = Plane("mine", np.zeros(3, np.float32), directions, ("u", "v"), "")
    >>> x, y = np.linspace(-1, 1, 3), np.linspace(0, 1, 2)
    >>> loss = x[:, None] + 10 * y  # the first index is x
    >>> scan = Scan(plane, x, y, {"train_loss": loss}, np.ones((3, 2), bool))
    >>> float(scan.measures["train_loss"][2, 1]), scan.complete, scan.is_line
    (11.0, True, False)
    """

    plane: Plane
    x: Floats
    y: Floats
    """(ny,); empty for a line."""
    measures: Mapping[str, Floats]
    """train_loss, train_accuracy and, with validation data, validation_loss and
    validation_accuracy; an accuracy is NaN throughout where the problem has none. A problem's
    terms (``train_loss_NAME``) and its own measures beside them."""
    measured: NDArray[np.bool_]
    attributes: Mapping[str, MeasureInfo] = field(default_factory=dict)
    """What the measures are, by name; `measure` says it of those that aren't here too."""
    points: tuple[Point, ...] = ()
    paths: tuple[Path, ...] = ()
    constant_loss: float = float("nan")
    """Training loss of the best constant output; NaN where none was found."""
    run_id: str = ""
    run_name: str = ""
    samples: Mapping[str, int] = field(default_factory=dict)
    """Samples behind each value, by data set: ``{"train": 1437, "validation": 360}``."""
    strategy: Mapping[str, Any] = field(default_factory=dict)
    """How the points were evaluated: name, batch size, threads, dtype, device."""
    evaluation_seconds: float = 0.0
    """Wall time of evaluating the grid, summed over resumes."""
    choosing_seconds: float = 0.0
    samples_evaluated: int = 0
    """Forward passes of single samples spent on the grid."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Command and versions, for captions."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, such as plane, unit and extent: what a resumed scan is compared with."""
    spread: Spread | None = None
    """The same along further random directions."""
    findings: Mapping[str, Any] = field(default_factory=dict)
    """Numbers that sum the scan up, JSON values: ``width`` and ``barrier``."""
    remarks: tuple[str, ...] = ()
    """What a reader must know to read the figure, a sentence each."""
    tolerance: float = 0.0
    """Of the losses that are interpolated, relative; 0: every value is measured."""
    errors: Mapping[str, Floats] = field(default_factory=dict)
    """By measure, absolute. Interpolated: to be expected, 95 % of held-out points are nearer.
    Measured on a subset of the samples: the standard error. Else 0."""
    certificate: Certificate | None = None
    """There is one as soon as every point has a value to the tolerance."""
    weights: Moved | None = None
    """What the directions move; None in files from before it was kept: all of the vector."""
    subset: Mapping[str, Floats] = field(default_factory=dict)
    """Measures of a subset of the samples, at points whose exact values are interpolated."""

    def __repr__(self) -> str:
        """Its plane, grid and measures by name, without arrays."""
        grid = " x ".join(map(str, self.measured.shape))
        state = "complete" if self.complete else "not complete"
        return f"<scan {self.plane.kind}: {grid}, {state}, {', '.join(self.measures)}>"

    def measure(self, name: str) -> MeasureInfo:
        """What one of the measures is."""
        return self.attributes.get(name) or named(name)

    def below_the_run(self) -> tuple[float, Floats] | None:
        """The lowest training loss measured on the grid and where, if it is the best there is.

        That is over 1 % below all that is known of the paths' own; None without a path.
        """
        known = [path.true_loss[np.isfinite(path.true_loss)] for path in self.paths]
        own = np.concatenate([*known, np.empty(0)])
        there = self.measured & np.isfinite(self.measures["train_loss"])
        if not len(own) or not there.any():
            return None
        losses = np.where(there, self.measures["train_loss"], np.inf)
        at = np.unravel_index(int(losses.argmin()), losses.shape)
        if not clearly_below(float(losses[at]), float(own.min())):
            return None
        place = [axis[k] for axis, k in zip((self.x, self.y), at, strict=False)]
        return float(losses[at]), np.array(place)

    def reach_of_paths(self) -> tuple[Floats, Floats] | None:
        """The lowest and highest coordinates of all paths, None without a finite point."""
        points = [path.xy[np.isfinite(path.xy).all(axis=1)] for path in self.paths]
        points = [xy for xy in points if len(xy)]
        if not points:
            return None
        together = np.concatenate(points)
        return together.min(axis=0), together.max(axis=0)

    @property
    def path_is_a_dot(self) -> bool:
        """Whether the paths lie within the plane's grid and are a dot on it, or little more."""
        reach = self.reach_of_paths()
        if self.is_line or reach is None or sum(len(path.step) for path in self.paths) < 2:
            return False
        low, high = reach
        first, last = (np.array([axis[end] for axis in (self.x, self.y)]) for end in (0, -1))
        inside = bool((low >= first).all() and (high <= last).all())
        return inside and bool(((high - low) < TINY * (last - first)).all())

    def measured_loss(self, xy: Sequence[float]) -> float:
        """The training loss of a grid point; NaN where that is none, or not measured."""
        axes = (self.x,) if self.is_line else (self.x, self.y)
        at = tuple(int(np.abs(axis - one).argmin()) for axis, one in zip(axes, xy, strict=True))
        there = [axis[k] for axis, k in zip(axes, at, strict=True)]
        known = np.allclose(there, xy, atol=1e-9) and self.measured[at]
        return float(self.measures["train_loss"][at]) if known else float("nan")

    def on_plane(self, name: str, xy: Sequence[float]) -> float:
        """A measure at a place within a plane's grid, between points linear; NaN elsewhere."""
        where = [
            np.interp(c, axis, np.arange(len(axis)), np.nan, np.nan)
            for c, axis in zip(xy, (self.x, self.y), strict=True)
        ]
        if not np.isfinite(where).all():
            return float("nan")
        low = [min(int(k), len(axis) - 2) for k, axis in zip(where, (self.x, self.y), strict=True)]
        (i, j), (s, t) = low, np.subtract(where, low)
        near = self.measures[name][i : i + 2, j : j + 2]
        weights = np.outer([1 - s, s], [1 - t, t])
        return float(weights[weights > 0] @ near[weights > 0])

    def of_kind(self, kind: str) -> list[str]:
        """Names of the measures of a kind: ``loss``, ``accuracy`` or ``other``."""
        return [name for name in self.measures if self.measure(name).kind == kind]

    @property
    def is_line(self) -> bool:
        """Whether this is a scan along a line instead of a plane."""
        return len(self.plane.directions) == 1

    @property
    def complete(self) -> bool:
        """Whether every grid point was measured, or has an interpolated value."""
        return self.certificate is not None or bool(self.measured.all())

    @property
    def estimates(self) -> Mapping[str, Floats]:
        """What goes with the measures, by the names that files have for it.

        ``NAME_error`` and, where interpolation starts from fewer samples, ``subset_NAME``.
        """
        errors = {f"{name}_error": values for name, values in self.errors.items()}
        return errors | {f"subset_{name}": values for name, values in self.subset.items()}

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        """Where an interpolated loss may be further off than is promised there."""
        found = np.zeros(self.measured.shape, bool)
        for name, errors in self.errors.items():
            if self.measure(name).kind == "loss" and self.tolerance > 0:
                promise = Promise(self.tolerance)
                if self.certificate is not None:
                    promise = self.certificate.promise(name)
                found |= ~self.measured & (errors > promise.allowed(self.measures[name]))
        return found
