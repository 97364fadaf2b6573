"""Where the verdict draws its lines: conventions, every one an option."""

from __future__ import annotations

from dataclasses import dataclass, fields

from landscape.errors import LandscapeError
from landscape.sgd.endings import EndingRules
from landscape.sgd.escapes import EXCURSION, LEARNED
from landscape.store.measured.paths import BARRIER_ERROR, BARRIER_RATIO


@dataclass(frozen=True)
class Thresholds:
    """Conventions of the rules; the verdict prints them beside what was measured.

    u is (L₀ − L)/L₀, L₀ the best constant output's loss.

    >>> Thresholds(learned=0.2).learned
    0.2

    Raises:
        LandscapeError: one isn't a positive number.
    """

    learned: float = LEARNED
    """u that counts as having learned, for a whole epoch."""
    excursion: float = EXCURSION
    """Share of the way from the best loss to L₀ above which an excursion begins."""
    stretch: float = EndingRules.share
    """The shortest stretch that a run's end is read from, as a share of its rows."""
    glimpse: float = EndingRules.glimpse
    """u of a single row that counts as having learned, where no stretch does."""
    noises: float = EndingRules.noises
    """The end is clearly above the best by so many standard deviations of both stretches' noise,"""
    lost: float = EndingRules.lost
    """if more than this share of L₀ − L_best is lost again,"""
    times: float = EndingRules.times
    """or the loss is so many times the best and"""
    near: float = EndingRules.near
    """more than this share is lost; below it the end is near the best."""
    points: float = 0.05
    """Between the two: accuracy that has fallen by more than this is a loss, by less than half of
    it none."""
    bouncing_excursions: int = 5
    """So many excursions that ended are bouncing,"""
    bouncing_share: float = 0.1
    """if they cover more than this share of the rows after learning;"""
    restless: float = 0.4
    """no level holds where rows above that loss are more than this share of the last third,"""
    holds: float = 0.2
    """and one that holds has at most this share of them there; between the two nothing is said.
    After an escape: of rows near the best again."""
    overfitting: float = 1.1
    """Overfitting: validation loss so many times its minimum at the end, and clear of its noise."""
    flatter: float = 0.9
    """A catapult's top eigenvalue falls below this share of that before,"""
    along_top: float = 0.5
    """and its jump has more than this share of its squared length along the top eigenvector."""
    asleep: float = 1e-3
    """Outputs' spread over the inputs, as a share of their scale, that counts as none."""
    jumping: float = 0.05
    """Noise of the loss, as a share of L₀, that counts as jumping where nothing was learned."""
    flat: float = 0.02
    """† Where nothing was learned: within this share of L₀ from it counts as at L₀."""
    slow: float = 0.1
    """Learning rate as a share of its bound that counts as far below."""
    collapsed: float = 0.5
    """Share of a layer's units whose death counts as its partial collapse."""
    siblings: float = 0.8
    """Others reach more if u at the end is below this share of theirs: of the siblings' median, or
    of what a tenth of the rate reaches from there."""
    helps: float = 0.1
    """A lower rate helps if the loss falls by more than this share of the way from L₀ to the best,
    and clear of the noise."""
    unstable: float = 0.8
    """Unstable at η: leaving again is at least this likely,"""
    chance: float = 0.5
    """held against this by Wald's sequential test,"""
    wrong: float = 0.05
    """with this chance of either mistake."""
    descending: float = 1.1
    """Still descending (rising): the loss changes by more than this factor over the window."""
    settled: float = 1.5
    """Settled: the loss changes by less than this factor over the window."""
    window: float = 0.5
    """The window of the motion, as a share of the steps at the last constant learning rate."""
    drift_cosine: float = 0.5
    drift_ratio: float = 9.0
    drift_replicas: float = 0.2
    """Drifting: c½ above the first or R above the second, and replicas' ratio below the third."""
    confined_cosine: float = 0.15
    """Confined: c½ no farther than this from −½,"""
    confined_ratio: float = 1.05
    """and R below this (25 correlation times of one curvature),"""
    unconfined: float = 0.3
    """at most this share of the squared displacement may be a walk, two errors of R added,"""
    oscillation: float = 0.05
    """and of an oscillation that momentum allows, at most this share is left after T/8."""
    mixed_share: float = 0.1
    """Mixed: the confined share of the squared displacement is farther than this from 0 and 1."""
    walk_cosine: float = 0.25
    """Wandering: |c½| below this,"""
    walk_ratio_low: float = 2.5
    walk_ratio: float = 6.0
    """R in between these,"""
    walk_replicas: float = 0.8
    """and replicas' ratio above this."""
    hops: float = 3.0
    """Largest over median squared displacement of 32 blocks that begins to look like hops."""
    dimension: float = 15.0
    """The fewest effective dimensions (pooled over replicas) that c½ is trusted with."""
    barrier_error: float = BARRIER_ERROR
    """Floors are connected below so many error points"""
    barrier_ratio: float = BARRIER_RATIO
    """and a barrier below so many times the larger end's loss;"""
    barrier_share: float = 0.01
    """without classes, a barrier is high above this share of L₀ and that many times the loss."""
    edge: float = 0.9
    """At the edge of stability: sharpness above this share of its bound, errors included,"""
    above_edge: float = 1.2
    """and below this share of it."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if not value > 0:
                raise LandscapeError(
                    f"threshold {option.name} must be above 0, got {value}; "
                    f"the default is {option.default}"
                )
