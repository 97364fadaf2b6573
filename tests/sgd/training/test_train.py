from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from landscape.errors import LandscapeError
from landscape.problem import half_square
from landscape.problem.problem import also_trained
from landscape.sgd import Settings, steps

VARIANTS = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"weight_decay": 0.05},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
]


@pytest.mark.parametrize("values", VARIANTS, ids=str)
def test_update_is_that_of_torch(problem, mlp, spy, trajectory_of, values):
    seen = problem(augment=spy)
    found = trajectory_of(steps(seen, Settings(lr=0.1, batch_size=16, steps=50, **values)))

    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, **values)
    inputs, targets = seen.train
    expected = [torch.cat([p.detach().reshape(-1) for p in model.parameters()])]
    for chosen in spy.indices(seen):
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[chosen]).double(), targets[chosen]).backward()
        optimizer.step()
        expected.append(torch.cat([p.detach().reshape(-1) for p in model.parameters()]))
    assert np.abs(np.diff(found, axis=0)).max() > 1e-3
    np.testing.assert_allclose(found, torch.stack(expected).numpy(), rtol=0, atol=1e-6)


def test_learning_rate_follows_the_schedule(problem):
    settings = Settings(lr=0.4, batch_size=16, epochs=2, schedule="cosine")
    rates = [step.scalars["learning_rate"] for step in steps(problem(), settings) if step.scalars]
    assert rates == pytest.approx([0.2 * (1 + math.cos(math.pi * t / 8)) for t in range(8)])


def test_same_seed_same_weights(problem, trajectory_of):
    settings = Settings(lr=0.2, momentum=0.9, batch_size=16, epochs=3)
    first, second = (trajectory_of(steps(problem(), settings)) for _ in range(2))
    other = trajectory_of(steps(problem(), Settings(lr=0.2, momentum=0.9, batch_size=16, seed=1)))
    assert first.tobytes() == second.tobytes()
    # The initialization is the problem's.
    np.testing.assert_array_equal(first[0], other[0])
    assert np.abs(first[1:] - other[1 : len(first)]).max(1).min() > 1e-4


def test_within_no_grad_it_trains_as_without(problem, trajectory_of):
    plain = trajectory_of(steps(problem(), Settings(lr=0.1, steps=3)))
    with torch.no_grad():
        found = trajectory_of(steps(problem(), Settings(lr=0.1, steps=3)))
    np.testing.assert_array_equal(found, plain)
    assert np.abs(np.diff(plain, axis=0)).max() > 1e-3


def test_steps_are_numbered_from_the_initialization(problem, mlp):
    made = list(steps(problem(), Settings(batch_size=16, steps=5)))
    assert [step.step for step in made] == list(range(6))
    assert [step.scalars is None for step in made] == [True] + [False] * 5
    assert all(step.finite for step in made)
    start = next(steps(problem(), Settings()))
    assert torch.equal(start.weights, nn.utils.parameters_to_vector(mlp().parameters()))


def test_model_and_weights_are_the_same_numbers(problem):
    for step in steps(problem(), Settings(lr=0.2, batch_size=16, steps=5)):
        held = nn.utils.parameters_to_vector(step.model.parameters())
        assert torch.equal(held, step.weights)


def test_model_that_was_handed_over_stays(problem, mlp):
    model = mlp(nn.BatchNorm1d(5), nn.ReLU()).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in steps(problem(model), Settings(lr=0.2, batch_size=16, steps=5)):
        pass
    assert not model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_every_epoch_visits_each_sample_once(problem, spy):
    seen = problem(augment=spy)
    list(steps(seen, Settings(batch_size=16, epochs=3)))
    batches = spy.indices(seen)
    assert [len(batch) for batch in batches] == [16, 16, 16, 2] * 3
    epochs = [list(chain(*batches[at : at + 4])) for at in (0, 4, 8)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_augment_is_called_once_a_step_with_one_generator(problem, spy, trajectory_of):
    settings = Settings(batch_size=16, steps=9)
    seen = trajectory_of(steps(problem(augment=spy), settings))
    assert len(spy.batches) == 9
    assert len(set(map(id, spy.generators))) == 1
    assert isinstance(spy.generators[0], torch.Generator)
    np.testing.assert_array_equal(seen, trajectory_of(steps(problem(), settings)))


def test_augmentation_is_reproducible(problem, trajectory_of):
    def noise(inputs, generator):
        return inputs + torch.randn(inputs.shape, generator=generator)

    settings = Settings(lr=0.2, batch_size=16, steps=9)
    first, second = (trajectory_of(steps(problem(augment=noise), settings)) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert np.abs(first - trajectory_of(steps(problem(), settings))).max() > 1e-2


@pytest.mark.parametrize("values", VARIANTS, ids=str)
def test_frozen_parameters_stay(problem, mlp, spy, trajectory_of, values):
    model = mlp()
    model[0].weight.requires_grad_(False)
    model[2].bias.requires_grad_(False)
    trained = torch.cat([torch.full((p.numel(),), p.requires_grad) for p in model.parameters()])
    seen = problem(model, augment=spy)
    settings = Settings(lr=0.1, batch_size=16, steps=20, **values)
    w = trajectory_of(steps(seen, settings))
    assert w.shape[1] == trained.sum()
    assert (w[-1] != w[0]).all()
    # Named as weights that are trained later, they are in the vector and stay all the same.
    named = trajectory_of(steps(also_trained(problem(model), ["*"]), settings))
    assert named[:, trained].tobytes() == w.tobytes()
    np.testing.assert_array_equal(named[-1][~trained], named[0][~trained])

    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1, **values)
    inputs, targets = seen.train
    for chosen in spy.indices(seen):
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[chosen]).double(), targets[chosen]).backward()
        optimizer.step()
    expected = nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
    np.testing.assert_allclose(w[-1], expected[trained], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(named[-1][~trained], expected[~trained])


class Mixed(nn.Module):
    """A complex, a float64, a 16-bit and a scalar parameter; 3 classes of 4 inputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.none = nn.Parameter(torch.zeros(0))
        self.wave = nn.Parameter(0.5 * torch.randn(4, 3, dtype=torch.complex64))
        self.shift = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.low = nn.Parameter(torch.eye(3, dtype=torch.bfloat16))

    def forward(self, inputs):
        waves = (self.scale * inputs).to(torch.complex64) @ self.wave
        return ((waves.abs() + self.shift).to(torch.bfloat16) @ self.low).double()


@pytest.mark.parametrize("values", VARIANTS, ids=str)
def test_parameters_of_several_types_are_trained_as_torch_trains_them(
    problem, spy, trajectory_of, values
):
    seen = replace(problem(augment=spy), model=Mixed())
    w = trajectory_of(steps(seen, Settings(lr=0.05, batch_size=16, steps=6, **values)))
    model = Mixed()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, **values)
    inputs, targets = seen.train
    for chosen in spy.indices(seen):
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    parts = [
        (torch.view_as_real(p) if p.is_complex() else p).detach().double().reshape(-1)
        for p in model.parameters()
    ]
    # Of 16-bit numbers torch rounds velocities too: a unit in the last place or two a step.
    expected = torch.cat(parts).numpy()
    np.testing.assert_allclose(w[-1][:-9], expected[:-9], rtol=0, atol=2e-3)
    np.testing.assert_allclose(w[-1][-9:], expected[-9:], rtol=2**-6, atol=2e-3)
    assert np.abs(w[-1] - w[0])[:-9].max() > 0.02
    # Rows are what the model had, to the bit.
    low = torch.from_numpy(w[:, -9:])
    assert torch.equal(low, low.to(torch.bfloat16).to(low))


def test_nothing_to_train_is_refused(problem, mlp):
    model = mlp().requires_grad_(False)
    with pytest.raises(LandscapeError) as caught:
        next(steps(problem(model), Settings()))
    assert str(caught.value) == (
        "a model must have parameters to train, got all of them with requires_grad=False"
    )


def test_dropout_is_reproducible(problem, mlp, trajectory_of):
    model = mlp(nn.ReLU(), nn.Dropout(0.5))
    settings = Settings(lr=0.2, batch_size=16, epochs=2)
    torch.manual_seed(5)
    first = trajectory_of(steps(problem(model), settings))
    torch.manual_seed(6)
    second = trajectory_of(steps(problem(model), settings))
    assert first.tobytes() == second.tobytes()
    still = trajectory_of(steps(problem(mlp(nn.ReLU())), settings))
    assert np.abs(first - still).max() > 1e-2


def test_a_dataset_trains_like_its_tensors(problem, trajectory_of):
    tensors = problem()
    dataset = problem(train=TensorDataset(*tensors.train))
    settings = Settings(lr=0.2, batch_size=16, steps=9)
    np.testing.assert_array_equal(
        trajectory_of(steps(dataset, settings)), trajectory_of(steps(tensors, settings))
    )


def test_a_batch_that_is_too_small_for_batchnorm_is_refused(problem):
    small = problem(nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)))
    with pytest.raises(LandscapeError) as caught:
        list(steps(small, Settings(epochs=1, batch_size=7)))
    assert str(caught.value) == (
        "BatchNorm needs batches of two samples or more, 50 samples in batches of 7 leave one "
        "over; take another --batch-size"
    )


def test_a_loss_of_another_shape_is_refused(problem):
    wrong = problem(loss=lambda outputs, targets: functional.cross_entropy(outputs, targets))
    with pytest.raises(LandscapeError) as caught:
        next(steps(wrong, Settings(batch_size=16)))
    assert str(caught.value) == (
        "a loss must return one value a sample, shape (8,) or (8, ...) for a batch of 8, got "
        'a scalar; use reduction="none", or return (value, weight) for one of the batch'
    )


def regression(problem, scale: float = 1.0):
    inputs = torch.linspace(-1, 1, 8)[:, None]
    return problem(
        nn.Linear(1, 1), train=(inputs, scale * inputs + 1), validation=None, loss=half_square
    )


@pytest.mark.parametrize("lr", [1e2, 1e12, 1e30, 3e38], ids="lr {:g}".format)
def test_divergence_ends_at_finite_weights(problem, lr):
    # The larger rates overflow the update or the weights while the loss is still finite.
    made = []
    for step in steps(regression(problem), Settings(lr=lr, batch_size=4, epochs=100)):
        assert torch.isfinite(step.weights).all()
        made.append((step.step, step.finite))
    *before, (last, finite) = made
    assert not finite
    assert last < 100
    assert before == [(step, True) for step in range(last + 1)]


def test_weights_do_not_overflow_where_loss_and_update_are_finite(problem):
    # The loss is minus the weight: steps of 2e38, the second of which ends beyond float32.
    ones = torch.ones(8, 1)
    made = problem(
        nn.Linear(1, 1, bias=False),
        train=(ones, ones),
        validation=None,
        loss=lambda outputs, _: -outputs[:, 0],
    )
    found = [(s.step, s.finite, s.weights.item()) for s in steps(made, Settings(lr=2e38))]
    assert [(step, finite) for step, finite, _ in found] == [(0, True), (1, True), (1, False)]
    assert found[-1][2] == pytest.approx(2e38)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training(problem, spy, bad):
    clean = problem()
    inputs = clean.train[0].clone()
    inputs[7] = bad
    seen = problem(train=(inputs, clean.train[1]), augment=spy)
    made = [(s.step, s.finite) for s in steps(seen, Settings(batch_size=16, epochs=3))]
    first = next(at for at, batch in enumerate(spy.batches) if not torch.isfinite(batch).all())
    assert made == [(step, True) for step in range(first + 1)] + [(first, False)]


def test_a_step_not_taken_leaves_the_statistics(problem, mlp):
    clean = problem()
    inputs = clean.train[0].clone()
    inputs[7] = math.nan
    model = mlp(nn.BatchNorm1d(5), nn.ReLU())
    seen = problem(model, train=(inputs, clean.train[1]))
    for step in steps(seen, Settings(batch_size=16, epochs=2)):
        statistics = [buffer.double().sum().item() for buffer in step.model.buffers()]
        assert np.isfinite(statistics).all()
    assert not step.finite
