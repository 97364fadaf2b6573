"""The pictures of docs/science.md that show many runs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from science_cases import Case, cases

from landscape.draw.look import theme
from landscape.store import read
from landscape.store.scans.records import Floats

DPI = 150
COLOURS = (
    *("#332288", "#88ccee", "#44aa99", "#117733", "#ddaa33", "#cc6677"),
    *("#882255", "#aa4499", "#666666", "#b35900", "#1a1a1a"),
)
"""After Paul Tol's muted scheme, which the colour-blind tell apart; with marks of their own."""
MARKERS = "osD^vP<>Xhd"
NULLS: Mapping[str, tuple[float, float]] = {
    "confined": (1.0, -0.5),
    "walk": (4.0, 0.0),
    "drift": (16.0, 1.0),
}
"""R and c½."""
POINTS = 30
"""Times at which replicas are compared."""
LABELS = {"confined": ((8, 0), "left"), "walk": ((8, 0), "left"), "drift": ((0, 9), "right")}
"""Where their names stand, in points, and from which side."""


def _figure(width: float, height: float, columns: int) -> tuple[Figure, list[Axes]]:
    figure = Figure((width, height), dpi=DPI, layout="constrained")
    found = [figure.add_subplot(1, columns, 1 + number) for number in range(columns)]
    for axes in found:
        axes.tick_params(labelsize=theme.TICKS, width=0.6, length=3)
        axes.grid(True, color=theme.now().grid, lw=0.5)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_linewidth(0.6)
    return figure, found


def trials(folder: Path, names: Sequence[str], file: Path) -> None:
    """Training loss against epochs, a panel for each trial and a line for each seed."""
    figure, panels = _figure(7.2, 1.9, len(names))
    for axes, name in zip(panels, names, strict=True):
        for case, colour in zip(cases(folder, name), COLOURS, strict=False):
            steps, loss = _losses(case)
            axes.plot(steps, loss, color=colour, lw=0.9, label=f"seed {case.setting['seed']}")
        axes.axhline(np.log(10), color=theme.INK, lw=0.7, ls=(0, (1.2, 1.6)))
        axes.set_ylim(0, 3)
        axes.set_title(name, fontsize=theme.TITLE, loc="left")
        axes.set_xlabel("epoch", fontsize=theme.LETTERS)
        if axes is not panels[0]:
            axes.tick_params(labelleft=False)
    panels[0].set_ylabel("training loss", fontsize=theme.LETTERS)
    panels[-1].legend(fontsize=theme.SMALL, frameon=False, loc="lower left")
    figure.savefig(file)


def _losses(case: Case) -> tuple[Floats, Floats]:
    """Epochs and the full data's loss at the evaluated rows."""
    trajectory = read(case.folder).trajectory
    loss = np.asarray(trajectory.measures["train_loss"], dtype=float)
    known = np.isfinite(loss)
    whole = int(trajectory.step[-1]) / case.setting["epochs"]
    return np.asarray(trajectory.step)[known] / whole, loss[known]


def regimes(folder: Path, names: Sequence[str], file: Path) -> None:
    """Every run among confinement, walk and drift, and how replicas part from each other."""
    figure, (plane, parting) = _figure(7.2, 3.5, 2)
    handles = []
    for number, name in enumerate(names):
        look: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
            "ms": 4.5,
            "mec": "white",
            "mew": 0.4,
        }
        handles.append(Line2D([], [], lw=1.1, label=name, **look))
        for case in cases(folder, name):
            plane.plot(case.value("ratio"), case.value("half_cosine"), ls="", zorder=3, **look)
            if (found := parted(case)) is not None and case.setting["seed"] == 0:
                parting.plot(*found, lw=1.1, markevery=[-1], clip_on=False, **look)
    _nulls(plane)
    _limits(parting)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=6,
        fontsize=theme.SMALL,
        frameon=False,
        columnspacing=1.2,
    )
    figure.savefig(file)


def parted(case: Case) -> tuple[Floats, Floats] | None:
    """Steps since the replicas began, and ‖w^a − w^b‖²/(2‖w − w_N‖²) over all of them.

    A mean over pairs by a mean over replicas: 0 where all go the same way, 1 for walks.
    """
    motion = case.part("interventions").get("motion")
    if not motion or not motion["replicas"]:
        return None
    run = read(case.folder).trajectory
    start = run.row_weights(int(np.flatnonzero(run.step == motion["start_step"])[0]))
    folders = sorted((case.folder / "interventions").glob("replica*"))
    replicas = [read(folder).trajectory for folder in folders]
    rows = np.unique(np.geomspace(1, len(replicas[0].step) - 1, POINTS).round().astype(int))
    ratios = []
    for row in rows:
        moves = np.stack([t.row_weights(int(row)) for t in replicas]).astype(float) - start
        gram, count = moves @ moves.T, len(moves)
        pairs = 2 * (count * np.trace(gram) - gram.sum()) / (count * (count - 1))
        ratios.append(pairs / (2 * np.trace(gram) / count))
    return np.asarray(replicas[0].step)[rows].astype(float), np.asarray(ratios)


def _nulls(plane: Axes) -> None:
    # The sums of two of the three: 1/R and c½ add in their shares.
    share = np.linspace(0, 1, 60)
    for one, other in (("confined", "walk"), ("walk", "drift"), ("confined", "drift")):
        (r1, c1), (r2, c2) = NULLS[one], NULLS[other]
        along = 1 / ((1 - share) / r1 + share / r2)
        plane.plot(along, (1 - share) * c1 + share * c2, color=theme.PALE, lw=0.8, zorder=1)
    for name, (ratio, cosine) in NULLS.items():
        plane.plot(ratio, cosine, "+", color=theme.INK, ms=9, mew=1.2, zorder=2)
        place, side = LABELS[name]
        plane.annotate(
            name,
            (ratio, cosine),
            place,
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=theme.LETTERS,
        )
    plane.set_xscale("log", base=2)
    plane.set_xlim(0.85, 20)
    plane.set_ylim(-0.62, 1.18)
    plane.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    plane.xaxis.set_major_locator(FixedLocator([1, 2, 4, 8, 16]))
    plane.xaxis.set_minor_locator(NullLocator())
    plane.set_xlabel("R = MSD(T/2) / MSD(T/8)", fontsize=theme.LETTERS)
    plane.set_ylabel("c½, cosine of the window's halves", fontsize=theme.LETTERS)


def _limits(parting: Axes) -> None:
    for value, name in ((0.0, "all go the same way"), (0.5, "confined"), (1.0, "walk")):
        parting.axhline(value, color=theme.INK, lw=0.8, ls=(0, (4, 1.6)), zorder=1)
        parting.annotate(
            name,
            (0, value),
            (3, 3),
            xycoords=parting.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=theme.LETTERS,
        )
    parting.set_xscale("log")
    parting.set_ylim(-0.04, 1.12)
    parting.set_xlabel("steps since the replicas began", fontsize=theme.LETTERS)
    parting.set_ylabel("replicas' ratio", fontsize=theme.LETTERS)
