from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian
from torch.nn import functional

from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import top
from landscape.errors import LandscapeError
from landscape.problem import Problem, flat, half_square


def small(*, model=None, loss=None, samples=40, classes=3, seed=0, **more) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = model() if model else nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    inputs = torch.randn(samples, 5, generator=generator)
    targets = torch.randint(classes, (samples,), generator=generator)
    if loss is half_square:
        targets = torch.randn(samples, 1, generator=generator)
    return Problem(network, (inputs, targets), **({"loss": loss} if loss else {}), **more)


def dense(problem: Problem) -> np.ndarray:
    """The Hessian by torch.func in float64, all samples at once."""
    model = copy.deepcopy(problem.model).double()  # the problem keeps its own
    inputs, targets = problem.train
    names = [(name, p.shape) for name, p in model.named_parameters()]

    def mean_loss(vector):
        parts = vector.split([shape.numel() for _, shape in names])
        state = {name: part.view(shape) for (name, shape), part in zip(names, parts, strict=True)}
        outputs = functional_call(model, state, (inputs.double(),))
        return functional.cross_entropy(outputs, targets)

    return hessian(mean_loss)(flat(model)).numpy()


def columns(matrix: Hessian) -> np.ndarray:
    return np.stack([matrix @ row for row in np.eye(matrix.size)])


@pytest.mark.parametrize("batch_size", [1, 7, 40, 512])
def test_equal_to_a_dense_hessian(batch_size):
    problem = small()
    found = columns(Hessian(problem, dtype=torch.float64, batch_size=batch_size))
    np.testing.assert_allclose(found, dense(problem), rtol=0, atol=1e-12)


def repeated(hessian: Hessian, vector: np.ndarray) -> list[np.ndarray]:
    """Three products: anew, keeping the graphs, and with the graphs that were kept."""
    return [hessian @ vector for _ in range(3)]


def test_further_products_at_the_same_weights_use_the_same_graphs(monkeypatch):
    problem, other = small(), small(seed=1)
    hessian = Hessian(problem, dtype=torch.float64, batch_size=7)
    passes = []
    forward = hessian.model.forward
    monkeypatch.setattr(hessian.model, "forward", lambda x: (passes.append(len(x)), forward(x))[1])
    vector = np.random.default_rng(0).standard_normal(hessian.size)
    for found in repeated(hessian, vector):
        np.testing.assert_allclose(found, dense(problem) @ vector, rtol=0, atol=1e-12)
    # A look at the memory, then twice through the data.
    assert passes == [2, 4] + ([7] * 5 + [5]) * 2
    hessian.move(flat(other.model).numpy())
    expected = dense(Problem(other.model, problem.train)) @ vector
    for found in repeated(hessian, vector):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_graphs_that_take_too_much_are_not_kept(monkeypatch):
    problem = small()
    whole = Hessian(problem, dtype=torch.float64)._graph_bytes(40)
    hessian = Hessian(problem, dtype=torch.float64, memory=int(whole) // 2)
    passes = []
    forward = hessian.model.forward
    monkeypatch.setattr(hessian.model, "forward", lambda x: (passes.append(len(x)), forward(x))[1])
    first, *others = repeated(hessian, np.ones(hessian.size))
    assert all(np.array_equal(first, other) for other in others)
    np.testing.assert_allclose(first, dense(problem).sum(1), rtol=0, atol=1e-12)
    # Nor is there a batch whose graph does: all samples three times, ten at once.
    assert passes == [2, 4] + [10] * 4 * 3


def test_chosen_samples():
    problem = small()
    inputs, targets = problem.train
    hessian = Hessian(problem, dtype=torch.float64, batch_size=4)
    vector = np.ones(hessian.size)
    repeated(hessian, vector)
    chosen = torch.tensor([3, 1, 30, 22, 5])
    hessian.select(chosen)
    expected = dense(Problem(problem.model, (inputs[chosen], targets[chosen])))
    for found in repeated(hessian, vector):
        np.testing.assert_allclose(found, expected @ vector, rtol=0, atol=1e-12)
    assert hessian.samples == 5


def test_gradient_and_loss():
    problem = small()
    loss, found = Hessian(problem, dtype=torch.float64, batch_size=9).gradient()
    model = copy.deepcopy(problem.model).double()  # the problem keeps its own
    expected = functional.cross_entropy(model(problem.train[0].double()), problem.train[1])
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    slope = torch.cat([p.grad.reshape(-1) for p in model.parameters()]).numpy()
    np.testing.assert_allclose(found, slope, rtol=0, atol=1e-14)


def test_the_problems_model_is_left_alone():
    problem = small()
    before = flat(problem.model)
    matrix = Hessian(problem)
    matrix.move(np.ones(matrix.size))
    matrix @ np.ones(matrix.size)
    assert torch.equal(flat(problem.model), before)
    assert all(p.grad is None for p in problem.model.parameters())
    assert problem.model.training


def test_moved_to_other_weights():
    problem, other = small(), small(seed=1)
    matrix = Hessian(problem, dtype=torch.float64)
    matrix.move(flat(other.model).numpy())
    expected = dense(Problem(other.model, problem.train))
    np.testing.assert_allclose(columns(matrix), expected, rtol=0, atol=1e-12)


def test_a_subset_of_the_samples():
    problem = small()
    inputs, targets = problem.train
    found = columns(Hessian(problem, dtype=torch.float64, samples=11, batch_size=4))
    expected = dense(Problem(problem.model, (inputs[:11], targets[:11])))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_float32_is_close():
    problem = small()
    found = columns(Hessian(problem))
    exact = dense(problem)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5 * np.abs(exact).max())


def test_frozen_parameters_are_no_part_of_it():
    problem = small()
    expected = dense(problem)
    problem.model[0].requires_grad_(False)
    found = columns(Hessian(problem, dtype=torch.float64))
    np.testing.assert_allclose(found, expected[36:, 36:], rtol=0, atol=1e-12)


def test_tensors_that_do_not_move_have_zeros_and_are_left_out_of_the_block():
    problem = small()
    expected = dense(problem)
    problem = replace(problem, weights=problem.layout.narrowed(["2.*"]))
    hessian = Hessian(problem, dtype=torch.float64)
    found = columns(hessian)
    last = next(p for p in problem.layout.parameters if p.moves).offset
    ends = problem.layout.moving[-1].slice.stop
    inside = np.zeros(len(expected), bool)
    inside[last:ends] = True
    outer = np.outer(inside, inside)
    np.testing.assert_allclose(found, np.where(outer, expected, 0), rtol=0, atol=1e-12)
    block = hessian.block
    assert block.size == inside.sum()
    own = expected[np.ix_(inside, inside)]
    made = np.stack([block @ row for row in np.eye(block.size)])
    np.testing.assert_allclose(made, own, rtol=0, atol=1e-12)
    assert top(block, 1).values[0] == pytest.approx(np.linalg.eigvalsh(own)[-1], rel=1e-6)


def test_complex_parameters_are_two_real_ones_each():
    """Against PyTorch's Hessian of the same function of real numbers."""
    torch.manual_seed(0)
    inputs = torch.randn(9, 3, dtype=torch.float64)
    targets = torch.randn(9, 2, dtype=torch.float64)
    model = Waves().double()
    model.wave.data = model.wave.data.to(torch.complex128)
    problem = Problem(model, (inputs, targets), loss=half_square)

    def loss(vector):
        wave = torch.view_as_complex(vector[:12].view(3, 2, 2))
        outputs = (inputs.to(wave.dtype) @ wave).abs() + vector[12:].view(2)
        return 0.5 * (outputs - targets).square().mean()

    expected = torch.autograd.functional.hessian(loss, flat(model)).numpy()
    hessian = Hessian(problem)
    np.testing.assert_allclose(columns(hessian), expected, rtol=0, atol=1e-12)
    slope = torch.autograd.functional.jacobian(loss, flat(model)).numpy()
    np.testing.assert_allclose(hessian.gradient()[1], slope, rtol=0, atol=1e-12)


class Waves(nn.Module):
    """The magnitude of a complex linear map, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.wave = nn.Parameter(torch.randn(3, 2, dtype=torch.complex64))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, inputs):
        return (inputs.to(self.wave.dtype) @ self.wave).abs() + self.bias


def test_a_loss_that_is_linear_in_the_weights_has_none():
    problem = small(model=lambda: nn.Linear(5, 1), loss=lambda outputs, _: outputs[:, 0])
    assert not columns(Hessian(problem)).any()


def test_linear_regression():
    problem = small(model=lambda: nn.Linear(5, 1, bias=False), loss=half_square)
    x = problem.train[0].double().numpy()
    found = columns(Hessian(problem, dtype=torch.float64))
    np.testing.assert_allclose(found, x.T @ x / 40, rtol=0, atol=1e-12)


def rescaling(model: nn.Sequential) -> np.ndarray:
    """t_i = (a_i, b_i, -c_i) of every hidden unit: weights in, bias, weights out."""
    first, _, second = model
    rows = []
    for unit in range(first.out_features):
        parts = [torch.zeros_like(p) for p in model.parameters()]
        parts[0][unit], parts[1][unit] = first.weight[unit], first.bias[unit]
        parts[2][:, unit] = -second.weight[:, unit]
        rows.append(torch.cat([part.reshape(-1) for part in parts]).detach().double().numpy())
    return np.stack(rows)


def test_rescaling_directions_of_relu_units():
    problem = small(
        model=lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), samples=60
    )
    matrix = Hessian(problem, dtype=torch.float64)
    _, slope = matrix.gradient()
    for direction in rescaling(problem.model):
        assert abs(slope @ direction) < 1e-12
        # Along t the weights into the unit grow, those out of it shrink: H t = -(g_a, g_b, -g_c).
        into = np.arange(len(slope)) < 36
        expected = np.where(direction != 0, np.where(into, -slope, slope), 0)
        np.testing.assert_allclose(matrix @ direction, expected, rtol=0, atol=1e-9)


def test_softmax_shift():
    problem = small()
    matrix = Hessian(problem, dtype=torch.float64)
    shift = np.zeros(matrix.size)
    shift[-3:] = 1
    assert abs(matrix.gradient()[1] @ shift) < 1e-12
    assert np.abs(matrix @ shift).max() < 1e-12


class Once(torch.autograd.Function):
    @staticmethod
    def forward(_, inputs):
        return inputs * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(_, gradient):
        return gradient * 2


class Rough(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 3)

    def forward(self, inputs):
        return Once.apply(self.linear(inputs))


def test_an_operation_without_second_derivative_is_named():
    with pytest.raises(LandscapeError) as caught:
        columns(Hessian(small(model=Rough)))
    assert str(caught.value) == (
        "curvature needs a model and a loss that can be differentiated twice, got: a "
        "function marked once_differentiable has no second derivative; "
        "replace that operation, or leave out what needs curvature"
    )


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 8)
        self.output = nn.Linear(40, 3)

    def forward(self, inputs):
        hidden = self.linear(inputs[:, :, None])[:, None]
        return self.output(
            nn.functional.scaled_dot_product_attention(hidden, hidden, hidden).flatten(1)
        )


def test_attention_has_curvature():
    problem = small(model=Attends)
    matrix = Hessian(problem, dtype=torch.float64)
    generator = np.random.default_rng(0)
    u, v = generator.standard_normal((2, matrix.size))
    assert u @ (matrix @ v) == pytest.approx(v @ (matrix @ u), rel=1e-9)
    # Central differences of the gradient.
    start = flat(problem.model).double().numpy()
    slopes = []
    for sign in (1, -1):
        matrix.move(start + sign * 1e-5 * v)
        slopes.append(matrix.gradient()[1])
    matrix.move(start)
    np.testing.assert_allclose((slopes[0] - slopes[1]) / 2e-5, matrix @ v, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_sums_in_float32_become_float64_where_they_are(monkeypatch, block):
    monkeypatch.setattr("landscape.curvature.hessian.BLOCK", block)
    problem, vector = small(), np.random.default_rng(0).standard_normal(57)
    narrow, wide = (Hessian(problem, dtype=dtype) for dtype in (None, torch.float64))
    for found, expected in (
        (narrow @ vector, wide @ vector),
        (narrow.gradient()[1], wide.gradient()[1]),
    ):
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, found.astype(np.float32))  # each is a float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
