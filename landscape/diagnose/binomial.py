"""How sure a share of a few trials is, and how many more would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import beta


def interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson, 1934); (0, 1) without trials."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = 1.0
    if successes < trials:
        high = float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high


@dataclass(frozen=True)
class SequentialTest:
    """Wald's test of p ≤ ``chance`` against p ≥ ``likely``, with ``wrong`` of either mistake.

    It may be looked at after each trial, which a binomial interval may not. With the defaults
    "likely" is decided at 7 of 7, 9 of 10, 11 of 13 or 13 of 16. Wald (1945), Sequential tests of
    statistical hypotheses.
    """

    chance: float = 0.5
    likely: float = 0.8
    wrong: float = 0.05

    def decide(self, outcomes: Sequence[bool]) -> bool | None:
        """Of trials in their order: whether p is the larger one; None: more are needed.

        The first decision holds, whatever came after it.
        """
        ratio = 0.0
        for happened in outcomes:
            ratio += self._gain if happened else self._loss
            if abs(ratio) >= self._bound:
                return ratio > 0
        return None

    def fewest(self, outcomes: Sequence[bool]) -> int:
        """How many further trials decide at the earliest; 0 where they have."""
        if self.decide(outcomes) is not None:
            return 0
        ratio = sum(self._gain if happened else self._loss for happened in outcomes)
        steps = (self._bound - ratio) / self._gain, (self._bound + ratio) / -self._loss
        return max(1, math.ceil(min(steps)))

    @property
    def in_a_row(self) -> int:
        """How many trials decide that it is likely where each of them happens.

        >>> SequentialTest().in_a_row
        7
        """
        return math.ceil(self._bound / self._gain)

    @property
    def _gain(self) -> float:
        return math.log(self.likely / self.chance)

    @property
    def _loss(self) -> float:
        return math.log((1 - self.likely) / (1 - self.chance))

    @property
    def _bound(self) -> float:
        return math.log((1 - self.wrong) / self.wrong)
