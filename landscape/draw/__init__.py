"""Figures of scans and runs: ``KINDS`` has them by name; ``make`` writes one with its caption.

Examples:
    >>> for name in kinds(scan):
    ...     save(KINDS[name](scan), folder / name, caption=caption(scan))

Figures don't touch pyplot's state. VTK is imported when a surface is drawn, not before.
"""

from landscape.draw.figures.contour import contour
from landscape.draw.figures.curve import curve
from landscape.draw.figures.measures import measured
from landscape.draw.files import save
from landscape.draw.kinds import KINDS, FigureKind, kinds
from landscape.draw.look.style import Style
from landscape.draw.making import Work, make, open_work, reproduce
from landscape.draw.solid.surface import surface
from landscape.store.scans.sentences import caption

__all__ = [
    "KINDS",
    "FigureKind",
    "Style",
    "Work",
    "caption",
    "contour",
    "curve",
    "kinds",
    "make",
    "measured",
    "open_work",
    "reproduce",
    "save",
    "surface",
]
