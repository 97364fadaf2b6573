"""Several planes beside each other: how many in a row, and what each is called."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.store.scans.records import Scan

LEAST = 1.7
"""Inches of a panel, at least; at most four stand side by side."""


def columns(count: int, width: float, gap: float) -> int:
    """Return how many of ``count`` panels stand in each row of ``width`` inches.

    >>> columns(4, 6.4, 0.36), columns(5, 6.4, 0.36)
    (2, 3)
    """
    most = max(1, min(4, int((width + gap) / (LEAST + gap))))
    rows = -(-count // most)
    return -(-count // rows)


def titles(scans: Sequence[Scan]) -> list[str]:
    """Return the name of each plane: of what differs between them."""
    runs = {scan.run_id or scan.run_name for scan in scans}
    planes = {(scan.plane.kind, scan.plane.origin_name, scan.plane.seed) for scan in scans}
    titles = []
    for scan in scans:
        plane = scan.plane
        seed = f", seed {plane.seed}" if len({s.plane.seed for s in scans}) > 1 else ""
        what = f"{plane.kind}, {plane.origin_name}{seed}"
        parts = [scan.run_name] if len(runs) > 1 else []
        parts += [what] if len(planes) > 1 or not parts else []
        titles.append(": ".join(part for part in parts if part))
    return titles
