"""Which layers the curvature lies in: each tensor's own block of the Hessian."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from landscape.draw.diagnosis import panels
from landscape.draw.elements import plots
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.curvature import LayerCurvature
from landscape.store.scans.records import Floats

MOST = 16
"""Tensors that are shown: those of the largest eigenvalues at the last step."""
ROW = 0.17
"""Height of one, in inches."""
NAMED = 24
"""Letters of a tensor's name that there is room for."""
EARLIER = 0.35
"""Opacity of what was measured before the last step."""


@styled
def layers(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw each tensor's top eigenvalue, with and without its squared norm, tensor by tensor.

    Earlier steps are faint.

    Raises:
        LandscapeError: no block has a positive eigenvalue.
    """
    part = _measured(found)
    shown = _shown(part)
    top, scaled = part.top[:, shown], part.scaled[:, shown]
    values = np.concatenate([top.ravel(), scaled.ravel(), part.whole])
    if not (values > 0).any():
        raise LandscapeError(
            f"a figure of layers needs a curvature above 0, run {found.name} has none"
        )
    figure, [axes] = panels.stack(
        [ROW * len(shown) + 0.2],
        handles=_entries(part),
        texts=_small_print(found, part),
        style=style,
    )
    plots.frame(axes, 0, 1)
    _marks(axes, part, top, scaled)
    log = style.log is not False
    axes.set_xscale("log" if log else "linear")
    _across(axes, values[values > 0] if log else values, log=log)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.yaxis.set_major_locator(FixedLocator(list(range(len(shown)))))
    axes.yaxis.set_minor_locator(NullLocator())
    names = [_short(part.tensors[k]) for k in shown]
    # Beside the marks, within the panel: names can be longer than the margin.
    axes.set_yticklabels([])
    for row, name in enumerate(names):
        axes.text(
            0.01, row, name, transform=axes.get_yaxis_transform(), size=theme.SMALL, va="center"
        )
    panels.bottom(axes, "curvature of the tensor's block")
    return figure


def caption(found: Diagnosed) -> str:
    """Say which tensor is sharpest and which holds most of the trace, at the last step."""
    part = _measured(found)
    sharp = int(part.top[-1].argmax())
    held = int(np.abs(part.trace[-1]).argmax())
    whole = float(part.trace[-1].sum())
    return (
        f"Curvature by layer of run {found.name}: the Hessian's diagonal block of "
        f"each tensor, at step {part.step[-1]:,}. Sharpest is {part.tensors[sharp]}, top "
        f"eigenvalue {number(float(part.top[-1, sharp]))} of the whole's "
        f"{number(float(part.whole[-1]))}; most of the trace {number(whole)} is "
        f"{part.tensors[held]}'s, {number(float(part.trace[-1, held]))}."
    )


def _measured(found: Diagnosed) -> LayerCurvature:
    return panels.needed(found.measured.curvature_by_layer, "curvature-by-layer", found.name)


def _shown(part: LayerCurvature) -> list[int]:
    largest = np.argsort(-part.top[-1])[:MOST]
    return sorted(int(k) for k in largest)


def _short(name: str) -> str:
    return name if len(name) <= NAMED else f"…{name[1 - NAMED :]}"


def _marks(axes: Axes, part: LayerCurvature, top: Floats, scaled: Floats) -> None:
    look = theme.now()
    rows = np.arange(top.shape[1])
    for step in range(len(part.step)):
        last = step == len(part.step) - 1
        alpha = 1.0 if last else EARLIER
        for values, mark, colour in ((top, "o", look.train), (scaled, "D", look.validation)):
            axes.plot(values[step], rows, mark, color=colour, ms=4, alpha=alpha, mew=0, zorder=3)
    axes.axvline(float(part.whole[-1]), color=look.ink, lw=0.9, ls=(0, (4, 1.6)), zorder=2)


def _across(axes: Axes, values: Floats, *, log: bool) -> None:
    low, high = float(values.min()), float(values.max())
    room = 0.45  # of the panel, for the names at its left
    if log:
        high *= 1.4
        low = max(low, high * 1e-6) / 1.4
        axes.set_xlim(low * (low / high) ** (room / (1 - room)), high)
    else:
        span = (high - low) or 1.0
        axes.set_xlim(low - span * room / (1 - room), high + 0.05 * span)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _entries(part: LayerCurvature) -> list[Artist]:
    look = theme.now()
    return [
        Line2D([], [], color=look.train, marker="o", ms=4, lw=0, label="λ, its top eigenvalue"),
        Line2D([], [], color=look.validation, marker="D", ms=4, lw=0, label="|w|² λ"),
        Line2D(
            *([], []),
            color=look.ink,
            ls=(0, (4, 1.6)),
            lw=0.9,
            label=f"λ_max of the whole, {number(float(part.whole[-1]))}",
        ),
    ]


def _small_print(found: Diagnosed, part: LayerCurvature) -> list[str]:
    facts = [f"at step {part.step[-1]:,}"]
    if len(part.step) > 1:
        earlier = ", ".join(f"{step:,}" for step in part.step[:-1])
        facts.append(f"faint: at steps {earlier}")
    if len(part.tensors) > MOST:
        facts.append(f"the {MOST} sharpest of {len(part.tensors)} tensors")
    if part.samples < part.total:
        facts.append(f"over {part.samples:,} of {part.total:,} samples")
    facts.append("no block is sharper than the whole; blocks' traces sum to its trace")
    return [loss_curves.trained(found.history), "; ".join(facts)]
