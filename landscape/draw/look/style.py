"""How a figure is wanted: width, resolution, theme, colours, scale, view: defaults for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from landscape.draw.look import theme as looks
from landscape.draw.look.theme import DPI, LOOKS, Look
from landscape.errors import LandscapeError
from landscape.store.scans.records import Scan

INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72}
NARROWEST, WIDEST = 2.5, 40.0
"""Inches."""
ZOOM = {"talk": 1.4}
"""A theme that is laid out so many times smaller and enlarged, letters and lines with it."""
PANELS = ("train", "validation")
COLUMN = 5.0
"""Inches of the layout below which panels stand beneath each other."""

P = ParamSpec("P")
S = TypeVar("S")


@dataclass(frozen=True)
class Style:
    """What may be chosen about a figure.

    >>> Style(width=3.25, theme="dark").chosen()
    {'theme': 'dark', 'width': 3.25}

    Raises:
        LandscapeError: a value that can't be.
    """

    theme: str = "paper"
    """paper, talk (letters and lines 1.4 times as large) or dark."""
    width: float | None = None
    """Inches; None: the kind's own, 3.25 to 7.2."""
    dpi: int = DPI
    cmap: str | None = None
    """A colour map of matplotlib's; None: viridis."""
    log: bool | None = None
    """A logarithmic scale or a linear one; None: logarithmic where all losses are positive."""
    cap: float | None = None
    """Losses above it are cut; None: twice the best constant output's, inf: none is."""
    floor: float | None = None
    """Of a map: losses below it have the lowest colour; None: none are."""
    levels: int | None = None
    """About so many contour lines, 0: none; None: the colour bar's ticks, 14 if ``explain``."""
    camera: tuple[float, float] | None = None
    """Azimuth and elevation of a surface in degrees, of a film those that it begins with; None:
    where most of the path is seen."""
    transparent: bool = False
    path: bool = True
    """Whether paths and marked points are drawn."""
    title: str = ""
    panels: tuple[str, ...] = ()
    """Of a plane's losses, train or validation; none: train, and validation where it differs."""
    explain: bool = False
    """Whether everything is explained beneath: legend, step colours, small print."""
    bare: bool = False
    """Whether labels, strip and note are left off; of a diagnosis the small print."""
    renderer: str = "auto"
    """Of surfaces: auto, pyvista or matplotlib."""
    unit: str = "own"
    """Across a valley: own, or distance in weight space."""

    def __post_init__(self) -> None:
        for name, rule, holds in (
            ("theme", f"one of {', '.join(LOOKS)}", self.theme in LOOKS),
            ("dpi", "from 50 to 1200", 50 <= self.dpi <= 1200),
            ("levels", "from 0 to 60", self.levels is None or 0 <= self.levels <= 60),
            ("unit", "own or distance", self.unit in ("own", "distance")),
            ("cap", "a number other than NaN", self.cap is None or not np.isnan(self.cap)),
            ("floor", "a finite number", self.floor is None or np.isfinite(self.floor)),
        ):
            if not holds:
                raise LandscapeError(f"{name} must be {rule}, got {getattr(self, name)}")
        for panel in self.panels:
            if panel not in PANELS:
                raise LandscapeError(f"panels must be of {', '.join(PANELS)}, got {panel}")
        if self.explain and self.bare:
            raise LandscapeError("explain and bare exclude each other, got both")
        if self.width is not None and not NARROWEST * self.zoom <= self.width <= WIDEST:
            raise LandscapeError(
                f"width must be from {NARROWEST * self.zoom:g} to {WIDEST:g} inches "
                f"with theme {self.theme}, got {self.width:.4g}"
            )
        if self.cmap is not None and self.cmap not in matplotlib.colormaps:
            raise LandscapeError(
                f"cmap must be a colour map of matplotlib's, got {self.cmap}; even in lightness "
                "are viridis, cividis, magma, inferno, plasma"
            )
        if self.camera is not None and not 5 <= self.camera[1] <= 89:
            raise LandscapeError(
                f"a camera's elevation must be from 5 to 89 degrees, got {self.camera[1]:g}"
            )

    @property
    def zoom(self) -> float:
        """How much larger a figure is than its layout."""
        return ZOOM.get(self.theme, 1.0)

    def look(self) -> Look:
        """Return what the page looks like."""
        look = LOOKS[self.theme]
        cmap = look.loss if self.cmap is None else matplotlib.colormaps[self.cmap]
        dpi = float(self.dpi * self.zoom)
        return replace(look, loss=cmap, dpi=dpi, transparent=self.transparent)

    def inches(self, default: float) -> float:
        """Return the layout's width, for a kind whose own is ``default``."""
        return (default if self.width is None else self.width) / self.zoom

    def columns(self, panels: int, width: float) -> int:
        """Return how many of ``panels`` stand side by side."""
        return panels if width >= COLUMN else 1

    def shown(self, scan: Scan) -> Scan:
        """Return what is to be drawn of a scan: all of it, or nothing of the path."""
        return scan if self.path else replace(scan, paths=(), points=())

    def chosen(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON values."""
        mine, plain = asdict(self), asdict(PLAIN)
        found = {name: value for name, value in mine.items() if value != plain[name]}
        # Strict JSON has no infinity.
        return found | ({"cap": "inf"} if self.cap == np.inf else {})


PLAIN = Style()


def chosen(values: Mapping[str, Any]) -> Style:
    """Return the style of which ``values`` differ from the defaults, the inverse of ``chosen``.

    Raises:
        LandscapeError: a name that no style has, or a value that can't be.
    """
    unknown = set(values) - {field.name for field in fields(Style)}
    if unknown:
        raise LandscapeError(
            f"a style has no {', '.join(sorted(unknown))}; install a newer landscape"
        )
    known = dict(values)
    if "cap" in known:
        known["cap"] = float(known["cap"])
    for name in ("camera", "panels"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    return Style(**known)


def length(text: str) -> float:
    """Return inches for ``3.25in``, ``8.5cm``, ``85mm`` or ``240pt``.

    Raises:
        LandscapeError: no number, or another unit.
    """
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*(in|cm|mm|pt)", text.strip())
    if match is None:
        raise LandscapeError(f"a width must be a number with in, cm, mm or pt, got {text}")
    return float(match[1]) * INCHES[match[2]]


def angles(text: str) -> tuple[float, float]:
    """Return azimuth and elevation for ``-60,35``.

    Raises:
        LandscapeError: not two numbers.
    """
    try:
        azimuth, elevation = map(float, text.split(","))
    except ValueError:
        raise LandscapeError(
            f"a camera must be AZIMUTH,ELEVATION in degrees such as -60,35, got {text}"
        ) from None
    return azimuth, elevation


def styled(
    draw: Callable[Concatenate[S, P], Figure],
) -> Callable[Concatenate[S, P], Figure]:
    """Make a drawing function wear the look of its ``style``."""

    def drawn(subject: S, /, *positional: P.args, **more: P.kwargs) -> Figure:
        style = more.get("style", PLAIN)
        with looks.wearing(style.look() if isinstance(style, Style) else looks.now()):
            figure = draw(subject, *positional, **more)
            looks.inked(figure)
        return figure

    update_wrapper(drawn, draw)
    return drawn
