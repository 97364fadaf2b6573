"""Recording a training into a run's folder: our own steps, or anybody's loop."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.evaluate import NOTHING, Evaluator
from landscape.problem.problem import Problem
from landscape.problem.rebuild import to_record
from landscape.problem.samples import length
from landscape.problem.weights import Layout, buffers, flat, tied
from landscape.sgd.cadence import DEFAULT, Cadence
from landscape.sgd.scalars import Meter
from landscape.sgd.settings import Settings
from landscape.sgd.train import Step
from landscape.store import run as run_folder
from landscape.store.run import Run
from landscape.store.shards import Writer
from landscape.store.trajectory import CADENCE

FLUSH_SECONDS = 1.0
"""A kill loses at most this much of the recording, or the time since the last snapshot."""


class Recorder:
    """Writes steps into a new run's folder; a context manager that closes what it opened.

    On leaving, the last weights are recorded with their losses and run.json says how it ended:
    finished, non-finite, interrupted or failed.
    """

    def __init__(
        self,
        folder: str | Path,
        problem: Problem,
        settings: Settings | None = None,
        *,
        record: str = DEFAULT,
        steps_per_epoch: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Make the run's folder.

        Args:
            folder: where; refused if something is there.
            problem: what is trained; its data is what the full-data losses are measured on.
            settings: of the training, for run.json; None for somebody's own loop.
            record: when to record weights, see `Cadence`.
            steps_per_epoch: what an epoch means to ``record``; known from ``settings``.
            overwrite: replace a run that is there.
        """
        folder = Path(folder)
        run_folder.check_free(folder, overwrite=overwrite)
        layout = Layout.of(problem.model)
        samples = length(problem.train)
        if settings is not None:
            steps_per_epoch = settings.steps_per_epoch(samples)
        seed = settings.seed if settings is not None else 0
        self.cadence = Cadence.parse(
            record, steps_per_epoch=_epoch(record, steps_per_epoch), seed=seed
        )
        self.evaluator: Evaluator | None = None
        self.problem = problem
        self.run: Run = run_folder.create(
            folder,
            {
                "settings": asdict(settings) if settings is not None else None,
                "record": record,
                "steps_per_epoch": steps_per_epoch,
                "samples": samples,
                "parameters": layout.size,
                "threads": torch.get_num_threads(),
                "problem": to_record(problem, folder),
            },
            overwrite=overwrite,
        )
        self._writer = Writer(folder, layout.to_records())
        self._recorded = -1
        self._last: Step | None = None
        self._finite = True
        self._flushed = -math.inf

    def record(self, step: Step) -> None:
        """Take in one step: its scalars, and its weights if the cadence wants them.

        Raises:
            LandscapeError: the first one isn't step 0.
        """
        if self._last is None and step.step != 0:
            raise LandscapeError(f"record must be given step 0 first, got {step.step}")
        if step.scalars is not None:
            self._writer.add_step(step.scalars)
        self._last, self._finite = step, step.finite
        if step.finite and self.cadence.due(step.step):
            self._snapshot(step)
            if time.monotonic() - self._flushed >= FLUSH_SECONDS:
                self._writer.flush()
                self._flushed = time.monotonic()

    def watch(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Watch:
        """Record somebody's own loop: every ``optimizer.step()`` becomes a step of this run.

        Records step 0 at once; after each ``optimizer.step()`` hand the loss to `Watch.record`.
        """
        return Watch(self, model, optimizer)

    def close(self, status: str = "finished") -> None:
        """Record the last weights, write everything and say how it ended."""
        if self._last is not None and self._last.step != self._recorded:
            self._snapshot(_settled(self._last))
        self._writer.flush()
        changes: dict[str, Any] = {"status": status}
        if self._last is not None:
            changes["steps"] = self._last.step
            # Somebody's own loop may go on after its weights became NaN.
            finite = self._finite and bool(torch.isfinite(self._last.weights).all())
            if status == "finished" and not finite:
                changes["status"] = "non-finite"
        self.run = self.run.update(**changes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.close("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed")

    def _snapshot(self, step: Step) -> None:
        if self.evaluator is None:
            self.evaluator = Evaluator(self.problem, step.weights.device)
        train = self.evaluator.on_train(step.model)
        validation = (
            self.evaluator.on_validation(step.model) if self.problem.validation else NOTHING
        )
        self._writer.add_row(
            step.step,
            CADENCE,
            step.weights.detach().cpu().numpy().astype("float32"),
            buffers(step.model),
            {
                "train_loss": train.loss,
                "train_accuracy": train.accuracy,
                "validation_loss": validation.loss,
                "validation_accuracy": validation.accuracy,
            },
        )
        self._recorded = step.step


class Watch:
    """Turns somebody's own loop into steps, by hooks on the optimizer."""

    def __init__(
        self, recorder: Recorder, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        expected = Layout.of(recorder.problem.model)
        difference = expected.difference(Layout.of(model))
        if difference:
            raise LandscapeError(f"the model must be the problem's, got {difference}")
        self.recorder, self.model, self.optimizer = recorder, model, optimizer
        self._step = 0
        weights = flat(model)
        self._meter = Meter(weights)
        self._before: tuple[Tensor, Tensor, float] | None = None
        optimizer.register_step_pre_hook(self._remember)
        recorder.record(Step(0, model, weights, None))

    def record(self, loss: Tensor | float) -> None:
        """Record the step that ``optimizer.step()`` has just taken, with its batch loss.

        Raises:
            LandscapeError: no step was taken since the last call.
        """
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
        self.recorder.record(Step(self._step, self.model, after, scalars))

    def _remember(self, optimizer: torch.optim.Optimizer, _: Any, __: Any) -> None:
        weights = flat(self.model)
        # Only SGD adds its weight decay to the gradient; AdamW's is a step of its own.
        coupled = isinstance(optimizer, torch.optim.SGD)
        decay = _by_parameter(optimizer, "weight_decay") if coupled else {}
        gradient = torch.cat(
            [
                (torch.zeros_like(p) if p.grad is None else p.grad.detach()).reshape(-1)
                + decay.get(p, 0.0) * p.detach().reshape(-1)
                for p in self.model.parameters()
            ]
        )
        self._before = weights, gradient, float(optimizer.param_groups[0]["lr"])


def _settled(step: Step) -> Step:
    """The step with a model at its weights: somebody's own loop may have moved on since."""
    if torch.equal(flat(step.model), step.weights):
        return step
    model, vector = tied(step.model, step.weights.device)
    vector.copy_(step.weights)
    return replace(step, model=model)


def _by_parameter(optimizer: torch.optim.Optimizer, key: str) -> Mapping[Tensor, float]:
    return {
        p: float(group.get(key, 0.0)) for group in optimizer.param_groups for p in group["params"]
    }


def _epoch(record: str, steps_per_epoch: int | None) -> int:
    if steps_per_epoch is not None:
        if steps_per_epoch < 1:
            raise LandscapeError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}")
        return steps_per_epoch
    if {"epoch", "random"} & {term.strip() for term in record.split("+")}:
        raise LandscapeError(
            f"record={record!r} needs steps_per_epoch, got none; "
            'give it, or record by steps, as in record="log+100"'
        )
    return 1
