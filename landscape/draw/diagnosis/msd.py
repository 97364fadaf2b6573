"""How the weights spread: mean squared displacement by lag, beside confinement, walk and drift."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from landscape.draw.diagnosis import panels
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.errors import LandscapeError
from landscape.quantities import counted, number, percent
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.weights import Diffusion
from landscape.store.scans.records import Floats

HIGH = 2.9
NAMES = 0.82
"""Room for the names of the nulls, in inches."""
NULLS = (("confined", 0, (0, (1.2, 1.2))), ("walk ∝ τ", 1, (0, (4, 1.6))), ("drift ∝ τ²", 2, "-."))
SHORT, LONG = 1 / 8, 1 / 2
"""Lags, as shares of the window, between which a null's growth is compared: R."""


@styled
def msd(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw MSD(τ) with its errors, both axes logarithmic, and what nulls would give.

    Confinement, a walk and a drift go through the MSD at an eighth of the window: where it stands
    among them at half the window is the ratio R. The line through the short lags has the exponent.

    Raises:
        LandscapeError: fewer than two lags have an MSD above 0.
    """
    part = _diffusion(found)
    lag, values = part.lags, part.msd
    if (values > 0).sum() < 2:
        raise LandscapeError(
            f"an msd figure needs two lags with an MSD above 0, run {found.name} has "
            f"{(values > 0).sum()}"
        )
    texts = [loss_curves.trained(found.history), *_small_print(part)]
    figure, [axes] = panels.stack(
        [HIGH], handles=_entries(part), texts=texts, style=style, right=NAMES
    )
    panels.log_steps(axes, lag[0] / 1.15, lag[-1] * 1.15, "lag τ, training steps")
    error = np.nan_to_num(part.msd_error)
    shown = np.concatenate([values, values + error])
    panels.upright(axes, shown[shown > 0], "mean squared displacement", log=True, count=7)
    _nulls(axes, part, lag, values)
    _ages(axes, part, lag)
    ink = theme.now().ink
    # On a logarithmic axis an error as large as the value would reach down for ever.
    lower = np.minimum(error, 0.95 * values)
    axes.errorbar(
        lag, values, [lower, error], fmt="o", ms=3, color=ink, elinewidth=0.9, capsize=1.6, zorder=5
    )
    _exponent(axes, part, lag, values)
    return figure


def caption(found: Diagnosed) -> str:
    """Say what is shown and what was read from it."""
    part = _diffusion(found)
    window, numbers = _small_print(part)
    return " ".join(
        [
            f"Mean squared displacement by lag of the weights of run {found.name}.",
            f"{window[0].upper()}{window[1:]}: {numbers}.",
            "Confinement, walk and drift are drawn through the value at T/8.",
            *(
                [f"This doesn't decide how the weights move: {why}."]
                if (why := found.motion_open)
                else []
            ),
        ]
    )


def seen(found: Diagnosed) -> str:
    """What the figure shows, for whoever doesn't see it: how the displacement grows."""
    part = _diffusion(found)
    why = f" This doesn't decide how the weights move: {found.motion_open}."
    return (
        f"Mean squared displacement by lag of the weights of run {found.name}, over a window of "
        f"{counted(part.steps, 'step')}. Growth: {part.growth}{_overshoot(part)}."
        f"{why if found.motion_open else ''}"
    )


def _diffusion(found: Diagnosed) -> Diffusion:
    return panels.needed(found.measured.diffusion, "diffusion", found.name)


def _nulls(axes: Axes, part: Diffusion, lag: Floats, values: Floats) -> None:
    """Draw the nulls from T/8 on, and faintly where they don't bear on R."""
    whole = part.steps
    anchor = SHORT * whole
    height = float(
        np.exp(np.interp(np.log(anchor), np.log(lag), np.log(np.maximum(values, 1e-300))))
    )
    low, high = axes.get_ylim()
    top = max(high, height * (LONG / SHORT) ** 2 * 1.3)
    axes.set_ylim(min(low, height / 1.3), top)
    axes.yaxis.get_major_locator().locs = panels.ticks(axes, 7)  # type: ignore[attr-defined]
    ends = np.array([anchor, LONG * whole])
    named = []
    for name, power, dashes in NULLS:
        colour = theme.now().validation
        line = height * (ends / anchor) ** power
        axes.plot(ends, line, color=colour, ls=dashes, lw=1.5, zorder=4)
        before = np.array([lag[0], anchor])
        axes.plot(
            before, height * (before / anchor) ** power, color=colour, ls=dashes, lw=0.7, alpha=0.5
        )
        named.append((float(line[-1]), name, colour))
    for share, text in ((SHORT, "T/8"), (LONG, "T/2")):
        axes.axvline(share * whole, color=theme.PALE, lw=0.6, zorder=1)
        axes.annotate(
            text,
            (share * whole, 0),
            (0, 3),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            size=theme.SMALL,
            ha="center",
            color=theme.now().ink,
            path_effects=theme.halo(2.2, theme.now().page),
        )
    panels.beside(axes, named, NAMES)


def _ages(axes: Axes, part: Diffusion, lag: Floats) -> None:
    for colour, line in zip(_shades(part), part.aging, strict=True):
        known = np.isfinite(line) & (line > 0)
        axes.plot(lag[known], line[known], color=colour, lw=0.9, zorder=2)


def _shades(part: Diffusion) -> list[Any]:
    count = len(part.ages)
    return [theme.STEP(share) for share in np.linspace(0.25, 1.0, count)]


def _exponent(axes: Axes, part: Diffusion, lag: Floats, values: Floats) -> None:
    """Draw the fitted power law over the lags that it was fitted to, with its exponent."""
    if not np.isfinite(part.exponent):
        return
    short = lag <= part.fitted_to
    x = np.log(lag[short])
    middle = np.log(values[short]).mean()
    line = np.exp(middle + part.exponent * (x - x.mean()))
    axes.plot(np.exp(x), line, color=theme.now().train, lw=2.2, alpha=0.8, zorder=6)


def _entries(part: Diffusion) -> list[Artist]:
    look = theme.now()
    found: list[Artist] = [
        Line2D([], [], color=look.ink, marker="o", ms=3, lw=0.9, label="MSD ± standard error")
    ]
    if np.isfinite(part.exponent):
        text = f"exponent {_with_error(part.exponent, part.exponent_error)}, lags up to T/10"
        found.append(Line2D([], [], color=look.train, lw=2.2, alpha=0.8, label=text))
    starts = [int(part.first_step + age) for age in part.ages]
    lasts = [*starts[1:], int(part.last_step)][: len(starts)]
    for first, last, colour in zip(starts, lasts, _shades(part), strict=True):
        text = f"of pairs that start in {first:,}–{last:,}"
        found.append(Line2D([], [], color=colour, lw=0.9, label=text))
    return found


def _with_error(value: float, error: float) -> str:
    if not np.isfinite(value):
        return "unknown"
    return f"{number(value)} ± {number(error, 2)}"


def _overshoot(part: Diffusion) -> str:
    if (peak := part.overshoot) is None:
        return ""
    return (
        f", with an overshoot: a peak at a lag of {counted(round(peak.lag), 'step')}, "
        f"{percent(peak.back)} of it beyond"
    )


def _small_print(part: Diffusion) -> list[str]:
    window = (
        f"window of T = {part.steps:,} steps, {part.first_step:,} to {part.last_step:,}, "
        f"{percent(part.window_share)} of the run"
    )
    if part.source == "sketch":
        window += f"; from sketches, error of a distance {percent(part.distance_error)}"
    numbers = [
        f"c½ = {_with_error(part.half_cosine, part.half_cosine_error)} "
        "(−½ confined, 0 walk, 1 drift)",
        f"R = MSD(T/2)/MSD(T/8) = {number(part.ratio, 2)} (1, 4, 16)",
        "exponent: towards 0, 1, 2 for these",
        f"D_eff = {number(part.dimension, 2)}",
        f"growth: {part.growth}" + _overshoot(part),
    ]
    for name, one in part.parts.items():
        where = f"{one.dimensions} sharpest directions" if name == "subspace" else "the bulk"
        numbers.append(f"{where}: {percent(one.share)} of MSD(T/2), R = {number(one.ratio, 2)}")
    return [window, "; ".join(numbers)]
