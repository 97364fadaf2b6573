"""What a figure's colours, lines and bands are: how to read it, for the end of its caption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landscape.store.history import History
from landscape.store.scans.records import Scan
from landscape.store.scans.sentences import event_names
from landscape.store.scans.valleys import Valley

IN_TIME = "coloured bands: what happened in training, by name"


def of_plane(scan: Scan) -> str:
    """Of a plane from above, with the path's loss in time beneath."""
    text = "Colours: the loss, on the bar's scale and grey beyond its end; thin lines: equal loss"
    if any(np.isfinite(path.true_loss).sum() > 1 for path in scan.paths):
        text += f"; beneath, the loss of the path's own weights by training step; {IN_TIME}"
    return f"{text}."


def of_surface(scan: Scan) -> str:
    """Of a plane in three dimensions."""
    text = "Height and colours: the loss, on the bar's scale and cut at its end; "
    text += "thin lines: equal loss"
    if scan.paths:
        text += "; the path lies on it, its marks at their own losses"
    return (
        f"{text}; on the ground the same from above, grey where the loss is beyond the bar's end."
    )


def of_line(scan: Scan) -> str:
    """Of losses along a line."""
    text = "Blue: training; orange: validation"
    return f"{text}; bands: quartiles." if scan.spread is not None else f"{text}."


def of_valley(valley: Valley) -> str:
    """Of a valley's slices."""
    text = "Above, the run's own loss: a line at each column"
    if len(valley.walked().step) > len(valley.slices.step):
        text += ", dots at weights recorded between them"
    if np.isfinite(valley.constant_loss):
        text += "; dotted, the best loss of a network that ignores its input"
    if valley.slices.jumps.any():
        text += "; gaps part columns between which the weights leapt or the direction turned"
    text += ". Colours: the loss, on the scale beside the upper panel and grey beyond its end"
    return f"{text}; {IN_TIME}." if event_names(valley.events) else f"{text}."


def of_training(history: History) -> str:
    """Of a run's losses in time."""
    text = "Blue: training, orange: validation, over all data; grey: the range of batches' losses"
    if np.isfinite(history.constant_loss):
        text += "; dotted: the best loss of a network that ignores its input"
    return f"{text}; {IN_TIME}." if event_names(history.events) else f"{text}."


def said(text: str) -> Callable[[Any], str]:
    """The same of every subject."""
    return lambda subject: text


MAP = said(
    "Colours: the loss, on one scale for all and grey beyond its end; thin lines: equal loss."
)
FILM = said("Height and colours: the loss; thin lines: equal loss. The path grows as it trains.")
MEASURES = said("Colours: each measure on its own bar's scale.")
PATH = said(
    "Left: the path on the plane, coloured by training step. Right: the loss of the "
    "weights themselves beside that of the plane beneath them, and the distance between "
    "the two."
)
SLATS = said("Height and colours: the loss, on the bar's scale and cut at its end.")
DISTANCES = said(
    "Left: the distance by colour, at steps N and M. Right: its root mean square by lag "
    "(line) and range (band), dashed once the loss had settled; horizontal lines: the "
    "nearest and a typical network that differs only in the order of its units, and an "
    "independently trained one, where known."
)
TWO_TIME = said(
    "Colours: how far apart, on each map's own bar; stripes along the diagonal mean that "
    "only the time between counts, not the age."
)
MSD = said(
    "Points: mean with its standard error; thick line: the power law fitted; thin lines: "
    "the same by when the pairs begin. Dotted, dashed and dash-dotted: confinement, a "
    "random walk, a drift."
)
BARRIERS = said(
    "Solid lines: loss and error by kind of path, as in the legend; colours of the "
    "matrix: its bar's."
)
SHARPNESS = said(
    "Circles: batch sharpness with two standard errors; squares: the Hessian's largest "
    "eigenvalue; horizontal lines: the curvature above which steps are unstable at "
    f"learning rate η and momentum β, between them undecided; {IN_TIME}."
)
UNITS = said(
    "Rows: layers, darker where more of their units answer to no sample, with their "
    "number. Beneath: how much outputs differ between samples, the gradient's norm, the "
    f"loss; {IN_TIME}."
)
REPLICAS = said(
    "Black: the run; coloured: trainings from one of its snapshots that change one thing, "
    "as in the legend; dotted: the best loss of a network that ignores its input."
)
LAYERS = said(
    "Marks: each tensor's largest eigenvalue, and the same times its squared norm, "
    "earlier steps faint."
)
COEFFICIENT = said(
    "Marks with two standard errors: the coefficient and that of a quadratic of the same "
    f"curvatures, hollow where undetermined; {IN_TIME}."
)
INSTABILITY = said(
    "Marks with two standard errors: barrier, and how far the ends differ, by the "
    f"step at which trainings part; {IN_TIME}."
)
OUTCOMES = said(
    "Colours: the share of runs with each outcome, whiskers its 95 % interval. Beneath: "
    "each run's last losses, lines through their medians."
)
