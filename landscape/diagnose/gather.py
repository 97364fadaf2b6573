"""What the parts measured, as the evidence that the verdict is read from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from landscape.curvature.along_run import Curvature
from landscape.curvature.density import Density, count_below
from landscape.curvature.jump import Jump
from landscape.curvature.sharpness import Sharpness
from landscape.diagnose import escape, siblings
from landscape.diagnose.connectivity import Connectivity, Pairs
from landscape.diagnose.context import Context, Interventions
from landscape.diagnose.curved import Curved
from landscape.diagnose.evidence import (
    Barrier,
    Branch,
    Catapult,
    Evidence,
    Floors,
    Pair,
    Spectrum,
    State,
)
from landscape.diagnose.parts import LEFT_OUT, has_returned
from landscape.diagnose.units import Units
from landscape.store.records import Floats

CURVATURES = 25
"""Curvatures at which eigenvalues are counted, evenly spaced in their logarithm."""
DECADES = 8


def evidence(context: Context) -> Evidence:
    """Fill in what is there; what isn't becomes a caveat."""
    results = context.results
    found: Interventions = results.get("interventions", Interventions())
    branches: tuple[Branch, ...] = ()
    if found.escape is not None:
        branches = found.escape.branches
    elif found.motion is not None and found.motion.lower is not None:
        branches = (found.motion.lower,)
    absent = [f"{sentence}." for sentence in _absent(context)]
    copies = results.get("permutations")
    return replace(
        context.subject.evidence,
        states=dict(_states(context)),
        sharpness=_sharpness(context),
        siblings_share=siblings.median_share(
            context.siblings.runs, context.subject.evidence.constant_loss, context.limits.learned
        ),
        branches=branches,
        catapult=_catapult(results.get("jump")),
        diffusion=results.get("diffusion"),
        replicas=found.motion.replicas if found.motion is not None else None,
        stretches=found.motion.stretches if found.motion is not None else None,
        floors=_floors(results.get("connectivity"), results.get("curves")),
        spectrum=_spectrum(results.get("density")),
        twin=copies is None or copies.twin is not None,
        absent=tuple(absent),
    )


def _absent(context: Context) -> Iterator[str]:
    yield from (f"Left out of the siblings: {reason}" for reason in context.siblings.unreadable)
    left = [name for name, reason in context.absent.items() if reason == LEFT_OUT]
    if left:
        yield f"Left out: {', '.join(left)}"
    for name, sentence in context.absent.items():
        # These are asked for by some verdicts only.
        if sentence == LEFT_OUT or (
            name in ("jump", "connectivity", "curves") and not _wanted(context, name)
        ):
            continue
        yield f"Not measured: {sentence}"
    done = context.results.get("interventions")
    if done is not None and done.motion is not None:
        if done.motion.diverged:
            yield f"Diverged and left out: {done.motion.diverged}"
        if done.motion.reason:
            yield f"Not measured: {done.motion.reason}"


def _wanted(context: Context, name: str) -> bool:
    if name == "jump":
        return has_returned(context.course)
    if name == "curves":
        return context.curve and "connectivity" in context.results
    found = context.results.get("interventions")
    return found is not None and found.motion is not None


def _states(context: Context) -> Iterator[tuple[str, State]]:
    """What units, curvature and sharpness say of the start, the best row and the end."""
    trajectory = context.subject.trajectory
    places = {"start": 0, "best": trajectory.row("best"), "end": trajectory.row("final")}
    if context.course is not None and context.course.escaped:
        places["onset"] = escape.before_onset(context.subject, context.course)
    for name, row in places.items():
        yield name, _state(context, int(trajectory.step[row]))


def _state(context: Context, step: int) -> State:
    state = _with_units(State(step), context.results.get("units"))
    state = _with_curvature(state, context.results.get("curvature"))
    return _with_sharpness(state, context.results.get("sharpness"))


def _sharpness(context: Context) -> tuple[State, ...]:
    found = (context.results.get(name) for name in ("curvature", "sharpness"))
    steps = {int(step) for part in found if part is not None for step in part.step}
    return tuple(_state(context, step) for step in sorted(steps))


def _with_units(state: State, found: Units | None) -> State:
    at = _place(state, found)
    if found is None or at is None:
        return state
    return replace(
        state,
        gradient_norm=float(found.gradient_norm[at]),
        dead=found.whole("dead", at),
        saturated=found.whole("saturated", at),
        partly_dead=found.partly("dead", at),
        # Outputs that are all zero don't depend on the input either.
        logit_spread=float(found.relative_spread[at]) if found.scale[at] != 0 else 0.0,
        moving=found.moving(at),
        tensors=len(found.tensors),
    )


def _with_curvature(state: State, found: Curvature | None) -> State:
    at = _place(state, found)
    if found is None or at is None:
        return state
    return replace(
        state,
        lambda_max=float(found.eigenvalues[at, 0]),
        lambda_min=float(found.lowest[at]),
    )


def _with_sharpness(state: State, found: Sharpness | None) -> State:
    at = _place(state, found)
    if found is None or at is None or math.isnan(found.value[at]):
        return state
    return replace(
        state,
        batch_sharpness=float(found.value[at]),
        batch_sharpness_error=float(found.error[at]),
    )


def _place(state: State, found: Units | Curvature | Sharpness | None) -> int | None:
    if found is None:
        return None
    places = np.flatnonzero(np.asarray(found.step) == state.step)
    return int(places[0]) if len(places) else None


def _catapult(found: Jump | None) -> Catapult | None:
    return None if found is None else Catapult(found.before, found.after, found.along_top)


def _floors(found: Connectivity | None, curves: Curved | None) -> Floors | None:
    if found is None:
        return None
    return Floors(
        count=len(found.train_loss),
        line=_barrier(found.line),
        polyline=_barrier(found.polyline),
        curve=_barrier(curves) if curves is not None else None,
        matched=_barrier(found.matched) if found.matched is not None else None,
        loss=float(np.median(found.train_loss)),
        symmetric=found.symmetric,
        pairs=_pairs(found, curves),
    )


def _pairs(found: Connectivity, curves: Curved | None) -> dict[Pair, dict[str, Barrier]]:
    """The barriers of every pair of floors along each kind of path."""
    kinds: dict[str, Pairs | Curved | None] = {
        "line": found.line,
        "polyline": found.polyline,
        "curve": curves,
        "matched": found.matched,
    }
    return {
        (i, j): {
            name: Barrier(
                error=float(each.error[i, j]),
                ratio=float(each.ratio[i, j]),
                loss=float(each.loss[i, j]),
            )
            for name, each in kinds.items()
            if each is not None
        }
        for i, j in itertools.combinations(range(len(found.train_loss)), 2)
    }


def _barrier(pairs: Pairs | Curved) -> Barrier:
    """Of each number the worst pair's; NaN where no pair has it, as without classes."""
    return Barrier(error=_worst(pairs.error), ratio=_worst(pairs.ratio), loss=_worst(pairs.loss))


def _worst(values: Floats) -> float:
    between = values[~np.eye(len(values), dtype=bool)]
    return float(np.nanmax(between)) if not np.isnan(between).all() else math.nan


def _spectrum(found: Density | None) -> Spectrum | None:
    if found is None or not found.highest > 0:
        return None
    curvature = np.geomspace(found.highest * 10.0**-DECADES, found.highest, CURVATURES)
    counts = [count_below(found, float(value)) for value in curvature]
    columns = np.array([(c.value, c.error, c.lower, c.upper) for c in counts])
    below, error, lower, upper = columns.T
    return Spectrum(curvature, below, error, lower, upper, found.samples, found.total)
