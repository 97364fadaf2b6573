"""Groups of a model's interchangeable units, and weights with their units permuted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from landscape.problem.weights import Buffers, Layout

Indices: TypeAlias = NDArray[np.intp]
Permutations: TypeAlias = Mapping[str, Indices]
"""By group: unit i of the result is unit ``permutation[i]`` of what is given; others stay."""


@dataclass(frozen=True)
class UnitPlace:
    """Where a group's units lie along one axis of one tensor.

    Unit i has the positions ``start + (o * size + i) * block + r``, with o < ``repeats`` and
    r < ``block``: a channel that is flattened has a block of columns.
    """

    tensor: str
    axis: int
    start: int
    repeats: int
    block: int


@dataclass(frozen=True)
class Group:
    """Units that may be permuted among themselves, all their places at once."""

    name: str
    """The first layer whose rows they are, such as ``conv1``."""
    size: int
    places: tuple[UnitPlace, ...]
    """In the parameters."""
    statistics: tuple[UnitPlace, ...] = ()
    """In BatchNorm's buffers."""

    @property
    def twice(self) -> bool:
        """Whether some weights connect its units with each other, as a recurrent layer's do."""
        stretches = {(place.tensor, place.axis, place.start) for place in self.places}
        tensors = {place.tensor for place in self.places}
        axes = {(place.tensor, place.axis) for place in self.places}
        return len(axes) > len(tensors) or len(stretches) < len(self.places)


@dataclass(frozen=True)
class Symmetry:
    """The groups of units of a model; none where it could not be told, for a ``reason``.

    The whole group is the product of all permutations within each. There may be more symmetries
    (rescalings, exchanged blocks): what is here holds, it isn't all there is.
    """

    groups: tuple[Group, ...]
    layout: Layout
    reason: str | None = None
    """Why there are no groups, in one line; None where the model was traced and checked."""
    deviation: float = float("nan")
    """Of the outputs after a random permutation, relative to the largest, in float64."""
    traced: bool = True
    """Whether the model could be traced and the groups checked: if so and there are none, none were
    found; otherwise there may be any."""

    def __getitem__(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    def draw(self, generator: np.random.Generator) -> dict[str, Indices]:
        """A uniformly random permutation of every group."""
        return {group.name: generator.permutation(group.size) for group in self.groups}


def apply(symmetry: Symmetry, permutations: Permutations, weights: NDArray[Any]) -> NDArray[Any]:
    """Weights (P,) with their units permuted; the network does what it did."""
    found = np.empty_like(weights)
    for place, numbers in permuted(symmetry, permutations, weights):
        found[place] = numbers
    return found


def permuted(
    symmetry: Symmetry, permutations: Permutations, weights: NDArray[Any]
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Where each tensor is in weights (P,), and its numbers with the units permuted."""
    for parameter in symmetry.layout.parameters:
        name = parameter.name
        tensors = {name: weights[parameter.slice].reshape(parameter.shape)}
        for group in symmetry.groups:
            if group.name in permutations:
                places = [place for place in group.places if place.tensor == name]
                permute(tensors, places, group.size, permutations[group.name])
        yield parameter.slice, tensors[name].reshape(-1)


def split(layout: Layout, weights: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Weights (P,) as tensors by name, in the layout's order; views."""
    return {p.name: weights[p.slice].reshape(p.shape) for p in layout.parameters}


def apply_to_buffers(
    symmetry: Symmetry, permutations: Permutations, values: Buffers
) -> dict[str, NDArray[Any]]:
    """BatchNorm's statistics, permuted as `apply` permutes the weights."""
    found = dict(values)
    for group in symmetry.groups:
        if group.name in permutations:
            present = [place for place in group.statistics if place.tensor in found]
            permute(found, present, group.size, permutations[group.name])
    return found


def inverse(permutations: Permutations) -> dict[str, Indices]:
    """The permutation that undoes another."""
    return {name: np.argsort(value) for name, value in permutations.items()}


def permute(
    tensors: dict[str, NDArray[Any]], places: Sequence[UnitPlace], size: int, units: Indices
) -> None:
    """Replace tensors by others with the units at these places in another order."""
    for place in places:
        index = np.arange(tensors[place.tensor].shape[place.axis])
        index[positions(place, np.arange(size))] = positions(place, units)
        tensors[place.tensor] = np.take(tensors[place.tensor], index, place.axis)


def positions(place: UnitPlace, units: Indices) -> Indices:
    """(repeats, units, block) of the positions along its axis, the units in the order given."""
    blocks = np.arange(place.repeats)[:, None] * len(units) + units
    return place.start + blocks[:, :, None] * place.block + np.arange(place.block)


def unit_vectors(group: Group, symmetry: Symmetry, weights: NDArray[Any]) -> NDArray[np.float64]:
    """(size, n): row i holds all weights of unit i, in and out."""
    return np.concatenate(list(unit_parts(group, symmetry, weights)), axis=1)


def unit_parts(
    group: Group, symmetry: Symmetry, weights: NDArray[Any]
) -> Iterator[NDArray[np.float64]]:
    """The columns of `unit_vectors`, those of one place after those of another."""
    tensors = split(symmetry.layout, weights)
    for place in group.places:
        yield units(np.asarray(tensors[place.tensor], np.float64), place, group.size)


def units(tensor: NDArray[Any], place: UnitPlace, count: int) -> NDArray[Any]:
    """(count, n): row i holds a tensor's entries at unit i."""
    index = positions(place, np.arange(count))
    taken = np.take(tensor, np.moveaxis(index, 1, 0).reshape(count, -1), place.axis)
    return np.moveaxis(taken, place.axis, 0).reshape(count, -1)
