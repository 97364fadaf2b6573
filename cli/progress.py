"""Progress on stderr: a bar in a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from landscape import cluster
from landscape.quantities import Reached, duration, percent

from .printing import console, echo

Report = Callable[[float, str], None]
"""``report(done, note)``: how many are done by now, and a few words beside it."""

PLAIN_SECONDS = 60.0
"""Between two plain lines, whatever they are of: a log of hours stays readable."""
FIRST_PLAIN_SECONDS = 1.0
"""Before the first line of a work, so that quick work prints none."""
SURE_SHARE = 0.02
"""Of the work, before the time left is said: the first steps take longer than others."""
TASK_SECONDS = 0.2


@contextmanager
def progress(
    label: str, total: int, *, unit: str = "", at_most: bool = False, quiet: bool = False
) -> Iterator[Report]:
    """Show how far something is, with the time left; inside a task say so to who runs it.

    It neither goes back nor beyond the total, whatever is reported.

    ``unit`` is what is counted, as in ``steps``; without one the share alone is said. ``at_most``:
    it may be done before the total is, and the time left is said to be at most so long.
    """
    reached, bound = Reached(total), "at most " if at_most else ""
    with _shown(label, total, unit, bound, quiet=quiet) as report:
        yield lambda done, note: report(reached(done), note)


def _shown(
    label: str, total: int, unit: str, bound: str, *, quiet: bool
) -> AbstractContextManager[Report]:
    if cluster.reporting():
        return nullcontext(_to_runner(total))
    if quiet:
        return nullcontext(lambda done, note: None)
    if sys.stderr.isatty():
        return _bar(label, total, unit, bound)
    return nullcontext(_plain(label, total, unit, bound))


@contextmanager
def _bar(label: str, total: int, unit: str, bound: str) -> Iterator[Report]:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(
            "{task.completed:.12g}/{task.total} " + unit if unit else "{task.percentage:.0f} %"
        ),
        TimeElapsedColumn(),
        TextColumn(f"left {bound}".rstrip()),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console(file=sys.stderr)) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda done, note: bar.update(task, completed=done, note=note)


def _to_runner(total: int) -> Report:
    told = time.monotonic()

    def report(done: float, _note: str) -> None:
        nonlocal told
        if time.monotonic() - told >= TASK_SECONDS:
            told = time.monotonic()
            cluster.report(done / total)

    return report


_next_line = 0.0


def _plain(label: str, total: int, unit: str, bound: str) -> Report:
    started = time.monotonic()
    counted = f"{{:.12g}} of {total:,} {unit}, " if unit else ""

    def report(done: float, note: str) -> None:
        global _next_line
        now = time.monotonic()
        if now < max(started + FIRST_PLAIN_SECONDS, _next_line) or not done:
            return
        _next_line = now + PLAIN_SECONDS
        parts = [f"{counted.format(done)}{percent(round(done / total, 2))}"]
        if SURE_SHARE <= done / total < 1:  # what is still done then, nobody foresaw
            parts.append(f"{bound}{duration((now - started) / done * (total - done))} left")
        echo(f"{label}: {', '.join([*parts, note] if note else parts)}", err=True)

    return report
