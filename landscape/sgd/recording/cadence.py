"""When to record the weights: ``epoch+log+random+100+at:10,20``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from landscape.errors import LandscapeError

DEFAULT = "epoch+log+random"
WORDS = ("epoch", "log", "random")


@dataclass(frozen=True)
class Cadence:
    """Which steps are recorded; step 0 always is.

    Snapshots once an epoch alone would hide diffusion: without replacement, the batches' noise
    sums to zero over an epoch. ``random`` adds one step at a random offset in each.

    >>> cadence = Cadence.parse("log+5", steps_per_epoch=10, seed=0)
    >>> [step for step in range(1, 13) if cadence.due(step)]
    [1, 2, 3, 4, 5, 6, 8, 10, 11]
    """

    every: tuple[int, ...]
    """Every so many steps."""
    log: bool
    """Steps 1, 2, 3, 4, 6, 8, 11, 16, ...: two each doubling."""
    random: bool
    """One step at a random offset in each epoch."""
    steps_per_epoch: int
    seed: int
    given: frozenset[int] = frozenset()
    """These steps."""

    @classmethod
    def parse(cls, text: str, *, steps_per_epoch: int, seed: int) -> Cadence:
        """Read ``epoch``, ``log``, ``random``, ``100``, ``at:10,20``, combined with ``+``.

        Raises:
            LandscapeError: another word, or a number below 1.
        """
        every: list[int] = []
        given: set[int] = set()
        terms = [term.strip() for term in text.split("+")]
        for term in terms:
            if term == "epoch":
                every.append(steps_per_epoch)
            elif term.isdecimal() and int(term) >= 1:
                every.append(int(term))
            elif re.fullmatch(r"at:\d+(,\d+)*", term):
                given |= {int(number) for number in term.removeprefix("at:").split(",")}
            elif term not in WORDS:
                raise LandscapeError(
                    f"record must combine {', '.join(WORDS)}, numbers of steps and at:STEP,STEP "
                    f"with +, got {term or 'nothing'} in {text!r}"
                )
        words = "log" in terms, "random" in terms
        return cls(tuple(every), *words, steps_per_epoch, seed, frozenset(given))

    def due(self, step: int) -> bool:
        """Whether w_t with t = ``step`` is to be recorded."""
        return (
            step == 0
            or step in self.given
            or any(step % interval == 0 for interval in self.every)
            or (self.log and _logarithmic(step))
            or (self.random and step % self.steps_per_epoch == self._offset(step))
        )

    def _offset(self, step: int) -> int:
        return _offset(self.seed, step // self.steps_per_epoch, self.steps_per_epoch)


@lru_cache(maxsize=4)
def _offset(seed: int, epoch: int, steps: int) -> int:
    # Seeded by the epoch: which steps are recorded doesn't depend on where one starts.
    generator = np.random.Generator(np.random.PCG64([seed, epoch, 1]))
    return int(generator.integers(steps))


def _logarithmic(step: int) -> bool:
    half = 2 * step.bit_length()
    return any(step == round(2 ** (power / 2)) for power in (half - 2, half - 1, half))
