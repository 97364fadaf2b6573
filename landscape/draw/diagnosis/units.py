"""Dead and saturated units of each layer in time, and what the outputs still tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from landscape.draw.diagnosis import panels
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import page
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History
from landscape.store.measured.networks import Units
from landscape.store.scans.records import Floats

ROW, TALLEST = 0.17, 2.2
"""Height of a layer's row, and of all of them at most, in inches."""
SPREAD = 1.0
HATCH = 0.35
"""Points that a line of the hatching is wide."""
LEFT_NAMES = 11
"""Letters of a layer's name at most."""
SHADES = ListedColormap(
    [(1 - 0.9 * t, 1 - 0.82 * t, 1 - 0.62 * t) for t in np.linspace(0, 1, 256) ** 0.8]
)
"""From no unit, white, to all of them, dark."""


@styled
def units(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw each layer's share of dead units over the steps, the outputs' spread, and the loss.

    A row a layer, in the network's order; cells surround the steps measured, which triangles mark,
    and hold the count where there is room; what is too far from them is hatched, nobody knows the
    units there. Beneath: the standard deviation of the
    outputs over the inputs as a share of their size, and the gradient's norm. What is exactly zero
    stands at the lower edge.
    """
    part, history = _units(found), found.history
    layers = len(part.layers)
    rows = [min(max(ROW * layers, ROW), TALLEST)] if layers else []
    figure, axes = panels.stack(
        [*rows, SPREAD, panels.LOSS],
        handles=[*_entries(found), *panels.entries(history)],
        texts=_small_print(found),
        style=style,
        top=panels.TOP + 0.13,
    )
    if layers:
        _layers(axes[0], part, history)
    panels.in_time(axes[-2], history)
    _spread(axes[-2], part)
    panels.loss(axes[-1], history)
    panels.bottom(axes[-1], loss_curves.step_name(history))
    return figure


def _units(found: Diagnosed) -> Units:
    return panels.needed(found.measured.units, "units", found.name)


def caption(found: Diagnosed) -> str:
    """Say what could still move at the last step; in a paragraph of its own the units' numbers."""
    part = _units(found)
    sentences = [
        f"Dead and saturated units of run {found.name} on all training data at "
        f"{len(part.step)} steps."
    ]
    for name, kind, size, stuck in zip(
        part.layers, part.kinds, part.sizes, part.stuck.T, strict=True
    ):
        if stuck.any():
            counts = ", ".join(f"{count:,}" for count in stuck)
            sentences.append(f"{name}: {counts} of {size:,} {kind}.")
    steps = ", ".join(f"{step:,}" for step in part.step)
    said = _moving(part)
    ready = f"{sentences[0]} {said[0].upper()}{said[1:]}."
    return "\n\n".join([ready, " ".join([*sentences[1:], f"Steps: {steps}."])])


def _layers(axes: Axes, part: Units, history: History) -> None:
    loss_curves.frame(axes, history)
    axes.grid(False)
    span = loss_curves.step_limits(history)
    step, sizes, stuck = part.step.astype(np.float64), part.sizes, part.stuck
    left, right = _reaches(step, span)
    count = len(sizes)
    share = stuck / np.maximum(sizes, 1)
    edges, there = _columns(left, right)
    shown = np.full((count, len(there)), np.nan)
    shown[:, there >= 0] = share.T[:, there[there >= 0]]
    axes.pcolormesh(
        edges,
        np.arange(count + 1) - 0.5,
        np.ma.masked_invalid(shown),
        cmap=SHADES,
        norm=Normalize(0, 1),
        lw=0,
    )
    if _has_gaps(part, span):
        page.drew(axes, "unmeasured")
        axes.axvspan(*span, **_hatched(), zorder=0.1)
    axes.set(xlim=span, ylim=(count - 0.5, -0.5))
    axes.hlines(np.arange(1, count) - 0.5, *span, color=theme.PALE, lw=0.3)
    several = len(set(part.kinds)) > 1
    names = [
        _short(name) + (f" ({kind})" if several else "")
        for name, kind in zip(part.layers, part.kinds, strict=True)
    ]
    every = -(-count // max(1, int(TALLEST / 0.13)))
    axes.yaxis.set_major_locator(FixedLocator(list(range(0, count, every))))
    axes.set_yticklabels(names[::every], size=theme.SMALL)
    axes.xaxis.set_major_locator(FixedLocator([]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.plot(
        step,
        np.full(len(step), 1.0),
        "v",
        transform=axes.get_xaxis_transform(),
        color=theme.now().ink,
        ms=3.2,
        clip_on=False,
    )
    kind = " or ".join(dict.fromkeys(part.kinds))
    axes.set_title(f"units {kind} on all data", size=theme.LETTERS, loc="left", pad=5)
    if every == 1:
        _counts(axes, (left, right), stuck, sizes)


def _reaches(step: Floats, span: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return the ends (R,) of the cells about the steps: halfway to the next one, but not far."""
    middle = (step[1:] + step[:-1]) / 2
    far = panels.UNKNOWN / 2 * (span[1] - span[0])
    left = np.maximum(np.append(span[0], middle), step - far)
    right = np.minimum(np.append(middle, span[1]), step + far)
    return left, right


def _has_gaps(part: Units, span: tuple[float, float]) -> bool:
    """Whether some steps are far from all that were measured."""
    left, right = _reaches(part.step.astype(np.float64), span)
    return bool(left[0] > span[0] or right[-1] < span[1] or (left[1:] > right[:-1]).any())


def _hatched() -> dict[str, Any]:
    return {
        "facecolor": "none",
        "edgecolor": theme.PALE,
        "hatch": "/////",
        "hatch_linewidth": HATCH,
        "lw": 0,
    }


def _columns(left: Floats, right: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the edges of cells and of the gaps between them, and which cell each is, gaps -1."""
    edges = np.unique(np.concatenate([left, right]))
    return edges, np.where(np.isin(edges[:-1], left), np.searchsorted(left, edges[:-1]), -1)


def _counts(
    axes: Axes,
    ends: tuple[Floats, Floats],
    stuck: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> None:
    """Write count of size into the cells that hold some and have the room."""
    left, right = (axes.transData.transform(np.c_[at, 0 * at])[:, 0] for at in ends)
    middle, wide = (left + right) / 2, (right - left) / theme.now().dpi
    middle = axes.transAxes.inverted().transform(np.c_[middle, middle])[:, 0]
    for i, k in zip(*np.nonzero(stuck), strict=True):
        for text in (f"{stuck[i, k]} of {sizes[k]}", f"{stuck[i, k]}"):
            if wide[i] > page.inches(text, theme.SMALL) + 0.03:
                axes.text(
                    middle[i],
                    k,
                    text,
                    transform=axes.get_yaxis_transform(),
                    size=theme.SMALL,
                    ha="center",
                    va="center_baseline",
                    color="white" if stuck[i, k] > 0.45 * sizes[k] else theme.INK,
                )
                break


def _short(name: str) -> str:
    return name if len(name) <= LEFT_NAMES else f"…{name[1 - LEFT_NAMES :]}"


def _lines(part: Units) -> dict[str, Floats]:
    """Return the outputs' relative spread and the gradient's norm, (R,) each."""
    return {"spread": part.relative_spread, "gradient": part.gradient_norm}


def _spread(axes: Axes, part: Units) -> None:
    lines = _lines(part)
    every = np.concatenate(list(lines.values()))
    panels.upright(
        axes, every[np.isfinite(every)], "relative spread,\ngradient norm", log=True, count=4
    )
    floor = axes.get_ylim()[0]
    for name, values in lines.items():
        colour, dashes, marker, _ = _looks()[name]
        known = np.isfinite(values)
        step, shown = part.step[known], values[known]
        seen = np.maximum(shown, floor)
        axes.plot(step, seen, color=colour, ls="", marker=marker, ms=3.6, clip_on=False)
        axes.plot(*panels.joined(step, seen), color=colour, ls=dashes, lw=1.0, clip_on=False)
        zero = step[shown == 0]
        for at in zero:
            axes.annotate(
                "0",
                (at, 0),
                (-4, 3.5),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                size=theme.SMALL,
                ha="right",
                color=theme.now().ink,
                path_effects=theme.halo(2.0, theme.now().page),
            )


def _looks() -> dict[str, tuple[str, Any, str, str]]:
    look = theme.now()
    return {
        "spread": (
            look.validation,
            "-",
            "o",
            "relative spread: outputs' standard deviation over inputs / size",
        ),
        "gradient": (panels.GREEN, (0, (4, 1.6)), "D", "norm of the training loss's gradient"),
    }


def _entries(found: Diagnosed) -> list[Artist]:
    look, part = theme.now(), _units(found)
    entries: list[Artist] = [
        Line2D([], [], color=look.ink, ls="", marker="v", ms=3.2, label="measured here")
    ]
    if len(part.layers) and _has_gaps(part, loss_curves.step_limits(found.history)):
        entries.append(Patch(**_hatched(), label="measured at no step near"))
    entries += [
        Line2D([], [], color=colour, ls=dashes, lw=1.0, marker=marker, ms=3.6, label=text)
        for colour, dashes, marker, text in _looks().values()
    ]
    return entries


def _moving(part: Units) -> str:
    """Say which parameters have a gradient at the last step measured."""
    moving, count = part.moving(-1), len(part.tensors)
    step = f"step {part.step[-1]:,}"
    if len(moving) == count:
        return f"at {step} every parameter has a gradient"
    if not moving:
        return f"at {step} the gradient of every parameter is exactly 0"
    if len(moving) <= 3:
        return f"at {step} only {', '.join(moving)} has a gradient, all others' is exactly 0"
    return f"at {step} {count - len(moving)} of {count} tensors have gradient exactly 0"


def _small_print(found: Diagnosed) -> list[str]:
    part = _units(found)
    if not len(part.layers):
        seen = "no activation was seen whose units could be dead or saturated"
        return [loss_curves.trained(found.history), f"{seen}; {_moving(part)}"]
    return [loss_curves.trained(found.history), _moving(part)]
