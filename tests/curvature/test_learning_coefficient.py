"""The learning coefficient of losses whose null, minimum and degeneracy are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import nn

from landscape.curvature import learning_coefficient
from landscape.curvature.langevin import Tempering
from landscape.curvature.learning_coefficient import Surroundings, cost, measure
from landscape.errors import LandscapeError
from landscape.problem import Layout, Problem, flat, half_square
from landscape.store.measured.complexity import LearningCoefficient
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import CADENCE, MEASURES, Trajectory


def regression(*, samples: int = 60, seed: int = 0) -> Problem:
    """A linear model of six weights and noise: its loss is a quadratic."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, 6, generator=generator, dtype=torch.float64)
    inputs *= torch.tensor([2.0, 1.5, 1.0, 0.6, 0.3, 0.1], dtype=torch.float64)
    targets = torch.randn(samples, 1, generator=generator, dtype=torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Linear(6, 1, bias=False).double()
    return Problem(model, (inputs, targets), loss=half_square)


def recorded_at(folder: Path, problem: Problem) -> Trajectory:
    """A trajectory of the model's own weights alone."""
    (folder / "shards").mkdir(parents=True)
    writer = Writer(folder, Layout.of(problem.model).to_records())
    measures = dict.fromkeys(MEASURES, np.nan) | {"train_loss": 1.0}
    writer.add_row(0, CADENCE, flat(problem.model).numpy().astype(np.float32), {}, measures)
    writer.flush()
    return Trajectory.open(folder / "trajectory.h5")


class Power(nn.Module):
    """w⁴ + v²/2 with the targets' noise beside it, which moves neither."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.3, 0.5], dtype=torch.float64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        w, v = self.w
        return (w**4 + v**2 / 2).expand(len(inputs), 1) + 0 * inputs


def power(samples: int = 200) -> Problem:
    noise = torch.zeros(samples, 1, dtype=torch.float64)
    return Problem(Power(), (noise, noise), loss=lambda outputs, targets: outputs[:, 0])


def spectrum(problem: Problem) -> np.ndarray:
    inputs, _ = problem.train
    return np.linalg.eigvalsh((inputs.T @ inputs / len(inputs)).numpy())


def null(values: np.ndarray, found: LearningCoefficient) -> float:
    return float((0.5 * values / (values + found.flat_below)).sum())


RATIO = 2.0
"""The stiffest direction over the tether: chains are short."""


@pytest.fixture(scope="module")
def regular(tmp_path_factory):
    problem = regression()
    tether = 60 / math.log(60) * spectrum(problem)[-1] / RATIO
    one = recorded_at(tmp_path_factory.mktemp("regular"), problem)
    return problem, measure(problem, one, [0], batch_size=60, tether=tether)


def test_a_regular_minimum_has_its_null(regular):
    problem, found = regular
    exact = null(spectrum(problem), found)
    assert found.null[0] == pytest.approx(exact, rel=1e-6)
    assert found.null_error[0] == 0
    assert exact < 1.2 < found.parameters / 2
    assert abs(found.value[0] - exact) < 4 * found.error[0]
    assert found.differs(0) is False
    assert found.undetermined == ("",)


def test_what_it_was_measured_with_is_said(regular):
    problem, found = regular
    assert (found.samples, found.parameters) == (60, 6)
    assert found.inverse_temperature == pytest.approx(1 / math.log(60))
    assert found.scale == pytest.approx(math.log(60) / 60)
    top = spectrum(problem)[-1]
    assert found.top[0] == pytest.approx(top)
    assert found.tether == pytest.approx(top / found.scale / RATIO)
    assert found.flat_below == pytest.approx(top / RATIO)
    assert found.step_size[0] == pytest.approx(0.05 / (top / found.scale + found.tether))
    slowest = found.step_size[0] * found.tether
    assert found.burn_in[0] * slowest == pytest.approx(4, rel=0.01)
    assert found.draws[0] * slowest == pytest.approx(8, rel=0.01)
    inputs, targets = problem.train
    least = np.linalg.lstsq(inputs.numpy(), targets.numpy(), rcond=None)[1][0] / 120
    assert found.floor_loss[0] == pytest.approx(least)
    assert found.by_chain.shape == (1, 4)
    assert found.value[0] == pytest.approx(found.by_chain.mean())


def test_the_last_floor_is_measured_otherwise_too(regular):
    problem, found = regular
    twice, tight, half = found.checks
    assert [check.change for check in found.checks] == [
        *("twice the step", "three times the tether", "half of the samples"),
    ]
    assert twice.same
    assert abs(twice.value - found.value[0]) < 4 * math.hypot(twice.error, found.error[0])
    assert twice.step_size == pytest.approx(2 * found.step_size[0])
    assert not tight.same
    assert tight.tether == pytest.approx(3 * found.tether)
    held = replace(found, tether=tight.tether)
    assert tight.null == pytest.approx(null(spectrum(problem), held))
    assert abs(tight.value - tight.null) < 4 * tight.error
    assert half.samples == 30
    assert half.inverse_temperature == pytest.approx(1 / math.log(30))
    assert abs(half.value - half.null) < 4 * half.error


@pytest.mark.slow
def test_batches_agree_with_all_samples(recorded):
    problem = regression(samples=300)
    trajectory = recorded(problem, [flat(problem.model).numpy()])
    told = []
    found = measure(
        *(problem, trajectory, [0]),
        batch_size=100,
        chains=3,
        tether=300 / math.log(300) * spectrum(problem)[-1] / RATIO,
        listener=lambda done, total: told.append((done, total)),
    )
    [full, *_] = found.checks
    assert (full.change, full.batch_size, full.same) == ("all samples at every step", 300, True)
    assert found.batch_size == 100
    assert found.undetermined == ("",)
    exact = null(spectrum(problem), found)
    assert abs(found.value[0] - exact) < 4 * found.error[0] < 0.6 * exact
    assert abs(full.value - exact) < 4 * full.error
    # The listener hears of single samples; shorter chains than those of the cost spend less.
    assert {total for _, total in told} == {cost(300, 1, 100)[0]}
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.slow
def test_a_degenerate_direction_counts_for_less_than_a_quarter_and_more_than_its_null(recorded):
    """w⁴ has no curvature at 0, so its null is 0; v²/2 has both."""
    problem = power()
    strength, tether = 200 / math.log(200), 12.0
    around = Surroundings(problem, chains=6)
    floor = around.floor(np.zeros(2), {})
    assert floor.moved == 0
    found = around.estimate(floor, Tempering(strength, tether))
    unit = strength**-0.25

    def density(t: float) -> float:
        return math.exp(-(t**4) - tether / 2 * (unit * t) ** 2)

    quartic = quad(lambda t: t**4 * density(t), 0, 12)[0] / quad(density, 0, 12)[0]
    plain = 0.5 * strength / (strength + tether)
    assert found.spectrum.null == pytest.approx(plain, rel=1e-6)
    assert found.value - plain > 2 * found.error
    assert abs(found.value - (quartic + plain)) < 4 * found.error
    assert 0.1 < quartic < 0.25


def test_a_network_that_tells_all_samples_apart_has_no_minimum(recorded):
    inputs = torch.tensor([[-1.0], [-0.5], [0.5], [1.0]] * 3)
    problem = Problem(nn.Linear(1, 2), (inputs, (inputs[:, 0] > 0).long()))
    trajectory = recorded(problem, [flat(problem.model).numpy()])
    spent = []
    found = measure(
        *(problem, trajectory, [0]),
        tether=5.0,
        listener=lambda done, total: spent.append((done, total)),
    )
    assert found.unit == "nats"
    assert found.undetermined == (
        "every training sample is classified as labelled, so that cross-entropy has no finite "
        "minimum there",
    )
    assert found.differs(0) is None
    # Nothing is sampled there: the descent is all that it costs.
    assert (found.draws[0], found.burn_in[0], found.checks) == (0, 0, ())
    assert np.isnan(found.value[0])
    assert spent[-1][0] <= 12 * (learning_coefficient.DESCENT + 2) < spent[-1][1] / 10


def test_floors_that_can_be_sampled_are_beside_one_that_cannot(recorded):
    """Labels of which no line tells all: only beneath weights that flip no sample is it told."""
    inputs = torch.tensor([[-1.0], [-0.5], [0.5], [1.0]] * 3)
    labels = (inputs[:, 0] > 0).long()
    labels[0] = 1
    problem = Problem(nn.Linear(1, 2), (inputs, labels))
    found = measure(
        *(problem, recorded(problem, [flat(problem.model).numpy()]), [0]), tether=5.0, chains=2
    )
    assert found.draws[0] > 0
    assert found.checked == 0
    assert "classified as labelled" not in found.undetermined[0]


def test_a_saddle_has_no_null(recorded):
    class Saddle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(2, dtype=torch.float64))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            u, v = self.w
            return (u**2 - v**2 + v**4).expand(len(inputs), 1)

    nothing = torch.zeros(20, 1, dtype=torch.float64)
    problem = Problem(Saddle(), (nothing, nothing), loss=lambda outputs, targets: outputs[:, 0])
    found = measure(
        problem, recorded(problem, [np.zeros(2)]), [0], tether=6.0, chains=2, controls=False
    )
    assert math.isnan(found.null[0])
    assert found.undetermined[0].split("; ")[0] == (
        "the floor is a saddle: the loss falls along a direction faster than the tether holds"
    )
    # Its minima lie lower than it.
    assert found.value[0] < 0
    assert "a chain's mean loss is below the floor's" in found.undetermined[0]


def test_a_slope_is_no_floor(recorded, monkeypatch):
    monkeypatch.setattr(learning_coefficient, "DESCENT", 1)
    problem = regression()
    start = flat(problem.model).numpy() + 3
    found = measure(problem, recorded(problem, [start]), [0], chains=2, tether=60.0, controls=False)
    assert found.undetermined[0].startswith(
        "the descent didn't reach a minimum: within the tether's reach λ falls by up to 1.4e+02; "
        "a chain's mean loss is below the floor's"
    )


def test_how_far_the_minimum_lies_below_is_a_quadratics():
    problem = regression()
    around = Surroundings(problem)
    floor = around.floor(flat(problem.model).numpy(), {})
    inputs, _ = problem.train
    matrix = (inputs.T @ inputs / len(inputs)).numpy()
    offset = np.array([0.1, -0.2, 0.3, 0.05, 0.0, 0.4])
    beside = replace(floor, weights=floor.weights + offset, gradient=matrix @ offset)
    tempering = Tempering(14.0, 2.0)
    found = around.spectrum(beside, tempering)
    slope = 14 * matrix @ offset
    exact = slope @ np.linalg.solve(14 * matrix + 2 * np.eye(6), slope) / 2
    assert found.slack == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 1}, "the learning coefficient needs at least 2 chains, got 1"),
        (
            {"tether": -1.0},
            "the learning coefficient needs a tether above 0, got -1: the last floor has no "
            "curvature to choose it by",
        ),
    ],
)
def test_mistakes(recorded, options, message):
    problem = regression()
    trajectory = recorded(problem, [flat(problem.model).numpy()])
    with pytest.raises(LandscapeError) as refused:
        measure(problem, trajectory, [0], **options)
    assert str(refused.value) == message


def test_too_few_samples_are_refused(recorded):
    problem = regression(samples=7)
    trajectory = recorded(problem, [flat(problem.model).numpy()])
    with pytest.raises(LandscapeError) as refused:
        measure(problem, trajectory, [0])
    assert str(refused.value) == "the learning coefficient needs at least 8 samples, got 7"
