from __future__ import annotations

import numpy as np
import pytest

from landscape.store import analysis
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History
from landscape.store.measured.trainings import TrainingLosses
from landscape.store.measured.whole import Measured, record
from landscape.store.trajectories.trajectory import Event

CONSTANT = 2.302585


@pytest.fixture
def history() -> History:
    """An escape at step 140 of 200."""
    step = np.arange(0, 201, 20)
    loss = np.array([2.31, 1.5, 1.0, 0.7, 0.5, 0.4, 0.3, 0.3, 2.4, 2.31, 2.3026])
    return History(
        "high-lr",
        "1f2e",
        step,
        {"train_loss": loss},
        np.linspace(2.4, 0.3, 200),
        (Event("escape", 140, 200, ""),),
        CONSTANT,
        {"lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0, "batch_size": 32},
        {"train": 1437},
    )


@pytest.fixture
def found(history, tmp_path):
    """What figures get of results: as `landscape diagnose` writes them and they are read back."""

    def make(
        trainings: tuple[TrainingLosses, ...] = (), rates=None, settings=None, **results
    ) -> Diagnosed:
        parts = {}
        for name, result in results.items():
            part = analysis.StoredPart(name, "f", 1.0, analysis.values(result))
            analysis.save(tmp_path, part)
            parts[name] = record(name, analysis.load(tmp_path, name).values)
        if settings is not None:
            history.settings.update(settings)
        rates = np.full(200, 0.1) if rates is None else rates
        return Diagnosed(history, rates, Measured(**parts), trainings)

    return make
