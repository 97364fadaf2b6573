"""Interventions: what each training from a snapshot of a run is, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats


@dataclass(frozen=True)
class StartPlace:
    """A place that trainings start from, in words."""

    panel: str
    """Over a figure's panel."""
    page: str = ""
    """In the page's table."""
    item: str = ""
    """In the names of evidence, as in ``left_again_from_best``;"""
    where: str = ""
    """and in what it means. None of both: it is no evidence."""


STARTS: Mapping[str, StartPlace] = {
    "best": StartPlace(
        panel="from the lowest logged loss",
        page="the lowest logged loss",
        item="best",
        where="lowest logged loss",
    ),
    "before-onset": StartPlace(
        panel="from before it left",
        page="before it left",
        item="onset",
        where="last weights before it left",
    ),
    "window": StartPlace(panel="from a snapshot"),
    "end": StartPlace(
        panel="from the last weights", page="the last weights", item="landing", where="landing"
    ),
    "start": StartPlace(panel="from its start", page="its start", item="start", where="start"),
    "plateau": StartPlace(
        panel="from initializations on the plateau, steps from 0", page="a start on the plateau"
    ),
}
"""By name, in the order of tables and panels; ``window``: a snapshot in the motion's window."""
LEAVING = ("best", "before-onset")
"""Those that the run itself left from."""


@dataclass(frozen=True)
class ChangeKind:
    """What trainings change, in words, and how their lines are drawn."""

    figure: str
    """In a figure's legend."""
    line: tuple[str, float, float]
    """Colour (``ink``, ``train``, ``validation``, ``purple`` or ``green``), width and opacity."""
    page: str = ""
    """In the page's table, after the start and the rate."""
    several: str = ""
    """How several are called, of kinds that are read only where they came to their end."""
    rate_differs: bool = False
    """Whether lines have their learning rate beside them."""


KINDS: Mapping[str, ChangeKind] = {
    "control": ChangeKind("same rate and order", ("ink", 2.6, 0.35), ", same order (control)"),
    "other-order": ChangeKind(
        "same rate, other orders", ("validation", 1.0, 0.6), ", other orders"
    ),
    "lower-rate": ChangeKind("a tenth of the rate", ("train", 1.6, 1.0), rate_differs=True),
    "rate": ChangeKind("other rates", ("purple", 1.1, 1.0), rate_differs=True),
    "plateau": ChangeKind("other rates", ("purple", 1.1, 1.0), rate_differs=True),
    "replica": ChangeKind(
        "same rate, other orders",
        ("validation", 1.0, 0.8),
        several="replicas (the run's learning rate, other batch orders)",
    ),
    "full-batch": ChangeKind(
        "full batch, same rate", ("green", 1.6, 1.0), several="full-batch trainings"
    ),
    "floor": ChangeKind(
        "rate lowered to reach a floor", ("train", 1.0, 0.8), several="trainings to floors"
    ),
}
"""By name, in the order of tables: ``control`` changes nothing, ``plateau`` starts on one, and
``floor`` cools a snapshot down."""


@dataclass(frozen=True)
class Intervention:
    """What one training changes about its run, and where it starts."""

    name: str
    """Of its folder."""
    kind: str
    """What it changes, one of `KINDS`."""
    start: str
    """One of `STARTS`."""
    step: int
    """The recorded step of the run that it starts from; of ``plateau``, 0."""
    lr: float
    steps: int
    batch_size: int
    seed: int
    """Of the batch order."""
    order_from: int | None = None
    """Where in the seed's order it begins; None: at its start."""
    schedule: str = "constant"
    record: str = "epoch"
    sketch: int = 0
    """Numbers a step to estimate distances from."""


LAST_ROWS = 5
"""The loss that a training ends at is the median of its last so many,"""
LAST_SHARE = 3
"""within its last third: of a short training the median of more is that of its middle."""


@dataclass(frozen=True)
class TrainingLosses:
    """The losses of one training by its steps."""

    intervention: Intervention
    step: NDArray[np.int64]
    """(T,) its own steps with a full-data loss, from 0."""
    train_loss: Floats
    """(T,)"""

    @property
    def end_loss(self) -> float:
        """The median of the last `last_rows` losses; inf where it diverged."""
        last = self.train_loss[len(self.train_loss) - self.last_rows :]
        return float(np.median(last)) if np.isfinite(last).all() and len(last) else math.inf

    @property
    def last_rows(self) -> int:
        """Of how many losses that is the median; 0 of a training with none after its start."""
        after = len(self.train_loss) - 1
        return min(LAST_ROWS, max(1, after // LAST_SHARE), after)


@dataclass(frozen=True)
class Trained:
    """What came of one intervention."""

    kind: str
    """The intervention's, as"""
    start: str
    start_step: int
    learning_rate: float
    """are these."""
    start_loss: float
    end_loss: float
    """`TrainingLosses.end_loss`; inf where it diverged."""
    order: int | None = None
    """Seed of the batch order; None: the run's own."""
    velocity: bool = True
    """Whether it started with the velocity recorded there rather than with zero."""
    epochs: float = math.nan
    constant: bool | None = None
    """Whether its last outputs are the same for every sample; None: not looked at."""

    def has_left(self, level: float) -> bool:
        """Whether it ended above a loss; NaN and infinity are above any."""
        return not self.end_loss <= level


@dataclass(frozen=True)
class ControlRepeat:
    """The same rate, order and velocity again: how exactly the run's own steps come back."""

    start: str
    steps: int
    """Steps that both have."""
    equal: int
    """The first so many batch losses are the run's, to the bit."""
    difference: float
    """Largest relative difference of batch losses in the first epoch."""


@dataclass(frozen=True)
class LeftAgain:
    """How often the same learning rate with another batch order left the good region again."""

    start: str
    step: int
    count: int
    away: int
    low: float
    """Exact binomial interval of the share, 95 %."""
    high: float
    decided: str = ""
    """What Wald's sequential test says of the place: ``unstable``, ``not unstable``, or ``open``
    where more orders are needed; empty: measured by a version without it."""


@dataclass(frozen=True)
class EscapeTrainings:
    """What came of trying again, after an escape or where nothing was learned."""

    level: float
    """Loss above which a training counts as having left: `escapes.Course.leaving`."""
    branches: tuple[Trained, ...]
    names: tuple[str, ...]
    """Folders of the branches, in RUN/interventions."""
    again: tuple[LeftAgain, ...]
    controls: tuple[ControlRepeat, ...]


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
class FullBatch:
    """The same number of steps at the same rate, without the batches' noise and with it."""

    steps: int
    displacement: float
    """‖w − w_N‖ of the full batch."""
    noisy_displacement: float
    """Root mean square over the replicas."""
    loss: float
    noisy_loss: float
    """Mean over the replicas."""


@dataclass(frozen=True)
class MotionTrainings:
    """What came of the trainings."""

    start_step: int
    """N."""
    replicas: Replicas | None
    full_batch: FullBatch | None
    lower: Trained | None
    """From the end at a tenth of the rate."""
    floors: tuple[str, ...]
    """Folders, in RUN/interventions, whose last weights are floors."""
    floor_steps: tuple[int, ...]
    """The steps of the snapshots that were cooled down."""
    floor_losses: tuple[float, ...]
    stretches: Stretches | None = None
    """The run's own movement over their length, where that is shorter than the window."""
    reason: str | None = None
    """Why there are no stretches where replicas are shorter."""
    diverged: str | None = None
    """How many of the trainings diverged, in words; ``lower`` apart, nothing rests on those."""


@dataclass(frozen=True)
class Interventions:
    """What the trainings from the run's snapshots came to; one of the two, or none and why."""

    escape: EscapeTrainings | None = None
    motion: MotionTrainings | None = None
    reason: str | None = None
    failed: tuple[str, ...] = ()
    """Trainings that could not be done, with the error of each."""

    @property
    def branches(self) -> tuple[Trained, ...]:
        """What came of those that outcomes are judged by."""
        if self.escape is not None:
            return self.escape.branches
        lower = self.motion.lower if self.motion is not None else None
        return () if lower is None else (lower,)

    @property
    def is_empty(self) -> bool:
        """Whether nothing came of any."""
        return self.escape is None and self.motion is None
