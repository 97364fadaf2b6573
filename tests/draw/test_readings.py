"""A caption explains what was drawn, all of it and nothing else: read off the artists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.contour import ContourSet
from matplotlib.patches import Polygon, Rectangle

from landscape import draw
from landscape.draw.look import theme
from landscape.draw.look.style import Style
from landscape.draw.making import _captions, caption_of
from landscape.store.history import History
from landscape.store.scans.records import Point, Scan
from landscape.store.scans.valleys import WalkedPath
from landscape.store.trajectories.trajectory import Event

EVENTS = (Event("spike", 900, 1100, "planted"), Event("plateau", 3000, 5355, "planted"))


def bands(figure):
    there = {colour.lower() for colour in theme.EPISODES.values()}
    found = figure.findobj(lambda one: isinstance(one, Rectangle | Polygon))
    return any(to_hex(patch.get_facecolor()) in there for patch in found)


def grey(figure):
    beyond = np.array(to_rgb(theme.LOOKS["paper"].beyond))
    return any(
        (np.abs(_unit(image)[..., :3] - beyond) < 1e-3).all(axis=2).any()
        for axes in figure.axes
        if axes.get_position().height > 0.25
        for image in axes.images
    )


def _unit(image):
    values = np.asarray(image.get_array())[::3, ::3]
    return values / 255 if values.dtype == np.uint8 else values


def dotted(figure):
    lines = figure.findobj(lambda one: hasattr(one, "get_ydata"))
    level = [one for one in lines if _level(one)]
    return any(one.axes.get_ylim()[0] < one.get_ydata()[0] for one in level)


def _level(line):
    pattern = line._unscaled_dash_pattern[1]
    return pattern is not None and len(line.get_ydata()) == 2 and max(pattern) < 2


def levels(figure):
    sets = figure.findobj(lambda one: isinstance(one, ContourSet))
    return any(one.get_alpha() and any(map(len, one.get_paths())) for one in sets)


def contours(figure):
    sets = figure.findobj(lambda one: isinstance(one, ContourSet))
    return [one for one in sets if any(map(len, one.get_paths()))]


def paths(figure, *, dashed=False):
    held = figure.findobj(lambda one: isinstance(one, LineCollection))
    red = [one for one in held if len(one.get_segments()) and _colour(one) == theme.PATH]
    return any(one.get_linestyle()[0][1] is not None for one in red) if dashed else bool(red)


def _colour(collection):
    return to_hex(collection.get_edgecolor()[0]) if len(collection.get_edgecolor()) else ""


def marks(figure, wanted):
    found = figure.findobj(lambda one: hasattr(one, "get_marker") and len(one.get_xdata()))
    return [one for one in found if wanted(one)]


def hollow(figure):
    return bool(
        marks(
            figure,
            lambda one: (
                one.get_marker() in ("o", "s", "*", "D") and one.get_markerfacecolor() == "none"
            ),
        )
    )


def curve(figure):
    return any(axes.get_xlabel() == "training step" for axes in figure.axes)


OF_PLANES = {
    "coloured bands: what happened": bands,
    "grey beyond its end": grey,
    "thin lines: equal loss, at the bar's ticks": levels,
    "faint ones: halfway": lambda figure: any(one.get_alpha() == 0.35 for one in contours(figure)),
    "behind a bold line": lambda f: any(one.get_linewidth()[0] == 0.6 for one in contours(f)),
    "red line: the path": paths,
    "the path is dashed": lambda figure: paths(figure, dashed=True),
    "hollow": hollow,
    "cross: the lowest": lambda f: bool(marks(f, lambda o: o.get_marker() == "X")),
    "arrow at the edge": lambda f: bool(marks(f, lambda o: isinstance(o.get_marker(), tuple))),
    "beneath, the training loss": curve,
    "on a logarithmic scale (dots": lambda figure: any(
        axes.get_xlabel() == "training step" and axes.get_yscale() == "log" for axes in figure.axes
    ),
    "joined where each step has one": lambda figure: any(
        line.get_linewidth() == 0.6 and line.get_marker() == "None"
        for axes in figure.axes
        if axes.get_xlabel() == "training step"
        for line in axes.lines
    ),
    "dotted: the best loss": dotted,
}


def eventful(scan: Scan) -> Scan:
    return replace(scan, paths=tuple(replace(path, events=EVENTS) for path in scan.paths))


def narrow(scan: Scan) -> Scan:
    """The half of a plane in which its path ends."""
    keep = scan.x >= scan.x[len(scan.x) // 2]
    measures = {name: values[keep] for name, values in scan.measures.items()}
    return replace(scan, x=scan.x[keep], measures=measures, measured=scan.measured[keep])


PLANES = {
    "bowl": lambda planted: planted.bowl(21, 21),
    "escape": lambda planted: eventful(planted.escape(21, 21)),
    "beginning outside": lambda planted: narrow(eventful(planted.escape(41, 21))),
    "dot": lambda planted: planted.random(),
    "no path": lambda planted: replace(planted.bowl(21, 21), paths=(), points=()),
    "flat": lambda planted: planted.with_losses(planted.bowl(21, 21), np.full((21, 21), 2.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "style",
    [
        Style(dpi=60),
        Style(bare=True, dpi=60),
        Style(path=False, dpi=60),
        Style(explain=True, dpi=60),
    ],
)
@pytest.mark.parametrize("name", PLANES)
def test_of_a_plane(planted, name, style):
    scan = style.shown(PLANES[name](planted))
    figure = draw.KINDS["contour"](scan, style=style)
    said = caption_of("contour", scan, figure.drawn).rsplit("\n\n", 1)[0]
    for phrase, there in OF_PLANES.items():
        assert (phrase in said) == (not style.explain and there(figure)), (phrase, said)


def test_a_path_that_is_a_dot_is_neither_drawn_nor_explained(planted):
    figure = draw.KINDS["contour"](planted.random(), style=Style(dpi=60))
    assert not paths(figure)
    assert "red line" not in caption_of("contour", planted.random(), figure.drawn)


@pytest.mark.parametrize("kind", ["contour", "surface", "curve", "valley", "loss"])
def test_what_is_ready_of_a_caption_is_short(planted, kind):
    history = History("mine", "1f2e", np.arange(2), {"train_loss": np.ones(2)}, np.ones(1))
    subjects = {"valley": planted.valley(), "curve": planted.line(), "loss": history}
    subject = subjects.get(kind, planted.escape(15, 15))
    figure = draw.KINDS[kind](subject, style=Style(dpi=60, renderer="matplotlib"))
    ready = caption_of(kind, subject, figure.drawn).split("\n\n")[0]
    # A valley's says what its lines and colours are, too.
    assert len(ready.split()) <= (110 if kind == "valley" else 84)
    assert 1 <= ready.count(". ") + 1 <= (5 if kind == "valley" else 4)


def test_lines_before_the_first_weights_inside_are_explained_where_there_are_some(planted):
    scan = planted.bowl(21, 21)
    path, outside = scan.paths[0], 10 * scan.x[-1]
    xy = path.xy.copy()

    def said(*first):
        xy[: len(first)] = first
        one = replace(scan, paths=(replace(path, xy=xy.copy()),))
        figure = draw.KINDS["contour"](one, style=Style(dpi=60))
        return caption_of("contour", one, figure.drawn)

    # From one side of the frame to the other, then along its border; never through it.
    through = said((-outside, 0.0), (outside, 0.0), (outside, outside))
    around = said((-outside, outside), (outside, outside), (outside, outside))
    step = f"{path.step[3]:,}"
    assert f"the way to the first weights inside the frame, of step {step}; lines before" in through
    assert f"the way to the first weights inside the frame, of step {step}; " in around
    assert "lines before" not in around


@pytest.mark.parametrize(
    ("name", "loss", "said"),
    [
        ("peak", 9.0, "peak: the highest loss measured along the path in the escape"),
        ("peak", 2.31, "peak: where the loss first came within 10 % of the end's"),
        ("arrival", 2.31, "arrival: where the loss first came within 10 % of the end's"),
    ],
)
def test_the_weights_between_best_and_end_are_called_what_they_are(planted, name, loss, said):
    scan = planted.escape(21, 21)
    [path] = scan.paths
    row = len(path.step) // 2
    losses = path.true_loss.copy()
    losses[row], losses[-1] = loss, 2.3
    point = Point(name, tuple(map(float, path.xy[row])), int(path.step[row]))
    scan = replace(scan, paths=(replace(path, true_loss=losses),), points=(*scan.points, point))
    figure = draw.KINDS["contour"](scan, style=Style(dpi=60))
    assert said in caption_of("contour", scan, figure.drawn)


def test_where_the_drift_begins_is_said_where_its_mark_is(planted):
    def said(**changes):
        scan = planted.escape(21, 21)
        plane = replace(scan.plane, kind="drift")
        begins = Point("step 1,900", (float(scan.x[5]), float(scan.y[5])), 1900)
        scan = replace(scan, plane=plane, points=(*scan.points, begins))
        figure = draw.KINDS["contour"](replace(scan, **changes))
        return caption_of("contour", replace(scan, **changes), figure.drawn)

    assert "diamond: where the drift begins" in said()
    assert "diamond" not in said(points=planted.escape(21, 21).points)
    far = Point("step 900", (1e3, 0.0), 900)
    assert "diamond" not in said(points=(far,))


def strip(begins):
    return lambda figure: any(axes.get_ylabel().startswith(begins) for axes in figure.axes)


def within(begins, wanted):
    """Whether artists are wanted in the axes whose name begins so."""

    def there(figure):
        axes = [one for one in figure.axes if one.get_ylabel().startswith(begins)]
        return any(wanted(artist) for one in axes for artist in one.get_children())

    return there


def marked(*shapes):
    return lambda one: (
        hasattr(one, "get_marker") and one.get_marker() in shapes and len(one.get_xdata()) > 0
    )


def lines(one):
    return isinstance(one, LineCollection) and len(one.get_segments()) > 0


def walls(one):
    return lines(one) and to_hex(one.get_edgecolor()[0]) == theme.INK


OF_VALLEYS = {
    "coloured bands: what happened": bands,
    "grey beyond its end": grey,
    "dotted: the best loss": dotted,
    "short lines: lowest and highest over 3 such": within("across", walls),
    "‖d‖, the distance": strip("‖d‖"),
    "r₀.₁, within": strip("r₀.₁"),
    "triangle up": within("r₀.₁", marked("^")),
    "triangle down": within("r₀.₁", marked("v")),
    "Critical sharpness, as a Hessian's eigenvalue": within(("critical", "sharpness"), marked("o")),
    "λ, the Hessian's": within("sharpness", marked("D", "^")),
    "he stability bound": within(("critical", "sharpness"), lines),
    "How far each column's": strip("distance to"),
    "dots: back near": within("distance to", marked("o")),
    "gaps part": lambda figure: any(
        to_hex(patch.get_facecolor()) == "#ffffff" and patch.get_zorder() == 6
        for patch in figure.findobj(Rectangle)
    ),
    "dots at weights": within(
        "",
        lambda one: marked("o")(one) and one.get_markersize() == 1.3 and len(one.get_xdata()) > 24,
    ),
}


def without(valley, **changes):
    return replace(valley, **changes)


VALLEYS = {
    "all": lambda one: one,
    "no jump, no events": lambda one: without(one, events=()),
    "no bounds": lambda one: without(one, bounds=np.full_like(one.bounds, np.nan)),
    "no critical steps": lambda one: without(
        one, critical_step=np.full_like(one.critical_step, np.nan)
    ),
    "a diagnosis": lambda one: without(
        one, known={"λ": (np.array([40.0, 400.0]), np.array([3.0, 60.0]))}
    ),
    "wide": lambda one: without(one, walls=np.full_like(one.walls, np.inf)),
    "narrow": lambda one: without(one, walls=np.zeros_like(one.walls)),
    "dense": lambda one: without(
        one,
        path=WalkedPath(
            np.sort(np.concatenate([one.path.step, one.path.step + 20])),
            np.sort(np.concatenate([one.path.travelled, one.path.travelled + 4.0])),
            np.repeat(one.path.loss, 2),
        ),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("style", [Style(dpi=60), Style(path=False, dpi=60)])
@pytest.mark.parametrize("name", VALLEYS)
def test_of_a_valley(planted, name, style):
    one = VALLEYS[name](planted.valley(jump=None if "no jump" in name else 15))
    figure = draw.KINDS["valley"](one, style=style)
    said = caption_of("valley", one, figure.drawn).rsplit("\n\n", 1)[0]
    for phrase, there in OF_VALLEYS.items():
        assert (phrase in said) == there(figure), (phrase, said)


def low(valley):
    """Its losses, all of them far below the cap."""
    return {name: np.minimum(losses, 1.0) for name, losses in valley.measures.items()}


def test_a_valley_s_first_paragraph_says_what_stands_around_it(planted):
    one = planted.valley(9, jump=None)

    def said(*valleys, path=True):
        drawn = draw.KINDS["valley"](list(valleys), style=Style(path=path, dpi=60)).drawn
        return _captions("valley", valleys, drawn).partition("\n\n")[0]

    beneath = (
        "beneath: the direction's length ‖d‖, r₀.₁ (the short lines' median distance; boxes: "
        "quartiles), sharpness against its stability bounds, distances to earlier columns."
    )
    lines = "Short lines: where the loss has risen by 0.1"
    grey = "grey: losses beyond the bar's end"
    assert f". {lines}; {grey}; coloured bands: what happened, by name. Above: " in said(one)
    assert f". {lines}; {grey}. Above: " in said(without(one, events=()))
    assert f". {lines}. Above: " in said(without(one, events=(), measures=low(one)))
    assert "quartiles; triangle up: farther than the columns)" in said(planted.valley())
    near = without(one, walls=np.zeros_like(one.walls))
    assert "quartiles; triangle down: nearer than was looked for)" in said(near)
    lost = without(one, across="sharpest", slices=replace(one.slices, overlap=np.zeros(9)))
    assert f"{grey}; triangles on columns: no sharp direction goes on; coloured" in said(lost)
    assert said(one).endswith(f" Above: the run's loss; {beneath}")
    assert said(one, one).count(beneath) == 1
    assert said(one, path=False).endswith(" Above: the run's loss.")
    unbounded = without(one, bounds=np.full_like(one.bounds, np.nan))
    assert "quartiles), sharpness, distances" in said(unbounded)


@pytest.mark.slow
@pytest.mark.parametrize("cap", [None, np.inf])
def test_of_a_surface(planted, cap):
    scan = planted.escape(15, 15)
    style = Style(cap=cap, renderer="matplotlib", dpi=60)
    figure = draw.KINDS["surface"](scan, style=style)
    said = caption_of("surface", scan, figure.drawn).rsplit("\n\n", 1)[0]
    drawn = scan.measures["train_loss"].max() > 2 * scan.constant_loss and cap is None
    assert ("cut at its end" in said) == ("grey where" in said) == drawn
    for phrase in ("thin lines: equal loss", "red line: the path, laid onto it", "marks: at"):
        assert phrase in said
    plumbs = [one for one in figure.axes[-1].lines if one.get_linestyle() == "--"]
    assert ("upright lines" in said) == bool(plumbs)


@pytest.mark.slow
@pytest.mark.parametrize("cap", [None, np.inf])
@pytest.mark.parametrize("path", [True, False])
def test_of_slats(planted, cap, path):
    one = planted.valley(9, jump=None)
    style = Style(cap=cap, path=path, renderer="matplotlib", dpi=60)
    said = caption_of("slats", one, draw.KINDS["slats"](one, style=style).drawn).rsplit("\n\n", 1)[
        0
    ]
    assert ("cut at its end" in said) == (cap is None)
    assert ("red line" in said) == path


def test_of_a_training():
    steps, loss = np.array([0, 45, 90]), np.array([2.3, 1.0, 0.4])
    plain = History("mine", "1f2e", steps, {"train_loss": loss}, np.full(90, np.nan))
    full = replace(
        plain,
        measures={"train_loss": loss, "validation_loss": 2 * loss, "train_accuracy": loss / 3},
        batch_loss=np.linspace(2.4, 0.3, 90),
        events=(Event("spike", 20, 40, "planted"),),
        constant_loss=2.3,
    )
    every = ("accuracies", "orange", "grey", "dotted", "bands")
    for history, wanted in ((plain, ()), (full, every)):
        said = caption_of("loss", history, draw.KINDS["loss"](history).drawn).rsplit("\n\n", 1)[0]
        assert "Blue: training" in said
        # Nothing joins losses between which no batch was measured.
        assert ("dots: logged losses" in said) == (history is full)
        assert [word for word in every if word in said] == list(wanted)
