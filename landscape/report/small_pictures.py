"""A run's loss as a picture of a table cell's size, in the page's own ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landscape.quantities import number
from landscape.report.markup import Markup, tag
from landscape.store.history import History
from landscape.store.scans.records import Floats

WIDE, HIGH, MARGIN = 128.0, 56.0, 3.0
POINTS = 160
"""Recorded steps that are drawn, at most: more than one a pixel isn't seen."""


@dataclass(frozen=True)
class SmallAxes:
    """What the small pictures of one table share."""

    last: float
    """The last step."""
    low: float
    high: float
    log: bool

    def across(self, step: Floats) -> Floats:
        """Pixels of steps, from the left."""
        return np.asarray(MARGIN + (WIDE - 2 * MARGIN) * step / max(self.last, 1.0))

    def down(self, loss: Floats) -> Floats:
        """Pixels of losses, from above; what is beyond the axis is at its end."""
        inside = np.clip(loss, self.low, self.high)
        ends = np.array([self.low, self.high])
        if self.log:
            inside, ends = np.log(inside), np.log(ends)
        span = float(ends[1] - ends[0]) or 1.0
        return np.asarray(HIGH - MARGIN - (HIGH - 2 * MARGIN) * (inside - ends[0]) / span)

    @property
    def words(self) -> str:
        """What the axes are."""
        scale = "logarithmic" if self.log else "linear"
        return (
            f"steps 0 to {self.last:,.0f}, training loss {number(self.low)} to "
            f"{number(self.high)}, {scale}"
        )


def axes_of(histories: Sequence[History]) -> SmallAxes:
    """Return axes that hold all of these losses, those above twice the highest L₀ cut."""
    losses = np.concatenate([np.empty(0), *(one.measures["train_loss"] for one in histories)])
    finite = losses[np.isfinite(losses)]
    last = max((float(one.step[-1]) for one in histories), default=1.0)
    if not len(finite):
        return SmallAxes(last, 0.0, 1.0, log=False)
    low, high = float(finite.min()), float(finite.max())
    constant = max((one.constant_loss for one in histories if one.constant_loss > 0), default=high)
    return SmallAxes(last, low, max(min(high, 2 * constant), low), log=low > 0)


def small(history: History, axes: SmallAxes, colour: str) -> Markup:
    """Return a run's training loss by step; dashed: the best constant output's."""
    step, loss = history.evaluated("train_loss")
    kept = np.unique(np.linspace(0, len(step) - 1, POINTS).round().astype(int))
    kept = kept[: len(step)]  # none of none
    x, y = axes.across(step[kept]), axes.down(loss[kept])
    places = [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]
    parts = []
    if np.isfinite(history.constant_loss):
        (at,) = axes.down(np.array([history.constant_loss]))
        parts.append(tag("line", x1="0", x2=f"{WIDE:g}", y1=f"{at:.1f}", y2=f"{at:.1f}"))
    if places:
        parts.append(tag("path", d="M" + "L".join(places), stroke=colour))
    return tag(
        "svg",
        *parts,
        class_="small",
        viewBox=f"0 0 {WIDE:g} {HIGH:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=_said(history),
    )


def _said(history: History) -> str:
    _, loss = history.evaluated("train_loss")
    if not len(loss):
        return f"Training loss of {history.name}: never evaluated"
    finite = loss[np.isfinite(loss)]
    lowest = number(float(finite.min())) if len(finite) else "unknown"
    return (
        f"Training loss of {history.name}: {number(float(loss[0]))} at the start, lowest {lowest}, "
        f"{number(float(loss[-1]))} at the last step"
    )
