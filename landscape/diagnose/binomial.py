"""How sure a share of a few trials is."""

from __future__ import annotations

from scipy.stats import beta


def interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson, 1934); (0, 1) without trials."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = 1.0
    if successes < trials:
        high = float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high
