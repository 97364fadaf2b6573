"""The loss that a training ends at, of losses written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landscape.store.measured.trainings import Intervention, TrainingLosses


@pytest.mark.parametrize(
    ("after_start", "end", "rows"),
    [
        # The middle one of three or of all is below 1 of each, the last one is not.
        ([0.601, 0.9, 2.356], 2.356, 1),
        ([0.5, 2.058], 2.058, 1),
        ([0.4, 0.5, 0.6, 0.7, 1.525], 1.525, 1),
        ([2.0], 2.0, 1),
        ([2.0, 2.0, 2.0, 2.0, 0.2, 0.4], 0.3, 2),
        ([2.0] * 10 + [0.1, 0.5, 0.2, 0.4, 0.9], 0.4, 5),
        ([2.0] * 40 + [0.1, 0.5, 0.2, 0.4, 0.9], 0.4, 5),
        ([0.5, 0.6, math.inf], math.inf, 1),
        ([0.5] * 14 + [math.inf], math.inf, 5),
        ([], math.inf, 0),
    ],
)
def test_a_training_ends_at_its_end(after_start, end, rows):
    losses = np.array([0.3, *after_start])
    about = Intervention("best-order1", "other-order", "best", 0, 0.1, len(losses), 32, 0)
    training = TrainingLosses(about, np.arange(len(losses)), losses)
    assert training.end_loss == pytest.approx(end)
    assert training.last_rows == rows
