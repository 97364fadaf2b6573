"""Mistakes that no error message tells of: found in data and outputs before landscapes are blamed.

A loss that is stuck at 2.30 or 1.46 more often comes from one of these than from where SGD went.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.problem.losses import IGNORED, CrossEntropy, cross_entropy, is_ignored
from landscape.problem.modes import evaluating
from landscape.problem.problem import Problem
from landscape.problem.weights import tied
from landscape.quantities import number

SOME = 1024
"""Samples whose outputs are looked at."""
SCALES = (1.0, 10.0, 100.0)
"""The weights are multiplied by these: outputs that nothing confines grow with them."""
CONFINED = 1.05
"""Outputs that are within this factor as wide at the largest scale as before are confined."""
NOTICED = 0.01
"""Nats; a lower floor of the loss is none worth a word."""
LARGE = 20.0
"""† Root mean square of inputs from which they were never scaled; pixels to 255 have 60 to 130."""


@dataclass(frozen=True)
class Mistakes:
    """What was found."""

    sentences: tuple[str, ...] = ()
    """One each, with what to do."""
    floor: float = math.nan
    """The lowest loss that confined outputs allow; NaN: they aren't, or the loss is another."""


def find(problem: Problem) -> Mistakes:
    """Look at the data and at the outputs' range; a few passes over 1,024 samples.

    Data that isn't two tensors is not looked at, nor are outputs that can't be computed.
    """
    if problem.objective is not None or not (
        isinstance(problem.train, tuple)
        and len(problem.train) == 2
        and all(isinstance(part, Tensor) for part in problem.train)
    ):
        return Mistakes()
    inputs, targets = problem.train
    sentences = [*_of_inputs(inputs), *_of_one_class(targets)]
    spread = _range(problem, inputs)
    if spread is None:
        return Mistakes(tuple(sentences))
    low, high, classes = spread
    width, floor = high - low, math.nan
    if is_cross_entropy(problem):
        sentences += _of_labels(problem, classes)
        if math.isfinite(width) and (least := floor_of(width, classes)) > NOTICED:
            floor = least
            sentences.append(
                f"The outputs stay between {number(low)} and {number(high)} whatever the weights, "
                f"and cross-entropy takes them for logits: with {classes} classes the loss can't "
                f"fall below {floor:.4g}. Leave out the softmax, sigmoid or tanh before it."
            )
    elif targets.is_floating_point() and math.isfinite(width):
        least, most = float(targets.min()), float(targets.max())
        if least < low - 0.01 * width or most > high + 0.01 * width:
            sentences.append(
                f"The outputs stay between {number(low)} and {number(high)} whatever the weights; "
                f"the targets go from {number(least)} to {number(most)}. Scale one of the two."
            )
    return Mistakes(tuple(sentences), floor)


def floor_of(width: float, classes: int) -> float:
    """The lowest cross-entropy of outputs in a range: the right one at its top, others at its foot.

    ln(1 + (C − 1)e^{−(b − a)}): 1.461 for ten classes between 0 and 1, 0.797 between −1 and 1.
    """
    return math.log1p((classes - 1) * math.exp(-width))


def is_cross_entropy(problem: Problem) -> bool:
    """Whether the loss takes outputs for logits of classes, whatever its options are."""
    if problem.objective is not None:
        return False
    return problem.loss is cross_entropy or isinstance(problem.loss, CrossEntropy)


def _of_inputs(inputs: Tensor) -> Iterator[str]:
    if not inputs.is_floating_point():
        return
    values = inputs.double()
    size = float(values.square().mean().sqrt())
    if size > LARGE:
        yield (
            f"Inputs are as large as {number(float(values.abs().max()))} (root mean square "
            f"{number(size)}), and networks are initialized for inputs of about 1. Divide them, "
            "as pixels by 255, or normalize them."
        )
    if values.ndim == 2 and len(values) > 1:
        constant = (values == values[0]).all(0).nonzero().flatten().tolist()
        if constant:
            which = ", ".join(str(each) for each in constant[:3]) + ", ..." * (len(constant) > 3)
            yield (
                f"{len(constant)} of {values.shape[1]} features are the same in every sample "
                f"(columns {which}): they tell nothing, and dividing by their deviation gives NaN."
            )


def _of_one_class(targets: Tensor) -> Iterator[str]:
    if targets.is_floating_point() or not targets.numel():
        return
    counted = targets[~is_ignored(targets, IGNORED)]
    if counted.numel() and bool((counted == counted.flatten()[0]).all()):
        yield (
            f"All labels are {int(counted.flatten()[0])}: there is nothing to tell apart. Look at "
            "how they are read."
        )


def _of_labels(problem: Problem, classes: int) -> Iterator[str]:
    ignored = getattr(problem.loss, "ignore_index", IGNORED)
    for name, data in (("training", problem.train), ("validation", problem.validation)):
        if not isinstance(data, tuple) or data[1].is_floating_point():
            continue
        counted = data[1][~is_ignored(data[1], ignored)]
        if counted.numel() and (int(counted.min()) < 0 or int(counted.max()) >= classes):
            yield (
                f"Labels of the {name} data go from {int(counted.min())} to {int(counted.max())}, "
                f"the model has {classes} outputs: labels must be 0 to {classes - 1}."
            )


def _range(problem: Problem, inputs: Tensor) -> tuple[float, float, int] | None:
    """Lowest and highest output and how many a sample has; infinite where nothing confines them.

    None where the outputs aren't a tensor (N, C, ...).
    """
    copy = tied(problem.model, layout=problem.layout)
    model, own = copy.model, copy.vector.clone()
    place = own.device
    found: list[tuple[float, float]] = []
    classes = 0
    with evaluating(model), torch.no_grad():
        for scale in SCALES:
            copy.move(scale * own)
            outputs = model(inputs[:SOME].to(place))
            if not isinstance(outputs, Tensor) or outputs.ndim < 2:
                return None
            classes = outputs.shape[1]
            found.append((float(outputs.min()), float(outputs.max())))
    low, high = min(a for a, _ in found), max(b for _, b in found)
    widths = [b - a for a, b in found]
    if not 0 < widths[-1] <= CONFINED * max(widths[:-1]) or not math.isfinite(widths[-1]):
        return -math.inf, math.inf, classes
    return low, high, classes
