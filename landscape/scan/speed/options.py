"""How points are evaluated, as it was asked for: the one place of these options' defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """What ``landscape scan`` is told of evaluating."""

    device: str = "auto"
    strategy: str = "auto"
    precision: str = "float32"
    """Of the model's numbers."""
    memory: str | None = None
    """Most that it may take beside model, data and plane, such as 500MB; None: 1 GiB."""
    tolerance: float = 0.01
    """Interpolate where that is as near to the loss, relative; 0 measures every point."""
    samples: int | None = None
    """On a random subset of so many samples; with a tolerance that is where a guess starts."""
    cap: str = "auto"
    """The tolerance holds for losses up to here; above, that they are above and within a factor
    1.5. A number, auto (twice the best constant output's loss) or none (it holds for all)."""

    @property
    def everywhere(self) -> int | None:
        """The samples that all points are measured on; None: all there are."""
        return None if self.tolerance else self.samples


DEFAULT = Evaluation()
