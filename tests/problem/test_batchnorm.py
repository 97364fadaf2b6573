from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from landscape.problem import Evaluator, Problem
from landscape.problem.batchnorm import has_statistics, recompute
from landscape.problem.samples import Samples


@pytest.mark.parametrize("size", [23, 7, 11, 2])
def test_one_layer_equals_the_dense_computation(net, images, size):
    """What reaches the first BatchNorm doesn't depend on batches: numpy has it all at once."""
    values = net.conv(images[0]).detach().numpy().astype(np.float64)
    recompute(net, Samples(images), batch_size=size)
    by_channel = values.transpose(1, 0, 2, 3).reshape(5, -1)
    np.testing.assert_allclose(net.bn.running_mean, by_channel.mean(1), atol=1e-6)
    np.testing.assert_allclose(net.bn.running_var, by_channel.var(1, ddof=1), rtol=1e-5)


def two_layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh()),
        *(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)),
    )


@pytest.fixture
def table():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(30, 6, generator=generator), torch.randint(0, 3, (30,), generator=generator)


def test_two_layers_equal_pytorchs_own_averages(table):
    model, reference = two_layers(), two_layers().train()
    for layer in (reference[1], reference[4]):
        layer.momentum = None  # A cumulative average: after one batch, the batch's.
    reference(table[0])
    recompute(model, Samples(table), batch_size=30)
    for layer in (1, 4):
        for name in ("running_mean", "running_var"):
            torch.testing.assert_close(getattr(model[layer], name), getattr(reference[layer], name))


def test_two_layers_in_batches_pool_their_moments(table):
    """Batches of 20 and 10: the second layer sees each normalized by its own statistics."""
    model = two_layers()
    recompute(model, Samples(table), batch_size=20)
    reference = two_layers().train()
    seen = [reference[:4](part).detach() for part in (table[0][:20], table[0][20:])]
    pooled = torch.cat(seen).double()
    torch.testing.assert_close(model[4].running_mean.double(), pooled.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model[4].running_var.double(), pooled.var(0), rtol=1e-5, atol=1e-6)


def test_large_mean_does_not_eat_the_variance(table):
    model = nn.Sequential(nn.BatchNorm1d(6)).double()
    shifted = table[0].double() + 1e7
    recompute(model, Samples((shifted, table[1])), batch_size=8)
    expected = shifted.numpy().var(0, ddof=1)
    np.testing.assert_allclose(model[0].running_var, expected, rtol=1e-6)


def test_a_single_sample_left_over(table):
    """BatchNorm can't normalize one row: 30 in batches of 29 are one batch."""
    model, whole = two_layers(), two_layers()
    recompute(model, Samples(table), batch_size=29)
    recompute(whole, Samples(table), batch_size=30)
    for name, value in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_everything_else_stays_as_it_was(net, images, untouched):
    before = copy.deepcopy(net.state_dict())
    recompute(net, Samples(images), batch_size=4)
    assert not torch.equal(net.bn.running_mean, before["bn.running_mean"])
    net.bn.running_mean.copy_(before["bn.running_mean"])
    net.bn.running_var.copy_(before["bn.running_var"])
    holds = untouched(net)
    after = net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert net.training
    assert not net.bn.training
    assert holds()


def test_nothing_is_left_behind_by_an_error(net, images, untouched):
    holds = untouched(net)
    with pytest.raises(RuntimeError):
        recompute(net, Samples((images[0][:, :1], images[1])), batch_size=4)
    assert holds()


def test_twice_is_the_same_as_once(net, images):
    recompute(net, Samples(images))
    once = copy.deepcopy(net.state_dict())
    recompute(net, Samples(images))
    assert all(torch.equal(value, once[name]) for name, value in net.state_dict().items())


def test_batch_size_of_the_evaluator_does_not_matter(net, images):
    losses = []
    for size in (3, 23):
        model = copy.deepcopy(net)
        evaluator = Evaluator(Problem(model, images), batch_size=size)
        recompute(model, evaluator.train)
        losses.append(evaluator.on_train(model).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] != pytest.approx(
        Evaluator(Problem(net, images), batch_size=23).on_train(net).loss, rel=1e-3
    )


def test_variances_are_never_negative():
    model = nn.Sequential(nn.BatchNorm1d(2))
    recompute(model, Samples((torch.full((9, 2), 0.1), torch.zeros(9))), batch_size=4)
    assert model[0].running_var.tolist() == [0.0, 0.0]


def test_layer_the_model_does_not_use_keeps_its_statistics(net, images):
    net.spare = nn.BatchNorm1d(2)
    recompute(net, Samples(images))
    assert net.spare.running_var.tolist() == [1.0, 1.0]


def test_has_statistics(net):
    assert has_statistics(net)
    assert not has_statistics(nn.Linear(1, 1))
    assert not has_statistics(nn.BatchNorm1d(2, track_running_stats=False))
