"""Training, a step at a time; whoever iterates records, shows progress and stops."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem import tuning
from landscape.problem.device import resolve
from landscape.problem.examine import objective
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.terms import TermsObjective
from landscape.problem.weights import Tied, is_dense, joined, tied
from landscape.sgd.training.averaging import Average
from landscape.sgd.training.moments import live_array
from landscape.sgd.training.optimizers import Optimizer, clip, kind_of
from landscape.sgd.training.own import OwnOptimizer, Remaker
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.state import (
    TrainingState,
    from_array,
    random_state,
    set_random_state,
    to_array,
    to_tensor,
)
from landscape.sgd.training.step_scalars import Meter
from landscape.store.hdf5 import whole
from landscape.store.trajectories import resumefile
from landscape.store.trajectories.scalars import of_terms


@dataclass(frozen=True)
class Step:
    """Where a training is: at w_t, t = ``step``.

    >>> from landscape.problem import builtin
    >>> first, second = steps(builtin("mlp", "moons", width=4), Settings(lr=0.1, steps=1))
    >>> first.step, first.scalars, second.step, "batch_loss" in second.scalars
    (0, None, 1, True)
    """

    step: int
    model: nn.Module
    """Live: it changes with the next step."""
    weights: Tensor
    """(P,), live: copy it before you keep it."""
    scalars: Mapping[str, float] | None
    """Of the step that led here, from w_{t-1} to w_t (of the failed one from w_t where not
    ``finite``); None at step 0."""
    finite: bool = True
    """False if the next step's loss, gradient or weights weren't: the training ends at w_t."""
    moments: Callable[[], Mapping[str, Tensor]] = dict
    """What the optimizer keeps between steps, by the name in files: (P,) each, or a number.
    ``velocity`` is v in SGD's w = w - lr v."""
    capture: Callable[..., TrainingState] | None = None
    """The training's state here, to go on from in another process; only before the next step.
    With ``copy=False`` large arrays are the training's own, and hold only until then."""
    average: Step | None = None
    """The averaged weights after this step, where an average is kept; without scalars."""
    clipped: int = 0
    """The gradients that were shortened so far, as far as that is known."""


def steps(
    problem: Problem,
    settings: Settings,
    *,
    start: TrainingState | None = None,
    moments: Mapping[str, Tensor] | None = None,
    own: Remaker | None = None,
) -> Iterator[Step]:
    """Train, yielding step 0 (the initialization) first and every step after it.

    With ``start``, what `Step.capture` gave, the step it was captured at comes first and what
    follows is the same to the bit as without the interruption. ``moments``, as in `Step`, is what
    the optimizer begins with instead of nothing; ``own`` makes it where the settings name ``own``.

    The problem's model is copied, never changed. The same seed, machine and number of threads
    give the same weights to the bit. Seeds the global generators of torch, NumPy and Python,
    which dropout and augmentations draw from.

    The update is that of torch's optimizer of that name. Of SGD: v = momentum v + g, w = w - lr v
    (Nesterov: w - lr (g + momentum v)), with g the gradient of the batch's mean loss plus weight
    decay times w.

    >>> import torch
    >>> x = torch.ones(4, 1)
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = model.weight.data.fill_(1.0)
    >>> problem = Problem(model, (x, 0 * x), loss=lambda outputs, targets: outputs.square() / 2)
    >>> [round(float(step.weights[0]), 4) for step in steps(problem, Settings(lr=0.5, epochs=3))]
    [1.0, 0.5, 0.25, 0.125]
    """
    tuning.tune()
    settings = settings.on(problem)
    training = Training(problem, settings, own=own)
    total = settings.total_steps(len(training.samples))
    if start is None:
        _seed(settings.seed)
        if moments:
            training.optimizer.restore(moments)
    else:
        with whole(Path(resumefile.NAME)):
            training.restore(start)
    first = start.step if start is not None else 0
    yield training.at(first, None)
    for step in range(first, total):
        lr = settings.learning_rate(step, total)
        scalars, taken = training.step(step, lr)
        if not taken:
            yield training.at(step, scalars, finite=False)
            return
        yield training.at(step + 1, scalars)


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class Training:
    """The live state: weights, gradient and what the optimizer keeps, as flat vectors."""

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        *,
        measured: bool = True,
        own: Remaker | None = None,
    ) -> None:
        """Copy the model; ``measured=False`` leaves out scalars and the check that a step needs."""
        device = resolve(settings.device)
        settings = settings.on(problem)
        self.settings, self.measured = settings, measured
        self.objective, self.augmented = objective(problem), problem.augmented
        self.parts: Mapping[str, float] = {}
        """Of the last step's loss: each term's by name, before its weight."""
        self.tied = tied(problem.model, device, layout=problem.layout)
        self.model, self.weights = self.tied.model, self.tied.vector
        self.model.train()
        self.samples = Samples(problem.train, device, channels_last=True)
        self.parameters = [p for p in self.tied.parameters if p.requires_grad]
        if not self.parameters:
            raise LandscapeError(
                "a model must have parameters to train, got all of them with requires_grad=False"
            )
        self.trained = _trained(self.tied)
        self.buffered = measured and next(self.model.buffers(), None) is not None
        kind = kind_of(settings.optimizer)
        self.optimizer: Optimizer = (
            OwnOptimizer(self.tied, own)
            if own is not None
            else kind.make(self.tied, settings.of_optimizer())
        )
        self.decay = settings.weight_decay if kind.decays_gradient else 0.0
        ema = settings.ema
        self.average = Average(problem, device, ema) if ema is not None else None
        self.clipped = 0
        self.meter = Meter(self.weights)
        self.generator = torch.Generator(device="cpu")
        self.generator.manual_seed(settings.seed)
        self.epoch: tuple[Tensor, ...] = ()
        """The batches of the present epoch: which samples each takes."""

    def at(self, step: int, scalars: Mapping[str, float] | None, *, finite: bool = True) -> Step:
        """Where the training is now."""
        return Step(
            step,
            self.model,
            self.weights,
            scalars,
            finite,
            self.optimizer.moments,
            partial(self.capture, step) if finite else None,
            self._averaged(step, finite=finite),
            self.clipped,
        )

    def _averaged(self, step: int, *, finite: bool) -> Step | None:
        if self.average is None:
            return None
        return Step(step, self.average.model, self.average.weights, None, finite)

    def capture(self, step: int, *, copy: bool = True) -> TrainingState:
        """Everything that the next step depends on, apart from problem and settings."""
        vectors = {"weights": self.weights, **self.meter.memory}
        arrays = {
            f"training/{name}": to_array(vector, copy=copy) for name, vector in vectors.items()
        }
        moments = self.optimizer.moments()
        arrays |= {
            f"training/{name}": to_array(moments[name]) if copy else live_array(moments, name)
            for name in moments
        }
        if self.average is not None:
            arrays |= self.average.arrays(copy=copy)
        for name, buffer in self.model.named_buffers():
            if is_dense(buffer):
                arrays[f"buffers/{name}"] = to_array(buffer)
        arrays["random/generator"] = to_array(self.generator.get_state())
        generators, info = random_state()
        arrays |= {f"random/{name}": value for name, value in generators.items()}
        return TrainingState(step, arrays, self._info(info))

    def _info(self, generators: Mapping[str, Any]) -> dict[str, Any]:
        return {"random": generators, "norms": self.meter.norms, "clipped": self.clipped}

    def restore(self, state: TrainingState) -> None:
        """Be where `capture` was."""
        found = state.part("training")
        from_array(self.weights, found.pop("weights"))
        for name, vector in self.meter.memory.items():
            # Earlier versions kept them in float64.
            last = to_tensor(found.pop(name), vector.dtype).to(vector.dtype)
            from_array(vector, to_array(last, copy=False))
        self.optimizer.restore(
            {name: to_tensor(value, self.weights.dtype) for name, value in found.items()}
        )
        if self.average is not None:
            self.average.restore(state.part("average"))
        held = state.part("buffers")
        for name, buffer in self.model.named_buffers():
            if is_dense(buffer):
                from_array(buffer, held[name])
        self.tied.settle()
        self.meter.norms = tuple(state.info["norms"])
        self.clipped = state.info.get("clipped", 0)
        generators = state.part("random")
        self.generator.set_state(torch.from_numpy(np.array(generators["generator"])))
        set_random_state(generators, state.info["random"])

    def step(self, step: int, lr: float) -> tuple[dict[str, float], bool]:
        """Move the weights one step; give its scalars, and whether it was finite and so taken."""
        own = list(filter(is_dense, self.model.buffers())) if self.buffered else []
        buffers = [buffer.clone() for buffer in own]
        with torch.enable_grad():  # whoever trains may do so within torch.no_grad()
            loss = self.loss(self.batch(step))
            gradient = self._gradient(loss)
        self.optimizer.propose(gradient, lr)
        if not self.measured:
            self._take()
            return {}, True
        update = self.optimizer.update
        scalars = self.meter.scalars(self.weights, gradient, update, batch_loss=loss.item(), lr=lr)
        if isinstance(self.objective, TermsObjective):
            scalars |= of_terms(self.parts, self.objective.weights)
        # Norms that are finite and small enough that no entry of the sum can overflow.
        reach = scalars["weight_norm"] + scalars["update_norm"]
        largest = torch.finfo(self.weights.dtype).max
        if taken := math.isfinite(scalars["batch_loss"]) and reach < largest:
            self._take()
        else:  # the statistics of this batch went with weights that won't be
            for buffer, before in zip(own, buffers, strict=True):
                buffer.copy_(before)
        return scalars, taken

    def _take(self) -> None:
        self.optimizer.take()
        self.tied.settle()
        if self.average is not None:
            self.average.follow(self.model, self.weights)

    def loss(self, indices: Tensor) -> Tensor:
        """A batch's loss in the model's present mode, with its graph."""
        batch = self.augmented(self.samples.batch(indices), self.generator)
        try:
            if not isinstance(self.objective, TermsObjective):
                return self.objective.batch_loss(self.model, batch).mean()
            parts = self.objective.parts(self.model, batch)
            self.parts = {name: float(part.detach()) for name, part in parts.items()}
            return self.objective.summed(parts).mean()
        except LandscapeError as error:
            if batch.size > 1 or "more than 1 value per channel" not in str(error):
                raise
            raise LandscapeError(
                "BatchNorm needs batches of two samples or more, "
                f"{len(self.samples)} samples in batches of {self.settings.batch_size} leave one "
                "over; take another --batch-size"
            ) from error

    def batch(self, step: int) -> Tensor:
        """Which samples the step takes."""
        per_epoch = self.settings.steps_per_epoch(len(self.samples))
        epoch, at = divmod(step + (self.settings.order_from or 0), per_epoch)
        if at == 0 or not self.epoch:
            # Seeded by the epoch, so that it can be drawn again from any step.
            generator = np.random.Generator(np.random.PCG64([self.settings.seed, epoch, 0]))
            order = torch.from_numpy(generator.permutation(len(self.samples)))
            self.epoch = torch.split(order, self.settings.batch)
            self.samples.foresee(self.epoch[at:])
        return self.epoch[at]

    def _gradient(self, loss: Tensor) -> Tensor:
        # Not torch.autograd.grad, which reentrant checkpointing doesn't work with.
        loss.backward()  # type: ignore[no-untyped-call]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        found = joined(parts, self.weights.dtype)
        for parameter in self.parameters:
            parameter.grad = None
        if self.trained is None:
            gradient = found
        else:  # frozen parameters keep their place in the vector, with a gradient of zero
            gradient = torch.zeros_like(self.weights)
            gradient[self.trained] = found
        if self.settings.clip is not None:
            self.clipped += clip(gradient, self.settings.clip)
        if self.decay:
            decayed = self.weights if self.trained is None else self.weights * self.trained
            gradient = gradient.add(decayed, alpha=self.decay)
        return gradient


def _trained(copy: Tied) -> Tensor | None:
    """Which entries of the flat vector are trained, (P,) bool; None if all are."""
    if all(p.requires_grad for p in copy.parameters):
        return None
    sizes = [place.size for place in copy.layout.parameters]
    flags = [torch.full((n,), p.requires_grad) for n, p in zip(sizes, copy.parameters, strict=True)]
    return torch.cat(flags).to(copy.vector.device)
