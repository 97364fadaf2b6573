"""How much a minimum's surroundings amount to: the local learning coefficient, at a scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats

ERRORS = 2.0
"""So many standard errors count as a difference."""


@dataclass(frozen=True)
class CoefficientCheck:
    """The coefficient at the last sampled floor, measured with one thing changed."""

    change: str
    """In words."""
    value: float
    error: float
    null: float
    """The null's value under the changed scale."""
    samples: int
    """n, from here on what it was measured with."""
    inverse_temperature: float
    tether: float
    step_size: float
    batch_size: int
    same: bool
    """Whether it should be the same as without the change: it was changed how is sampled, not
    what is."""


@dataclass(frozen=True)
class LearningCoefficient:
    """lambda = n beta (E[L_n(w)] - L_n(w*)) around F floors w* beneath a run's snapshots.

    The expectation is over the density exp(-n beta L_n(w) - gamma/2 |w - w*|^2), sampled by
    stochastic gradient Langevin dynamics (Lau et al., 2023; Watanabe). An effective complexity at
    the scale 1/(n beta) of the loss; it doesn't say whether a minimum is isolated or connected.
    """

    step: NDArray[np.int64]
    """(F,) of the snapshots."""
    floor_loss: Floats
    """(F,) L_n(w*) after the descent."""
    moved: Floats
    """(F,) distance from the snapshot to its floor."""
    value: Floats
    """(F,) the coefficient, mean of the chains; NaN where a chain left."""
    error: Floats
    """(F,) standard error: of the chains' draws by their effective number, or of the chains' means
    where that is larger."""
    null: Floats
    """(F,) what a quadratic with the floor's spectrum would give under the same tether."""
    null_error: Floats
    """(F,) standard error over the probes."""
    undetermined: tuple[str, ...]
    """(F,) why the value means nothing; empty where it does."""
    by_chain: Floats
    """(F, C) each chain's mean."""
    effective: Floats
    """(F,) effective number of draws of all chains together."""
    top: Floats
    """(F,) the Hessian's top eigenvalue at the floor."""
    step_size: Floats
    """(F,) epsilon."""
    burn_in: NDArray[np.int64]
    """(F,) steps of each chain that are left out; 0 where nothing was sampled,"""
    draws: NDArray[np.int64]
    """(F,) and those that count."""
    samples: int
    """n."""
    inverse_temperature: float
    """beta = 1/ln n."""
    tether: float
    """gamma, the same at every floor."""
    batch_size: int
    parameters: int
    """P; a regular minimum without a tether has P/2."""
    unit: str
    """``nats`` where the loss is a sample's log loss."""
    checks: tuple[CoefficientCheck, ...] = ()

    @property
    def scale(self) -> float:
        """1/(n beta): losses that far above the floor are what the coefficient looks at."""
        return 1 / (self.samples * self.inverse_temperature)

    @property
    def flat_below(self) -> float:
        """gamma/(n beta): directions with much less curvature than that count for nothing."""
        return self.tether * self.scale

    @property
    def checked(self) -> int:
        """The floor that the checks are of, the last one around which was sampled."""
        sampled = np.flatnonzero(self.draws)
        return int(sampled[-1]) if len(sampled) else len(self.step) - 1

    def differs(self, floor: int) -> bool | None:
        """Whether a floor's value differs from its null beyond the errors; None: undetermined."""
        if self.undetermined[floor]:
            return None
        error = math.hypot(float(self.error[floor]), float(self.null_error[floor]))
        return bool(abs(self.value[floor] - self.null[floor]) > ERRORS * error)
