"""Somebody's own training loop, recorded by hooks on its optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.problem import Problem, term_names
from landscape.problem.weights import Layout, flat, tied
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.training.step_scalars import Meter
from landscape.sgd.training.train import Step
from landscape.store.run import Run
from landscape.store.trajectories.scalars import of_terms


def watch(
    folder: str | Path,
    problem: Problem,
    optimizer: torch.optim.Optimizer,
    model: nn.Module | None = None,
    **options: Any,
) -> Watch:
    """Record a training loop into a run's folder, in two lines::

        with sgd.watch("runs/mine", problem, optimizer, record="log+100") as watch:
            for inputs, targets in loader:
                ...
                optimizer.step()
                watch.record(loss)

    Args:
        folder: where; refused if something is there.
        problem: what is trained; its data is what the full-data losses are measured on.
        optimizer: the loop's; any of torch's.
        model: the loop's, if it isn't ``problem.model`` itself; or a module that contains it.
        options: of `Recorder`.

    Raises:
        LandscapeError: as `Recorder`, or the model isn't the problem's.
    """
    recorder = Recorder(folder, problem, **options)
    try:
        return Watch(recorder, problem.model if model is None else model, optimizer)
    except LandscapeError:
        recorder.close("failed")
        raise


class Watch:
    """Turns somebody's own loop into steps of a recorder, by a hook on the optimizer.

    As a context manager it closes its recorder and lets go of the optimizer.

    A step is one ``optimizer.step()`` that was taken: under gradient accumulation one for several
    batches. Its gradient is what the optimizer was given (accumulated, clipped, unscaled), plus
    the weight decay where it is SGD's. A model in mixed precision has its weights in float32;
    these are recorded.
    """

    def __init__(
        self, recorder: Recorder, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Record step 0 at once; ``model`` is the problem's, or a module that contains it."""
        self.recorder, self.optimizer = recorder, optimizer
        self.model = _counterpart(recorder.problem.model, model)
        self._step = 0
        weights = flat(self.model)
        self._meter = Meter(weights)
        self._shown: nn.Module = self.model
        self._vector: Tensor | None = None
        if Layout.of(self.model).difference(Layout.of(recorder.problem.model)):
            # Under other names it is another module, which may be called in another way.
            self._shown, self._vector = tied(recorder.problem.model, weights.device)
        self._before: tuple[Tensor, Tensor, float] | None = None
        self._hook = optimizer.register_step_pre_hook(self._remember)
        recorder.run = recorder.run.update(optimizer=_described(optimizer))
        self._record(weights, None)

    @property
    def taken(self) -> bool:
        """Whether a step was taken since the last `record`; an AMP scaler skips some."""
        return self._before is not None

    @property
    def run(self) -> Run:
        """The run that is recorded."""
        return self.recorder.run

    def record(
        self,
        loss: Tensor | float,
        *,
        terms: Mapping[str, Tensor | float] | None = None,
        term_weights: Mapping[str, Tensor | float] | None = None,
    ) -> None:
        """Record the step that ``optimizer.step()`` has just taken, with its batch loss.

        Of a problem that is a sum of terms, those given are recorded too: ``terms`` before their
        weights, and the ``term_weights`` that they had in this step.

        Raises:
            LandscapeError: no step was taken since the last call, or a term isn't the problem's.
        """
        given = self._terms(terms or {}, term_weights or {})
        if self._before is None:
            raise LandscapeError("record must follow optimizer.step(), no step was taken since")
        weights, gradient, lr = self._before
        self._before = None
        after = flat(self.model)
        batch_loss = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
        scalars = self._meter.scalars(
            weights, gradient, after - weights, batch_loss=batch_loss, lr=lr
        )
        self._step += 1
        self._record(after, scalars | given)

    def _terms(
        self, terms: Mapping[str, Tensor | float], weights: Mapping[str, Tensor | float]
    ) -> dict[str, float]:
        known = term_names(self.recorder.problem)
        if unknown := sorted({*terms, *weights} - {*known}):
            raise LandscapeError(
                f"terms must be those of the problem's sum, {', '.join(known) or 'which is none'}, "
                f"got {', '.join(unknown)}"
            )
        losses = {name: float(terms.get(name, math.nan)) for name in known}
        return of_terms(losses, {name: float(value) for name, value in weights.items()})

    def close(self, status: str = "finished") -> None:
        """Close the recorder and let go of the optimizer."""
        self._hook.remove()
        self.recorder.close(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._hook.remove()
        self.recorder.__exit__(kind, error, at)

    def _record(self, weights: Tensor, scalars: Mapping[str, float] | None) -> None:
        if self._vector is not None:
            self._vector.copy_(weights)
            for mine, theirs in zip(self._shown.buffers(), self.model.buffers(), strict=True):
                mine.copy_(theirs)
        step = Step(self._step, self._shown, weights, scalars, velocity=self._velocity)
        self.recorder.record(step)

    def _remember(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        weights = flat(self.model)
        lr = float(optimizer.param_groups[0]["lr"])
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._before = weights, self._gradient(), lr
            return None
        # The gradient is computed inside the step; L-BFGS asks again, elsewhere than at w_t.
        self._before = None

        def watched() -> Any:
            loss = closure()
            if self._before is None:
                self._before = weights, self._gradient(), lr
            return loss

        return (
            ((args[0], watched, *args[2:]), kwargs)
            if len(args) > 1
            else (
                args,
                {**kwargs, "closure": watched},
            )
        )

    def _gradient(self) -> Tensor:
        # Only SGD adds its weight decay to the gradient; AdamW's is a step of its own.
        coupled = isinstance(self.optimizer, torch.optim.SGD)
        decay = _by_parameter(self.optimizer, "weight_decay") if coupled else {}
        # A fused optimizer unscales the gradients of mixed precision by itself.
        scale = getattr(self.optimizer, "grad_scale", None)
        parts = []
        for p in self.model.parameters():
            if p.grad is None:  # left alone by the optimizer
                parts.append(torch.zeros_like(p).reshape(-1))
                continue
            gradient = p.grad.detach() if scale is None else p.grad.detach() / scale
            parts.append((gradient + decay.get(p, 0.0) * p.detach()).reshape(-1))
        return torch.cat(parts)

    def _velocity(self) -> Tensor | None:
        """SGD's momentum buffers as one vector; other optimizers mean other things by velocity."""
        if not isinstance(self.optimizer, torch.optim.SGD):
            return None
        held = [self.optimizer.state[p].get("momentum_buffer") for p in self.model.parameters()]
        if all(buffer is None for buffer in held):
            return None
        pairs = zip(held, self.model.parameters(), strict=True)
        return torch.cat(
            [(torch.zeros_like(p) if b is None else b).detach().reshape(-1) for b, p in pairs]
        )


def _described(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Its name and the settings of its first group of parameters, for run.json."""
    plain = (bool, int, float, str)
    settings = {k: v for k, v in optimizer.param_groups[0].items() if isinstance(v, plain)}
    return {"name": type(optimizer).__name__, **settings}


def _by_parameter(optimizer: torch.optim.Optimizer, key: str) -> Mapping[Tensor, float]:
    return {
        p: float(group.get(key, 0.0)) for group in optimizer.param_groups for p in group["params"]
    }


def _counterpart(expected: nn.Module, model: nn.Module) -> nn.Module:
    """What in ``model`` has the problem's parameters, under the same names but for a prefix."""
    layout = Layout.of(expected)
    difference = layout.difference(Layout.of(model))
    if not difference:
        return model
    bare = _bare(layout)
    strict: Callable[[nn.Module], bool] = lambda m: not layout.difference(Layout.of(m))  # noqa: E731
    parts = list(model.modules())
    for fits in (strict, lambda m: _bare(Layout.of(m)) == bare):
        for part in parts:
            if fits(part) and len(list(part.buffers())) == len(list(expected.buffers())):
                return part
    raise LandscapeError(f"the model must be the problem's, got {difference}")


def _bare(layout: Layout) -> list[tuple[str, tuple[int, ...]]]:
    """Names without the prefix that all share, and shapes."""
    names = [parameter.name.split(".") for parameter in layout.parameters]
    shared = 0
    while names and all(
        len(name) > shared + 1 and name[shared] == names[0][shared] for name in names
    ):
        shared += 1
    return [
        (".".join(name[shared:]), parameter.shape)
        for name, parameter in zip(names, layout.parameters, strict=True)
    ]
