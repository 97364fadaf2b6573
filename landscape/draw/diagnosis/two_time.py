"""How far apart a run's weights and its predictions are at any two steps, as two maps."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from landscape.draw.diagnosis import panels
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import COLUMN, PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.quantities import number, percent
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.networks import Functions
from landscape.store.scans.records import Floats

WIDTH, LEFT, TOP, BENEATH, BETWEEN, RIGHT = 6.2, 0.68, 0.27, 0.46, 0.72, 0.2
BAR = 0.5
"""Room for a colour scale, in inches."""


@styled
def two_time(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw d(w_N, w_M), and the share of samples that are predicted otherwise at N than at M.

    Bands of one colour along the diagonal: what matters is the lag alone, it doesn't age. Where
    colours still change along the diagonal the run is older than it was. Without classes the
    second map is of distances between the outputs.
    """
    weights = panels.needed(found.measured.distances, "distances", found.name).distances
    functions = _functions(found)
    width = style.inches(WIDTH)
    wide = width >= COLUMN
    side = (width - LEFT - RIGHT - BETWEEN) / 2 if wide else min(2.6, width - LEFT - RIGHT)
    texts = _small_print(found, functions)
    lines = panels.small_print(texts, width, style)
    one = TOP + side + BENEATH + BAR
    end = one if wide else 2 * one
    sheet = page.blank(width, end + footer.LINE * len(lines) + 0.12, title=style.title, left=LEFT)
    places = [(LEFT, TOP), (LEFT + side + BETWEEN, TOP) if wide else (LEFT, TOP + one)]
    maps = (
        (weights.step, np.sqrt(weights.squared), "distance of weights"),
        (functions.step, *_differing(functions)),
    )
    for (left, top), (step, values, name) in zip(places, maps, strict=True):
        axes = sheet.axes(left, top, side, side)
        _map(axes, step, values, name)
        bar = sheet.axes(left, top + side + BENEATH, side, footer.BAR)
        _bar(bar, values)
    sheet.text(LEFT, end, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def caption(found: Diagnosed) -> str:
    """Say how far the last weights and predictions are from those half-way."""
    weights = panels.needed(found.measured.distances, "distances", found.name).distances
    functions = _functions(found)
    middle = len(functions.step) // 2
    at = int(np.abs(weights.step - functions.step[middle]).argmin())
    differ = float(functions.disagreement[middle, -1])
    moved = number(float(np.sqrt(weights.squared[at, -1])))
    text = (
        f"Two-time maps of run {found.name}: distance of the weights at steps N "
        "and M, and of what they compute. From step "
        f"{functions.step[middle]:,} to the last, {functions.step[-1]:,}, the weights moved by "
        f"{moved}"
    )
    if np.isfinite(differ):
        text += f" and {percent(differ)} of the {functions.data} predictions changed"
    return f"{text}."


def _functions(found: Diagnosed) -> Functions:
    return panels.needed(found.measured.functions, "functions", found.name)


def _differing(functions: Functions) -> tuple[Floats, str]:
    """Return what the second map shows, and its name."""
    if np.isfinite(functions.disagreement).all():
        return 100 * functions.disagreement, "predictions that differ, %"
    return functions.distance, "distance of outputs"


def _edges(step: NDArray[np.int64]) -> Floats:
    middle = (step[1:] + step[:-1]) / 2
    return np.concatenate([[step[0]], middle, [step[-1]]]).astype(np.float64)


def _map(axes: Axes, step: NDArray[np.int64], values: Floats, name: str) -> None:
    edges = _edges(step)
    high = float(values.max()) or 1.0
    axes.pcolormesh(edges, edges, values, vmin=0, vmax=high, cmap=theme.now().loss, rasterized=True)
    axes.set_aspect("equal")
    panels.steps(axes.xaxis, 5)
    panels.steps(axes.yaxis, 5)
    axes.set_xlabel("training step N", size=theme.LETTERS, labelpad=2)
    axes.set_ylabel("training step M", size=theme.LETTERS, labelpad=2)
    axes.set_title(name, size=theme.TITLE, loc="left", pad=4)


def _bar(axes: Axes, values: Floats) -> None:
    high = float(values.max()) or 1.0
    shades = np.linspace(0, high, 257)
    axes.pcolormesh(
        shades,
        [0, 1],
        (shades[1:] + shades[:-1])[None] / 2,
        vmin=0,
        vmax=high,
        cmap=theme.now().loss,
        rasterized=True,
    )
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _small_print(found: Diagnosed, functions: Functions) -> list[str]:
    return [
        loss_curves.trained(found.history),
        f"weights at {len(panels.needed(found.measured.distances, 'distances', '').distances.step)}"
        f" steps, predictions at {len(functions.step)} of the {functions.samples:,} "
        f"{functions.data} samples; colours that change along the diagonal: it ages",
    ]
