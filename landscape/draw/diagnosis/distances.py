"""How far a run's weights are from each other, beside distances to copies and a twin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from landscape.draw.diagnosis import panels
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import COLUMN, PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.quantities import counted, number, percent
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.networks import Functions
from landscape.store.measured.weights import Copies, LagCurve, WeightDistances
from landscape.store.scans.records import Floats

WIDTH, LEFT, TOP, BENEATH = 7.0, 0.62, 0.27, 0.45
STRIP = 0.11
"""Width of the colour scale, in inches."""
BETWEEN = 0.62
"""From the matrix to the colour scale."""
NAMES = 1.2
"""Room for the names of the reference distances."""
DECADES = 3.0
"""The colour scale reaches so far down from the largest distance at most."""
FLAT = 2.4
"""Height of the curve in a narrow figure."""


@styled
def distances(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw the matrix of d(w_N, w_M) and d by the lag M − N, on one scale of distances.

    On it stand those references that were measured: the nearest copy, the typical copy, and a
    twin before and after matching. The scale is logarithmic unless asked otherwise.
    """
    part = _distances(found)
    step, matrix = part.distances.step, np.sqrt(part.distances.squared)
    width = style.inches(WIDTH)
    wide = width >= COLUMN
    references = list(_references(found.measured.permutations))
    names = NAMES if references else 0.14
    if wide:
        side = 0.47 * (width - LEFT - BETWEEN - STRIP - names)
        across = width - LEFT - side - BETWEEN - STRIP - names
        left, top, tall = LEFT + side + BETWEEN, TOP, side
    else:
        side = width - LEFT - 0.2
        across = width - LEFT - STRIP - names
        left, top, tall = LEFT, TOP + side + BENEATH + 0.3, FLAT
    lines = panels.small_print(_small_print(found), width, style)
    panels_end = top + tall + BENEATH
    sheet = page.blank(
        width, panels_end + footer.LINE * len(lines) + 0.12, title=style.title, left=LEFT
    )
    low, high, top_value = _limits(matrix, part.by_lag, references, style)
    norm = Normalize(low, high) if style.log is False else LogNorm(low, high)
    _matrix(sheet.axes(LEFT, TOP, side, side), step, matrix, norm)
    strip = sheet.axes(left, top, STRIP, tall)
    curve = sheet.axes(left + STRIP, top, across, tall)
    for axes in (strip, curve):
        axes.set_yscale("linear" if style.log is False else "log")
        axes.set_ylim(low, top_value)
    _scale(strip, low, high, norm)
    _by_lag(curve, part.by_lag, part.settled)
    for value, _ in references:
        look = theme.now()
        strip.axhline(value, color=look.page, lw=2.2, zorder=3)
        strip.axhline(value, color=look.ink, lw=1.0, zorder=3)
        curve.axhline(value, color=look.ink, lw=0.9, ls=(0, (3.5, 1.4)), zorder=3)
    # Copies may be as near as dead units are alike: below the axis, its end stands for them.
    panels.beside(curve, [(max(v, low), text, theme.now().ink) for v, text in references], names)
    sheet.text(LEFT, panels_end, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def caption(found: Diagnosed) -> str:
    """Say what is shown, with the reference distances."""
    matrix = np.sqrt(_distances(found).distances.squared)
    sentences = [
        f"Euclidean distances d(w_N, w_M) between the weights of run {found.name} "
        f"at {len(matrix):,} recorded steps, up to "
        f"{number(float(matrix.max()))}, and their root mean square and range by lag.",
        *(f"{text[0].upper()}{text[1:]}." for text in _small_print(found)[1:]),
    ]
    return " ".join(sentences)


def seen(found: Diagnosed) -> str:
    """What the figure shows, for whoever doesn't see it: how far apart weights are."""
    part = _distances(found)
    lag = part.by_lag
    apart = ", ".join(
        f"{number(float(lag.distance[k]))} at a lag of {counted(round(float(lag.lag[k])), 'step')}"
        for k in sorted({0, len(lag.lag) - 1})
    )
    return (
        f"Distances between the weights of run {found.name} at {len(part.distances.step):,} "
        f"recorded steps, at most {number(float(np.sqrt(part.distances.squared.max())))}. Root "
        f"mean square: {apart}."
    )


def _distances(found: Diagnosed) -> WeightDistances:
    return panels.needed(found.measured.distances, "distances", found.name)


def _references(copies: Copies | None) -> Iterator[tuple[float, str]]:
    """Yield the reference distances that were measured, and what they are called."""
    if copies is None:
        return
    exact = "nearest copy" if copies.nearest_is_exact else "nearest single-layer copy"
    typical = copies.typical.mean if copies.typical is not None else None
    for distance, text in (
        (copies.nearest, exact),
        (typical, "typical copy"),
        (copies.twin, "twin"),
        (copies.twin_matched, "twin, matched"),
    ):
        if distance is not None:
            yield distance, f"{text} {number(distance)}"


def _limits(
    matrix: Floats, by_lag: LagCurve, references: list[tuple[float, str]], style: Style
) -> tuple[float, float, float]:
    """Return the colour scale's ends and the top of the axis, which references may reach."""
    high = float(matrix.max())
    top = max([high, *(value for value, _ in references)])
    if not high > 0:  # the weights never moved
        top = top or 1.0
        return (0.0 if style.log is False else top / 10), top, 1.06 * top
    if style.log is False:
        return 0.0, high, 1.06 * top
    positive = by_lag.low[by_lag.low > 0]
    low = max(float(positive.min()) if len(positive) else 0.0, high / 10**DECADES)
    return min(low, high / 1.01), high, top * (top / low) ** 0.05


def _matrix(axes: Axes, step: NDArray[np.int64], matrix: Floats, norm: Normalize) -> None:
    middle = (step[1:] + step[:-1]) / 2
    edges = np.concatenate([[step[0]], middle, [step[-1]]]).astype(np.float64)
    shown = np.maximum(matrix, norm.vmin or 0.0)
    axes.pcolormesh(edges, edges, shown, norm=norm, cmap=theme.now().loss, rasterized=True)
    axes.set_aspect("equal")
    panels.steps(axes.xaxis, 5)
    panels.steps(axes.yaxis, 5)
    axes.set_xlabel("training step N", size=theme.LETTERS, labelpad=2)
    axes.set_ylabel("training step M", size=theme.LETTERS, labelpad=2)
    axes.set_title("between steps N and M", size=theme.TITLE, loc="left", pad=4)


def _scale(axes: Axes, low: float, high: float, norm: Normalize) -> None:
    """Fill the strip with the matrix's colours, as far up as they reach."""
    log = axes.get_yscale() == "log"
    edges = np.geomspace(low, high, 257) if log else np.linspace(low, high, 257)
    middle = (edges[1:] + edges[:-1]) / 2
    axes.pcolormesh(
        [0, 1], edges, middle[:, None], norm=norm, cmap=theme.now().loss, rasterized=True
    )
    axes.set_xticks([])
    axes.yaxis.set_major_locator(FixedLocator(list(panels.ticks(axes, 7))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_ylabel("distance", size=theme.LETTERS, labelpad=2)


def _by_lag(axes: Axes, by_lag: LagCurve, settled: LagCurve | None) -> None:
    lag = by_lag.lag
    look = theme.now()
    axes.fill_between(lag, by_lag.low, by_lag.high, color=look.train, alpha=0.2, lw=0)
    axes.plot(lag, by_lag.distance, color=look.train, lw=1.5, zorder=4)
    if settled is not None:
        dashes = (0, (2, 1.2))
        axes.plot(settled.lag, settled.distance, color=look.ink, lw=1.5, ls=dashes, zorder=5)
    panels.log_steps(axes, 0.9 * float(lag[0]), 1.1 * float(lag[-1]), "lag M − N, training steps")
    axes.tick_params(labelleft=False, left=False)
    axes.yaxis.set_major_locator(FixedLocator(list(panels.ticks(axes, 7))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title("by lag: r.m.s. and range", size=theme.TITLE, loc="left", pad=4)


def _predictions(functions: Functions | None) -> list[str]:
    """Say how far functions are from the last one's, at a few steps."""
    if functions is None or not np.isfinite(functions.disagreement).all():
        return []
    step, differing = functions.step, functions.disagreement[-1]
    rows = sorted({0, len(step) // 2, max(len(step) - 2, 0)})
    shares = ", ".join(f"{percent(differing[k])} at step {step[k]:,}" for k in rows)
    return [
        f"share of the {functions.data} samples that are predicted otherwise than by the last "
        f"weights: {shares}"
    ]


def _span(pairs: NDArray[np.int64]) -> str:
    """Of how many pairs a lag's distances are."""
    low, high = int(pairs.min()), int(pairs.max())
    return counted(low, "pair") if low == high else f"{low:,} to {counted(high, 'pair')}"


def _small_print(found: Diagnosed) -> list[str]:
    part, copies = _distances(found).distances, found.measured.permutations
    texts = [loss_curves.trained(found.history)]
    if part.source == "sketch":
        texts.append(f"distances estimated from sketches, error {percent(part.error)}")
    if _distances(found).settled is not None:
        texts.append(
            f"dashed: from step {_distances(found).since:,} on, the motion's window; the range and "
            "the line are the whole run's"
        )
    pairs = _distances(found).by_lag.pairs
    texts.append(f"by lag: {_span(pairs)} at each")
    if part.of:
        texts.append(f"{len(part.step):,} of {part.of:,} recorded steps")
    texts += _predictions(found.measured.functions)
    if copies is None:
        texts.append("copies and a twin: not measured")
        return texts
    if copies.reason is not None:
        texts.append(f"no permuted copies: {copies.reason}")
    else:
        texts.append(
            "copies of the last weights: the same network with its hidden units in another order; "
            "nearest: the two most similar units of a layer exchanged"
            + ("" if copies.nearest_is_exact else ", an upper bound on the nearest of all")
            + "; typical: all units in random order"
        )
    if copies.twin is None:
        texts.append("no independently trained twin was given")
    else:
        texts.append("twin: trained independently; matched: its units in the order that is closest")
    return texts
