"""What lies between trainings that part from a run, by the step at which they part."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from landscape.draw.diagnosis import panels
from landscape.draw.figures import loss_curves
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.quantities import number
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.instability import COOLED, KEPT, Instability

BARRIER, APART = 1.5, 1.1
KINDS = {
    COOLED: ("rate lowered to zero", "o", "train"),
    KEPT: ("the run's rate, whose noise hides barriers", "D", "validation"),
}
"""By kind of children: what they are called, their mark and colour."""


@styled
def instability(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw barriers and differing predictions between children by the step of parting.

    The barrier is in points of error where there are classes, in loss elsewhere. Bars are two
    standard errors; below, the loss of the run.
    """
    part, history = _measured(found), found.history
    has_classes = bool(np.isfinite(part.error).all())
    figure, [first, second, lower] = panels.stack(
        [BARRIER, APART, panels.LOSS],
        handles=[*_entries(part), *panels.entries(history)],
        texts=_small_print(found, part),
        style=style,
    )
    if has_classes:
        _panel(first, found, part.error, part.error_error, "barrier, points")
        _panel(
            *(second, found, 100 * part.disagreement, 100 * part.disagreement_error),
            "predictions\nthat differ, %",
        )
    else:
        _panel(first, found, part.loss, part.loss_error, "barrier in loss")
        _panel(second, found, part.distance, part.distance_error, "distance")
    panels.loss(lower, history)
    panels.bottom(lower, loss_curves.step_name(history, "training step at which they part"))
    return figure


def caption(found: Diagnosed) -> str:
    """Say from which step on children end in one basin."""
    part = _measured(found)
    at = [
        f"{step:,} ({number(float(loss))} in loss"
        + (f", {number(float(error))} points)" if np.isfinite(error) else ")")
        for step, loss, error, kind in zip(part.step, part.loss, part.error, part.kind, strict=True)
        if kind == COOLED
    ]
    return (
        f"Instability analysis of run {found.name}: barriers on straight lines "
        "between the ends of trainings that part from it and see other batch orders from then on. "
        f"Mean barrier by the step of parting: {', '.join(at)}."
    )


def _measured(found: Diagnosed) -> Instability:
    return panels.needed(found.measured.instability, "instability", found.name)


def _panel(axes: Axes, found: Diagnosed, values: np.ndarray, errors: np.ndarray, name: str) -> None:
    part = _measured(found)
    panels.in_time(axes, found.history)
    bars = 2 * np.nan_to_num(errors)
    panels.upright(axes, np.append(values + bars, 0.0), name, log=False, count=4)
    for kind, (_, mark, colour) in KINDS.items():
        mine = np.array([one == kind for one in part.kind])
        if mine.any():
            axes.errorbar(
                part.step[mine],
                values[mine],
                [np.minimum(bars, values)[mine], bars[mine]],
                fmt=mark,
                color=panels.colour(colour),
                ms=4.2,
                elinewidth=0.9,
                capsize=2,
                zorder=4,
                clip_on=False,
            )


def _entries(part: Instability) -> list[Artist]:
    return [
        Line2D([], [], color=panels.colour(colour), marker=mark, ms=4.2, lw=0, label=text)
        for kind, (text, mark, colour) in KINDS.items()
        if kind in part.kind
    ]


def _small_print(found: Diagnosed, part: Instability) -> list[str]:
    lengths = sorted({int(steps) for steps in part.steps})
    span = f"{lengths[0]:,}" if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,}"
    facts = [
        f"{part.children.min()} to {part.children.max()} children a step"
        if part.children.min() < part.children.max()
        else f"{part.children[0]} children a step",
        f"each trained for {span} steps",
        "bars: two jackknife errors over the children",
    ]
    without = [f"{step:,}" for step, has in zip(part.step, part.has_state, strict=True) if not has]
    if without and found.history.settings.get("momentum"):
        facts.append(f"at steps {', '.join(dict.fromkeys(without))} they began with no velocity")
    return [loss_curves.trained(found.history), "; ".join(facts)]
