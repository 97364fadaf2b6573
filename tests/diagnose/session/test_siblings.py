from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from landscape.diagnose.session.siblings import median_share
from landscape.store.trajectories.trajectory import CADENCE, FLIGHT


def run(loss, *, event: str = "spike", status: str = "finished", kind=CADENCE):
    loss = np.asarray(loss, float)
    trajectory = SimpleNamespace(
        measures={"train_loss": loss},
        kind=np.full(len(loss), kind),
        events=[SimpleNamespace(name=event)],
    )
    return SimpleNamespace(record={"status": status}, trajectory=trajectory)


def ending(loss: float) -> np.ndarray:
    return np.concatenate([np.linspace(2, loss, 15), np.full(5, loss)])


def test_the_line_is_that_of_the_runs_that_learned():
    good = [run(ending(loss)) for loss in (0.2, 0.4, 0.6)]
    bad = [
        *(run(ending(2.0)) for _ in range(4)),
        run(ending(1.9)),
        run(ending(0.5), event="escape"),
        run([1.0, 0.2, np.inf], status="non-finite"),
        run([np.nan, np.nan]),
    ]
    assert median_share(tuple(good + bad), 2.0, 0.1) == pytest.approx(0.8)
    assert median_share(tuple(bad), 2.0, 0.1) is None
    assert median_share((), 2.0, 0.1) is None


def test_the_end_is_a_median_of_the_cadence():
    last = ending(0.4)
    last[-1] = 3.0
    assert median_share((run(last),), 2.0, 0.1) == pytest.approx(0.8)
    assert median_share((run(last, kind=FLIGHT),), 2.0, 0.1) is None
