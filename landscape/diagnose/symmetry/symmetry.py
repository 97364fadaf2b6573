"""Permutations of a model's units that leave its outputs as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.diagnose.symmetry.axes import Atom, length
from landscape.diagnose.symmetry.calls import Axes
from landscape.diagnose.symmetry.groups import (
    Group,
    Symmetry,
    UnitPlace,
    apply_to_buffers,
    permuted,
)
from landscape.diagnose.symmetry.tracing import Untraceable, trace
from landscape.problem import samples
from landscape.problem.batchnorm import recompute
from landscape.problem.modes import evaluating
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.weights import Buffers, Layout, buffers, load_buffers, tied

EXAMPLES = 2
"""Inputs that a model is traced with; how many doesn't matter to the units."""
CHECKED = 4
"""Inputs that the self-check compares outputs on."""
TOLERANCE = 1e-10
"""Of the self-check in float64, relative to the largest output: rounding stays well below."""


def find(problem: Problem) -> Symmetry:
    """The permutation groups of a problem's model: traced, then checked on a few inputs.

    The check permutes all groups at random and compares outputs in float64, at weights and
    statistics moved away from special values such as zero biases. A model that can't be traced,
    or fails, has no groups and a ``reason``. A second or so; nothing is changed.
    """
    layout = problem.layout
    inputs = _inputs(problem, EXAMPLES)
    if inputs is None:
        why = "the model's operations can't be traced: it doesn't take one tensor"
        return Symmetry((), layout, why, traced=False)
    try:
        traced = trace(problem.model, inputs)
    except Untraceable as reason:
        why = f"the model's operations can't be traced: {reason}"
        return Symmetry((), layout, why, traced=False)
    frozen = {name for name, _ in problem.model.named_parameters()}
    frozen -= {parameter.name for parameter in layout.parameters}
    found = Symmetry(tuple(_groups(traced, layout, frozen)), layout)
    if not found.groups:
        return replace(found, reason="no units of the model can be told to be interchangeable")
    try:
        deviation = check(problem, found)
    except RuntimeError as error:  # a model that insists on float32
        [line, *_] = str(error).splitlines()
        why = f"the permutations can't be checked in float64: {line}"
        return Symmetry((), layout, why, traced=False)
    if not deviation <= TOLERANCE:
        return Symmetry(
            (),
            layout,
            f"the permutations found must keep the outputs, they change them by {deviation:.1g} of "
            "their size: the model is random, or does what its trace doesn't show",
            deviation,
            traced=False,
        )
    return replace(found, deviation=deviation)


def check(problem: Problem, symmetry: Symmetry, *, seed: int = 0) -> float:
    """The largest change of an output under a random permutation, relative to the largest output.

    In float64 on a few inputs, at random weights near the model's own.
    """
    copy = tied(problem.model, "cpu", torch.float64, layout=symmetry.layout)
    model = copy.model
    generator = np.random.default_rng(seed)
    # Its own memory: what is written there moves the model.
    weights = copy.vector.numpy()
    _shake(weights, symmetry.layout, generator)
    copy.settle()
    permutations = symmetry.draw(generator)
    inputs = _inputs(problem, CHECKED)
    assert inputs is not None  # `find` traced it with some
    given = inputs.double() if inputs.is_floating_point() else inputs
    # Of the weights' own activations: with others, ReLUs may let nothing through to compare.
    recompute(model, Samples((given, torch.zeros(len(given)))))
    statistics = buffers(model)

    def outputs(own: Buffers) -> Tensor:
        with torch.no_grad(), evaluating(model):
            load_buffers(model, own)
            found: Tensor = model(given)
            return found.double()

    before = outputs(statistics)
    for place, numbers in permuted(symmetry, permutations, weights):
        weights[place] = numbers
    copy.settle()
    after = outputs(apply_to_buffers(symmetry, permutations, statistics))
    scale = float(before.abs().max()) or 1.0
    return float((after - before).abs().max()) / scale


def _groups(traced: Mapping[str, Axes], layout: Layout, frozen: Set[str]) -> Iterator[Group]:
    parameters = {parameter.name for parameter in layout.parameters}
    places: dict[Atom, list[UnitPlace]] = {}
    for name, axes in traced.items():
        for k, axis in enumerate(axes):
            for atom, place in _places(name, k, axis):
                places.setdefault(atom, []).append(place)
    names: set[str] = set()
    for atom, found in places.items():
        own = tuple(place for place in found if place.tensor in parameters)
        # Of units that frozen tensors tell apart no permutation keeps the outputs.
        if not own or any(place.tensor in frozen for place in found):
            continue
        name = _named(own, names)
        names.add(name)
        rest = tuple(place for place in found if place.tensor not in parameters)
        yield Group(name, atom.size, own, rest)


def _places(
    name: str, k: int, axis: tuple[tuple[Atom, ...], ...]
) -> Iterator[tuple[Atom, UnitPlace]]:
    """Yield the atoms of an axis that can be permuted, and where they lie."""
    start = 0
    for segment in axis:
        for j, atom in enumerate(segment):
            if not atom.fixed and atom.size > 1:
                yield atom, UnitPlace(name, k, start, length(segment[:j]), length(segment[j + 1 :]))
        start += length(segment)


def _named(places: Sequence[UnitPlace], taken: set[str]) -> str:
    rows = [place for place in places if place.axis == 0] or places
    layer = rows[0].tensor.rpartition(".")[0] or rows[0].tensor
    numbered = (f"{layer} ({k})" for k in itertools.count(2))
    return next(name for name in itertools.chain([layer], numbered) if name not in taken)


def _inputs(problem: Problem, count: int) -> Tensor | None:
    """A few inputs; None of a model that doesn't take one tensor, or that an objective calls."""
    chosen = torch.arange(count) % samples.length(problem.train)
    content = samples.few(problem.train, chosen).content
    if problem.objective is not None or not isinstance(content[0], Tensor):
        return None
    return content[0]


def _shake(weights: NDArray[Any], layout: Layout, generator: np.random.Generator) -> None:
    """Move weights away from zeros and ones, by a tenth of each tensor's typical weight."""
    for parameter in layout.parameters:
        own = weights[parameter.slice]
        typical = float(np.sqrt(np.mean(own**2))) or 1.0
        own += 0.1 * typical * generator.standard_normal(len(own))
