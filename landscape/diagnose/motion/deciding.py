"""What would name a movement that is undetermined: which trainings, how long, at what price."""

from __future__ import annotations

import math

from landscape.diagnose.connectivity import curves
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import window
from landscape.diagnose.motion.estimates import is_as_long
from landscape.diagnose.thresholds import Thresholds
from landscape.quantities import duration, number
from landscape.store.measured.weights import Diffusion
from landscape.store.verdicts import Remedy

FEWEST, MOST = 4, 16
"""Replicas of a run that stayed, and at most so many where one moves in few dimensions."""
SPARE = 1.2
"""A budget is as large as what was timed, and this for what else runs on the machine."""
INTERVENE = Remedy("diagnose", {"intervene": True})
BENT = Remedy("diagnose", {"curve": True})
NOTHING = "nothing that this tool does would decide it"
MOOT = "only an output's bias can still move"
"""Why there is no movement to name; nothing would tell more."""
STILL = "the weights don't move in its window"
"""The same of weights that are one and the same there."""
ENOUGH = 64
"""Steps of a window, or snapshots in it, that diffusion can surely be read from."""
LONGER = 2
"""So many times its steps are named where only a longer training can tell."""


def enough(moved: Diffusion | None, limits: Thresholds) -> int:
    """How many replicas as long as the window would be enough: as many as c½ is trusted with."""
    if moved is None or not moved.dimension > 0:
        return FEWEST
    return min(MOST, max(FEWEST, math.ceil(limits.dimension / moved.dimension) - 1))


def would_measure(evidence: Evidence, limits: Thresholds) -> tuple[str, Remedy | None]:
    """Why there are no numbers of the movement, and what brings them, where anything does."""
    if "diffusion" not in evidence.failed:
        parts = ("distances", "diffusion")
        return "diffusion was not measured", Remedy("diagnose", {"only": parts})
    found, step = window.of_run(evidence, limits), evidence.rows.step
    steps, middle = found.last - found.first, (int(step[0]) + found.last) // 2
    if not evidence.weights_finite:
        return "its movement could not be measured", None
    if steps >= ENOUGH:
        # Its snapshots are too few, and so are its sketches where it has any.
        remedy = Remedy("train", {"record": steps // ENOUGH})
        return "its movement could not be measured", remedy
    short = f"its window, from step {found.first:,} on, is too short to read a motion from"
    if found.last - middle >= ENOUGH:
        return short, Remedy("diagnose", {"after": middle})
    return short, Remedy("train", {"steps": 4 * ENOUGH})


def would_tell(
    lacks: str, evidence: Evidence, moved: Diffusion, limits: Thresholds
) -> tuple[str, Remedy | None]:
    """What would make up for what is missing, as the end of a sentence, and the call that does.

    That nothing would is said too.
    """
    if lacks in ("replicas", "dimensions"):
        return _replicas(evidence, moved, limits)
    if lacks == "floors":
        return _floors(evidence)
    if lacks == "curves":
        floors = evidence.measured.connectivity
        pairs = 0 if floors is None else floors.count * (floors.count - 1) // 2
        each = f"up to {pairs} times {curves.STEPS} steps"
        return f"; one for each pair that needs it, {each}, would tell", BENT
    return longer(evidence) if lacks == "time" else (f"; {NOTHING}", None)


def longer(evidence: Evidence) -> tuple[str, Remedy]:
    """A longer training, as `would_tell` says it."""
    steps = LONGER * int(evidence.rows.step[-1])
    text = f"; a training twice as long, of {steps:,} steps, has twice the window to tell by"
    return text, Remedy("train", {"steps": steps})


def _replicas(
    evidence: Evidence, moved: Diffusion, limits: Thresholds
) -> tuple[str, Remedy | None]:
    if "onset" in evidence.places:
        return f"; {NOTHING}: after an escape no replicas are run", None
    replicas, price = evidence.measured.replicas, evidence.longer
    if replicas is not None and is_as_long(replicas.steps, moved.steps):
        text, remedy = longer(evidence)
        return f"; {replicas.count} replicas as long as its window weren't enough{text}", remedy
    count = enough(moved, limits) if price is None else price.count
    times = count * moved.steps / max(1, int(evidence.rows.step[-1]))
    ran = (
        "no replicas were run"
        if replicas is None
        else f"replicas ran {replicas.steps:,} of its window's {moved.steps:,} steps"
    )
    cost = (
        f"{count} of {moved.steps:,} steps, {number(times, 2)} times its training, would tell more"
    )
    if price is None:
        epochs = math.ceil(moved.steps / evidence.setup.steps_per_epoch)
        remedy = INTERVENE if replicas is None else Remedy("diagnose", {"epochs": epochs})
        return f"; {ran}, {cost}", remedy
    took = f"about {duration(price.seconds)} where {duration(price.budget)} were allowed"
    budget = 60 * math.ceil(SPARE * price.seconds / 60)
    return f"; {ran}, {cost}, {took}", Remedy("diagnose", {"budget": budget})


def _floors(evidence: Evidence) -> tuple[str, Remedy | None]:
    if "onset" in evidence.places:
        return f"; {NOTHING}: after an escape no floors are looked for", None
    if evidence.measured.connectivity is None:
        return "; trainings down to floors below its snapshots would tell", INTERVENE
    if evidence.measured.curves is None:
        return "; no path between them is clearly low or high, bent ones would tell more", BENT
    return f"; no path between them, straight or bent, is clearly low or high, and {NOTHING}", None
