from __future__ import annotations

import itertools
import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from landscape.problem import tuning
from landscape.sgd import Recorder, Settings, resume, steps
from landscape.sgd.training.step_scalars import Meter
from landscape.store import read
from landscape.store.trajectories.scalars import SCALARS, Scalar

ROOT = Path(__file__).parents[3]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_against_numpy():
    generator = np.random.default_rng(0)
    weights, gradients, updates = generator.standard_normal((3, 6, 1000))
    meter = Meter(torch.from_numpy(weights[0]))
    for t in range(6):
        parts = [torch.from_numpy(array[t]) for array in (weights, gradients, updates)]
        found = meter.scalars(*parts, batch_loss=1.5, lr=0.1)
        before = slice(t - 1, t + 1)
        assert found == pytest.approx(
            {
                "batch_loss": 1.5,
                "learning_rate": 0.1,
                "gradient_norm": np.linalg.norm(gradients[t]),
                "update_norm": np.linalg.norm(updates[t]),
                "weight_norm": np.linalg.norm(weights[t]),
                "weight_dot_gradient": weights[t] @ gradients[t],
                "gradient_cosine": cosine(*gradients[before]) if t else math.nan,
                "update_cosine": cosine(*updates[before]) if t else math.nan,
            },
            rel=1e-12,
            nan_ok=True,
        )


def test_scalars_are_the_same_to_the_bit_whatever_the_number_of_threads():
    vectors = torch.randn(3, 100_001, generator=torch.Generator().manual_seed(0))
    found = []
    for count in (1, 2):
        with tuning.threads(count):
            meter = Meter(vectors[0])
            meter.scalars(*vectors, batch_loss=1.5, lr=0.1)
            found.append(meter.scalars(*vectors, batch_loss=1.5, lr=0.1))
            assert torch.get_num_threads() == count
    assert found[0] == found[1]


def test_sums_are_not_in_float32():
    # A million ones below a large entry: in float32 some of them would be lost.
    weights = torch.ones(1_000_001)
    weights[0] = 2.0**13
    found = Meter(weights).scalars(weights, weights, weights, batch_loss=0.0, lr=1.0)
    assert found["weight_dot_gradient"] == 2.0**26 + 1e6


def test_cosines_beside_a_zero_are_nan():
    zero, one = torch.zeros(3), torch.ones(3)
    meter = Meter(one)
    for gradient in (one, zero, one, one):
        found = meter.scalars(one, gradient, -gradient, batch_loss=0.0, lr=1.0)
    assert found["gradient_cosine"] == pytest.approx(1, rel=1e-12)
    again = meter.scalars(one, zero, zero, batch_loss=0.0, lr=1.0)
    assert again["gradient_norm"] == again["update_norm"] == 0
    assert math.isnan(again["gradient_cosine"])
    assert math.isnan(again["update_cosine"])
    after = meter.scalars(one, one, one, batch_loss=0.0, lr=1.0)
    assert math.isnan(after["gradient_cosine"])


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_identity_of_plain_sgd(problem, mlp, weight_decay):
    settings = Settings(lr=0.3, weight_decay=weight_decay, batch_size=16, epochs=10)
    norms, scalars = [], []
    for step in steps(problem(mlp(dtype=torch.float64)), settings):
        norms.append(float(step.weights @ step.weights))
        if step.scalars is not None:
            scalars.append(step.scalars)
    inner = np.array([row["weight_dot_gradient"] for row in scalars])
    gradient = np.array([row["gradient_norm"] for row in scalars])
    expected = -2 * 0.3 * inner + 0.3**2 * gradient**2
    np.testing.assert_allclose(np.diff(norms), expected, rtol=0, atol=1e-13 * max(norms))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_of_a_training_against_its_weights(problem, mlp, values):
    lr, momentum = 0.2, values.get("momentum", 0.0)
    settings = Settings(lr=lr, batch_size=16, epochs=8, schedule="step", **values)
    w, found = [], []
    for step in steps(problem(mlp(dtype=torch.float64)), settings):
        w.append(step.weights.numpy().copy())
        found.append(step.scalars)
    update = np.diff(w, axis=0)
    rates = lr * np.array([1] * 16 + [0.1] * 8 + [0.01] * 8)
    # Solved for the gradients: -update / lr = v (Nesterov: g + momentum v), v = momentum v' + g.
    gradient, velocity = [], np.zeros(len(w[0]))
    for moved in -update / rates[:, None]:
        if values.get("nesterov"):
            g = (moved - momentum**2 * velocity) / (1 + momentum)
        else:
            g = moved - momentum * velocity
        velocity = momentum * velocity + g
        gradient.append(g)
    for t, scalars in enumerate(found[1:]):
        expected = {
            "learning_rate": rates[t],
            "gradient_norm": np.linalg.norm(gradient[t]),
            "update_norm": np.linalg.norm(update[t]),
            "weight_norm": np.linalg.norm(w[t]),
            "weight_dot_gradient": w[t] @ gradient[t],
            "gradient_cosine": cosine(*gradient[t - 1 : t + 1]) if t else math.nan,
            "update_cosine": cosine(*update[t - 1 : t + 1]) if t else math.nan,
        }
        measured = {name: value for name, value in scalars.items() if name != "batch_loss"}
        assert measured == pytest.approx(expected, rel=1e-8, abs=1e-8, nan_ok=True)


DRIFT = Scalar(
    lambda step: step.products["weights", "update"],
    "distance²",
    "w_t · (w_{t+1} - w_t)",
    (("weights", "update"),),
    "float32",
)


def test_a_row_of_the_table_is_all_that_a_scalar_needs(problem, mlp, tmp_path, monkeypatch):
    monkeypatch.setitem(SCALARS, "drift", DRIFT)
    made, settings = problem(mlp()), Settings(lr=0.1, batch_size=16, epochs=2)
    with Recorder(tmp_path / "run", made, settings, record="1") as recorder:
        for step in steps(made, settings):
            recorder.record(step)
    trajectory = read(tmp_path / "run").trajectory
    w = trajectory.weights(slice(None)).astype(np.float64)
    expected = (w[:-1] * np.diff(w, axis=0)).sum(1)
    with h5py.File(tmp_path / "run" / "trajectory.h5") as file:
        assert file["steps/drift"].dtype == np.float32
        np.testing.assert_allclose(file["steps/drift"][:], expected, rtol=1e-4, atol=1e-6)
    assert list(trajectory.scalars())[-1] == "drift"


def test_a_run_keeps_to_the_scalars_that_it_began_with(problem, mlp, tmp_path, monkeypatch):
    made, settings = problem(mlp()), Settings(lr=0.1, steps=12)
    first = Recorder(tmp_path / "run", made, settings, record="1")
    for step in itertools.islice(steps(made, settings), 6):
        first.record(step)
    first.close("interrupted")
    with monkeypatch.context() as patch:
        patch.setitem(SCALARS, "drift", DRIFT)
        patch.delitem(SCALARS, "update_cosine")
        recorder, rest = resume(read(tmp_path / "run"), made)
        with recorder:
            for step in rest:
                recorder.record(step)
    found = read(tmp_path / "run").trajectory.scalars()
    assert list(found) == list(SCALARS)
    assert np.isfinite(found["gradient_cosine"][1:]).all()
    # It went on from step 0: what isn't measured any more is missing, not made up.
    assert found["update_cosine"].shape == (12,)
    assert np.isnan(found["update_cosine"]).all()


@pytest.mark.parametrize("name", SCALARS)
def test_every_scalar_is_in_the_description_of_the_files(name):
    assert f"`steps/{name}`" in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
