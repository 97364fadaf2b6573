"""Work on Dask workers, in processes of this machine, or here: one call for all three.

::

    with cluster.workers(4) as pool:
        for outcome in pool.run(function, tasks):
            ...
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from landscape.cluster.local import Here, Processes
from landscape.cluster.tasks import Listener, Outcome, Workers, report, reporting, shared
from landscape.errors import LandscapeError

__all__ = [
    "Listener",
    "Outcome",
    "Workers",
    "processes",
    "report",
    "reporting",
    "shared",
    "workers",
]

MOST = 64
"""Processes that may be asked for on any machine; on large ones four a processor."""


@contextlib.contextmanager
def processes(count: int) -> Iterator[Processes]:
    """That many processes of this machine, each a new one.

    Starting one takes as long as Python and what the task's module imports: seconds with torch.
    Functions, tasks and results are pickled.

    >>> with processes(2) as pool:
    ...     sorted(outcome.result for outcome in pool.run(abs, [-1, 2]))
    [1, 2]
    """
    pool = Processes(count)
    try:
        yield pool
    finally:
        pool.close()


@contextlib.contextmanager
def workers(count: int = 1, scheduler: str | None = None) -> Iterator[Workers]:
    """Workers: here (``count`` 1), that many local processes, or a Dask scheduler's.

    Raises:
        LandscapeError: both are given, less than one process, no Dask, nobody at that address.

    >>> with workers() as pool:
    ...     [outcome.result for outcome in pool.run(abs, [-1, 2])]
    [1, 2]
    """
    if count < 1:
        raise LandscapeError(f"workers must be at least 1, got {count}")
    processors = os.cpu_count() or 1
    if count > (most := max(MOST, 4 * processors)):
        raise LandscapeError(
            f"workers must be at most {most:,} on this machine of {processors} processors, "
            f"got {count:,}; more only wait for each other"
        )
    if scheduler is None and count == 1:
        yield Here()
        return
    if scheduler is None:
        with processes(count) as pool:
            yield pool
        return
    if count != 1:
        raise LandscapeError(
            f"workers are those of the scheduler where one is given, got --workers {count} too; "
            "drop one of them"
        )
    from landscape.cluster.dask import Dask, connected

    with connected(scheduler) as client:
        yield Dask(client)
