"""Parts as they are stored, from what a test has to say of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.diagnose.evidence import Evidence
from landscape.store.measured.curvature import Curvature, Jump, Sharpness
from landscape.store.measured.networks import Units
from landscape.store.measured.paths import Barrier, Connectivity, Curved, PairBarriers, Profile
from landscape.store.measured.trainings import (
    EscapeTrainings,
    Interventions,
    MotionTrainings,
    Replicas,
    Stretches,
    Trained,
)
from landscape.store.measured.whole import StateAtStep

UNITS, TENSORS = 10, 6
"""Units of a layer, and parameter tensors, where a test doesn't say."""


def changed(
    evidence: Evidence, *, states: Mapping[str, StateAtStep] | None = None, **changes: Any
) -> Evidence:
    """The evidence with other parts, ``states`` at its places, ``branches``, replicas, ...

    What isn't one of these is a part's name or the evidence's own.
    """
    measured = evidence.measured
    if "branches" in changes:
        interventions = trainings(measured.interventions, changes.pop("branches"))
        measured = replace(measured, interventions=interventions)
    motion = {name: changes.pop(name) for name in ("replicas", "stretches") if name in changes}
    if motion:
        before = measured.interventions or Interventions(motion=nothing())
        after = replace(before, motion=replace(before.motion or nothing(), **motion))
        measured = replace(measured, interventions=after)
    parts = {name: changes.pop(name) for name in tuple(changes) if hasattr(measured, name)}
    found = replace(evidence, measured=replace(measured, **parts), **changes)
    return found if states is None else at_places(found, states)


def nothing() -> MotionTrainings:
    return MotionTrainings(0, None, None, None, (), (), ())


def moved(*, replicas: Replicas | None = None, stretches: Stretches | None = None) -> Interventions:
    """What trainings from a run that stayed came to."""
    return Interventions(motion=replace(nothing(), replicas=replicas, stretches=stretches))


def trainings(before: Interventions | None, branches: Sequence[Trained]) -> Interventions | None:
    """After an escape all of them; otherwise there is one, from the end at a lower rate."""
    if [(b.kind, b.start) for b in branches] == [("lower-rate", "end")]:
        motion = before.motion if before is not None and before.motion is not None else nothing()
        return Interventions(motion=replace(motion, lower=branches[0]))
    if not branches:
        return None
    return Interventions(EscapeTrainings(math.nan, tuple(branches), (), (), ()))


def at_places(evidence: Evidence, states: Mapping[str, StateAtStep]) -> Evidence:
    """What was measured at the run's start, best row and end, and at the onset's own step."""
    step = evidence.rows.step
    lowest = int(np.argmin(evidence.rows.train_loss))
    steps = {
        "start": int(step[0]),
        "best": int(step[min(max(lowest, 1), len(step) - 2)]),
        "end": int(step[-1]),
    }
    places = {name: steps.get(name, state.step) for name, state in states.items()}
    known = [replace(state, step=places[name]) for name, state in states.items()]
    return replace(evidence, places=places, measured=replace(evidence.measured, **parts(known)))


def parts(states: Sequence[StateAtStep]) -> dict[str, Any]:
    """Units, curvature and sharpness at the steps of these states."""
    states = sorted(states, key=lambda state: state.step)
    return {
        "units": units([state for state in states if state.dead is not None]),
        "curvature": curvature([state for state in states if state.lambda_max is not None]),
        "sharpness": sharpness([state for state in states if state.batch_sharpness is not None]),
    }


def units(states: Sequence[StateAtStep]) -> Units | None:
    if not states:
        return None
    layers = list(
        dict.fromkeys(
            (name, kind)
            for state in states
            for kind, names in (
                ("dead", (*(state.dead or ()), *state.partly_dead)),
                ("saturated", state.saturated or ()),
            )
            for name in names
        )
    )
    stuck = [
        [
            UNITS
            if name in ((state.dead if kind == "dead" else state.saturated) or ())
            else round(UNITS * state.partly_dead.get(name, 0.0)) * (kind == "dead")
            for name, kind in layers
        ]
        for state in states
    ]
    tensors = list(dict.fromkeys(name for state in states for name in state.moving or ()))
    tensors += [f"{k}.weight" for k in range(max(s.tensors or TENSORS for s in states))]
    tensors = tensors[: max(s.tensors or TENSORS for s in states)]
    norms = []
    for state in states:
        moving = tensors if state.moving is None else state.moving
        # The first has all of the norm: what the others add is lost in rounding.
        norm = 0.1 if state.gradient_norm is None else state.gradient_norm
        size = {name: 1e-200 if place else norm for place, name in enumerate(moving)}
        norms.append([size.get(name, 0.0) for name in tensors])
    spread = [math.nan if s.logit_spread is None else s.logit_spread for s in states]
    count = len(states)
    return Units(
        step=np.array([state.step for state in states]),
        layers=tuple(name for name, _ in layers),
        kinds=tuple(kind for _, kind in layers),
        sizes=np.full(len(layers), UNITS),
        stuck=np.array(stuck, np.int64).reshape(count, len(layers)),
        loss=np.ones(count),
        constant_loss=math.log(10),
        spread=np.array(spread),
        scale=np.ones(count),
        start_spread=1.0,
        tensors=tuple(tensors),
        gradient_norms=np.array(norms),
    )


def curvature(states: Sequence[StateAtStep]) -> Curvature | None:
    if not states:
        return None
    largest = np.array([state.lambda_max for state in states], float)
    smallest = [-0.1 * s.lambda_max if s.lambda_min is None else s.lambda_min for s in states]
    nothing = np.zeros(len(states))
    return Curvature(
        np.array([state.step for state in states]),
        *(nothing, nothing, nothing, nothing),
        eigenvalues=largest[:, None],
        eigenvalue_errors=nothing[:, None],
        lowest=np.array(smallest),
        lowest_error=nothing,
        trace=nothing,
        trace_error=nothing,
        products=np.zeros(len(states), np.int64),
        samples=64,
        total=64,
        parameters=100,
    )


def sharpness(states: Sequence[StateAtStep]) -> Sharpness | None:
    if not states:
        return None
    return Sharpness(
        np.array([state.step for state in states]),
        np.array([state.batch_sharpness for state in states], float),
        np.array([state.batch_sharpness_error for state in states], float),
        np.zeros(len(states)),
        batch_size=32,
        batches=32,
    )


def jump(before: float, after: float, along_top: float) -> Jump:
    return Jump(10, 12, 20, before, after, along_top, along_top, 5, 0.01)


def barrier(error: float, ratio: float, loss: float = math.nan) -> Barrier:
    return Barrier(loss, ratio, error, math.nan)


def pair_barriers(count: int, barriers: Mapping[tuple[int, int], Barrier]) -> PairBarriers:
    flat = Profile(np.linspace(0, 1, 3), np.ones(3), np.ones(3), barrier(0.0, 0.0, 0.0))
    return PairBarriers(
        **{name: matrix(count, barriers, name) for name in ("loss", "ratio", "error", "at")},
        worst=flat,
        worst_pair=(0, 1),
        connected=None,
    )


def matrix(count: int, barriers: Mapping[tuple[int, int], Barrier], name: str) -> np.ndarray:
    values = np.zeros((count, count))
    for (i, j), one in barriers.items():
        values[i, j] = values[j, i] = getattr(one, name)
    return values


def curves(count: int, one: Barrier) -> Curved:
    """Trained curves that all have the same barrier."""
    every = dict.fromkeys(itertools.combinations(range(count), 2), one)
    values = {name: matrix(count, every, name) for name in ("loss", "ratio", "error")}
    return Curved(**values, trained=len(every), notes=())


def connectivity(
    count: int,
    line: Barrier,
    polyline: Barrier | None = None,
    matched: Barrier | None = None,
    *,
    symmetric: bool | None = None,
    pairs: Mapping[tuple[int, int], tuple[Barrier, Barrier, Barrier]] | None = None,
) -> Connectivity:
    """Floors with these barriers between all of them, but for the ``pairs`` that have others."""
    plain = line, polyline or line, matched
    every = {
        pair: (pairs or {}).get(pair, plain) for pair in itertools.combinations(range(count), 2)
    }
    kinds = [
        None
        if plain[kind] is None
        else pair_barriers(count, {pair: found[kind] for pair, found in every.items()})
        for kind in range(3)
    ]
    return Connectivity(
        *kinds,
        moved=0,
        distance=np.ones((count, count)),
        matched_distance=None,
        train_loss=np.full(count, 0.05),
        train_accuracy=np.ones(count),
        points=11,
        reason=None,
        symmetric=symmetric,
    )
