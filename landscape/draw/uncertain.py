"""Where an interpolated loss may be further off than the scan's tolerance."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from landscape.draw import theme
from landscape.store.records import Scan


def draw(axes: Axes, scan: Scan) -> None:
    """Put a dot on each such grid point of a plane; nothing where there are none."""
    i, j = np.nonzero(scan.uncertain)
    if len(i):
        axes.plot(scan.x[i], scan.y[j], ".", ms=1.6, mew=0, color=theme.INK, alpha=0.6, zorder=1)


def note(scan: Scan) -> tuple[str, ...]:
    """What the dots mean, for the small print; nothing where there are none."""
    if not scan.uncertain.any():
        return ()
    return (f"dots: interpolated, may be off by more than {scan.tolerance:.2%}",)
