"""Recording what Hugging Face's Trainer trains.

``Trainer(..., callbacks=[TrainerRecorder("runs/mine", problem)])``
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from landscape.problem.problem import Problem
from landscape.sgd.session import Session
from landscape.store.run import Run


class TrainerRecorder(TrainerCallback):  # type: ignore[misc]
    """Records ``Trainer.train()`` into a run's folder.

    A step is one step of the optimizer, under gradient accumulation one for several batches; its
    gradient is the one that the optimizer was given: accumulated, unscaled and clipped. The
    Trainer doesn't tell its callbacks the batch loss; it is taken from the model's output (its
    ``loss``), so it is NaN where the Trainer computes the loss itself, as for label smoothing.
    It is what the Trainer minimises: sums over the labels that count, divided by how many the
    whole step has, which may not be the mean that the problem's own loss is.
    On several devices the first process records.
    """

    def __init__(self, folder: str | Path, problem: Problem, **options: Any) -> None:
        """Record into a folder.

        Args:
            folder: where; refused if something is there.
            problem: what is trained, with the data for the full-data losses; its model maps
                inputs to outputs, so it wraps the Trainer's model, which takes and gives
                dictionaries: same parameters, same names but for a prefix.
            options: of `landscape.sgd.Recorder`.
        """
        super().__init__()
        self._session = Session(folder, problem, options)
        self._hook: Any = None
        self._mean = True

    @property
    def run(self) -> Run | None:
        """The run, once the training has begun."""
        return self._session.run

    def on_train_begin(
        self, args: Any, state: Any, control: Any, *, model: nn.Module, optimizer: Any, **_: Any
    ) -> None:
        """Record step 0."""
        if not state.is_world_process_zero:
            return
        # The Trainer's is a wrapper, whose inner one takes the steps.
        inner = getattr(optimizer, "optimizer", optimizer)
        per_epoch = round(state.max_steps / max(1e-9, float(state.num_train_epochs)))
        self._session.begin(model, inner, per_epoch)
        self._hook = model.register_forward_hook(self._hear, with_kwargs=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the step."""
        self._session.step(mean=self._mean)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the last weights."""
        if self._hook is not None:
            self._hook.remove()
        self._session.end("finished")

    def _hear(self, module: nn.Module, _: Any, inputs: Mapping[str, Any], output: Any) -> None:
        if not (module.training and torch.is_grad_enabled()):
            return
        loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if loss is None and isinstance(output, tuple) and inputs.get("labels") is not None:
            loss = output[0]
        if isinstance(loss, Tensor) and loss.numel() == 1:
            # Told how many items the whole step has, a model gives its share of the mean.
            self._mean = inputs.get("num_items_in_batch") is None
            self._session.add_loss(loss)


RecordTrajectory = TrainerRecorder
"""The name that it had first."""
