"""Figures of scans: ``contour``, ``surface`` and ``curve``, their ``caption``, and ``save``.

>>> for name in kinds(scan):
...     save(KINDS[name](scan), folder / name, caption=caption(scan))

Figures don't touch pyplot's state. VTK is imported when a surface is drawn, not before.
"""

from collections.abc import Callable

from matplotlib.figure import Figure

from landscape.draw.captions import caption
from landscape.draw.contours import contour
from landscape.draw.curves import curve
from landscape.draw.files import save
from landscape.draw.measured import measured
from landscape.draw.measured import names as further
from landscape.draw.surfaces import surface
from landscape.store.records import Scan

KINDS: dict[str, Callable[..., Figure]] = {
    "contour": contour,
    "surface": surface,
    "curve": curve,
    "measures": measured,
}


def kinds(scan: Scan) -> tuple[str, ...]:
    """Return the names of the figures that a scan is drawn as."""
    found = ("curve",) if scan.is_line else ("contour", "surface")
    return (*found, "measures") if further(scan) else found


__all__ = ["KINDS", "caption", "contour", "curve", "kinds", "measured", "save", "surface"]
