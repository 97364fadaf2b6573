"""How far long work is, said to scripts and notebooks by the logger ``landscape``.

As warnings: those are what Python shows on stderr where logging wasn't set up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from landscape.quantities import Reached, duration, percent

if TYPE_CHECKING:
    from landscape.cluster import Workers
    from landscape.scan.job import Job
    from landscape.scan.speed.evaluator import StrategyRecord
    from landscape.scan.valley_job import ValleyJob
    from landscape.store.scans.records import Scan
    from landscape.store.scans.valleys import Valley

log = logging.getLogger("landscape")
MOMENT = 10.0
"""Seconds: work that is over sooner says nothing, and longer work is announced."""
EVERY = 60.0
"""Seconds between two lines."""
GOES_ON = "interrupted, it goes on by the same call"
SURE_SHARE = 0.02
"""Of the work, before the time left is said: the first steps take longer than others."""


class Progress:
    """A line when work has taken a moment, then one a minute.

    >>> progress = Progress("scanning valley-random-0")
    >>> progress.reached(0.5)  # at once: nothing is said
    """

    def __init__(self, what: str, *, bound: str = "") -> None:
        """``bound``: what is said before the time left, as in ``"at most "``."""
        self._what, self._bound = what, bound
        self._started = time.monotonic()
        self._due = self._started + MOMENT
        self._reached = Reached()

    def reached(self, share: float) -> None:
        """Say how much is done, if it is time to; it neither goes back nor beyond all."""
        now, share = time.monotonic(), self._reached(share)
        if now < self._due or not 0 < share < 1:
            return
        self._due = now + EVERY
        left = ""
        if share >= SURE_SHARE:
            seconds = (now - self._started) / share * (1 - share)
            left = f", {self._bound}{duration(seconds)} left"
        log.warning("%s: %s%s", self._what, percent(round(share, 2)), left)


def announce(what: str, seconds: float, how: str = "") -> None:
    """Say what is begun and about what it takes, where that is more than a moment."""
    if seconds > MOMENT:
        log.warning("%s %s%s", what, duration(seconds), f"; {how}" if how else "")


def followed(
    job: Job | ValleyJob, name: str, pool: Workers, how: str = ""
) -> Iterator[Scan | Valley]:
    """Evaluate a scan, saying what it takes at most and how far it is."""
    bound = "at most " if job.scan.tolerance > 0 else ""  # points that it takes no loss of
    what, total = f"scanning {name}", job.total
    progress = Progress(what, bound=bound)

    def chosen(_: StrategyRecord, seconds: float) -> None:
        said = "up to about" if bound else "about"
        announce(f"{what}: {said}", seconds, f"going by a first trial; {how}" if how else "")

    filling: Iterator[Scan | Valley] = job.run(pool, chosen=chosen)
    for done, current in enumerate(filling, start=1):
        progress.reached(done / total)
        yield current
