"""Progress on stderr: a bar in a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, str], None]
"""``report(done, note)``: how many are done by now, and a few words beside it."""

PLAIN_SECONDS = 5.0
FIRST_PLAIN_SECONDS = 1.0


@contextmanager
def progress(label: str, total: int, *, quiet: bool = False) -> Iterator[Report]:
    """Show how far something is, with the time left."""
    if quiet:
        yield lambda done, note: None
    elif sys.stderr.isatty():
        with _bar(label, total) as report:
            yield report
    else:
        yield _plain(label, total)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Report]:
    from rich.console import Console
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
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda done, note: bar.update(task, completed=done, note=note)


def _plain(label: str, total: int) -> Report:
    started = time.monotonic()
    # The first line after a second, so that quick work prints none.
    due = started + FIRST_PLAIN_SECONDS

    def report(done: int, note: str) -> None:
        nonlocal due
        now = time.monotonic()
        if now < due or not done:
            return
        due = now + PLAIN_SECONDS
        left = (now - started) / done * (total - done)
        line = f"{label}: {done}/{total}, {done / total:.0%}, {left:.0f} s left"
        sys.stderr.write(f"{line}, {note}\n" if note else f"{line}\n")
        sys.stderr.flush()

    return report
