"""How the weights move once the loss has settled: one name, by rules applied in a fixed order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from landscape.diagnose import basins, edge, settled, slope
from landscape.diagnose.estimates import hint, is_as_long, over_replicas, pooled
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.motion_items import numbers, over_shorter
from landscape.diagnose.settled import CONFINED, DRIFTING, MIXED, WANDERING, Named
from landscape.diagnose.terms import UNDETERMINED
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.weights import Diffusion


@dataclass(frozen=True)
class NamedMotion:
    """The motion's name and what it rests on."""

    name: str
    """One of `terms.MOTIONS`."""
    also: tuple[str, ...] = ()
    items: Items = field(default_factory=dict)
    steps: int | None = None
    """Over so many steps: the window's, or those of its replicas; None: not of any time."""
    bound: float | None = None
    """h*: restoring curvature along most of the movement is below it; None: no bound."""
    dimension: float | None = None
    """#{λ_i < h*}: the valley's dimension at that scale; None: not resolved."""
    connected: bool | None = None
    """Whether floors below it are; None: not known."""


def decide(evidence: Evidence, thresholds: Thresholds) -> NamedMotion:
    """Apply the rules in their order: the loss's slope, then the movement."""
    also, items = edge.judge(evidence, thresholds)
    moved = evidence.measured.diffusion
    if moved is None:
        return _unknown("diffusion was not measured", items, also)
    items |= numbers(evidence, moved, thresholds)
    step, loss = evidence.rows.step, evidence.rows.train_loss
    inside = (step >= moved.first_step) & (step <= moved.last_step)
    change = slope.of_log_loss(step[inside], loss[inside])
    state = slope.state(change, thresholds)
    items["loss_change"] = Item(
        change.total,
        f"±{math.log(thresholds.descending):.3g}, ±{math.log(thresholds.settled):.3g}",
        f"change of log loss over the window, ± {change.error:.2g} (two standard errors): {state}",
    )
    connected = basins.connected(evidence, thresholds, items)
    if state in (slope.DESCENDING, slope.RISING):
        return NamedMotion(state, also, items)
    if state == slope.UNDETERMINED:
        return _unknown("whether the loss has settled is not clear from its slope", items, also)
    found = _settled(evidence, moved, connected, thresholds, items)
    return replace(found, also=also, connected=connected)


def _settled(
    evidence: Evidence,
    moved: Diffusion,
    connected: bool | None,
    thresholds: Thresholds,
    items: Items,
) -> NamedMotion:
    """The name over the window or, where it takes replicas and they are shorter, over theirs.

    Over the window alone, drifts and walks want replicas of that length, and every name enough
    effective dimensions. What is missing for is made up for over the shorter time, of which there
    are more movements. Where the window's own numbers gainsay every name, nothing is named, and
    nothing is called confined that moves on over the window.
    """
    whole, shorter = pooled(evidence, moved), over_replicas(evidence, moved)
    found = evidence.measured.replicas
    are_long = found is not None and is_as_long(found.steps, moved.steps)
    named = settled.judge(evidence, whole, found if are_long else None, connected, thresholds)
    if named.lacks:
        named = replace(named, reason=named.reason + hint(evidence, moved))
    if shorter is None:
        return _motion(named, moved.steps, items)
    other = settled.judge(evidence, shorter, found, connected, thresholds)
    items |= over_shorter(evidence, shorter)
    is_growing = not whole.ratio < thresholds.walk_ratio_low
    allowed = INSTEAD.get(named.lacks, ())
    if other.name in allowed and not (other.name == CONFINED and is_growing):
        items |= _over("window", named, f"the window's {moved.steps}")
        return _motion(other, shorter.steps, items)
    items |= _over("replicas", other, f"the replicas' {shorter.steps}")
    return _motion(named, moved.steps, items)


INSTEAD = {
    "replicas": (DRIFTING, WANDERING),
    "dimensions": (DRIFTING, WANDERING, CONFINED, MIXED),
}
"""Names over a shorter time that stand where the window lacks something, by what it lacks."""


def _over(which: str, named: Named, steps: str) -> Items:
    found = {f"over_{which}": Item(named.name, None, f"the movement's name over {steps} steps")}
    if named.reason:
        because = Item(named.reason, None, "why it has none there")
        found[f"over_{which}_because"] = because
    return found


def _motion(named: Named, steps: int, items: Items) -> NamedMotion:
    items = items | named.items
    if named.name == UNDETERMINED:
        return _unknown(named.reason, items)
    items["motion_steps"] = Item(steps, None, "steps over which the motion has its name")
    return NamedMotion(
        named.name, items=items, steps=steps, bound=named.bound, dimension=named.dimension
    )


def _unknown(reason: str, items: Items, also: tuple[str, ...] = ()) -> NamedMotion:
    because = {"motion_undetermined_because": Item(reason, None, "why no motion is named")}
    return NamedMotion(UNDETERMINED, also, items | because)
