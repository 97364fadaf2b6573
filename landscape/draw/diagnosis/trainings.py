"""What trainings from a run's snapshots did: loss against step, a panel for each place they start.

A panel has the run itself and, from one kind of snapshot, each training as a faint line. A control
that repeats the run to the bit is the run: both lines have the losses that either of them logged,
so that one lies on the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from landscape.draw.diagnosis import panels
from landscape.draw.elements import plots
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import footer, page
from landscape.draw.sheet.legend import Legend
from landscape.errors import LandscapeError
from landscape.quantities import exact, number
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.trainings import KINDS, STARTS, TrainingLosses
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats

WIDTH, LEFT, RIGHT, TOP, BENEATH = 7.0, 0.68, 0.2, 0.27, 0.28
HIGH, GAP, ROOM, LABEL = 1.45, 0.12, 0.42, 0.2
"""Height of a panel, the gap between two, room for the learning rates beside lines and for the
name of the axis."""
MANY = 2
"""More lines than that which end together have one name."""


@dataclass(frozen=True)
class Panel:
    """Trainings that are drawn together."""

    title: str
    trainings: tuple[TrainingLosses, ...]
    own: bool
    """Whether steps are the trainings' own rather than the run's: they start elsewhere."""


@styled
def trainings(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw the training loss of the run and of all trainings from its snapshots.

    Panels share the loss axis, which is logarithmic where all losses are positive; what turned
    non-finite ends in a triangle. Lines that differ in the learning rate alone have it beside.

    Raises:
        LandscapeError: none of the trainings has ended.
    """
    shown = list(_panels(found.trainings))
    if not shown:
        raise LandscapeError(
            f"a trainings figure needs trainings from the run's snapshots, run {found.name} has "
            "none that ended; train them with `landscape diagnose RUN`"
        )
    width = style.inches(WIDTH)
    columns = min(style.columns(2, width), len(shown))
    across = (width - LEFT - RIGHT - (ROOM + GAP) * (columns - 1) - ROOM) / columns
    rows = -(-len(shown) // columns)
    # Behind a panel there is room for rates, above it for its title.
    titles = [page.wrapped(panel.title, across + ROOM, theme.LETTERS) for panel in shown]
    top = TOP + footer.LINE * (max(map(len, titles)) - 1)
    row = top + HIGH + BENEATH
    lines = panels.small_print([_small_print(found)], width, style)
    foot = Legend(_entries(found), width - 0.35)
    bottom = rows * row + LABEL
    height = bottom + foot.height + footer.LINE * len(lines) + 0.12
    sheet = page.blank(width, height, title=style.title, left=LEFT)
    values = np.concatenate([_shown(found), *(one.train_loss for one in found.trainings)])
    log = plots.is_log(values, style)
    finite = values[np.isfinite(values)]
    if style.cap is not None:
        finite = np.minimum(finite, style.cap)
    for k, (panel, title) in enumerate(zip(shown, titles, strict=True)):
        left = LEFT + k % columns * (across + ROOM + GAP)
        axes = sheet.axes(left, k // columns * row + top, across, HIGH)
        _panel(axes, panel, found, finite, log=log)
        axes.set_title("\n".join(title), size=theme.LETTERS, loc="left", pad=4, va="bottom")
        if k % columns:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
        if k + columns >= len(shown):
            axes.set_xlabel("training step", size=theme.LETTERS, labelpad=2)
    foot.draw(sheet, 0.2, bottom)
    sheet.text(LEFT, bottom + foot.height, "\n".join(lines), theme.SMALL, colour=theme.now().note)
    return sheet.figure


def caption(found: Diagnosed) -> str:
    """Say how many trainings of each kind there were, and the range of their last losses."""
    sentences = [
        f"Training loss of run {found.name} and of {len(found.trainings)} "
        "trainings from its snapshots."
    ]
    for panel in _panels(found.trainings):
        parts = []
        for kind in dict.fromkeys(one.intervention.kind for one in panel.trainings):
            mine = [one for one in panel.trainings if one.intervention.kind == kind]
            last = [one.end_loss for one in mine if len(one.train_loss) > 1]
            if not last:
                continue
            span = number(min(last)) + (f" to {number(max(last))}" if len(last) > 1 else "")
            parts.append(f"{len(mine)} × {KINDS[kind].figure}: {span}")
        title = panel.title[0].upper() + panel.title[1:]
        sentences.append(f"{title}, loss at the end of {'; '.join(parts)}.")
    if same := [one.intervention.start for one in found.trainings if _repeats(found, one)]:
        places = " and ".join(STARTS[start].page for start in same)
        repeat = "controls repeat" if len(same) > 1 else "control repeats"
        sentences.append(
            f"The {repeat} the run to the bit (from {places}): both lines join the losses that "
            "either logged."
        )
    if counts := [one.last_rows for one in found.trainings if one.last_rows]:
        low, high = min(counts), max(counts)
        count = str(high) if low == high else f"{low} to {high}"
        what = "the last loss" if high == 1 else f"the median of the last {count} losses"
        sentences.append(f"Loss at the end: {what} that a training logged after its start.")
    return " ".join(sentences)


def _panels(trainings: Sequence[TrainingLosses]) -> Iterator[Panel]:
    """Yield the panels: by the place of the start, floors by themselves."""
    for start, about in STARTS.items():
        mine = [one for one in trainings if one.intervention.start == start]
        steps = {one.intervention.step for one in mine if not _is_floor(one)}
        for floors in (False, True):
            some = tuple(one for one in mine if _is_floor(one) is floors)
            if not some:
                continue
            alone = len(steps) == 1 and not floors and start != "plateau"
            place = f" (step {min(steps):,})" if alone else ""
            named = f"from {len(some)} snapshots to floors" if floors else f"{about.panel}{place}"
            yield Panel(named, some, own=start == "plateau")


def _is_floor(one: TrainingLosses) -> bool:
    return one.intervention.kind == "floor"


def _run(found: Diagnosed) -> tuple[Floats, Floats]:
    return found.history.evaluated("train_loss")


def _repeats(found: Diagnosed, one: TrainingLosses) -> bool:
    """Whether a training is a control whose steps are the run's own to the bit."""
    tried = found.measured.interventions
    if one.intervention.kind != "control" or tried is None or tried.escape is None:
        return False
    return any(
        control.start == one.intervention.start and 0 < control.steps == control.equal
        for control in tried.escape.controls
    )


def _joined(run: tuple[Floats, Floats], one: TrainingLosses) -> tuple[Floats, Floats]:
    """The losses that the run or a training that repeats it logged, by step."""
    step = np.concatenate([run[0], one.step + one.intervention.step])
    steps, first = np.unique(step, return_index=True)
    return steps, np.concatenate([run[1], one.train_loss])[first]


def _shown(found: Diagnosed) -> Floats:
    """Return the run's losses from a little before the first training on."""
    step, losses = _run(found)
    starts = [o.step for t in found.trainings if (o := t.intervention).start != "plateau"]
    return losses[step >= 0.9 * min(starts, default=0)]


def _panel(axes: Axes, panel: Panel, found: Diagnosed, finite: Floats, *, log: bool) -> None:
    constant = _constant(found, finite)
    first = 0 if panel.own else min(one.intervention.step for one in panel.trainings)
    ends = [
        float(one.step[-1]) + (0 if panel.own else one.intervention.step)
        for one in panel.trainings
        if len(one.step)
    ]
    step, losses = _run(found)
    last = max([*ends, 0.0 if panel.own else min(float(step[-1]), max(ends))])
    before = 0.0 if panel.own else 0.12 * (last - first)
    low = max(first - before, 0.0)
    room = 0.015 * (last - low)
    plots.frame(axes, low - room, last + room)
    panels.steps(axes.xaxis, 4)
    plots.upright(axes, finite, constant, log=log)
    axes.yaxis.get_major_locator().locs = panels.ticks(axes, 5)  # type: ignore[attr-defined]
    axes.set_ylabel("training loss", size=theme.LETTERS, labelpad=3)
    if np.isfinite(constant):
        axes.axhline(constant, color=theme.now().ink, lw=0.7, ls=(0, (1.2, 1.6)), zorder=2)
        page.drew(axes, "constant")
    same = [one for one in panel.trainings if _repeats(found, one)]
    for one in same:
        step, losses = _joined((step, losses), one)
    if not panel.own:
        axes.plot(
            step,
            np.where(np.isfinite(losses), losses, np.nan),
            color=theme.now().ink,
            lw=1.2,
            zorder=4,
        )
    for one in panel.trainings:
        start = 0 if panel.own else one.intervention.step
        shown = (one.step + start).astype(np.float64), one.train_loss
        if one in same:
            there = (step >= shown[0][0]) & (step <= shown[0][-1]) & np.isfinite(losses)
            shown = step[there], losses[there]
        _training(axes, one, *shown)
    _rates(axes, panel)


def _constant(found: Diagnosed, finite: Floats) -> float:
    """Return L0 where losses come near it: elsewhere it would only squeeze them."""
    constant = found.history.constant_loss
    return constant if len(finite) and finite.max() > 0.3 * constant else float("nan")


def _training(axes: Axes, one: TrainingLosses, step: Floats, losses: Floats) -> None:
    role, thick, alpha = KINDS[one.intervention.kind].line
    colour = panels.colour(role)
    known = np.isfinite(losses)
    axes.plot(step[known], losses[known], color=colour, lw=thick, alpha=alpha, zorder=3)
    if known.any() and not known.all():
        axes.plot(
            step[~known][:1],
            [0.96],
            "^",
            transform=axes.get_xaxis_transform(),
            color=colour,
            ms=3.5,
            zorder=5,
        )


def _rates(axes: Axes, panel: Panel) -> None:
    """Write learning rates beside the last losses of lines that differ in them."""
    low, high = axes.get_ylim()
    ends: list[tuple[float, float, str]] = []
    for one in panel.trainings:
        kind, rate = KINDS[one.intervention.kind], one.intervention.lr
        if kind.rate_differs and len(one.train_loss):
            last = float(one.train_loss[-1])
            at = float(np.clip(last, low, high)) if np.isfinite(last) else high
            ends.append((at, rate, panels.colour(kind.line[0])))
    named = []
    for some in _together(axes, sorted(ends)):
        # So many names for what looks like one line would push each other away from it.
        if len(some) > MANY:
            named.append((some[0][0], f"{len(some)} rates", some[0][2]))
        else:
            named += [(at, f"η {rate:g}", colour) for at, rate, colour in some]
    panels.beside(axes, named, ROOM + GAP)


def _together(
    axes: Axes, ends: Sequence[tuple[float, float, str]]
) -> list[list[tuple[float, float, str]]]:
    """Return the lines' ends in groups that are closer than a name is tall."""
    groups: list[list[tuple[float, float, str]]] = []
    heights = [axes.transData.transform((axes.get_xlim()[0], at))[1] for at, _, _ in ends]
    for k, end in enumerate(ends):
        if k and heights[k] - heights[k - 1] < 0.06 * theme.now().dpi:
            groups[-1].append(end)
        else:
            groups.append([end])
    return groups


def _entries(found: Diagnosed) -> list[Artist]:
    ink = theme.now().ink
    entries: list[Artist] = [Line2D([], [], color=ink, lw=1.2, label=f"run {found.name}")]
    counts: dict[tuple[str, tuple[str, float, float]], int] = {}
    for one in found.trainings:
        kind = KINDS[one.intervention.kind]
        key = (kind.figure, kind.line)
        counts[key] = counts.get(key, 0) + 1
    for (text, (role, thick, alpha)), count in counts.items():
        entries.append(
            Line2D(
                [], [], color=panels.colour(role), lw=thick, alpha=alpha, label=f"{text} ({count})"
            )
        )
    every = np.concatenate([_shown(found), *(one.train_loss for one in found.trainings)])
    if np.isfinite(_constant(found, every[np.isfinite(every)])):
        text = f"{sentences.IGNORING}, {exact(found.history.constant_loss)}"
        entries.append(Line2D([], [], color=ink, lw=0.7, ls=(0, (1.2, 1.6)), label=text))
    return entries


def _small_print(found: Diagnosed) -> str:
    return f"{loss_curves.trained(found.history)}; over the full data at recorded steps"
