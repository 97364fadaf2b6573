"""The local learning coefficient at floors beneath a run, beside what a quadratic would give."""

from __future__ import annotations

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
from landscape.quantities import number
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.complexity import LearningCoefficient

HIGH = 1.9


@styled
def coefficient(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw λ̂ and the null, two errors about each, over the steps of the floors; the loss below.

    Hollow: undetermined.

    Raises:
        LandscapeError: no floor has a value.
    """
    part, history = _measured(found), found.history
    bars = [(part.value, part.error), (part.null, np.nan_to_num(part.null_error))]
    values = np.concatenate([value + side * error for value, error in bars for side in (-2, 2)])
    shown = values[np.isfinite(values)]
    if not np.isfinite(part.value).any():
        raise LandscapeError(
            f"a figure of the learning coefficient needs a value, run {found.name} has none: "
            f"{part.undetermined[-1]}"
        )
    figure, [upper, lower] = panels.stack(
        [HIGH, panels.LOSS],
        handles=[*_entries(), *panels.entries(history)],
        texts=_small_print(found, part),
        style=style,
    )
    panels.in_time(upper, history)
    log = bool((shown > 0).all()) if style.log is None else style.log
    panels.upright(upper, shown, "learning coefficient", log=log)
    _marks(upper, part)
    panels.loss(lower, history)
    panels.bottom(lower, loss_curves.step_name(history))
    return figure


def caption(found: Diagnosed) -> str:
    """Say what it is at the last floor that was sampled, beside its null and its scale."""
    part = _measured(found)
    last = part.checked
    where = (
        "the last one" if last == len(part.step) - 1 else f"the one below step {part.step[last]}"
    )
    text = (
        f"Local learning coefficient λ̂ of run {found.name}, an effective "
        f"complexity at losses {number(part.scale)} above floors beneath its snapshots: "
        f"{number(float(part.value[last]))} ± {number(float(part.error[last]), 2)} at {where}, "
        f"where a quadratic of the same curvatures has {number(float(part.null[last]))} ± "
        f"{number(float(part.null_error[last]), 2)}, of {part.parameters:,} parameters."
    )
    if part.undetermined[last]:
        text += f" Undetermined: {part.undetermined[last]}."
    return text


def _measured(found: Diagnosed) -> LearningCoefficient:
    return panels.needed(found.measured.learning_coefficient, "learning-coefficient", found.name)


def _marks(axes: Axes, part: LearningCoefficient) -> None:
    look = theme.now()
    for floor, step in enumerate(part.step):
        axes.errorbar(
            [step],
            [part.value[floor]],
            [[2 * part.error[floor]]],
            fmt="o",
            color=look.train,
            mfc=look.page if part.undetermined[floor] else look.train,
            ms=4.5,
            elinewidth=0.9,
            capsize=2,
            zorder=4,
        )
    axes.errorbar(
        part.step,
        part.null,
        2 * np.nan_to_num(part.null_error),
        fmt="_",
        color=look.ink,
        ms=11,
        mew=1.4,
        elinewidth=0.6,
        zorder=3,
    )


def _entries() -> list[Artist]:
    look = theme.now()

    def dot(label: str, face: str) -> Line2D:
        return Line2D([], [], marker="o", ms=4.5, lw=0, color=look.train, mfc=face, label=label)

    return [
        dot("λ̂ ± 2 errors", look.train),
        dot("undetermined", look.page),
        Line2D(
            [], [], color=look.ink, marker="_", ms=11, mew=1.4, lw=0, label="null: a quadratic ± 2"
        ),
    ]


def _small_print(found: Diagnosed, part: LearningCoefficient) -> list[str]:
    facts = [
        f"n = {part.samples:,}, β = 1/ln n, tether γ = {number(part.tether)}, at losses "
        f"{number(part.scale)} above the floor (in {part.unit})",
        f"directions with much less curvature than {number(part.flat_below)} count for nothing",
    ]
    reasons = dict.fromkeys(why for why in part.undetermined if why)
    texts = [loss_curves.trained(found.history), "; ".join(facts)]
    return [*texts, *(f"undetermined: {why}" for why in reasons)]
