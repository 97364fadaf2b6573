"""Preconditioned sharpness against dense matrices, and its bounds against plain recursions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature import preconditioned
from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import search
from landscape.curvature.preconditioned import Preconditioner, Rescaled, rows_with_state
from landscape.errors import LandscapeError
from landscape.problem import Problem, flat, half_square
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import steps
from landscape.store.trajectories.trajectory import Trajectory

CURVATURES = np.array([0.5, 2.0, 9.0, 30.0])


class Bowl(nn.Module):
    """½ Σ h w², whatever the input."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        value = (torch.from_numpy(CURVATURES) * self.w**2).sum() / 2
        return value.expand(len(inputs), 1)


def bowl() -> Problem:
    nothing = torch.zeros(4, 1, dtype=torch.float64)
    return Problem(Bowl(), (nothing, nothing), loss=lambda outputs, targets: outputs[:, 0])


def adam(**more: float) -> dict[str, float]:
    return {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, **more}


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Trajectory]:
    """A run's trajectory."""

    def make(problem: Problem, settings: Settings) -> Trajectory:
        with Recorder(tmp_path / "run", problem, settings, record="1") as recorder:
            for step in steps(problem, settings):
                recorder.record(step)
        return recorder.run.trajectory

    return make


def by_torch(settings: Settings, count: int) -> torch.optim.Optimizer:
    """torch's own optimizer after so many steps of full-batch descent on the bowl."""
    model = Bowl()
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    if settings.optimizer == "rmsprop":
        found: torch.optim.Optimizer = torch.optim.RMSprop(
            model.parameters(), settings.lr, momentum=settings.momentum
        )
    else:
        found = kinds[settings.optimizer](
            model.parameters(), settings.lr, weight_decay=settings.weight_decay
        )
    for _ in range(count):
        found.zero_grad()
        model(torch.zeros(1, 1))[0, 0].backward()
        found.step()
    return found


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop"])
def test_of_a_diagonal_quadratic_it_is_the_largest_ratio(trained, name):
    # Decoupled decay, adamw's default, has no bound.
    settings = Settings(optimizer=name, lr=0.02, steps=12, batch_size=4, weight_decay=0.0)
    trajectory = trained(bowl(), settings)
    rows = rows_with_state(trajectory)
    assert trajectory.step[rows[-1]] == 12
    of_torch = by_torch(settings, 12)
    [[kept]] = [list(of_torch.state.values())]
    if name == "rmsprop":
        diagonal = kept["square_avg"].sqrt().numpy() + 1e-8
        reach, class_name = 2.0, "RMSprop"
    else:
        root = (kept["exp_avg_sq"] / (1 - 0.999**12)).sqrt().numpy()
        diagonal = (root + 1e-8) * (1 - 0.9**12)
        reach, class_name = 38.0, {"adam": "Adam", "adamw": "AdamW"}[name]
    optimizer = Preconditioner(class_name, settings.of_optimizer(), 4)
    found = preconditioned.measure(bowl(), trajectory, optimizer)
    assert found.value[-1] == pytest.approx((CURVATURES / diagonal).max(), rel=1e-5)
    assert found.plain[-1] == pytest.approx(30, rel=1e-6)
    assert found.bound[-1] == pytest.approx(reach / 0.02)
    assert (found.optimizer, found.unknown) == (class_name, "")
    assert (found.samples, found.total) == (4, 4)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_rescaled_matrix_is_the_dense_one(dense, tanh, decay):
    matrix = dense(tanh, flat(tanh.model).numpy())
    scale = np.random.default_rng(0).uniform(0.1, 4, 75)
    exact = scale[:, None] * (matrix + decay * np.eye(75)) * scale

    class Dense:
        size = 75

        def __matmul__(self, vector: np.ndarray) -> np.ndarray:
            return matrix @ vector

    rescaled = Rescaled(Dense(), scale, decay)
    columns = np.stack([rescaled @ row for row in np.eye(75)])
    np.testing.assert_allclose(columns, exact, atol=1e-12)
    found = search(rescaled, 1, products=40).values[-1]
    assert found == pytest.approx(np.linalg.eigvalsh(exact)[-1], rel=1e-6)


def test_of_a_network_it_is_the_dense_hessians(trained, dense, tanh):
    settings = Settings(optimizer="adam", lr=0.01, steps=9, batch_size=60, weight_decay=0.02)
    trajectory = trained(tanh, settings)
    row = rows_with_state(trajectory)[-1]
    moments = trajectory.moments(int(trajectory.step[row]))
    root = np.sqrt(moments["optimizer/exp_avg_sq"].astype(float) / (1 - 0.999**9))
    scale = ((root + 1e-8) * (1 - 0.9**9)) ** -0.5
    matrix = dense(tanh, trajectory.row_weights(row)) + 0.02 * np.eye(75)
    exact = np.linalg.eigvalsh(scale[:, None] * matrix * scale)[-1]
    optimizer = Preconditioner("Adam", settings.of_optimizer(), 60)
    found = preconditioned.measure(tanh, trajectory, optimizer, [row])
    assert found.value[0] == pytest.approx(exact, rel=1e-3)
    assert found.rule == "(2 + 2β₁)/((1 − β₁)η)"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", adam()),
        ("Adam", adam(beta1=0.5)),
        ("RMSprop", {"momentum": 0.0, "eps": 1e-8, "weight_decay": 0.0}),
        ("RMSprop", {"momentum": 0.9, "eps": 1e-8, "weight_decay": 0.0}),
    ],
)
def test_with_a_fixed_diagonal_steps_grow_above_the_bound_alone(name, options):
    """The recursion of one coordinate, as torch has it: averages for Adam, sums for RMSprop."""
    bound = Preconditioner(name, options, 10).bound(0.1, 10)
    for factor, grows in ((0.99, False), (1.01, True)):
        weight, average = 1.0, 0.0
        for _ in range(4000):
            slope = factor * bound * weight
            if name == "Adam":
                average = options["beta1"] * average + (1 - options["beta1"]) * slope
            else:
                average = options["momentum"] * average + slope
            weight -= 0.1 * average
            if abs(weight) > 1e6:
                break
        assert (abs(weight) > 1e6) == grows


@pytest.mark.slow
def test_full_batch_adam_trains_at_the_bound():
    """Cohen et al. (2022): the sharpness hovers at 38/η; the plain one means nothing to Adam."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 5, generator=generator)
    targets = (torch.sin(3 * inputs[:, 0]) + inputs[:, 1] * inputs[:, 2])[:, None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Linear(5, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1)]
    problem = Problem(nn.Sequential(*layers), (inputs, targets), loss=half_square)
    settings = Settings(optimizer="adam", lr=0.01, batch_size=200, steps=900)
    optimizer, hessian = Preconditioner("Adam", settings.of_optimizer(), 200), Hessian(problem)
    ratios = []
    for step in steps(problem, settings):
        if step.step >= 150 and step.step % 75 == 0:
            kept = {name: value.numpy() for name, value in step.moments().items()}
            hessian.move(step.weights.numpy())
            rescaled = Rescaled(hessian, optimizer.diagonal(kept) ** -0.5)
            top = search(rescaled, 1, products=20).values[-1]
            ratios.append(top / optimizer.bound(0.01, 200))
    assert 0.85 < np.median(ratios) < 1.05
    assert max(ratios) < 1.15


@pytest.mark.parametrize(
    ("optimizer", "why"),
    [
        (Preconditioner("Adam", adam(), 32), "batches of 32 of 100 samples are small"),
        (
            Preconditioner("AdamW", adam(weight_decay=0.01), 100),
            "weight decay is decoupled from the gradient",
        ),
        (Preconditioner("Adam", adam(), 100, clipped=True), "gradients were clipped"),
    ],
)
def test_where_no_bound_is_known_it_says_why(optimizer, why):
    assert optimizer.unknown(100) == why
    assert math.isnan(optimizer.bound(0.1, 100))


def test_a_large_batch_has_the_bound_and_decoupled_decay_isnt_curvature():
    assert Preconditioner("Adam", adam(), 50).bound(0.1, 100) == pytest.approx(380)
    assert Preconditioner("Adam", adam(weight_decay=0.1), 50).decay == 0.1
    assert Preconditioner("AdamW", adam(weight_decay=0.1), 50).decay == 0.0


def test_an_optimizer_without_a_diagonal_is_refused(trained):
    settings = Settings(lr=0.01, momentum=0.9, steps=3, batch_size=4)
    trajectory = trained(bowl(), settings)
    with pytest.raises(LandscapeError) as refused:
        preconditioned.measure(bowl(), trajectory, Preconditioner("SGD", {"weight_decay": 0.0}, 4))
    assert str(refused.value) == (
        "preconditioned sharpness needs one of Adam, AdamW, RMSprop, which keep a diagonal, "
        "got SGD; SGD's is the part sharpness"
    )


def test_a_run_without_its_optimizers_state_is_refused(run):
    problem, trajectory = run
    with pytest.raises(LandscapeError) as refused:
        preconditioned.measure(problem, trajectory, Preconditioner("Adam", adam(), 60))
    assert str(refused.value) == (
        "preconditioned sharpness needs what the optimizer keeps between steps, the run recorded "
        "none; train it with `landscape train`"
    )
    with pytest.raises(LandscapeError) as refused:
        Preconditioner("Adam", adam(), 60).diagonal({"optimizer/step": np.array(3.0)})
    assert str(refused.value) == (
        "preconditioned sharpness needs what Adam keeps between steps, exp_avg_sq wasn't "
        "recorded; train with a version that does"
    )
