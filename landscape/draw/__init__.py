"""Figures of scans and runs: ``KINDS`` has them by name; ``make`` writes one with its caption.

>>> for name in kinds(scan):
...     save(KINDS[name](scan), folder / name, caption=caption(scan))

Figures don't touch pyplot's state. VTK is imported when a surface is drawn, not before.
"""

from landscape.draw.contours import contour
from landscape.draw.curves import curve
from landscape.draw.files import save
from landscape.draw.kinds import KINDS, Kind, kinds
from landscape.draw.measured import measured
from landscape.draw.style import Style
from landscape.draw.surfaces import surface
from landscape.draw.works import Work, make, open_work, reproduce
from landscape.store.sentences import caption

__all__ = [
    "KINDS",
    "Kind",
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
