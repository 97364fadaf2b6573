"""A problem: a model, its data and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem import samples
from landscape.problem.losses import Loss, cross_entropy, per_sample
from landscape.problem.samples import Data, Samples
from landscape.problem.weights import Layout, matching

SAME = 1e-3
"""Of 1 + |output|: by so much at most rounding changes it in another batch."""
Augment: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""``augment(inputs, generator)``: inputs (B, ...) as the model sees them in training."""


@dataclass(frozen=True)
class Source:
    """The function that made a problem, and its settings: enough to do so in another process."""

    kind: str
    """builtin, file or module."""
    function: str
    """``path/to/file.py:function`` or ``package.module:function``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments; plain JSON values."""
    sha256: str = ""
    """Hash of the file that holds the function; empty for the built-in ones."""
    seed: int = 0
    """What torch, numpy and random were seeded with for the call."""
    train_samples: int | None = None
    label_noise: float = 0.0


@dataclass(frozen=True)
class Problem:
    """What is minimised: the mean of ``loss(model(inputs), targets)`` over the training data.

    Nothing here changes the model that is handed over: whoever trains or scans copies it.

    Raises:
        LandscapeError: the model has no parameters, or the data is empty or of unequal length.
    """

    model: nn.Module
    train: Data
    """A pair (inputs, targets) of tensors with equal first dimension, or a Dataset of pairs."""
    validation: Data | None = None
    loss: Loss = cross_entropy
    """``loss(outputs, targets)``: one loss a sample, shape (B,); outputs come in float64."""
    augment: Augment | None = None
    """Applied to training batches only, never when a loss is measured."""
    source: Source | None = field(default=None, compare=False)
    """How to make this problem again; ``load`` and ``builtin`` set it."""
    weights: Layout | None = field(default=None, compare=False)
    """Which tensors P consists of, and which of them directions move; None: those that are
    trained. `also_trained` and ``Layout.narrowed`` make others."""

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise LandscapeError(
                f"a problem's model must be a torch.nn.Module, got {type(self.model).__name__}"
            )
        if next(self.model.parameters(), None) is None:
            raise LandscapeError("a problem's model must have parameters, got a model without any")
        samples.check(self.train, "training")
        if self.validation is not None:
            samples.check(self.validation, "validation")

    @property
    def layout(self) -> Layout:
        """The order of the flat vector of weights."""
        return self.weights or Layout.of(self.model)


def also_trained(problem: Problem, patterns: Sequence[str]) -> Problem:
    """The problem with frozen tensors among its weights: those that are to be trained later.

    Raises:
        LandscapeError: a pattern matches no tensor.
    """
    if not patterns:
        return problem
    names = [name for name, _ in problem.model.named_parameters()]
    chosen = matching(names, patterns, what="train")
    return replace(problem, weights=Layout.of(problem.model, also=chosen))


def verify(problem: Problem) -> None:
    """Run two samples through model and loss, leaving the model as it is.

    Raises:
        LandscapeError: the model can't take the data, the loss isn't one value a sample, or a
            sample's outputs depend on the others in its batch.
    """
    two = torch.arange(min(2, samples.length(problem.train)))
    inputs, targets = Samples(problem.train).take(two)
    device = next(problem.model.parameters()).device
    modes = [(module, module.training) for module in problem.model.modules()]
    problem.model.eval()
    try:
        # Lazy layers draw their weights here; inference mode would make them unfit for training.
        with torch.no_grad():
            inputs = inputs.to(device)
            outputs = problem.model(inputs)
            per_sample(problem.loss, outputs, targets.to(device))
            alone = _alone(problem.model, inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise LandscapeError(
            f"a problem's model and loss must run on its data, "
            f"got {type(error).__name__} on two samples: {error}"
        ) from error
    finally:
        for module, training in modes:
            module.training = training
    if alone is None or not torch.allclose(outputs[:1], alone, SAME, SAME, equal_nan=True):
        raise LandscapeError(
            "in eval mode a sample's outputs must not depend on the others in its batch, "
            "these do: losses would depend on how samples are batched; "
            "let normalization keep running statistics (track_running_stats=True)"
        )


def _alone(model: nn.Module, inputs: Tensor) -> Tensor | None:
    """Outputs of the first sample by itself; None where the model won't take a single one."""
    try:
        found: Tensor = model(inputs[:1])
    except ValueError:  # batch normalization by the batch's own statistics
        return None
    return found


def vary(
    problem: Problem, *, train_samples: int | None = None, label_noise: float = 0.0
) -> Problem:
    """The problem with fewer training samples, or with a share of its training labels wrong.

    The choice doesn't depend on a run's seed, so that runs with other seeds share their data.
    """
    if train_samples is not None:
        problem = _fewer(problem, train_samples)
    if label_noise:
        problem = _noisy(problem, label_noise)
    if problem.source is None:
        return problem
    changes: dict[str, Any] = {}
    if train_samples is not None:
        changes["train_samples"] = train_samples
    if label_noise:
        changes["label_noise"] = label_noise
    return replace(problem, source=replace(problem.source, **changes))


def _fewer(problem: Problem, count: int) -> Problem:
    available = samples.length(problem.train)
    if not 1 <= count <= available:
        raise LandscapeError(
            f"train samples must be between 1 and the {available} there are, got {count}"
        )
    order = torch.randperm(available, generator=torch.Generator().manual_seed(0))
    return replace(problem, train=samples.subset(problem.train, order[:count].sort().values))


def _noisy(problem: Problem, rate: float) -> Problem:
    if not 0 <= rate <= 1:
        raise LandscapeError(f"label noise must be a share between 0 and 1, got {rate}")
    if not isinstance(problem.train, tuple):
        raise LandscapeError(
            "label noise needs training data in tensors, got a Dataset; change its labels yourself"
        )
    inputs, targets = problem.train
    if targets.ndim != 1 or targets.is_floating_point():
        raise LandscapeError(
            f"label noise needs one integer class a sample, got targets of {targets.dtype} "
            f"and shape {tuple(targets.shape)}"
        )
    generator = torch.Generator().manual_seed(0)
    classes = int(targets.max()) + 1
    if classes < 2:
        raise LandscapeError(f"label noise needs at least 2 classes, got {classes}")
    chosen = torch.randperm(len(targets), generator=generator)[: round(rate * len(targets))]
    # A shift of 1 to C - 1 always lands on another class: the share of wrong labels is exact.
    shift = torch.randint(1, classes, (len(chosen),), generator=generator)
    noisy = targets.clone()
    noisy[chosen] = (targets[chosen] + shift) % classes
    return replace(problem, train=(inputs, noisy))
