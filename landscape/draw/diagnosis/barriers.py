"""What lies between a run's floors: loss along lines, polylines and matched lines, barriers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from landscape.draw.diagnosis import panels
from landscape.draw.elements import plots
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import COLUMN, PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Legend
from landscape.quantities import number
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.paths import (
    BARRIER_ERROR,
    BARRIER_RATIO,
    PATHS,
    Connectivity,
    PairBarriers,
)

WIDTH, LEFT, TOP, BENEATH, BETWEEN = 7.0, 0.68, 0.27, 0.45, 0.62
LOSS, ERROR, GAP = 1.55, 0.85, 0.12
BAR = 0.62
ERRORS, RATIOS = "error barrier, points", "barrier / larger loss"


@styled
def barriers(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw loss and error along the worst path of each kind, and all pairs' error barriers.

    Where there are no classes the barriers are those of the loss, over the larger end's.
    """
    part = _connectivity(found)
    kinds = _kinds(part)
    width = style.inches(WIDTH)
    wide = width >= COLUMN
    right = 0.2
    tall = LOSS + GAP + ERROR
    matrix = min(tall, 0.4 * (width - LEFT - right)) if wide else min(width - LEFT - right, 2.4)
    across = width - LEFT - right - (matrix + BETWEEN if wide else 0.0)
    top = TOP if wide else TOP + tall + BENEATH + 0.3
    lines = panels.small_print(_small_print(found), width, style)
    foot = Legend(_entries(part, kinds), width - 0.35)
    end = TOP + tall + BENEATH if wide else top + matrix + BENEATH + BAR
    end = max(end, top + matrix + BENEATH + BAR)
    sheet = page.blank(
        width, end + foot.height + footer.LINE * len(lines) + 0.12, title=style.title, left=LEFT
    )
    upper = sheet.axes(LEFT, TOP, across, LOSS)
    lower = sheet.axes(LEFT, TOP + LOSS + GAP, across, ERROR)
    _profiles(upper, lower, part, found.history.constant_loss, style)
    left = LEFT + across + BETWEEN if wide else LEFT
    axes = sheet.axes(left, top, matrix, matrix)
    bar = sheet.axes(left, top + matrix + BENEATH + 0.02, matrix, footer.BAR)
    _matrix(axes, bar, part, _steps(found))
    foot.draw(sheet, 0.2, end)
    sheet.text(LEFT, end + foot.height, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def caption(found: Diagnosed) -> str:
    """Say what is connected with what, along which paths, and how high the barriers are."""
    part = _connectivity(found)
    return " ".join(
        [
            f"Paths between {part.count} floors of run {found.name}, "
            "networks reached from its snapshots at a much smaller learning "
            "rate. Above: training loss and error along the worst path of each kind, by the share "
            "of its length. Matrix: barriers of all pairs, straight lines above the diagonal.",
            *(f"{text}." for text in _found(part)),
        ]
    )


def _connectivity(found: Diagnosed) -> Connectivity:
    return panels.needed(found.measured.connectivity, "connectivity", found.name)


def _kinds(part: Connectivity) -> Mapping[str, PairBarriers]:
    """Return the paths by kind; matched ones only where they differ from lines."""
    found = {"line": part.line, "polyline": part.polyline}
    if part.matched is not None and part.moved:
        found["matched"] = part.matched
    return found


def _has_error(part: Connectivity) -> bool:
    return bool(np.isfinite(part.train_accuracy).all())


def _steps(found: Diagnosed) -> list[str]:
    """Return the floors' names: the steps of the snapshots that they lie beneath."""
    count = _connectivity(found).count
    trainings = found.measured.interventions
    motion = trainings.motion if trainings is not None else None
    steps = motion.floor_steps if motion is not None else ()
    if len(steps) != count:
        return [str(k + 1) for k in range(count)]
    return [f"{step:,}" for step in steps]


def _profiles(
    upper: Axes,
    lower: Axes,
    part: Connectivity,
    constant: float,
    style: Style,
) -> None:
    kinds = _kinds(part)
    losses = np.concatenate([pairs.worst.train_loss for pairs in kinds.values()])
    finite = losses[np.isfinite(losses)]
    log = plots.is_log(losses, style)
    if style.log is None:
        log = log and bool(finite.max() > 5 * finite.min())
    plots.frame(upper, -0.015, 1.015)
    panels.upright(upper, finite, "training loss", log=log)
    plots.frame(lower, -0.015, 1.015)
    errors = [100 * (1 - pairs.worst.train_accuracy) for pairs in kinds.values()]
    for (name, pairs), error in zip(kinds.items(), errors, strict=True):
        worst, dashes = pairs.worst, PATHS[name].dashes
        colour = panels.colour(PATHS[name].colour)
        for axes, values in ((upper, worst.train_loss), (lower, error)):
            ends = values[[0, -1]]
            axes.plot([0, 1], ends, color=colour, lw=0.6, alpha=0.6, zorder=2)
            shown = np.where(np.isfinite(values), values, np.nan)
            axes.plot(worst.t, shown, color=colour, ls=dashes, lw=1.5, zorder=3)
    if np.isfinite(constant) and upper.get_ylim()[1] > constant:
        upper.axhline(constant, color=theme.now().ink, lw=0.7, ls=(0, (1.2, 1.6)))
    upper.tick_params(labelbottom=False)
    upper.set_title("along the worst paths", size=theme.TITLE, loc="left", pad=4)
    if _has_error(part):
        panels.upright(lower, np.concatenate(errors), "error, %", log=False, count=4)
    else:
        lower.set_visible(False)
        upper.tick_params(labelbottom=True)
    (lower if _has_error(part) else upper).set_xlabel(
        "share of the path's length", size=theme.LETTERS, labelpad=2
    )


def _matrix(axes: Axes, bar: Axes, part: Connectivity, steps: list[str]) -> None:
    kinds = _kinds(part)
    other = "matched" if "matched" in kinds else "polyline"
    line, beneath = kinds["line"], kinds[other]
    if _has_error(part):
        upper, lower, limit, label = line.error, beneath.error, BARRIER_ERROR, ERRORS
    else:
        upper, lower, limit, label = line.ratio, beneath.ratio, BARRIER_RATIO, RATIOS
    count = len(upper)
    # Row i, column j: straight lines above the diagonal, the other kind beneath.
    values = np.where(np.triu(np.ones((count, count), bool), 1), upper, lower)
    np.fill_diagonal(values, np.nan)
    finite = values[np.isfinite(values)]
    # Barriers far below what counts as one shall not look like any.
    high = max(float(finite.max()) if len(finite) else 0.0, 1.25 * limit)
    look = theme.now()
    axes.set_facecolor(theme.UNMEASURED)
    picture = axes.imshow(values, cmap=look.loss, vmin=0, vmax=high, rasterized=True)
    ticks = range(0, count, -(-count // 6))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(NullLocator())
    axes.set_xticklabels([steps[k] for k in ticks], rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticklabels([steps[k] for k in ticks])
    axes.set_title(f"↗ lines, ↙ {_below(other)}", size=theme.TITLE, loc="left", pad=4)
    drawn = axes.figure.colorbar(picture, cax=bar, orientation="horizontal")
    drawn.outline.set_linewidth(0.6)
    drawn.ax.tick_params(labelsize=theme.TICKS, length=2.5, width=0.6, pad=1.5)
    drawn.set_label(f"{label}; connected below {number(limit)}", size=theme.LETTERS, labelpad=1.5)
    for colour, thick in (("white", 2.4), (theme.INK, 1.1)):
        drawn.ax.axvline(limit, color=colour, lw=thick)


def _below(kind: str) -> str:
    return "matched lines" if kind == "matched" else "polylines"


def _entries(part: Connectivity, kinds: Mapping[str, PairBarriers]) -> list[Artist]:
    found: list[Artist] = []
    for name, pairs in kinds.items():
        path, worst = PATHS[name], pairs.worst.barrier
        barrier = f"{number(worst.loss, 2)} in loss"
        if _has_error(part):
            barrier += f", {number(worst.error, 2)} points"
        found.append(
            Line2D(
                [],
                [],
                color=panels.colour(path.colour),
                ls=path.dashes,
                lw=1.5,
                label=f"{path.figure}: {barrier}",
            )
        )
    return found


def _found(part: Connectivity) -> list[str]:
    said = {True: "connected", False: "not connected", None: "undetermined"}
    texts = []
    for name, pairs in _kinds(part).items():
        worst = pairs.worst.barrier
        text = f"{PATHS[name].figure}: floors {said[pairs.connected]}, worst barrier "
        text += f"{number(worst.loss, 2)} in loss"
        if _has_error(part):
            text += f" and {number(worst.error, 2)} error points"
        texts.append(text[0].upper() + text[1:])
    return texts


def _small_print(found: Diagnosed) -> list[str]:
    part, steps = _connectivity(found), _steps(found)
    loss = part.train_loss
    texts = [loss_curves.trained(found.history)]
    texts.append(
        f"{len(loss)} floors, reached from snapshots at the steps given by a much smaller "
        f"learning rate: training loss {number(float(loss.min()))} to "
        f"{number(float(loss.max()))}; thin: the straight line between the ends' values, "
        "barriers are heights above it"
    )
    pairs = ", ".join(
        f"{PATHS[name].figure} {steps[one.worst_pair[0]]} to {steps[one.worst_pair[1]]}"
        for name, one in _kinds(part).items()
    )
    texts.append(f"worst pairs: {pairs}")
    if part.matched is None:
        texts.append(f"no matching: {part.reason}")
    elif part.moved:
        texts.append(f"matching moved units in {part.moved:,} pairs")
    else:
        texts.append("weight matching moved no unit in any pair")
    return texts
