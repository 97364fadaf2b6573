"""What a figure's colours, lines and bands are: how to read it, for the end of its caption.

Each takes what is shown and what was drawn of it: a caption explains nothing that isn't there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.draw.elements import paths
from landscape.draw.elements.plane_axes import window
from landscape.draw.sheet.page import Element
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History
from landscape.store.scans import sentences
from landscape.store.scans.records import Point, Scan
from landscape.store.scans.rises import Rise
from landscape.store.scans.valleys import Valley
from landscape.store.scans.widths import ends_called

Drawn = Set[Element]
Part = tuple[Element, str]
"""What is said of an element, where it was drawn."""
IN_TIME: Part = (
    "bands",
    "coloured bands: what happened in training, by name, judged by logged and batch losses alone",
)
LOGGED: Part = ("logged", "dots: logged losses, far apart and joined by straight lines")
BENT: Part = ("bent", "steps: logarithmic from the upright line on")
CONSTANT: Part = ("constant", "dotted: the best loss of a network that ignores its input")
LEVELS: Part = ("levels", "thin lines: equal loss")
TICKED: Part = ("levels", "thin lines: equal loss, at the bar's ticks")
HALFWAY: Part = ("halfway", "faint ones: halfway between two ticks")
LOWEST: Part = ("lowest", "cross: the lowest loss measured")
BEGINS = (
    "diamond: where the drift begins, in the middle of the last half of the steps at the last "
    "learning rate, less its first sixteenth"
)
LOSSES = ("training", "validation")
LISTED = 12
"""So many steps are listed."""
THROUGH = {
    "peak": "the highest loss measured along the path in the escape",
    "arrival": "where the loss first came within 10 % of the end's",
}
"""What the point between best and end is, by its name."""
STANDS_OUT = 1.1
"""So many times the loss at the end a peak has."""


def listed(drawn: Drawn, *parts: str | Part) -> str:
    """Return a sentence of the parts whose element was drawn, and of those that have none.

    >>> listed({"constant"}, "colours: the loss", LEVELS, CONSTANT)
    'Colours: the loss; dotted: the best loss of a network that ignores its input.'
    """
    told = [part if isinstance(part, str) else part[1] * (part[0] in drawn) for part in parts]
    text = "; ".join(filter(None, told))
    return f"{text[0].upper()}{text[1:]}." if text else ""


def of_plane(scan: Scan, drawn: Drawn) -> str:
    """Of a plane from above, with the path's loss in time beneath."""
    if "legend" in drawn:  # which says it all
        return ""
    return listed(
        drawn,
        f"colours: the loss, on {_bar(drawn)} scale{_grey(drawn)}",
        TICKED,
        HALFWAY,
        *_path(scan, drawn, "the path"),
        LOWEST,
        (
            "losses",
            f"beneath, the training loss of the path's own weights by training step{_on(drawn)}"
            f"{_dots(drawn)}",
        ),
        IN_TIME,
        BENT,
        CONSTANT,
    )


def of_surface(scan: Scan, drawn: Drawn) -> str:
    """Of a plane in three dimensions."""
    if "legend" in drawn:
        return ""
    cut, grey = "", ""
    if "beyond" in drawn:
        cut, grey = " and cut at its end", ", grey where the loss is beyond the bar's end"
    return listed(
        drawn,
        f"height and colours: the loss, on {_bar(drawn)} scale{cut}",
        LEVELS,
        *_path(scan, drawn, "the path, laid onto it"),
        ("marks", "marks: at the losses of the weights themselves"),
        ("plumb", "upright lines: from there to the plane's loss"),
        LOWEST,
        f"on the ground the same from above{grey}",
    )


def of_planes(_: Scan, drawn: Drawn) -> str:
    """Of several planes on one scale."""
    if "legend" in drawn:
        return ""
    return listed(
        drawn,
        f"colours: the loss, on one scale for all{_grey(drawn)}",
        TICKED,
        HALFWAY,
        ("path", "lines: the paths"),
        ("enters", "arrows at the edge: where paths that begin outside come in"),
        LOWEST,
    )


def _bar(drawn: Drawn) -> str:
    """Whose scale a panel's colours are on."""
    return "its own bar's" if "bars" in drawn else "the bar's"


def _grey(drawn: Drawn) -> str:
    """What is said of losses above the bar's end, in the plane."""
    border = ", behind a bold line" if "border" in drawn else ""
    return f" and grey beyond its end{border}" if "beyond" in drawn else ""


def _on(drawn: Drawn) -> str:
    """On which scale the strip beneath a plane is, where it isn't an even one."""
    return ", on a logarithmic scale" * ("logarithmic" in drawn)


def _dots(drawn: Drawn) -> str:
    """Whose losses the strip beneath a plane shows, and what it joins."""
    joined = ", joined where each step has one" if "joined" in drawn else ""
    what = "dots: measured by the scan at recorded weights, more of these around jumps of the loss"
    return f" ({what}{joined})"


def _path(scan: Scan, drawn: Drawn, name: str) -> list[str | Part]:
    """What a path's line and marks mean, and where it comes from."""
    lines = "red line" if len(scan.paths) == 1 else "lines"
    said: list[str | Part] = [("path", f"{lines}: {name}")]
    entered = [found[2] for path in scan.paths if (found := paths.entrance(path, window(scan)))]
    if entered and "path" in drawn:
        steps = ", ".join(f"{step:,}" for step in entered)
        comes = f"first weights inside the frame, of step {steps}"
        arrow = f"arrow at the edge: the way to the {comes}" if "enters" in drawn else comes
        before = any(paths.passes(path, window(scan)) for path in scan.paths)
        said.append(f"{arrow}; lines before them join weights outside" if before else arrow)
    said += [_through(scan, point) for point in scan.points if point.name in THROUGH]
    where = window(scan)
    if scan.plane.kind == "drift" and not scan.path_is_a_dot:
        begins = [point for point in scan.points if point.name == f"step {point.step:,}"]
        said += [BEGINS] * any(where.holds(np.array(one.xy)) for one in begins)
    return said


def _through(scan: Scan, point: Point) -> str:
    """What the point between best and end is; older scans call both of them peak."""
    what = point.name
    for path in scan.paths if what == "peak" else ():
        there, end = path.true_loss[path.step == point.step], path.true_loss[-1]
        if len(there) and there[0] <= STANDS_OUT * end:
            what = "arrival"
    return f"{point.name}: {THROUGH[what]}"


def ready(scan: Scan, drawn: Drawn) -> str:
    """What a paper says of a plane or line, and how the figure shows where not to trust it."""
    # A line's curves are told apart by how to read it.
    names = [] if scan.is_line else [name for name in LOSSES if name in drawn]
    return sentences.ready(scan, _mistrust([scan], drawn), names or LOSSES[:1])


def ready_together(scans: Sequence[Scan], drawn: Drawn) -> str:
    """What a paper says of several planes side by side."""
    return sentences.ready_together(scans, _mistrust(scans, drawn))


def _mistrust(scans: Sequence[Scan], drawn: Drawn) -> str:
    """Where a path is dashed and its marks are hollow; empty where nothing was drawn so."""
    several = len(scans) > 1 or len(scans[0].paths) > 1
    shape = "line" if scans[0].is_line else "plane"
    whose = f"a {shape}" if len(scans) > 1 else f"the {shape}"
    off = sentences.where_off(whose, [path for scan in scans for path in scan.paths])
    marks = "marks are hollow" if "hollow" in drawn else ""
    if "dashes" not in drawn:
        return f"{marks} {off}" if marks else ""
    lines = "the paths are dashed" if several else "the path is dashed"
    return (
        f"{lines}, {'their' if several else 'its'} marks hollow, {off}"
        if marks
        else f"{lines} {off}"
    )


def of_line(scan: Scan, drawn: Drawn) -> str:
    """Of losses along a line."""
    return listed(
        drawn,
        ("training", "blue: training"),
        ("validation", "orange: validation"),
        "" if scan.spread is None else f"bands: {ends_called(len(scan.spread.seeds))}",
        CONSTANT,
    )


def of_film(scan: Scan, _: Drawn) -> str:
    """Of an orbit around a surface."""
    text = "Height and colours: the loss; thin lines: equal loss."
    return f"{text} The path grows as it trains." if scan.paths else text


def of_slats(_: Valley, drawn: Drawn) -> str:
    """Of a valley's slices in three dimensions."""
    cut = " and cut at its end" if "beyond" in drawn else ""
    return listed(
        drawn,
        f"height and colours: the loss, on the bar's scale{cut}",
        ("path", "red line: the run at its own loss"),
    )


def of_valley(valley: Valley, drawn: Drawn) -> str:
    """Of a valley's columns, of the run's loss above them and of the strips beneath."""
    grey = " and grey beyond its end" if "beyond" in drawn else ""
    count = valley.walls.shape[1]
    walls = f"{ends_called(count)} over {count} such directions of where" if count > 1 else "where"
    marked = ", none in the grey" if "greyed" in drawn else ""
    marked += ", too little for the colours where it is high already" if "faint" in drawn else ""
    above = listed(
        drawn,
        "above, the run's own loss: a line at each column",
        (
            "between",
            "dots at weights recorded between them, measured by the scan, the lowest of all best",
        ),
        CONSTANT,
        IN_TIME,
    )
    slices = listed(
        drawn,
        f"colours: the loss, on the scale beside the upper panel{grey}",
        ("walls", f"short lines: {walls} the loss has risen by {valley.rise.short}{marked}"),
        LOWEST,
        ("lost", "triangles: no sharp direction goes on as the one before"),
        ("gaps", "gaps part columns between which the weights leapt or the direction turned"),
    )
    beneath = [text for part, text in _strips(drawn, valley.rise, 2 * count) if part in drawn]
    strips = f"Beneath, from above: {'. '.join(beneath)}." if beneath else ""
    return " ".join(filter(None, (above, slices, strips)))


def around_columns(valleys: Sequence[Valley], drawn: Drawn) -> str:
    """What stands on a valley's columns, above and beneath them, for a caption that stands alone.

    `of_valley` says it at length.
    """
    risen = " or ".join(dict.fromkeys(valley.rise.short for valley in valleys))
    on_them = listed(
        drawn,
        ("walls", f"short lines: where the loss has risen by {risen}"),
        ("beyond", "grey: losses beyond the bar's end"),
        ("lost", "triangles on columns: no sharp direction goes on"),
        ("bands", "coloured bands: what happened, by name"),
    )
    held = " against its stability bounds" * ("bounds" in drawn)
    sharpness = drawn & {"critical", "across", "eigenvalue", "batch"}
    boxes = "; boxes: quartiles"
    boxes += "; triangle up: farther than the columns" * ("farther" in drawn)
    boxes += "; triangle down: nearer than was looked for" * ("nearer" in drawn)
    beneath = [
        ("length", "the direction's length ‖d‖"),
        ("width", f"r₀.₁ (the short lines' median distance{boxes})"),
        (next(iter(sharpness), "critical"), f"sharpness{held}"),
        ("distances", "distances to earlier columns"),
    ]
    there = [words for part, words in beneath if part in drawn]
    above = f"Above: the run's loss{'; beneath: ' * bool(there)}{', '.join(there)}."
    return " ".join(filter(None, (on_them, above)))


def _strips(drawn: Drawn, rise: Rise, rays: int) -> list[Part]:
    """What is said of each strip beneath a valley's columns, and of what is in it."""
    width = (
        f"r₀.₁, within which the loss stays less than {rise.short} above the run's (line: median "
        f"over directions and sides, band: {ends_called(rays)}"
    )
    width += ", triangle up: farther than the column reaches" * ("farther" in drawn)
    width += ", triangle down: nearer than was looked for" * ("nearer" in drawn)
    bounds = (
        "The stability bounds 2(1−β)/η of noisy batches and (2+2β)/η of the full batch (learning "
        "rate η, momentum β)"
        if "undecided" in drawn
        else "The stability bound 2/η (learning rate η)"
    )
    unbounded = " (bounds that it could be held against are known of plain SGD's steps alone)"
    back = ", dots: back near weights of before" if "returned" in drawn else ""
    return [
        ("length", "‖d‖, the distance that 1 across stands for"),
        ("width", f"{width})"),
        (
            "critical",
            "Critical sharpness, as a Hessian's eigenvalue: 2 over the smallest step along "
            "−∇L of all training data that raises the loss" + unbounded * ("unbounded" in drawn),
        ),
        ("across", "λ across, the curvature along the columns' own direction"),
        ("eigenvalue", "λ, the Hessian's largest eigenvalue"),
        ("batch", "Batch sharpness, the curvature that a batch's own gradient meets"),
        ("bounds", bounds),
        (
            "distances",
            "How far each column's weights are from those of every earlier column, a pale line "
            f"each, darker where several meet (black: from the first{back})",
        ),
    ]


def of_training(_: History, drawn: Drawn) -> str:
    """Of a run's losses in time."""
    return listed(
        drawn,
        ("training", "blue: training, over all data"),
        ("validation", "orange: validation"),
        LOGGED,
        ("batches", "grey: the range of batches' losses"),
        CONSTANT,
        IN_TIME,
        BENT,
    )


def of_distances(found: Diagnosed, drawn: Drawn) -> str:
    """Of the distances between a run's weights."""
    part, copies = found.measured.distances, found.measured.permutations
    dashed = ", dashed once the loss had settled" if part and part.settled is not None else ""
    known = copies is not None and (copies.nearest, copies.typical, copies.twin)
    names = (
        "the nearest network that differs only in the order of its units",
        "a typical one",
        "an independently trained one",
    )
    lines = [name for name, one in zip(names, known or (), strict=False) if one is not None]
    return listed(
        drawn,
        "left: the distance by colour, on the right panel's axis, at steps N and M",
        f"right: its root mean square by lag (line{dashed}) and range (band)",
        f"horizontal lines: {', '.join(lines)}" if lines else "",
    )


def of_sharpness(_: Diagnosed, drawn: Drawn) -> str:
    """Of curvature in time."""
    between = ", between them undecided" if "undecided" in drawn else ""
    return listed(
        drawn,
        "triangles: batch sharpness with two standard errors",
        ("eigenvalue", "diamonds: the Hessian's largest eigenvalue"),
        (
            "bounds",
            "horizontal lines: the curvature above which steps are unstable at learning "
            f"rate η and momentum β{between}",
        ),
        LOGGED,
        IN_TIME,
        BENT,
    )


def of_units(found: Diagnosed, drawn: Drawn) -> str:
    """Of dead units and what outputs still tell apart."""
    part = found.measured.units
    rows = (
        "rows: layers, darker where more of their units answer to no sample, with their number"
        if part is not None and len(part.layers)
        else ""
    )
    return listed(
        drawn,
        rows,
        f"triangles: the steps measured, {_steps(part.step)}" if rows and part is not None else "",
        ("unmeasured", "hatched: measured at no step near"),
        "beneath: how much outputs differ between samples as a share of their size, the "
        "gradient's norm, the loss",
        LOGGED,
        CONSTANT,
        IN_TIME,
        BENT,
    )


def _steps(steps: NDArray[np.int64]) -> str:
    """Up to a dozen steps by themselves, of more their number and both ends."""
    if len(steps) > LISTED:
        return f"{len(steps)} of them from {steps[0]:,} to {steps[-1]:,}"
    return ", ".join(f"{step:,}" for step in steps)


def of_trainings(_: Diagnosed, drawn: Drawn) -> str:
    """Of trainings from a run's snapshots."""
    return listed(
        drawn,
        "black: the run",
        "coloured: trainings from one of its snapshots that change one thing, as in the legend; "
        "lines join logged losses, those of trainings at other steps than the run's",
        CONSTANT,
    )


def of_layers(found: Diagnosed, drawn: Drawn) -> str:
    """Of curvature by layer."""
    part = found.measured.curvature_by_layer
    faint = ", earlier steps faint" if part is not None and len(part.step) > 1 else ""
    return listed(
        drawn,
        f"marks: each tensor's largest eigenvalue, and the same times its squared norm{faint}",
        "upright line: the largest of the whole",
    )


def of_coefficient(found: Diagnosed, drawn: Drawn) -> str:
    """Of the learning coefficient in time."""
    part = found.measured.learning_coefficient
    hollow = ", hollow where undetermined" if part is not None and any(part.undetermined) else ""
    return listed(
        drawn,
        "marks with two standard errors: the coefficient and that of a quadratic of the same "
        f"curvatures{hollow}",
        LOGGED,
        IN_TIME,
        BENT,
    )


def of_instability(_: Diagnosed, drawn: Drawn) -> str:
    """Of barriers between trainings by the step at which they part."""
    return listed(
        drawn,
        "marks with two standard errors: barrier, and how far the ends differ, by the step at "
        "which trainings part",
        LOGGED,
        IN_TIME,
        BENT,
    )


def of_msd(found: Diagnosed, drawn: Drawn) -> str:
    """Of mean squared displacement by lag."""
    part = found.measured.diffusion
    return listed(
        drawn,
        "points: mean with its standard error",
        "thick line: the power law fitted" if part and np.isfinite(part.exponent) else "",
        "thin lines: the same by when the pairs begin" if part and len(part.aging) else "",
        "dotted, dashed and dash-dotted: confinement, a random walk, a drift",
    )


def of_barriers(found: Diagnosed, drawn: Drawn) -> str:
    """Of losses along paths between floors."""
    part = found.measured.connectivity
    error = " and error" if part is not None and np.isfinite(part.train_accuracy).all() else ""
    return listed(
        drawn,
        f"thick lines: loss{error} by kind of path, as in the legend",
        "colours of the matrix: its bar's",
    )


def said(text: str) -> Callable[[Any, Drawn], str]:
    """The same of every subject."""
    return lambda subject, drawn: text


MEASURES = said("Colours: each measure on its own bar's scale.")
PATH = said(
    "Left: the path on the plane, coloured by training step. Right: the loss of the "
    "weights themselves beside that of the plane beneath them, and the distance between "
    "the two."
)
TWO_TIME = said(
    "Colours: how far apart, on each map's own bar; stripes along the diagonal mean that "
    "only the time between counts, not the age."
)
OUTCOMES = said(
    "Colours: the share of runs with each outcome, whiskers its 95 % interval. Beneath: "
    "each run's last losses, lines through their medians."
)
