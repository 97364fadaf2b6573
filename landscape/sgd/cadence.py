"""When to record the weights: ``epoch+log+random+100``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.errors import LandscapeError

DEFAULT = "epoch+log+random"
WORDS = ("epoch", "log", "random")


@dataclass(frozen=True)
class Cadence:
    """Which steps are recorded; step 0 always is.

    Snapshots once an epoch alone would hide diffusion: without replacement, the batches' noise
    sums to zero over an epoch. ``random`` adds one step at a random offset in each.
    """

    every: tuple[int, ...]
    """Every so many steps."""
    log: bool
    """Steps 1, 2, 3, 4, 6, 8, 11, 16, ...: two each doubling."""
    random: bool
    """One step at a random offset in each epoch."""
    steps_per_epoch: int
    seed: int

    @classmethod
    def parse(cls, text: str, *, steps_per_epoch: int, seed: int) -> Cadence:
        """Read ``epoch``, ``log``, ``random`` and numbers of steps, combined with ``+``.

        Raises:
            LandscapeError: another word, or a number below 1.
        """
        every: list[int] = []
        terms = [term.strip() for term in text.split("+")]
        for term in terms:
            if term == "epoch":
                every.append(steps_per_epoch)
            elif term.isdecimal() and int(term) >= 1:
                every.append(int(term))
            elif term not in WORDS:
                raise LandscapeError(
                    f"record must combine {', '.join(WORDS)} and numbers of steps with +, "
                    f"got {term or 'nothing'} in {text!r}"
                )
        return cls(tuple(every), "log" in terms, "random" in terms, steps_per_epoch, seed)

    def due(self, step: int) -> bool:
        """Whether w_t with t = ``step`` is to be recorded."""
        return (
            step == 0
            or any(step % interval == 0 for interval in self.every)
            or (self.log and _logarithmic(step))
            or (self.random and step % self.steps_per_epoch == self._offset(step))
        )

    def _offset(self, step: int) -> int:
        # Seeded by the epoch: which steps are recorded doesn't depend on where one starts.
        epoch = step // self.steps_per_epoch
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch, 1]))
        return int(generator.integers(self.steps_per_epoch))


def _logarithmic(step: int) -> bool:
    return step in {round(2 ** (half / 2)) for half in range(2 * step.bit_length() + 1)}
