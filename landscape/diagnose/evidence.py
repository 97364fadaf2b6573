"""What the verdict is read from: plain numbers, None where a part was not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from landscape.curvature.density import Count
from landscape.diagnose.diffusion import Diffusion
from landscape.store.records import Floats

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Rows:
    """The cadence rows of a run, (T,) each, evaluated over the full data in one mode.

    Losses that are NaN count as not evaluated; one that became infinite stays infinite.
    """

    step: NDArray[np.int64]
    """Strictly increasing."""
    train_loss: Floats
    validation_loss: Floats | None = None
    train_accuracy: Floats | None = None
    validation_accuracy: Floats | None = None


@dataclass(frozen=True)
class Setup:
    """The settings that the verdict's rules depend on."""

    learning_rate: float
    """The last step's."""
    steps_per_epoch: int
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    batch_size: int = 32
    samples: int = 0
    """N of the training data; 0: unknown."""
    optimizer: str = "SGD"
    """Anything but SGD (Adam, ...) makes the criteria that are only SGD's not applicable."""
    clipped: bool = False
    constant_from: int = 0
    """From this step to the end the learning rate is ``learning_rate``."""
    scale_invariant: bool = False
    """Whether the model has normalization layers, which let norms grow."""
    cross_entropy: bool = True
    rectified: bool = False
    """Whether the model has ReLU modules, whose units can be rescaled."""
    perturbed: bool = False
    """Whether training sees other inputs or activations than the data's: augmentation, dropout."""


@dataclass(frozen=True)
class State:
    """What was measured at one recorded step."""

    step: int
    gradient_norm: float | None = None
    """Of the full-data loss, weight decay left out."""
    dead: tuple[str, ...] | None = None
    """Layers with every unit dead on all data; None: not measured, (): there are none."""
    saturated: tuple[str, ...] | None = None
    """Layers with every unit saturated on all data."""
    partly_dead: Mapping[str, float] = field(default_factory=dict)
    """Share of dead units, of the layers that have some and not all."""
    logit_spread: float | None = None
    """Outputs' standard deviation over the inputs, as a share of their scale."""
    moving: tuple[str, ...] | None = None
    """Parameter tensors whose gradient isn't exactly zero; None: not measured."""
    tensors: int = 0
    """How many there are in all."""
    lambda_max: float | None = None
    lambda_min: float | None = None
    batch_sharpness: float | None = None
    batch_sharpness_error: float = 0.0


@dataclass(frozen=True)
class Branch:
    """One training from a snapshot of the run: an intervention after an escape or on a plateau."""

    kind: str
    """``lower-rate`` (η/10), ``other-order``, ``control`` (same η and order), ``rate`` (one of the
    rates tried from the end), ``plateau`` (from an initialization placed on the plateau)."""
    start: str
    """``best``, ``before-onset``, ``end`` or ``plateau``."""
    start_step: int
    learning_rate: float
    start_loss: float
    end_loss: float
    """Median full-data loss of its last five rows; inf where it diverged."""
    order: int | None = None
    """Seed of the batch order; None: the run's own."""
    velocity: bool = True
    """Whether it started with the velocity recorded there rather than with zero."""
    epochs: float = math.nan
    constant: bool | None = None
    """Whether its last outputs are the same for every sample; None: not looked at."""


@dataclass(frozen=True)
class Replicas:
    """Trainings from one snapshot w_N at the same learning rate with other batch orders."""

    count: int
    ratio: float
    """Mean ‖w^a − w^b‖² of pairs, over 2 × mean ‖w − w_N‖²: 0 a drift, ½ confined, 1 a walk."""
    half_cosine: float = math.nan
    """c½ averaged over the replicas,"""
    half_cosine_error: float = math.nan
    """and its standard error from their spread."""
    ratio_error: float = math.nan
    lag_ratio: float = math.nan
    """R = MSD(T/2)/MSD(T/8) averaged over the replicas."""
    dimension: float = math.nan
    """D_eff of one replica, from displacements at an eighth of its length."""
    steps: int = 0
    """How long they ran; 0: not known, and c½ and R aren't pooled with the run's."""


@dataclass(frozen=True)
class Stretches:
    """The run's own movement in stretches of its window that are as long as its replicas.

    They don't overlap, are spread over the window, and are read as the window is.
    """

    count: int
    steps: int
    """The length of one."""
    half_cosine: float
    """c½ averaged over them,"""
    half_cosine_error: float
    """and its standard error from their spread; NaN for one."""
    ratio: float
    """R = MSD(T/2)/MSD(T/8) averaged over them, T the length of one."""
    dimension: float
    """D_eff of one."""
    hops: float
    """Median over them of the largest over the median squared displacement of 32 blocks."""
    distance_error: float = 0.0
    """Standard error of a distance as a share of it; 0 from snapshots."""


@dataclass(frozen=True)
class Barrier:
    """The worst barrier between floors along one kind of path."""

    error: float
    """Error points: how much lower the accuracy gets than between the ends, in percent."""
    ratio: float
    """Highest loss excess over the larger end's loss."""
    loss: float = math.nan
    """The barrier in the loss itself, nats for cross-entropy."""


@dataclass(frozen=True)
class Floors:
    """Short descents at a much smaller rate from several snapshots, and what lies between."""

    count: int
    line: Barrier
    polyline: Barrier | None = None
    """From floor to floor, in the order of their snapshots."""
    curve: Barrier | None = None
    """Along a trained Bézier curve."""
    matched: Barrier | None = None
    """Along the line after weight matching; None: not matched."""
    loss: float = math.nan
    """Median loss of the floors."""
    symmetric: bool | None = None
    """Whether units of the model are interchangeable; False: none were found, so that there is
    nothing to match; None: it could not be told, or nothing was matched."""
    pairs: Mapping[Pair, Mapping[str, Barrier]] = field(default_factory=dict)
    """Of floors i and j > i the barriers by kind of path (``line``, ``polyline``, ``curve``,
    ``matched``), where there is one; empty: the worst of each kind, above, stand for one pair."""


RESOLVED = 2.0
"""† A number of eigenvalues is known if its limits, errors included, lie within this factor."""


@dataclass(frozen=True)
class Spectrum:
    """How many Hessian eigenvalues lie below a curvature, at the window's end."""

    curvature: Floats
    """(K,) increasing."""
    below: Floats
    """(K,) estimates of #{λ_i < curvature[k]};"""
    error: Floats
    """(K,) their standard errors,"""
    lower: Floats
    """(K,) and limits that hold whatever lies between the quadrature's nodes, as"""
    upper: Floats
    """`quadrature.Count` has them."""
    samples: int = 0
    """Training samples behind the Hessian,"""
    total: int = 0
    """and how many there are."""

    def count(self, curvature: float) -> Count | None:
        """#{λ_i < curvature}, interpolated; None outside of the measured range."""
        if not self.curvature[0] <= curvature <= self.curvature[-1]:
            return None
        columns = (self.below, self.error, self.lower, self.upper)
        return Count(*(float(np.interp(curvature, self.curvature, each)) for each in columns))


def is_resolved(count: Count) -> bool:
    """Whether its limits, widened by two standard errors, lie within a factor `RESOLVED`."""
    spread = 2 * count.error
    return 0 < count.upper + spread <= RESOLVED * (count.lower - spread)


@dataclass(frozen=True)
class Catapult:
    """Curvature before and after the jump of a spike, and where the jump went."""

    before: float
    after: float
    """Top Hessian eigenvalue, same units."""
    along_top: float
    """Share of the jump's squared length along the top eigenvector before it."""


@dataclass(frozen=True)
class Evidence:
    """Everything that `verdict.judge` looks at."""

    rows: Rows
    setup: Setup
    constant_loss: float
    """L₀; NaN where there is no best constant output: the first row's loss takes its place."""
    weights_finite: bool = True
    """Whether the training ended without a non-finite loss, gradient or weight."""
    states: Mapping[str, State] = field(default_factory=dict)
    """By name: ``start``, ``best``, ``end``, and ``onset``, the last before an escape."""
    sharpness: tuple[State, ...] = ()
    """Curvature and batch sharpness at the steps where they were measured, in their order."""
    siblings_share: float | None = None
    """Median u = (L₀ − L)/L₀ at the end of those of the sweep's other runs that learned."""
    branches: tuple[Branch, ...] = ()
    catapult: Catapult | None = None
    diffusion: Diffusion | None = None
    """Of the last window of constant learning rate, see `diffusion.measure`."""
    replicas: Replicas | None = None
    stretches: Stretches | None = None
    """Where replicas are shorter than the window."""
    floors: Floors | None = None
    spectrum: Spectrum | None = None
    twin: bool = False
    """Whether the distances include an independently trained network's, or were not asked for."""
    absent: tuple[str, ...] = ()
    """Parts that could not be measured, a sentence each; they become caveats."""
