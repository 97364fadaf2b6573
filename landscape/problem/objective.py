"""What is measured of a batch: sums whose ratio is the loss, whatever the problem is made of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem import modes, nests
from landscape.problem.blame import blamed
from landscape.problem.losses import (
    CrossEntropy,
    Found,
    Loss,
    NegativeLogLikelihood,
    accuracy,
    double,
    doubled,
    exact,
    hits,
    on_processor,
)
from landscape.problem.samples import Batch

Floats = NDArray[np.float64]
LOSS, PENALTY = "loss", "penalty"
BATCH = 256
"""Samples in a fixed batch unless the problem says how many."""


class Ratio(NamedTuple):
    """What a batch adds to a value Σ a / Σ b, in float64."""

    a: Tensor
    """(n,) for each sample Σ_j w_j l_j over its positions; (1,) where the batch is one value."""
    b: Tensor | None
    """(n,) Σ_j w_j; None: each sample counts one."""
    whole: bool = False
    """The batch is one value, not one a sample."""
    weighted: bool = False
    """The loss itself gave weights; b may also be how many positions a sample has."""

    def mean(self) -> Tensor:
        """The batch's own ratio; 0 where nothing counts."""
        if self.b is None:
            return self.a.mean()
        total = self.b.sum()
        return self.a.sum() / total.where(total > 0, 1)

    def raised(self, by: Tensor | None) -> Ratio:
        """The ratio with a constant added, of each sample and so of the whole."""
        return self if by is None else self._replace(a=self.a + by * self.counts())

    def counts(self) -> Tensor:
        """(n,) what each sample counts."""
        return torch.ones_like(self.a) if self.b is None else self.b


@dataclass(frozen=True)
class Facts:
    """How a problem's loss can be had, as found by trying."""

    rung: str = "inference"
    """Of `modes.RUNGS`."""
    random: bool = False
    """Random numbers are drawn in eval mode: the same at every point, seeded a batch."""
    coupled: bool = False
    """The loss is a scalar of a whole batch."""
    tensors: bool = True
    """The model takes one tensor and gives one."""
    changes: bool = False
    """The model changes its inputs in place: each pass gets a copy."""
    weighted: bool = False
    """Samples may count differently."""
    loss_dtype: str = "float64"
    """Of the losses; their sums are in float64 anyway."""
    targets: bool = False
    """Floating targets, and the constants of a loss that is a module, are converted with it."""
    of: tuple[Any, ...] = ()
    """What was tried: loss, objective, reduction, the model's class, names of further values."""
    divided_by_all: bool = False
    """Labels are weighted or ignored inside of torch's cross-entropy, and counted one each."""
    verified: bool = False
    """`examine.verify` found nothing wrong."""


@dataclass(frozen=True, eq=False)
class Objective:
    """A problem's loss and further values as functions of the live model and a batch.

    The one place that knows how a model is called, which loss its outputs get, in which dtype and
    mode, and what of it is averaged. A value is the ratio Σ a / Σ b over samples, or over fixed
    batches where it is a value of a whole batch.
    """

    loss: Loss
    whole: Callable[[nn.Module, Any], Found] | None
    """``objective(model, batch)``, instead of model and loss."""
    measures: Mapping[str, Callable[..., Found]]
    facts: Facts
    batch_size: int | None
    reduction: str
    complete: bool
    """No label is ignored."""
    penalty: Callable[[nn.Module], Tensor] | None = None
    """Of the model alone, added to the loss."""
    alone: Mapping[str, Callable[[nn.Module], Any]] = field(default_factory=dict)
    """Further values of the model alone: a number, or with its error."""
    _moved: dict[torch.device, Loss] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The loss first, then the further values."""
        return (LOSS, *self.measures)

    @property
    def fixed(self) -> int | None:
        """How many samples a batch must have, always the same ones; None: it doesn't matter."""
        by_batch = self.facts.coupled or self.facts.random or self.reduction == "batch"
        return (self.batch_size or BATCH) if by_batch else None

    def size(self, asked: int) -> int:
        """Samples in a batch that is measured: the fixed ones, else as many as fit who asks.

        What only the plain loop can evaluate may be large; its problem knows what fits.
        """
        if self.fixed is not None or not self.rich or self.batch_size is None:
            return self.fixed or asked
        return min(asked, self.batch_size)

    @property
    def counts_all(self) -> bool:
        """Whether every sample counts one."""
        exempt = isinstance(self.loss, CrossEntropy) and self.whole is None and not self.complete
        return not (self.facts.weighted or exempt)

    @property
    def by_batch(self) -> bool:
        """Whether a value is a whole batch's, so that there are no values of samples."""
        return self.facts.coupled or self.reduction == "batch"

    @property
    def rich(self) -> str:
        """Why only the plain loop can evaluate this, in a few words; empty if anything may."""
        facts = self.facts
        if self.whole is not None:
            return "the problem has an objective of its own"
        if self.penalty is not None or self.alone:
            return "the problem has a penalty or measures of the model alone"
        reasons = {
            "the model takes or gives more than one tensor": not facts.tensors,
            "the loss is one of whole batches": self.by_batch,
            "random numbers are drawn in eval mode": facts.random,
            "the loss takes derivatives": facts.rung != "inference",
            "the model changes its inputs in place": facts.changes,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    @property
    def record(self) -> dict[str, Any]:
        """What a file says of how values were had; empty where nothing is out of the ordinary."""
        facts, usual = self.facts, Facts()
        names = ("rung", "random", "coupled", "loss_dtype")
        found = {name: getattr(facts, name) for name in names}
        found = {name: value for name, value in found.items() if value != getattr(usual, name)}
        if self.fixed is not None:
            found["batch_size"] = self.fixed
        if self.reduction != "sample":
            found["reduction"] = self.reduction
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """The same in sentences, for whoever reads a figure."""
        facts, found = self.facts, []
        if self.reduction == "batch":
            found.append(f"The loss is the mean over fixed batches of {self.fixed} samples.")
        elif facts.coupled:
            found.append(f"The loss is one of whole batches, fixed ones of {self.fixed} samples.")
        if facts.random:
            found.append(
                f"Random numbers that are drawn in eval mode are the same at every point, in fixed "
                f"batches of {self.fixed} samples."
            )
        if facts.divided_by_all:
            found.append(
                "Labels are weighted or ignored, but the loss's values count one each: PyTorch's "
                "mean divides by the weights, as a loss does that returns (losses, weights), or "
                "landscape.problem.cross_entropy(outputs, targets, weight=..., ignore_index=...)."
            )
        if facts.loss_dtype not in ("float64", "float32") or (
            facts.loss_dtype == "float32" and self.whole is None
        ):
            found.append(f"Losses are computed in {facts.loss_dtype}, their sums in float64.")
        return tuple(found)

    def measuring(self, model: nn.Module) -> AbstractContextManager[None]:
        """The mode that values are measured in: eval, with as little autograd as they need."""
        return modes.measuring(model, self.facts.rung)

    def seeded(self, batch: Batch) -> AbstractContextManager[None]:
        """Inside, random numbers are the batch's own, the same each time."""
        return modes.seeded(batch.number) if self.facts.random else nullcontext()

    def run(self, model: nn.Module, batch: Batch) -> Any:
        """Run the model on a batch; what it gives, or an objective in its place."""
        content = self._given(model, batch.content)
        if self.whole is not None:
            with blamed("objective", content):
                return self.whole(model, content)
        _pair(content)
        with blamed("model", content[0]):
            return call(model, content[0])

    def batch_loss(self, model: nn.Module, batch: Batch) -> Ratio:
        """The loss alone, with its graph, as a step takes it: in the model's present mode."""
        found = self.of(self.run(model, batch), batch, names=(LOSS,))[LOSS]
        return found.raised(self.penalised(model))

    def penalised(self, model: nn.Module) -> Tensor | None:
        """The penalty at the model's weights, in float64 and with its graph; None without one."""
        if self.penalty is None:
            return None
        with blamed(PENALTY):
            found = self.penalty(model)
        if not isinstance(found, Tensor) or found.ndim:
            got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)
            raise LandscapeError(f"a penalty must be a scalar tensor of the model, got {got}")
        return found if found.device.type == "mps" else found.double()

    def values_alone(self, model: nn.Module) -> dict[str, tuple[float, float]]:
        """The values of the model alone with their errors, 0 where none is given."""
        found = {}
        for name, measure in self.alone.items():
            with blamed(f"measure {name}"):
                got = measure(model)
                value, error = got if isinstance(got, tuple) else (got, 0.0)
                found[name] = float(value), float(error)
        return found

    def counted(self, model: nn.Module, batches: Iterable[Batch]) -> Mapping[str, float]:
        """What all samples count together, by what `share` asks for."""
        counts = (self.batch_loss(model, batch).counts().sum() for batch in batches)
        return {LOSS: sum(float(count) for count in counts)}

    def share(self, model: nn.Module, batch: Batch, counts: Mapping[str, float]) -> Tensor:
        """What a batch adds to the loss over all data, with its graph."""
        with self.seeded(batch):
            found = self.batch_loss(model, batch)
        if found.b is not None and self.counts_all:
            raise LandscapeError(
                "a loss must return (losses, weights) for every batch or for none, "
                "got weights for some"
            )
        return found.a.sum() / (counts[LOSS] or 1.0)

    def completed(self, found: Floats) -> Floats:
        """The values (V, K) from the ratios of their sums over all batches."""
        return found

    def values(self, model: nn.Module, batch: Batch) -> dict[str, Ratio]:
        """All values, measured: to be called in `measuring`."""
        with self.seeded(batch):
            found = self.run(model, batch)
            if self.whole is None:
                values = self.of(found, batch)
                return {**values, LOSS: values[LOSS].raised(self.penalised(model))}
            values = self.of(found, batch, names=(LOSS,))
            values[LOSS] = values[LOSS].raised(self.penalised(model))
            content = self._given(model, batch.content)
            for name, measure in self.measures.items():
                with blamed(f"measure {name}", content):
                    got = measure(model, content)
                values[name] = self._ratio(got, batch.size, name)
        return values

    def of(
        self, outputs: Any, batch: Batch, *, names: tuple[str, ...] | None = None
    ) -> dict[str, Ratio]:
        """The values of a model's outputs on a batch; of an objective's result its loss."""
        if self.whole is not None:
            return {LOSS: self._ratio(outputs, batch.size, LOSS)}
        targets = batch.content[1]
        given, exact_targets = self._converted(outputs, targets)
        found = {}
        for name in self.names if names is None else names:
            place = name if name == LOSS else f"measure {name}"
            function = self._loss_on(given) if name == LOSS else self._measure(name)
            with blamed(place, given, exact_targets, by=function):
                got = function(given, exact_targets)
            found[name] = self._ratio(got, batch.size, name)
        return found

    def _given(self, model: nn.Module, content: Any) -> Any:
        if self.facts.changes:
            content = nests.mapped(
                content, lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf
            )
        if self.whole is not None:
            first = next(model.parameters())
            if first.dtype == torch.float64:
                return nests.cast(content, first.dtype)
        return content

    def _converted(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        if self.facts.loss_dtype == "float32":
            return nests.cast(outputs, torch.float32), targets
        if self.facts.targets:
            return double(outputs), doubled(on_processor(targets))
        return exact(outputs, targets)

    def _loss_on(self, outputs: Any) -> Loss:
        if not isinstance(self.loss, nn.Module):
            return self.loss
        # Its own constants, such as class weights, have to be where the outputs are.
        first = next(nests.tensors(outputs), None)
        device = torch.device("cpu") if first is None else first.device
        if device not in self._moved:
            # Not as tensors of inference mode: a training has this copy too.
            with torch.inference_mode(False), torch.no_grad():
                made = copy.deepcopy(self.loss).to(device)
                self._moved[device] = made.double() if self.facts.targets else made
        return self._moved[device]

    def _measure(self, name: str) -> Callable[..., Found]:
        measure = self.measures[name]
        if measure is not accuracy:
            return measure
        if not isinstance(self.loss, (CrossEntropy, NegativeLogLikelihood)):
            return partial(hits, complete=self.complete)
        return partial(hits, complete=self.complete, ignore_index=self.loss.ignore_index)

    def _ratio(self, found: Found, count: int, name: str) -> Ratio:
        made = ratio(found, count, name)
        if made.whole and not self.facts.coupled and self.reduction != "batch":
            raise LandscapeError(f"a {name} must be one of samples, or one of batches, not both")
        if self.reduction != "batch":
            return made
        counted = made.counts().sum() > 0
        total = counted.to(made.a).reshape(1)
        return Ratio(made.mean().reshape(1), total, whole=True, weighted=made.weighted)


def ratio(found: Found, count: int, name: str = LOSS) -> Ratio:
    """What a loss returned for ``count`` samples as a ratio.

    Raises:
        LandscapeError: it has another shape, weights that aren't of its shape or are negative, or
            is a scalar without a weight.
    """
    weighted = isinstance(found, tuple) and len(found) == 2
    values, weights = found if weighted else (found, None)
    whole = isinstance(values, Tensor) and values.ndim == 0 and weights is not None
    if not (isinstance(values, Tensor) and (whole or values.shape[:1] == (count,))):
        raise LandscapeError(_unfit(values, count, name))
    values = double(values)
    if weights is None:
        if values.ndim == 1:
            return Ratio(values, None)
        each = values.flatten(1)
        return Ratio(each.sum(1), torch.full_like(each[:, 0], each.shape[1]).detach())
    counts = _counts(weights, values, name)
    # Not 0 times what may be NaN or infinite where nothing counts.
    parts = torch.where(counts > 0, counts * values, 0.0)
    if whole:
        return Ratio(parts.reshape(1), counts.reshape(1), whole=True, weighted=True)
    total, counted = (part.reshape(count, -1).sum(1) for part in (parts, counts))
    return Ratio(total, counted, weighted=True)


def _counts(weights: Any, values: Tensor, name: str) -> Tensor:
    counts = torch.as_tensor(weights).detach().to(values.device, torch.float64)
    # A weight a sample, of losses that have positions.
    if counts.ndim < values.ndim and counts.shape[:1] == values.shape[:1]:
        counts = counts.reshape(*counts.shape, *(1,) * (values.ndim - counts.ndim))
    try:
        counts = counts.expand(values.shape)
    except RuntimeError as error:
        raise LandscapeError(
            f"the weights of a {name} must be of its shape {tuple(values.shape)}, "
            f"got {tuple(counts.shape)}"
        ) from error
    if not bool((counts >= 0).all()):  # NaN is neither
        raise LandscapeError(
            f"the weights of a {name} must be at least 0, got {float(counts.min()):g}"
        )
    return counts


def _unfit(values: Any, count: int, name: str) -> str:
    got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
    if isinstance(values, Tensor) and values.ndim == 0:
        got = "a scalar"
    return (
        f"a {name} must return one value a sample, shape ({count},) or ({count}, ...) for a batch "
        f'of {count}, got {got}; use reduction="none", or return (value, weight) for one of the '
        "batch"
    )


def call(model: nn.Module, inputs: Any) -> Any:
    """The model's outputs: a mapping goes in by names, a tuple as several, all else as one."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    if isinstance(inputs, (tuple, list)):
        return model(*inputs)
    return model(inputs)


def _pair(content: Any) -> None:
    if not nests.is_pair(content):
        raise LandscapeError(
            "a loss needs batches that are pairs (inputs, targets), "
            f"got {type(content).__name__} with {nests.shapes(content)}; "
            "make pairs with collate=, or give Problem objective= instead of a loss"
        )
