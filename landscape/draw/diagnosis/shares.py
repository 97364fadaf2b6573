"""Stacked shares of a sweep's runs by outcome, with binomial intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter

from landscape.diagnose.outcome_names import OUTCOMES, OutcomeTerm
from landscape.draw.look import theme
from landscape.store.sweep_outcomes import SweptGroup

OTHER = OutcomeTerm("", "#ffffff")
"""Of a newer version."""


def _order(name: str) -> int:
    return list(OUTCOMES).index(name) if name in OUTCOMES else len(OUTCOMES)


def draw(axes: Axes, groups: Sequence[SweptGroup], half: float) -> None:
    """Draw a bar for each group, ``half`` as wide to each side in the rate's logarithm.

    A whisker at the boundary of two parts is the exact 95 % binomial interval of the share of runs
    beneath it; the number of runs stands above.
    """
    for group in groups:
        if group.learning_rate is None:
            continue
        middle = np.log10(group.learning_rate)
        left, right = 10 ** (middle - half), 10 ** (middle + half)
        base = 0.0
        names = sorted(group.outcomes, key=_order)
        for name in names:
            share = group.outcomes[name].share
            term = OUTCOMES.get(name, OTHER)
            axes.bar(
                left,
                share,
                right - left,
                base,
                align="edge",
                color=term.colour,
                hatch=term.hatch,
                edgecolor=_edge(term),
                lw=0.5,
                zorder=2,
            )
            base += share
        _whiskers(axes, group, names, middle, half)
        axes.annotate(
            f"{group.count}",
            (10**middle, 1),
            (0, 4),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            size=theme.SMALL,
            ha="center",
            color=theme.now().ink,
        )
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.set_ylabel("share of runs", size=theme.LETTERS, labelpad=3)


def _whiskers(
    axes: Axes, group: SweptGroup, names: Sequence[str], middle: float, half: float
) -> None:
    """Draw, for each boundary between parts, the interval of the share of runs beneath it."""
    # SciPy's distributions take half a second to import.
    from landscape.diagnose.binomial import interval

    counts = np.cumsum([group.outcomes[name].count for name in names]).tolist()
    inner = counts[:-1] or counts
    for count, place in zip(inner, np.linspace(-1, 1, len(inner) + 2)[1:-1], strict=True):
        low, high = interval(count, group.count)
        x = 10 ** (middle + 0.7 * place * half)
        for ink, thick in (("white", 2.6), (theme.INK, 1.0)):
            axes.plot([x, x], [low, high], color=ink, lw=thick, zorder=4)
        axes.plot(
            [x],
            [count / group.count],
            "o",
            ms=3.4,
            color=theme.INK,
            mec="white",
            mew=0.8,
            zorder=5,
            clip_on=False,
        )


def _edge(term: OutcomeTerm) -> str:
    return "white" if term.is_dark else theme.INK


def entries(groups: Sequence[SweptGroup]) -> list[Patch]:
    """Return the legend's entries: the outcomes that there are, from good to bad."""
    there = sorted({name for group in groups for name in group.outcomes}, key=_order)
    found = []
    for name in there:
        term = OUTCOMES.get(name, OTHER)
        found.append(
            Patch(
                facecolor=term.colour,
                hatch=2 * term.hatch,
                edgecolor=_edge(term),
                lw=0.5,
                label=name,
            )
        )
    return found
