"""The curvature up to which SGD's steps are stable, by learning rate and momentum."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.errors import LandscapeError


@dataclass(frozen=True)
class Bounds:
    """Curvatures above which steps along a quadratic grow, in units of loss over weights squared.

    Weight decay bends the loss by itself, so each bound is that for the loss without it.
    """

    descent: float
    """2/eta: gradient descent without momentum."""
    full_batch: float
    """Of the Hessian's top eigenvalue, full batches: (2 + 2 beta)/eta, with Nesterov's momentum
    (2 + 2 beta)/((1 + 2 beta) eta) (Cohen et al., 2021)."""
    noisy: float
    """Of batch sharpness where noise dominates, small batches: 2 (1 - beta)/eta, since noise sees
    the learning rate eta/(1 - beta) (Andreyev & Beneventano, 2024)."""

    def place(self, sharpness: float, error: float = 0.0) -> str:
        """Where a sharpness lies, two errors about it: ``below``, ``between`` or ``above`` both.

        Between the two, or where the error reaches across one of them, stability is undetermined;
        ``unknown`` where the sharpness isn't a number.
        """
        low, high = sharpness - 2 * error, sharpness + 2 * error
        if high < self.noisy:
            return "below"
        if low > self.full_batch:
            return "above"
        return "between" if low == low else "unknown"


def bounds(
    learning_rate: float,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Bounds:
    """The bounds of SGD as torch.optim.SGD has it, dampening left at 0.

    Raises:
        LandscapeError: a learning rate that isn't above 0, or a momentum outside of [0, 1).
    """
    if not learning_rate > 0:
        raise LandscapeError(f"bounds need a learning rate above 0, got {learning_rate}")
    if not 0 <= momentum < 1:
        raise LandscapeError(f"bounds need a momentum of at least 0 and below 1, got {momentum}")
    full = (2 + 2 * momentum) / ((1 + 2 * momentum) if nesterov else 1)
    return Bounds(
        descent=2 / learning_rate - weight_decay,
        full_batch=full / learning_rate - weight_decay,
        noisy=2 * (1 - momentum) / learning_rate - weight_decay,
    )
