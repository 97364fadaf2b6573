"""The kinds of pictures: one table, with what each needs and how it is made.

A new kind is a file with its drawing function and a line in KINDS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from landscape.draw import readings, run_captions
from landscape.draw.diagnosis import (
    barriers,
    by_rate,
    coefficient,
    distances,
    instability,
    layers,
    msd,
    sharpness,
    trainings,
    two_time,
    units,
)
from landscape.draw.figures.contour import contour
from landscape.draw.figures.curve import curve
from landscape.draw.figures.loss_curves import loss
from landscape.draw.figures.map import atlas
from landscape.draw.figures.measures import further_measures as further
from landscape.draw.figures.measures import measured
from landscape.draw.figures.path import path
from landscape.draw.figures.valley import valley
from landscape.draw.readings import Drawn
from landscape.draw.sheet.page import PrintedFigure
from landscape.draw.solid import film
from landscape.draw.solid.slats import slats
from landscape.draw.solid.surface import surface
from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History
from landscape.store.scans import sentences, valley_sentences
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley
from landscape.store.sweep_outcomes import Outcomes

PAGE = ("theme", "width", "dpi", "transparent", "title")
PRINTED = ("panels", "explain", "bare")
"""The fields of `Style` that show in every figure; a film has a size of its own."""
Subject = Scan | Valley | History | Diagnosed | Outcomes | Sequence[Scan] | Sequence[Valley]
Need = Literal["plane", "line", "scan", "planes", "valley", "valleys", "run", "diagnosis", "sweep"]
NEEDS: Mapping[Need, str] = {
    "plane": "a scan of a plane",
    "line": "a scan along a line",
    "scan": "a scan",
    "planes": "two scans of planes or more",
    "valley": "a scan of kind valley",
    "valleys": "a scan of kind valley, or several",
    "run": "a run",
    "diagnosis": "a run that was diagnosed",
    "sweep": "a sweep that was diagnosed",
}


@dataclass(frozen=True)
class FigureKind:
    """What a kind of picture needs and how it is made; called, it draws a figure.

    >>> KINDS["film"].needs, KINDS["film"].formats, "camera" in KINDS["film"].takes
    ('plane', ('mp4', 'gif'), True)
    """

    needs: Need
    """What it shows: a scan, several of them, or a run's history (``store.history``)."""
    draw: Callable[..., Figure] | None
    """``draw(subject, *, style)``, for a scan also ``like=``; None: no figure but files."""
    about: str
    """What it shows, for a reader of the help."""
    habit: Callable[[Scan], bool] = lambda scan: False
    """Whether it is drawn of a scan that is rendered without a kind."""
    write: Callable[..., Sequence[Path]] | None = None
    """``write(subject, stem, *, formats, style, caption, recipe, report)`` for what isn't a figure,
    such as films; returns the files. ``report(done, total)`` is called as it goes on."""
    libraries: tuple[str, ...] = ()
    """What its pixels depend on beside what every figure's do."""
    takes: tuple[str, ...] = PAGE
    """The fields of `Style` that show in it; others are refused."""
    formats: tuple[str, ...] = ("png", "pdf", "svg")
    """Endings there are, "." left out."""
    default: tuple[str, ...] = ("png", "pdf")
    caption: Callable[[Any], str] | None = None
    """``caption(subject)``; None: what there is to say of any scan or run."""
    ready: Callable[[Any, Drawn], str] | None = None
    """``ready(subject, drawn)``, what a paper prints; None: the caption's first paragraph."""
    seen: Callable[[Any], str] | None = None
    """``seen(subject)``, what it shows for whoever doesn't see it; None: the caption."""
    around: Callable[[Sequence[Any], Drawn], str] = lambda subjects, drawn: ""
    """What stands on it, above it and beneath it; follows ``ready``, once for all subjects."""
    reading: Callable[[Any, Drawn], str] = lambda subject, drawn: ""
    """What those colours, lines and bands are that were drawn, for a paper's reader."""
    parts: tuple[str, ...] = ()
    """What `landscape diagnose` must have measured,"""
    also: tuple[str, ...] = ()
    """and what is shown too where it has."""
    solid: bool = False
    """Whether it shows a surface in 3D: by OpenGL, or by matplotlib's plainer means without."""

    def __call__(self, subject: Any, **more: Any) -> PrintedFigure:
        """Draw it.

        Raises:
            LandscapeError: the subject isn't what it needs, or this kind is no figure.
        """
        if self.draw is None:
            raise LandscapeError(
                f"{self.about} is no figure but {' or '.join(self.formats)}: write it to a file"
            )
        figure = self.draw(subject, **more)
        assert isinstance(figure, PrintedFigure)  # every page is one
        return figure


KINDS: dict[str, FigureKind] = {
    "contour": FigureKind(
        "plane",
        contour,
        "losses of a plane from above",
        lambda scan: not scan.is_line,
        takes=(*PAGE, *PRINTED, "cmap", "log", "cap", "levels", "path"),
        seen=sentences.seen,
        ready=readings.ready,
        reading=readings.of_plane,
    ),
    "surface": FigureKind(
        "plane",
        surface,
        "losses of a plane in 3D",
        lambda scan: not scan.is_line,
        takes=(*PAGE, *PRINTED, "cmap", "log", "cap", "levels", "path", "camera", "renderer"),
        solid=True,
        ready=readings.ready,
        reading=readings.of_surface,
    ),
    "curve": FigureKind(
        "line",
        curve,
        "losses along a line",
        lambda scan: scan.is_line,
        takes=(*PAGE, "log", "cap", "path"),
        ready=readings.ready,
        reading=readings.of_line,
    ),
    "measures": FigureKind(
        "scan",
        measured,
        "gradient norm, sharpness, convexity; terms and measures of a problem's own",
        lambda scan: bool(further(scan)),
        takes=(*PAGE, "cmap", "log", "path"),
        reading=readings.MEASURES,
    ),
    "path": FigureKind(
        "plane",
        path,
        "the path alone, its losses and its distance from the plane",
        takes=(*PAGE, "log", "cap"),
        reading=readings.PATH,
    ),
    "film": FigureKind(
        "plane",
        None,
        "an orbit around the surface while the path grows",
        write=film.write,
        libraries=("imageio-ffmpeg",),
        takes=("theme", "width", "title", "cmap", "log", "path", "camera", "renderer"),
        formats=film.FORMATS,
        default=("mp4",),
        solid=True,
        reading=readings.of_film,
    ),
    "valley": FigureKind(
        "valleys",
        valley,
        "the loss across the path, column by column",
        takes=(*PAGE, "cmap", "log", "cap", "path", "unit"),
        around=readings.around_columns,
        seen=valley_sentences.seen,
        reading=readings.of_valley,
    ),
    "slats": FigureKind(
        "valley",
        slats,
        "a valley's columns in 3D, side by side",
        takes=(*PAGE, "cmap", "log", "cap", "path", "camera", "renderer"),
        solid=True,
        reading=readings.of_slats,
    ),
    "map": FigureKind(
        "planes",
        atlas,
        "several planes or runs on one scale",
        takes=(*PAGE, "explain", "bare", "cmap", "log", "cap", "floor", "levels", "path"),
        ready=readings.ready,
        reading=readings.of_planes,
    ),
    "loss": FigureKind(
        "run",
        loss,
        "a training in time, with what happened",
        takes=(*PAGE, "log", "cap"),
        seen=run_captions.seen,
        reading=readings.of_training,
    ),
    "distances": FigureKind(
        "diagnosis",
        distances.distances,
        "how far weights are from each other, beside copies and a twin",
        takes=(*PAGE, "bare", "cmap", "log"),
        caption=distances.caption,
        seen=distances.seen,
        parts=("distances",),
        also=("permutations", "functions"),
        reading=readings.of_distances,
    ),
    "two-time": FigureKind(
        "diagnosis",
        two_time.two_time,
        "distance of weights, and of predictions, at any two steps",
        takes=(*PAGE, "bare"),
        caption=two_time.caption,
        parts=("distances", "functions"),
        reading=readings.TWO_TIME,
    ),
    "msd": FigureKind(
        "diagnosis",
        msd.msd,
        "mean squared displacement by lag: confinement, walk or drift",
        takes=(*PAGE, "bare"),
        caption=msd.caption,
        seen=msd.seen,
        parts=("diffusion",),
        reading=readings.of_msd,
    ),
    "barriers": FigureKind(
        "diagnosis",
        barriers.barriers,
        "loss along paths between floors",
        takes=(*PAGE, "bare", "cmap", "log"),
        caption=barriers.caption,
        parts=("connectivity",),
        also=("interventions",),
        reading=readings.of_barriers,
    ),
    "sharpness": FigureKind(
        "diagnosis",
        sharpness.sharpness,
        "curvature in time against the stability bounds",
        takes=(*PAGE, "bare", "log"),
        caption=sharpness.caption,
        parts=("sharpness",),
        also=("curvature",),
        reading=readings.of_sharpness,
    ),
    "units": FigureKind(
        "diagnosis",
        units.units,
        "dead units of each layer in time",
        takes=(*PAGE, "bare"),
        caption=units.caption,
        parts=("units",),
        reading=readings.of_units,
    ),
    "trainings": FigureKind(
        "diagnosis",
        trainings.trainings,
        "what trainings from the run's snapshots did",
        takes=(*PAGE, "bare", "log", "cap"),
        caption=trainings.caption,
        parts=("interventions",),
        reading=readings.of_trainings,
    ),
    "layers": FigureKind(
        "diagnosis",
        layers.layers,
        "which layers the curvature lies in",
        takes=(*PAGE, "bare", "log"),
        caption=layers.caption,
        parts=("curvature_by_layer",),
        reading=readings.of_layers,
    ),
    "coefficient": FigureKind(
        "diagnosis",
        coefficient.coefficient,
        "the learning coefficient at floors, beside its null",
        takes=(*PAGE, "bare", "log"),
        caption=coefficient.caption,
        parts=("learning_coefficient",),
        reading=readings.of_coefficient,
    ),
    "instability": FigureKind(
        "diagnosis",
        instability.instability,
        "barriers between trainings by the step at which they part",
        takes=(*PAGE, "bare"),
        caption=instability.caption,
        parts=("instability",),
        reading=readings.of_instability,
    ),
    "outcomes": FigureKind(
        "sweep",
        by_rate.outcomes,
        "what became of runs by learning rate",
        takes=(*PAGE, "log"),
        caption=by_rate.caption,
        reading=readings.OUTCOMES,
    ),
}


def kinds(subject: Scan | Valley | History | Diagnosed | Outcomes) -> tuple[str, ...]:
    """Return the figures that a scan or a run is drawn as; of its diagnosis see `diagnosed`.

    >>> from landscape.store.history import History
    >>> import numpy as np
    >>> kinds(History("mine", "1f2e", np.arange(2), {}, np.zeros(1)))
    ('loss',)
    """
    if isinstance(subject, Valley):
        return ("valley",)
    if not isinstance(subject, Scan):
        return ("outcomes",) if isinstance(subject, Outcomes) else ("loss",)
    return tuple(name for name, kind in KINDS.items() if kind.habit(subject))


def diagnosed(folder: Path) -> tuple[str, ...]:
    """Return the names of the figures that a run's diagnosis is drawn as: of what was measured."""
    known = analysis.names(folder)
    return tuple(
        name
        for name, kind in KINDS.items()
        if kind.needs == "diagnosis" and all(part in known for part in kind.parts)
    )
