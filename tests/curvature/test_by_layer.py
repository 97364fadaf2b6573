"""Diagonal blocks of the Hessian against the dense Hessian's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature import by_layer
from landscape.curvature.hessian import Hessian
from landscape.problem import Problem, flat


@pytest.fixture
def blocks(run, dense):
    """The dense Hessian at each row, and where the tensors lie in it."""
    problem, trajectory = run
    whole = [dense(problem, trajectory.row_weights(row)) for row in (0, 1)]
    return whole, [place.slice for place in problem.layout.parameters]


def test_a_block_is_the_dense_hessians(run, blocks):
    problem, trajectory = run
    hessian = Hessian(problem, dtype=torch.float64)
    hessian.move(trajectory.row_weights(1))
    for block, where in zip(hessian.tensors, blocks[1], strict=True):
        rows = np.stack([block @ row for row in np.eye(block.size)])
        np.testing.assert_allclose(rows, blocks[0][1][where, where], atol=1e-12)
    # The products of blocks count as any.
    assert hessian.products == hessian.size
    np.testing.assert_allclose(hessian @ np.eye(75)[3], blocks[0][1][3], atol=1e-12)


def test_eigenvalues_and_traces_of_blocks(run, blocks):
    problem, trajectory = run
    found = by_layer.measure(problem, trajectory, [0, 1])
    dense, places = blocks
    assert found.tensors == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert list(found.sizes) == [36, 9, 27, 3]
    for row in (0, 1):
        weights = trajectory.row_weights(row)
        for tensor, where in enumerate(places):
            block = dense[row][where, where]
            exact = np.linalg.eigvalsh(block)[-1]
            assert found.top[row, tensor] <= exact * (1 + 1e-9)
            assert found.top[row, tensor] == pytest.approx(exact, rel=0.01)
            off = abs(found.trace[row, tensor] - np.trace(block))
            assert off <= max(4 * found.trace_error[row, tensor], 1e-9)
            norm = np.linalg.norm(weights[where])
            assert found.norm[row, tensor] == pytest.approx(norm)
            assert found.scaled[row, tensor] == pytest.approx(norm**2 * found.top[row, tensor])
        # The small ones are searched whole.
        assert (found.trace_error[row, [1, 3]] == 0).all()


def test_traces_sum_to_the_whole_and_no_block_is_sharper_than_it(run, blocks):
    problem, trajectory = run
    found = by_layer.measure(problem, trajectory, [0, 1])
    for row, dense in enumerate(blocks[0]):
        error = np.sqrt((found.trace_error[row] ** 2).sum())
        assert abs(found.trace[row].sum() - np.trace(dense)) < 4 * error
        assert found.whole[row] == pytest.approx(np.linalg.eigvalsh(dense)[-1], rel=1e-3)
        assert (found.top[row] <= found.whole[row] + found.whole_error[row]).all()


def test_rescaling_a_layer_moves_the_curvature_and_not_its_scaled_one(recorded):
    """A ReLU network: a layer times c, the next over c."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)
    ).double()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    problem = Problem(model, (inputs, torch.randint(3, (50,), generator=generator)))
    start = flat(model).numpy()
    scaled = start * np.repeat([5.0, 0.2], [32, 24])
    found = by_layer.measure(problem, recorded(problem, [start, scaled]), [0, 1])
    np.testing.assert_allclose(found.top[1] / found.top[0], [1 / 25, 25], rtol=1e-4)
    np.testing.assert_allclose(found.scaled[1], found.scaled[0], rtol=1e-4)


def test_what_a_row_costs_is_what_it_takes(run):
    problem, trajectory = run
    told = []
    by_layer.measure(problem, trajectory, listener=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
    # Two tensors of at most twelve numbers, two that take twelve products and four.
    assert by_layer.products([36, 9, 27, 3]) == 30 + 2 * 16 + 9 + 3


def test_constant_tensors_have_no_block(recorded, tanh):
    tanh.model[0].weight.requires_grad_(False)
    problem = Problem(tanh.model, tanh.train)
    found = by_layer.measure(problem, recorded(problem, [flat(problem.model).numpy()]))
    assert found.tensors == ("0.bias", "2.weight", "2.bias")
