"""An escape: where it led, what kind of point that is, and what the interventions say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from landscape.diagnose.course import OutcomeCase, departure
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items, held
from landscape.diagnose.left_again import LEAVING, left_again, outcomes, sequential_test
from landscape.diagnose.thresholds import Thresholds
from landscape.quantities import counted, number
from landscape.store.measured.trainings import STARTS, LeftAgain, StartPlace, Trained
from landscape.store.measured.whole import StateAtStep

FLAT = 1e-3
"""Curvature, as a share of that at the best weights, that counts as flat."""
NAMED = 3
"""Tensors that a sentence names at most."""
DIED = 0.1
"""† Share of a layer that must have died since the best weights for a collapse."""
STEEP = 0.05
"""† Gradient, as a share of that at the best weights, from which the landing is still a slope."""

SPREAD = {"below": "the outputs ignore the input", "above": "the outputs depend on the input"}
"""What the outputs' spread counts for,"""
STAYS = {"below": "it stays", "above": "it leaves, as the run did"}
"""what the loss that a training ends at does, from where the run left,"""
LEARNS = {"below": "it learns", "above": "it doesn't learn"}
"""and from elsewhere."""


def dead_layers(state: StateAtStep | None) -> tuple[str, ...]:
    """Layers whose units are all dead or all saturated; () where not measured."""
    return () if state is None else state.stuck_layers


def ignores_input(state: StateAtStep | None, thresholds: Thresholds) -> bool:
    """Whether the outputs are the same for all inputs, to a small share of their scale."""
    spread = state.logit_spread if state is not None else None
    return spread is not None and spread < thresholds.asleep


def place(case: OutcomeCase) -> tuple[str, tuple[str, ...]]:
    """Where the run landed, and the layers to name: those that were alive at the best weights."""
    end, best = case.evidence.state("end"), case.evidence.state("best")
    if end is None or end.dead is None:
        return "undetermined", ()
    layers = tuple(name for name in dead_layers(end) if name not in dead_layers(best))
    away = case.course.share(float(case.course.loss[-1])) < case.thresholds.learned
    if layers and away and ignores_input(end, case.thresholds):
        return "dead-plateau", layers
    if fallen := collapsed(case):
        return "partial-collapse", fallen
    return "elsewhere", ()


def collapsed(case: OutcomeCase) -> tuple[str, ...]:
    """Layers most or all of whose units are dead or saturated at the end, and weren't at best."""
    end, best = case.evidence.state("end"), case.evidence.state("best")
    if end is None or end.dead is None:
        return ()
    whole = tuple(name for name in dead_layers(end) if name not in dead_layers(best))
    before = best.partly_stuck if best is not None else {}
    return whole + tuple(
        name
        for name, share in end.partly_stuck.items()
        if share > case.thresholds.collapsed and share > before.get(name, 0.0) + DIED
    )


def standstill(evidence: Evidence) -> Items:
    """How much of the gradient is exactly zero at the end, and whether that is for good."""
    end = evidence.state("end")
    if end is None or end.moving is None or len(end.moving) == end.tensors:
        return {}
    return {
        "exactly_zero": Item(
            end.tensors - len(end.moving),
            None,
            "parameter tensors with a full-data gradient of exactly zero at the last weights; "
            f"{still_moving(end.moving)}",
        ),
        "tensors": Item(end.tensors, None, "parameter tensors in all"),
        "no_way_back": Item(
            evidence.is_for_good,
            None,
            "whether only an output's bias can still move, whatever the learning rate",
        ),
    }


def still_moving(names: Sequence[str]) -> str:
    """Which tensors still have a gradient, a few by their names.

    >>> still_moving(["output.bias"]), still_moving(["a", "b", "c", "d"])
    ('only output.bias still has a gradient', 'only a, b, c and 1 more still have a gradient')
    """
    if not names:
        return "none still has a gradient"
    which, more = ", ".join(names[:NAMED]), len(names) - NAMED
    which += f" and {more} more" if more > 0 else ""
    return f"only {which} still {'has' if len(names) == 1 else 'have'} a gradient"


def stuck(state: StateAtStep | None, layers: Sequence[str]) -> Items:
    """What units of these layers are; nothing of none."""
    if state is None or not layers:
        return {}
    meaning = "what units of the named layers are on all data: dead, at 0, or saturated, at a bound"
    return {"stuck_as": Item(state.stuck_as(layers), None, meaning)}


def points(evidence: Evidence, thresholds: Thresholds) -> Items:
    """Gradient, curvature and the outputs' spread at the best weights and at the landing."""
    found: Items = {}
    for name, where in (("best", "lowest logged loss"), ("end", "landing")):
        state = evidence.state(name)
        if state is None:
            continue
        if state.gradient_norm is not None:
            found[f"gradient_norm_{name}"] = Item(
                state.gradient_norm, None, f"norm of the full-data gradient at the {where}"
            )
        if state.lambda_min is not None:
            found[f"lambda_min_{name}"] = _lowest(evidence, state, where)
        if state.lambda_max is not None:
            found[f"lambda_max_{name}"] = Item(
                state.lambda_max, None, f"largest Hessian eigenvalue at the {where}"
            )
        if state.logit_spread is not None:
            found[f"logit_spread_{name}"] = held(
                state.logit_spread,
                thresholds.asleep,
                f"outputs' spread over the inputs, as a share of their scale, at the {where}",
                **SPREAD,
            )
    kind = _kind(evidence)
    if kind is not None:
        found["landing_kind"] = Item(
            kind,
            None,
            "what surrounds the last weights, by gradient and curvature alone; where it landed is "
            "what the network does there, by its units and outputs. Curvature within "
            f"{FLAT:g} of the largest (here or at the lowest logged loss) is flat; a slope where "
            f"the gradient is above {STEEP:g} of that at the latter",
        )
    return found | standstill(evidence)


def _lowest(evidence: Evidence, state: StateAtStep, where: str) -> Item:
    """The smallest eigenvalue, beside the line that says what the loss does along its direction."""
    flat, value = _flat_within(evidence, state), state.lambda_min or 0.0
    sides = {
        -1: "below: the loss curves down along a direction",
        0: "between: flat along a direction, and it curves down along none that was found",
        1: "above: it curves up along every direction that was found",
    }
    side = (value > flat) - (value < -flat)
    meaning = f"smallest Hessian eigenvalue at the {where}"
    return Item(value, f"±{number(flat)}", meaning, sides[side])


def is_unstable(case: OutcomeCase) -> bool:
    """Unstable at η: from one start, the sequential test says that leaving again is likely."""
    return any(_is_unstable(case, start) for start in LEAVING)


def is_tested(case: OutcomeCase) -> bool:
    """Whether an intervention tells why it left: the control left, and a contrast is clear."""
    return any(
        _repeats(case, start)
        and (_is_unstable(case, start) or _stays(case, _from(case, start, "lower-rate")))
        for start in LEAVING
    )


def interventions(case: OutcomeCase) -> Items:
    """What trainings from the run's own snapshots did, those from each start by themselves."""
    found: Items = {}
    for start, place in STARTS.items():
        if place.item:
            found |= _tried_from(case, start, place)
    if not math.isnan(seconds := case.evidence.orders_seconds):
        found["orders_seconds"] = Item(
            seconds,
            None,
            "seconds that more other batch orders take at least, by a few timed steps",
        )
    if placed := _from(case, "plateau", "plateau"):
        found["plateau_rates"] = Item(
            len(placed), None, "learning rates tried, once each, from an initialized dead layer"
        )
        found["stuck_from_plateau"] = Item(
            sum(b.constant is True for b in placed) / len(placed),
            None,
            "share of them at which the outputs still are the same for every sample after training",
        )
    return found


def _tried_from(case: OutcomeCase, start: str, place: StartPlace) -> Items:
    found: Items = {}
    level, name, where = case.course.leaving, place.item, place.where
    sides = STAYS if start in LEAVING else LEARNS
    branches = [b for b in case.evidence.measured.branches if b.start == start]
    found |= _durations(case, branches, place)
    if control := _from(case, start, "control"):
        found[f"control_from_{name}"] = held(
            _median(control),
            level,
            f"loss at the end with the same η and order from the {where}",
            **sides,
        )
    if again := _again(case, start):
        share = again.away / again.count
        leave = "half" if share == 0.5 else "most" if share > 0.5 else "fewer than half"
        found[f"left_again_from_{name}"] = held(
            share,
            case.thresholds.chance,
            f"share of the {again.count} other batch orders tried at the same η from the {where} "
            f"that left again; 95 % interval {again.low:.2f} to {again.high:.2f}",
            below=f"{leave} leave again",
            above=f"{leave} leave again",
        )
        found[f"orders_from_{name}"] = Item(
            again.count, None, f"other batch orders tried at the same η from the {where}"
        )
        found[f"stability_from_{name}"] = Item(
            again.decided,
            None,
            f"Wald's sequential test of the probability to leave again, p ≤ "
            f"{case.thresholds.chance:g} against p ≥ {case.thresholds.unstable:g}: it tries orders "
            "until it is decided; counts if the control left too",
        )
    if lower := _from(case, start, "lower-rate"):
        found[f"lower_rate_from_{name}"] = held(
            _median(lower), level, f"loss at the end with η/10 from the {where}", **sides
        )
    # Its own rate is no other one.
    rates = [b for b in _from(case, start, "rate") if not _is_own(b, case)]
    for rate in sorted({b.learning_rate for b in rates}):
        same = [b for b in rates if b.learning_rate == rate]
        found[f"rate_{rate:g}_from_{name}"] = held(
            _median(same), level, f"loss at the end with η = {rate:g} from the {where}", **sides
        )
    return found


def _durations(case: OutcomeCase, branches: Sequence[Trained], place: StartPlace) -> Items:
    """How long trainings from a place lasted, and where that is shorter how long the run took."""
    known = [b for b in branches if not math.isnan(b.epochs)]
    if not known:
        return {}
    first, name, where = known[0], place.item, place.where
    what = f"epochs of each training from the {where}"
    found: Items = {f"epochs_from_{name}": Item(first.epochs, None, what)}
    if first.start in LEAVING and (took := _took(case, first)) > first.epochs:
        what = f"epochs that the run took from the {where} to leave, longer than these lasted"
        found[f"took_from_{name}"] = Item(took, None, what)
    return found


def caveats(case: OutcomeCase) -> tuple[str, ...]:
    """What limits the interventions of this run."""
    evidence = case.evidence
    found = []
    if not any(b.kind in ("lower-rate", "other-order") for b in evidence.measured.branches):
        # Where nothing has a gradient any more, why it doesn't come back needs no training.
        is_known = (known := standstill(evidence).get("no_way_back")) and known.value
        what = "left" if is_known else "does not come back"
        found.append(f"Why it {what} is not tested: no interventions were run.")
    if evidence.setup.momentum > 0:
        found += _resting(case)
    for start in LEAVING:
        found += _without_control(case, start)
        found += _too_few_orders(case, start)
    return tuple(found)


def _resting(case: OutcomeCase) -> list[str]:
    """Where trainings began without the run's velocity, and why there is none, if that is known."""
    branches = [b for b in case.evidence.measured.branches if b.kind != "plateau"]
    resting = [b for b in branches if not b.velocity]
    if not resting:
        return []
    steps = ", ".join(f"{step:,}" for step in sorted({b.start_step for b in resting}))
    # Where no training began with one, as of imported weights, there is another reason.
    is_chosen_late = len(resting) < len(branches) and {b.start for b in resting} == {"before-onset"}
    if case.course.left is None or not is_chosen_late:
        return [f"Trainings from step {steps} started with velocity zero: none was recorded there."]
    return [
        f"Trainings from step {steps}, the last with a logged loss before it left, started with "
        "velocity zero: none was recorded there, for only afterwards is it known when a run left."
    ]


def _without_control(case: OutcomeCase, start: str) -> list[str]:
    """Where the run's own order doesn't leave either, other orders that stay prove nothing."""
    tried = _from(case, start, "other-order") + _from(case, start, "lower-rate")
    if not tried or _repeats(case, start):
        return []
    where = STARTS[start].where
    if not _from(case, start, "control"):
        return [f"From the {where} no control was trained: why it left is not tested there."]
    lasted = _lasted(case, tried[0])
    if not lasted and not all(one.velocity for one in tried):
        lasted = ": without the run's velocity its steps are others"
    return [
        f"From the {where} the control (the run's own rate and order of batches) did not leave "
        f"either{lasted}. Nothing follows there."
    ]


def _too_few_orders(case: OutcomeCase, start: str) -> list[str]:
    """Where other orders decide nothing, for more of them or longer ones might."""
    again = _again(case, start)
    if again is None or again.decided != "open" or not _repeats(case, start):
        return []
    tried = f"{again.away} of {counted(again.count, 'other batch order')}"
    left = outcomes(case.evidence.measured.branches, start, case.course.leaving)
    more = sequential_test(case.thresholds).fewest(left)
    lasted = _lasted(case, _from(case, start, "other-order")[0])
    return [
        f"From the {STARTS[start].where} {tried} left, which decides nothing{lasted}. It takes "
        f"{more} more at least: landscape diagnose --orders{', --epochs' if lasted else ''}."
    ]


def _lasted(case: OutcomeCase, tried: Trained) -> str:
    """That a training was shorter than the run took from there to leave; empty if it wasn't."""
    took = _took(case, tried)
    if not took > tried.epochs:
        return ""
    return f": trainings lasted {tried.epochs:.3g} epochs, the run took {took:.3g} to leave"


def _took(case: OutcomeCase, tried: Trained) -> float:
    """How many epochs the run took to leave from where a training began; NaN if it didn't."""
    left = departure(case.evidence, case.course)
    steps = math.nan if left is None else left - tried.start_step
    return steps / case.evidence.setup.steps_per_epoch


def _from(case: OutcomeCase, start: str, kind: str) -> list[Trained]:
    return [b for b in case.evidence.measured.branches if (b.start, b.kind) == (start, kind)]


def _repeats(case: OutcomeCase, start: str) -> bool:
    """Whether the same rate and order left again from there, as the run did."""
    control = _from(case, start, "control")
    return bool(control) and all(b.has_left(case.course.leaving) for b in control)


def _is_unstable(case: OutcomeCase, start: str) -> bool:
    again = _again(case, start)
    return again is not None and _repeats(case, start) and again.decided == "unstable"


def _again(case: OutcomeCase, start: str) -> LeftAgain | None:
    branches, level = case.evidence.measured.branches, case.course.leaving
    return left_again(branches, start, level, case.thresholds)


def _stays(case: OutcomeCase, branches: list[Trained]) -> bool:
    return bool(branches) and not any(b.has_left(case.course.leaving) for b in branches)


def _is_own(branch: Trained, case: OutcomeCase) -> bool:
    return math.isclose(branch.learning_rate, case.evidence.setup.learning_rate, rel_tol=1e-9)


def _kind(evidence: Evidence) -> str | None:
    end, best = evidence.state("end"), evidence.state("best")
    norms = [s.gradient_norm for s in (end, best) if s is not None and s.gradient_norm is not None]
    if len(norms) == 2 and norms[0] > STEEP * norms[1]:
        return None if curved(evidence) is None else "slope"
    return curved(evidence)


def curved(evidence: Evidence) -> str | None:
    """How the loss curves at the end, one of `outcome_names.POINTS`; None: not measured there."""
    end = evidence.state("end")
    if end is None or end.lambda_min is None or end.lambda_max is None:
        return None
    flat = _flat_within(evidence, end)
    if max(end.lambda_max, -end.lambda_min) <= flat:
        return "flat"
    if end.lambda_min < -flat:
        return "saddle"
    return "minimum" if end.lambda_min > flat else "flat-valley"


def is_flat(evidence: Evidence, state: StateAtStep, curvature: float) -> bool:
    """Whether a curvature at a step counts as none."""
    return abs(curvature) <= _flat_within(evidence, state)


def _flat_within(evidence: Evidence, state: StateAtStep) -> float:
    """Up to which size an eigenvalue at a step counts as flat."""
    best = evidence.state("best")
    sizes = [state.lambda_max, None if best is None else best.lambda_max]
    if state.lambda_min is not None:
        sizes.append(-state.lambda_min)
    return FLAT * max((size for size in sizes if size is not None), default=0.0)


def _median(branches: list[Trained]) -> float:
    losses = [b.end_loss if not math.isnan(b.end_loss) else math.inf for b in branches]
    return float(np.median(losses))
