"""Recording what Lightning trains.

``Trainer(callbacks=[LightningRecorder("runs/mine", problem)])``

Works with ``lightning`` and with ``pytorch_lightning``; of two that are installed it takes the one
that was imported first.
"""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.sgd.session import Session
from landscape.store.run import Run

NAMES = ("lightning.pytorch", "pytorch_lightning")


def _library() -> Any:
    for name in sorted(NAMES, key=lambda name: name not in sys.modules):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError(
        "landscape.sgd.lightning needs Lightning, which isn't installed; "
        "install it with pip install lightning"
    )


class LightningRecorder(_library().Callback):  # type: ignore[misc]
    """Records a ``fit`` into a run's folder.

    A step is one step of the optimizer, under gradient accumulation one for several batches; its
    batch loss is theirs together as Lightning weighs them, its gradient the one that the optimizer
    was given: accumulated, unscaled and clipped. Automatic optimization by a single optimizer.
    On several devices the first process records.
    """

    def __init__(self, folder: str | Path, problem: Problem, **options: Any) -> None:
        """Record into a folder.

        Args:
            folder: where; refused if something is there.
            problem: what is trained, with the data for the full-data losses; its model has the
                parameters of the LightningModule or of a module in it.
            options: of `landscape.sgd.Recorder`.
        """
        super().__init__()
        self._session = Session(folder, problem, options)

    @property
    def run(self) -> Run | None:
        """The run, once the training has begun."""
        return self._session.run

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Record step 0."""
        if not trainer.is_global_zero:
            return
        if len(trainer.optimizers) != 1 or not pl_module.automatic_optimization:
            raise LandscapeError(
                "recording needs automatic optimization by a single optimizer, got "
                f"{len(trainer.optimizers)} optimizers, automatic optimization "
                f"{'on' if pl_module.automatic_optimization else 'off'}; "
                "use landscape.sgd.watch in an own loop"
            )
        batches = trainer.num_training_batches
        accumulated = trainer.accumulate_grad_batches
        per_epoch = math.ceil(batches / accumulated) if math.isfinite(batches) else 1
        self._session.begin(pl_module, trainer.optimizers[0], per_epoch)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Record the step, if one was taken."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):  # divided by the number of batches accumulated
            self._session.add_loss(loss)
        self._session.step()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Record the last weights."""
        self._session.end("finished")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Keep what was recorded."""
        interrupted = isinstance(exception, KeyboardInterrupt)
        self._session.end("interrupted" if interrupted else "failed")


RecordTrajectory = LightningRecorder
"""The name that it had first."""
