"""Weight matching: the permutation of one network's units that brings it closest to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from landscape.diagnose.symmetry.groups import (
    Group,
    Indices,
    Permutations,
    Symmetry,
    UnitPlace,
    apply,
    permute,
    split,
    units,
)
from landscape.store.scans.records import Floats

Tensors: TypeAlias = Mapping[str, NDArray[Any]]

RESTARTS = 8
SWEEPS = 100
"""The most sweeps over all groups; a sweep that gains nothing ends them, mostly after ten."""
GAIN = 1e-12
"""A smaller gain, relative to the product of norms, is rounding."""


@dataclass(frozen=True)
class Matching:
    """Network b with its units permuted so that it lies close to network a."""

    permutations: Mapping[str, Indices]
    """By group; `groups.apply` and `groups.apply_to_buffers` take them."""
    weights: Floats
    """(P,) of b, permuted."""
    before: float
    """‖a − b‖."""
    after: float
    """‖a − πb‖: an upper bound on the least; exact with one group whose units don't connect with
    each other."""
    distances: tuple[float, ...]
    """‖a − πb‖ of every start: identity, layer by layer, then random ones."""


def match(
    symmetry: Symmetry,
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    restarts: int = RESTARTS,
    seed: int = 0,
) -> Matching:
    """Permute b's units towards a: maximize ⟨a, πb⟩ (Ainsworth et al., 2023, "Git Re-Basin").

    Coordinate descent: with all other groups held, the best permutation of one is a linear
    assignment. Started from the identity, from a pass that matches each group by those weights
    alone whose other ends are matched already (which recovers b = πa exactly where no two units
    are equal), and ``restarts`` times at random; the best is kept, which needn't be the best there
    is.

    Args:
        a: (P,), which stays.
        b: (P,), whose units are permuted.
        restarts: Random starts beside the two others.
    """
    problem = _Assignment(symmetry, a, b)
    generator = np.random.default_rng(seed)
    identity = {group.name: np.arange(group.size) for group in symmetry.groups}
    starts = [identity, problem.layer_by_layer()]
    if len(symmetry.groups) > 1 or any(group.twice for group in symmetry.groups):
        starts += [symmetry.draw(generator) for _ in range(restarts)]
    before = float(np.linalg.norm(problem.a - problem.b))
    best, distances = Matching(identity, problem.b, before, before, ()), list[float]()
    for start in starts:
        end = problem.descend(start, generator)
        moved = apply(symmetry, end, problem.b)
        distances.append(float(np.linalg.norm(problem.a - moved)))
        if distances[-1] < best.after:
            best = replace(best, permutations=end, weights=moved, after=distances[-1])
        if best.after == 0:
            break
    return replace(best, distances=tuple(distances))


class _Assignment:
    """The inner product ⟨a, πb⟩, group by group."""

    def __init__(self, symmetry: Symmetry, a: NDArray[Any], b: NDArray[Any]) -> None:
        self.symmetry = symmetry
        self.a, self.b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        self._mine = split(symmetry.layout, self.a)
        self._theirs = split(symmetry.layout, self.b)
        self._groups = {name: set[str]() for name in self._mine}
        for group in symmetry.groups:
            for place in group.places:
                self._groups[place.tensor].add(group.name)
        self._tolerance = GAIN * float(np.linalg.norm(self.a) * np.linalg.norm(self.b))

    def descend(self, start: Permutations, generator: np.random.Generator) -> dict[str, Indices]:
        """Improve one group after the other, in random order, until a sweep gains nothing."""
        found = dict(start)
        moved = dict(self._theirs)
        for group in self.symmetry.groups:
            permute(moved, group.places, group.size, found[group.name])
        for _ in range(SWEEPS):
            gained = 0.0
            for k in generator.permutation(len(self.symmetry.groups)):
                group = self.symmetry.groups[k]
                step = _best(self._products(group.places, group.size, moved))
                tried = dict(moved)
                permute(tried, group.places, group.size, step)
                gain = self._gain(group, moved, tried)
                # Where units of a group connect with each other, the assignment only estimates.
                if gain > self._tolerance:
                    moved, gained = tried, gained + gain
                    found[group.name] = found[group.name][step]
            if gained == 0:
                break
        return found

    def layer_by_layer(self) -> dict[str, Indices]:
        """Match each group by the weights whose other ends are fixed or matched already.

        The group that most weights a unit speak for comes first.
        """
        found: dict[str, Indices] = {}
        waiting = list(self.symmetry.groups)
        moved = dict(self._theirs)
        while waiting:
            known = {group.name: self._known(group, found) for group in waiting}
            group = max(waiting, key=lambda group: self._weight(group, known[group.name]))
            step = _best(self._products(known[group.name] or group.places, group.size, moved))
            permute(moved, group.places, group.size, step)
            found[group.name] = step
            waiting.remove(group)
        return found

    def _known(self, group: Group, found: Permutations) -> list[UnitPlace]:
        tensors = [place.tensor for place in group.places]
        return [
            place
            for place in group.places
            if self._groups[place.tensor] <= {group.name, *found}
            and tensors.count(place.tensor) == 1
        ]

    def _weight(self, group: Group, places: Iterable[UnitPlace]) -> float:
        return sum(self._mine[place.tensor].size / group.size for place in places)

    def _products(self, places: Iterable[UnitPlace], size: int, moved: Tensors) -> Floats:
        """(n, n) of a's unit i with the permuted b's unit j, in and out."""
        total = np.zeros((size, size))
        for place in places:
            theirs = units(moved[place.tensor], place, size)
            total += units(self._mine[place.tensor], place, size) @ theirs.T
        return total

    def _gain(self, group: Group, moved: Tensors, tried: Tensors) -> float:
        return sum(
            float(np.vdot(self._mine[name], tried[name] - moved[name]))
            for name in {place.tensor for place in group.places}
        )


def _best(products: Floats) -> Indices:
    """The permutation p with the largest sum of ``products[i, p[i]]``."""
    _, columns = linear_sum_assignment(products, maximize=True)
    found: Indices = columns
    return found
