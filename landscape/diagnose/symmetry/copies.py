"""How far a network is from networks that are the same but for the order of their units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.diagnose.symmetry.groups import (
    Group,
    Permutations,
    Symmetry,
    UnitPlace,
    permuted,
    split,
    unit_parts,
)
from landscape.diagnose.symmetry.matching import match
from landscape.diagnose.symmetry.symmetry import find
from landscape.problem.problem import Problem
from landscape.store.measured.weights import Copies, Nearest, Typical
from landscape.store.scans.records import Floats

SAMPLES, FEWEST = 64, 8
"""Random copies, and how many of them there are of weights however many;"""
MOVED = 2**28
"""so many numbers are put into another order for all of them together."""
CANDIDATES = 32
"""Pairs whose distance is computed where the formula for one only estimates it."""

MEANINGS: Mapping[str, str] = {
    "nearest": "two units of one layer exchanged: the nearest copy that differs in a single layer",
    "typical": "all units of all hidden layers in random order: where a copy lies as a rule",
    "twin": "a network trained independently, as it is",
    "twin_matched": "the same after weight matching: its units in the order that comes closest",
}


def measure(
    problem: Problem,
    weights: NDArray[Any],
    twin: NDArray[Any] | None = None,
    *,
    symmetry: Symmetry | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Copies:
    """The reference distances of a network: its copies, and a twin before and after matching.

    Args:
        weights: (P,) of the network in question.
        twin: (P,) of the same architecture, trained from another seed.
        symmetry: `symmetry.find`'s, if it is known already.
    """
    found = find(problem) if symmetry is None else symmetry
    values = np.asarray(weights, np.float64)
    other = None if twin is None else np.asarray(twin, np.float64)
    # Of many weights each copy's distance is nearer to the mean.
    copies = min(samples, max(FEWEST, MOVED // max(1, len(values))))
    by_layer = {group.name: nearest(found, group, values) for group in found.groups}
    matched = None
    if other is not None and found.groups:
        matched = match(found, values, other, seed=seed).after
    moved = {place.tensor for group in found.groups for place in group.places}
    hidden = [values[p.slice] for p in found.layout.parameters if p.name in moved]
    return Copies(
        nearest=min((one.distance for one in by_layer.values()), default=None),
        by_layer=by_layer,
        nearest_is_exact=len(found.groups) == 1 and not found.groups[0].twice,
        typical=typical(found, values, samples=copies, seed=seed) if found.groups else None,
        by_layer_typical={
            group.name: expected(Symmetry((group,), found.layout), values) for group in found.groups
        },
        hidden_norm=math.sqrt(2 * sum(float(one @ one) for one in hidden)),
        twin=None if other is None else float(np.linalg.norm(values - other)),
        twin_matched=matched,
        groups={group.name: group.size for group in found.groups},
        reason=found.reason,
        meanings=MEANINGS,
        caveats=tuple(_caveats(found, by_layer, other is not None)),
    )


def nearest(symmetry: Symmetry, group: Group, weights: Floats) -> Nearest:
    """The nearest copy that differs in one group: two of its units exchanged.

    No other permutation of the group moves less: ‖w − πw‖² is the sum of ‖θ_i − θ_π(i)‖² over the
    units that it moves, at least two.
    """
    gram = np.zeros((group.size, group.size))
    for vectors in unit_parts(group, symmetry, weights):
        gram += vectors @ vectors.T
    squares = np.diag(gram)
    apart = squares[:, None] + squares - 2 * gram
    first, second = np.triu_indices(group.size, 1)
    ranked = np.argsort(apart[first, second], kind="stable")[:CANDIDATES]
    one, other = first[ranked], second[ranked]
    pairs = list(zip(one.tolist(), other.tolist(), strict=True))
    # Anew for the likeliest: in the Gram matrix close units cancel.
    if group.twice:
        distances = [_exchanged(symmetry, group, weights, pair) for pair in pairs]
    else:
        exact = np.zeros(len(pairs))
        for vectors in unit_parts(group, symmetry, weights):
            exact += ((vectors[one] - vectors[other]) ** 2).sum(1)
        distances = np.sqrt(2 * exact).tolist()
    best = int(np.argmin(distances))
    return Nearest(pairs[best], distances[best])


def typical(symmetry: Symmetry, weights: Floats, *, samples: int, seed: int) -> Typical:
    """How far copies with all groups in random order lie."""
    generator = np.random.default_rng(seed)
    distances = [_apart(symmetry, symmetry.draw(generator), weights) for _ in range(samples)]
    return Typical(
        float(np.mean(distances)),
        float(np.std(distances, ddof=1)) if samples > 1 else math.nan,
        samples,
        expected(symmetry, weights),
    )


def expected(symmetry: Symmetry, weights: Floats) -> float | None:
    """√E‖w − πw‖² over independent uniform permutations of all groups, in closed form.

    E⟨w, πw⟩ is ‖Mw‖² with M the average over the units of every group: permutations of different
    groups are independent, and each has the mean 1/n everywhere. With one group it is
    √(2 Σ‖θ_i − θ̄‖²). None where a group meets itself, whose products have another mean.
    """
    if any(group.twice for group in symmetry.groups):
        return None
    total = 0.0
    for name, tensor in split(symmetry.layout, weights).items():
        average = tensor
        for group in symmetry.groups:
            for place in group.places:
                if place.tensor == name:
                    average = _averaged(average, place, group.size)
        total += float(np.sum((tensor - average) ** 2))
    return math.sqrt(2 * total)


def _averaged(tensor: Floats, place: UnitPlace, count: int) -> Floats:
    """The tensor with the mean over a group's units in the place of each."""
    moved = np.moveaxis(tensor, place.axis, 0).copy()
    stop = place.start + place.repeats * count * place.block
    part = moved[place.start : stop].reshape(place.repeats, count, place.block, -1)
    part[:] = part.mean(1, keepdims=True)
    moved[place.start : stop] = part.reshape(stop - place.start, *moved.shape[1:])
    return np.moveaxis(moved, 0, place.axis)


def _exchanged(symmetry: Symmetry, group: Group, weights: Floats, pair: tuple[int, int]) -> float:
    units = np.arange(group.size)
    units[list(pair)] = units[list(reversed(pair))]
    return _apart(symmetry, {group.name: units}, weights)


def _apart(symmetry: Symmetry, permutations: Permutations, weights: Floats) -> float:
    """How far a copy lies, tensor by tensor."""
    found = permuted(symmetry, permutations, weights)
    return math.sqrt(
        sum(float(((weights[place] - numbers) ** 2).sum()) for place, numbers in found)
    )


def _caveats(symmetry: Symmetry, by_layer: Mapping[str, Nearest], has_twin: bool) -> list[str]:
    if not symmetry.groups:
        return [f"no distances to permuted copies: {symmetry.reason}"]
    found = ["the nearest copy exchanges the two most similar units, often two weak ones"]
    if len(symmetry.groups) > 1:
        found.append(
            "it is an upper bound on the nearest copy: permuting several layers at once "
            "can come nearer"
        )
    if min(one.distance for one in by_layer.values()) == 0:
        found.append("two units of a layer are equal, so exchanging them changes no weight")
    if has_twin:
        if len(symmetry.groups) > 1:
            found.append("weight matching needn't find the best permutation of the twin")
    else:
        found.append("no twin to compare with: name one, or train a sweep over seeds")
    return found
