"""Function-space distances, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from torch import nn

from landscape.diagnose.units import functions
from landscape.errors import LandscapeError
from landscape.problem import Problem, half_square


def made(samples: int = 600, **fields) -> Problem:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, 3, generator=generator)
    targets = torch.randint(4, (samples,), generator=generator)
    return Problem(nn.Linear(3, 4, bias=False), (inputs, targets), **fields)


def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 12)).astype(np.float32)


def test_against_numpy(recorded):
    problem, weights = made(), rows()
    asked = []
    found = functions.measure(
        problem, recorded(problem, weights), [0, 1, 2], listener=lambda *at: asked.append(at)
    )
    assert asked == [(256, 600), (512, 600), (600, 600)]
    inputs = problem.train[0].double().numpy()
    shares = [softmax(inputs @ row.reshape(4, 3).T, axis=1) for row in weights]
    for i, p in enumerate(shares):
        for j, q in enumerate(shares):
            differ = (p.argmax(1) != q.argmax(1)).mean()
            apart = np.sqrt(((p - q) ** 2).sum(1).mean())
            assert found.disagreement[i, j] == pytest.approx(differ, abs=1e-12)
            assert found.divergence[i, j] == pytest.approx(entropy(p, q, axis=1).mean(), rel=1e-5)
            assert found.distance[i, j] == pytest.approx(apart, rel=1e-5)
    assert (found.samples, found.data, found.step.tolist()) == (600, "training", [0, 10, 20])


def test_a_shift_of_all_logits_is_no_distance(recorded):
    problem = made()
    weights = rows()[:1]
    shifted = weights + np.tile([1, 2, 3], 4).astype(np.float32)  # the same for every class
    found = functions.measure(problem, recorded(problem, [*weights, *shifted]))
    assert found.disagreement.max() == 0
    assert found.divergence.max() < 1e-10
    assert found.distance.max() < 1e-5


def test_of_a_regression(recorded):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(70, 3, generator=generator)
    problem = Problem(nn.Linear(3, 4, bias=False), (inputs, torch.zeros(70, 4)), loss=half_square)
    weights = rows()[:2]
    found = functions.measure(problem, recorded(problem, weights))
    outputs = [inputs.double().numpy() @ row.reshape(4, 3).T for row in weights]
    exact = np.sqrt(((outputs[0] - outputs[1]) ** 2).sum(1).mean())
    np.testing.assert_allclose(found.distance, [[0, exact], [exact, 0]], rtol=1e-5)
    assert np.isnan(found.disagreement[0, 1])
    assert np.isnan(found.divergence[0, 1])


def test_on_validation_data(recorded):
    generator = torch.Generator().manual_seed(1)
    held = torch.randn(9, 3, generator=generator), torch.randint(4, (9,), generator=generator)
    problem = made(validation=held)
    trajectory = recorded(problem, rows())
    found = functions.measure(problem, trajectory, data="validation")
    other = functions.measure(Problem(problem.model, held), trajectory)
    assert found.samples == 9
    np.testing.assert_array_equal(found.divergence, other.divergence)


def test_ten_rows_unless_given(recorded):
    problem = made()
    weights = np.random.default_rng(1).standard_normal((40, 12))
    losses = np.arange(40.0) + 1
    losses[23] = 0
    found = functions.measure(problem, recorded(problem, weights, losses))
    assert len(found.step) == 10
    assert {0, 230, 390} <= set(found.step.tolist())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("validation", "data validation must be there, the problem has none; take training"),
        ("test", "data must be training or validation, got test"),
    ],
)
def test_data_that_are_not_there(recorded, data, message):
    problem = made()
    with pytest.raises(LandscapeError) as caught:
        functions.measure(problem, recorded(problem, rows()), data=data)
    assert str(caught.value) == message
